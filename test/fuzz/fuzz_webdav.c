/* fuzz: a multistatus, as WebDAV servers tell what is in a folder; and places in URLs. */
#include <stdlib.h>
#include <string.h>

#include "store/webdav.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static int see(void *arg, const char *key, bool folder, const struct store_stat *st, struct err *e)
{
	(void)arg;
	(void)e;
	if (strlen(key) >= 2048 || (!folder && st->mtime_ns == -1))
		abort();
	return 0;
}

static void multistatus(struct span s)
{
	char path[] = "/dav/repo";
	struct webdav d = {.path = path};
	struct err e = {0};

	if (webdav_read(&d, s, see, NULL, &e) == -1 && e.kind != ERR_CORRUPT)
		abort();
}

static void place(struct span s)
{
	struct webdav_options o = {0};
	struct webdav d;
	struct err e = {0};
	struct buf b = {0};

	buf_put_span(&b, s);
	if (webdav_init(&d, true, buf_cstr(&b), &o, &e) == 0) {
		if (strpbrk(d.origin, "\r\n @") || strlen(d.path) > 513)
			abort();
		webdav_fini(&d);
	} else if (e.kind != ERR_USAGE) {
		abort();
	}
	buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (n == 0)
		return 0;
	if (p[0] % 4)
		multistatus(span_of(p + 1, n - 1));
	else
		place(span_of(p + 1, n - 1));
	return 0;
}
