/*
 * fuzz: what Azure, or who sits in its place, can answer; and what a person can
 * write for a place.  The first byte says which.
 */
#include <string.h>

#include "fuzz_web.h"
#include "store/azure.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void page(struct span s)
{
	struct azure_page out;
	struct err e = {0};

	if (azure_page_read(s, "a/", web_see, NULL, &out, &e) == -1 && e.kind != ERR_CORRUPT)
		abort();
	if (memchr(out.next, '\0', sizeof out.next) == NULL)
		abort();
}

static void refusal(struct span s)
{
	struct http_answer a = web_answer(s);
	struct err e = {0};

	if (azure_refused(&a, &e) != -1)
		abort();
	web_error_good(&e);
	buf_fini(&a.body);
}

/* The first line is the URL's, the second a connection string. */
static void place(struct span s)
{
	struct buf b = {0};
	struct azure_place out;
	struct err e = {0};
	char *rest, *connection;

	buf_put_span(&b, s);
	buf_cstr(&b);
	rest = (char *)b.p;
	connection = strchr(rest, '\n');
	if (connection)
		*connection++ = '\0';
	setenv("AZURE_STORAGE_CONNECTION_STRING", connection ? connection : "", 1);
	if (azure_place_parse(&out, rest, NULL, &e) == 0) {
		if (strpbrk(out.container, "\r\n /?") || (out.key == NULL && out.sas == NULL))
			abort();
		azure_place_fini(&out);
	} else if (e.kind != ERR_USAGE && e.kind != ERR_DENIED) {
		abort();
	}
	buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static void (*const parsers[])(struct span) = {page, refusal, place};

	if (n > 0)
		parsers[p[0] % 3](span_of(p + 1, n - 1));
	return 0;
}
