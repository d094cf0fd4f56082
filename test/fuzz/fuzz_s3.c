/*
 * fuzz: what a server, or who sits in its place, can answer; and profile
 * files.  The first byte says which.
 */
#include <string.h>

#include "fuzz_web.h"
#include "store/s3_put.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void page(struct span s)
{
	struct s3_page out;
	struct err e = {0};

	if (s3_page_read(s, "a/", web_see, NULL, &out, &e) == -1 && e.kind != ERR_CORRUPT)
		abort();
	if (memchr(out.token, '\0', sizeof out.token) == NULL)
		abort();
}

static void refusal(struct span s)
{
	char here[] = "here";
	struct s3 s3 = {.place.region = here};
	struct s3_call c = {.method = "GET"};
	struct http_answer a = web_answer(s);
	struct err e = {0};

	if (s3_refusal(&s3, &c, &a, &e) != -1)
		abort();
	web_error_good(&e);
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

static void uploads(struct span s)
{
	struct s3_uploads u = {0};
	struct err e = {0};
	bool more;

	if (s3_uploads_read(s, "a/", INT64_MAX, &u, &more, &e) == -1 && e.kind != ERR_CORRUPT)
		abort();
	if (more && u.next_key == NULL)
		abort();
	for (size_t i = 0; i < u.n; i++)
		if (!s3_key_in_parts(u.v[i].key + 2) || *u.v[i].id == '\0')
			abort();
	s3_uploads_fini(&u);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static void (*const parsers[])(struct span) = {page, refusal, profile, place, uploads};

	if (n > 0)
		parsers[p[0] & 4 ? 4 : p[0] % 4](span_of(p + 1, n - 1));
	return 0;
}
