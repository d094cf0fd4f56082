/* secret_ref: see secret_ref.h. */
#include "config/secret_ref.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/mem.h"
#include "crypto/secret.h"
#include "os/os.h"

static const char *after(const char *ref, const char *scheme)
{
	size_t n = strlen(scheme);

	return strncmp(ref, scheme, n) == 0 && ref[n] == ':' ? ref + n + 1 : NULL;
}

static int hint(struct err *e)
{
	return err_hint(e, "one of file:/PATH, env:NAME, command:WORDS, credential:NAME");
}

int secret_ref_check(const char *ref, struct err *e)
{
	const char *rest;

	if ((rest = after(ref, "file"))) {
		if (rest[0] == '/')
			return 0;
		err_set(e, ERR_USAGE, "file: needs an absolute path");
		return hint(e);
	}
	if ((rest = after(ref, "credential"))) {
		if (rest[0] && rest[0] != '.' && strchr(rest, '/') == NULL)
			return 0;
		err_set(e, ERR_USAGE, "credential: needs a name without a '/'");
		return hint(e);
	}
	if (((rest = after(ref, "env")) || (rest = after(ref, "command"))) && rest[0])
		return 0;
	/* It may be the secret itself: it is not repeated. */
	err_set(e, ERR_USAGE, "a secret stands here only by reference");
	return hint(e);
}

static int read_fd(int fd, char *out, size_t *n, struct err *e)
{
	*n = 0;
	for (;;) {
		ssize_t got = os_read(fd, out + *n, SECRET_REF_MAX - *n);

		if (got == -1)
			return err_sys(e, "read");
		if (got == 0)
			return 0;
		*n += (size_t)got;
		if (*n == SECRET_REF_MAX)
			return err_set(e, ERR_USAGE, "longer than %d bytes", SECRET_REF_MAX - 1);
	}
}

static int from_file(const char *path, char *out, size_t *n, struct err *e)
{
	int fd = os_open(path, O_RDONLY, 0), rc;

	if (fd == -1)
		return err_sys(e, "%s", path);
	rc = read_fd(fd, out, n, e);
	os_close(fd);
	return rc == 0 ? 0 : err_wrap(e, "%s", path);
}

static int from_credential(const char *name, char *out, size_t *n, struct err *e)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	char *path;
	int rc;

	if (dir == NULL || dir[0] == '\0') {
		err_set(e, ERR_USAGE, "there are no credentials: CREDENTIALS_DIRECTORY is not set");
		return err_hint(e, "systemd sets it for a unit with LoadCredential=%s:...", name);
	}
	path = mem_printf("%s/%s", dir, name);
	rc = from_file(path, out, n, e);
	free(path);
	return rc;
}

static int from_env(const char *name, char *out, size_t *n, struct err *e)
{
	const char *v = getenv(name);

	if (v == NULL || v[0] == '\0')
		return err_set(e, ERR_USAGE, "it is not set");
	*n = strlen(v);
	if (*n >= SECRET_REF_MAX)
		return err_set(e, ERR_USAGE, "longer than %d bytes", SECRET_REF_MAX - 1);
	memcpy(out, v, *n);
	return 0;
}

static int from_command(const char *command, char *out, size_t *n, struct err *e)
{
	/* It must not read what is backed up from standard input. */
	char *line = mem_printf("exec </dev/null\n%s", command);
	FILE *p = popen(line, "re");
	int rc, status;

	free(line);
	if (p == NULL)
		return err_sys(e, "it cannot be run");
	rc = read_fd(fileno(p), out, n, e);
	status = pclose(p);
	if (rc == 0 && status != 0)
		return err_set(e, ERR_USAGE, "it failed with status %d",
		    WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	return rc;
}

int secret_ref_read(const char *ref, char **out, size_t *n, struct err *e)
{
	const char *rest;
	char *s;
	int rc;

	*out = NULL;
	if (secret_ref_check(ref, e) == -1)
		return -1;
	s = secret_new(SECRET_REF_MAX);
	if ((rest = after(ref, "file")))
		rc = from_file(rest, s, n, e);
	else if ((rest = after(ref, "env")))
		rc = from_env(rest, s, n, e);
	else if ((rest = after(ref, "command")))
		rc = from_command(rest, s, n, e);
	else
		rc = from_credential(after(ref, "credential"), s, n, e);
	if (rc == -1) {
		secret_free(s);
		return after(ref, "file") ? -1 : err_wrap(e, "%s", ref);
	}
	*out = s;
	return 0;
}
