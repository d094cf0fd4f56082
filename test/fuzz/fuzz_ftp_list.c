/* fuzz: what an FTP server says of a folder; the first byte says in which format. */
#include <stdlib.h>
#include <string.h>

#include "store/ftp_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static int see(void *arg, const struct ftp_entry *entry, struct err *e)
{
	(void)arg;
	(void)e;
	if (entry->kind != FTP_OTHER && strchr(entry->name, '/'))
		abort();
	if (entry->whole && entry->kind != FTP_FILE)
		abort();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct err e = {0};

	if (n == 0)
		return 0;
	if (ftp_list_read(span_of(p + 1, n - 1), p[0] % 2 ? FTP_MLSD : FTP_LS, see, NULL, &e) ==
	    -1) {
		if (e.kind != ERR_UNSUPPORTED)
			abort();
		for (const char *m = e.msg; *m; m++)
			if ((unsigned char)*m < 0x20 || (unsigned char)*m >= 0x7f)
				abort();
	}
	return 0;
}
