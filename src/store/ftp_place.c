/* ftp_place: where a store is, from its URL, and as whom we log in.  See store_ftp.h. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/secret.h"
#include "store/store_ftp.h"

static int usage(struct err *e, const char *what)
{
	err_set(e, ERR_USAGE, "%s", what);
	return err_hint(e,
	    "an FTP repository is ftp://USER@HOST:PORT/PATH, from where the login "
	    "begins, or ftps:// where TLS is there from the first byte; the password is "
	    "in HOLDFAST_FTP_PASSWORD");
}

int ftp_place_parse(
    struct ftp_place *p, const char *rest, const struct ftp_options *o, struct err *e)
{
	const char *path, *wrong;

	*p = (struct ftp_place){0};
	wrong = web_split(rest, &p->user, &p->host, &path);
	if (!wrong && strpbrk(path, "\r\n"))
		wrong = "a path has no line breaks";
	if (wrong) {
		usage(e, wrong);
	} else if ((p->path = web_prefix(path, e)) != NULL &&
		   web_password("HOLDFAST_FTP_PASSWORD", o->password_file, &p->password, e) == 0) {
		return 0;
	} else if (p->path) {
		err_wrap(e, "ftp.password-file");
	}
	ftp_place_fini(p);
	return -1;
}

void ftp_place_fini(struct ftp_place *p)
{
	free(p->host);
	free(p->user);
	free(p->path);
	secret_free(p->password);
	*p = (struct ftp_place){0};
}
