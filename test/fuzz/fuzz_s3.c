/*
 * fuzz: what a server, or who sits in its place, can answer; and profile
 * files.  The first byte says which.
 */
#include <stdlib.h>
#include <string.h>

#include "store/s3.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static int see(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	if (!store_key_valid(key))
		abort();
	return 0;
}

static void page(struct span s)
{
	struct s3_page out;
	struct err e = {0};

	if (s3_page_read(s, "a/", see, NULL, &out, &e) == -1 && e.kind != ERR_CORRUPT)
		abort();
	if (memchr(out.token, '\0', sizeof out.token) == NULL)
		abort();
}

static void refusal(struct span s)
{
	static const int statuses[] = {301, 400, 403, 404, 409, 412, 500, 503};
	char here[] = "here";
	struct s3 s3 = {.place.region = here};
	struct s3_call c = {.method = "GET"};
	struct http_answer a = {.status = statuses[s.n % 8]};
	struct err e = {0};

	buf_put_span(&a.body, s);
	if (s3_refusal(&s3, &c, &a, &e) != -1 || e.kind == ERR_NONE)
		abort();
	for (const char *m = e.msg; *m; m++)
		if ((unsigned char)*m < 0x20 || (unsigned char)*m >= 0x7f)
			abort();
	buf_fini(&a.body);
}

static void profile(struct span s)
{
	free(s3_profile_find(s, "default", "aws_access_key_id"));
	free(s3_profile_find(s, "x", "region"));
}

static void place(struct span s)
{
	struct s3_options o = {.region = "r"};
	struct s3_place out;
	struct err e = {0};
	struct buf b = {0};

	buf_put_span(&b, s);
	if (s3_place_parse(&out, buf_cstr(&b), &o, &e) == 0) {
		if (strpbrk(out.host, "\r\n @/") || strlen(out.prefix) > 512)
			abort();
		s3_place_fini(&out);
	} else if (e.kind != ERR_USAGE) {
		abort();
	}
	buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static void (*const parsers[])(struct span) = {page, refusal, profile, place};

	if (n > 0)
		parsers[p[0] % 4](span_of(p + 1, n - 1));
	return 0;
}
