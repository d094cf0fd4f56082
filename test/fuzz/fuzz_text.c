/*
 * fuzz: names from outside on their way to a terminal and into JSON: what is printed
 * is UTF-8 that no terminal obeys, and the bytes can be had back from JSON.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "cli/cli_out.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void escape(struct span s)
{
	struct buf b = {0}, wrapped = {0};

	text_escape(&b, s);
	if (b.n > 0 && !utf8_valid(buf_span(&b)))
		abort();
	for (size_t i = 0; i < b.n; i++)
		if (b.p[i] < 0x20 || b.p[i] == 0x7f || (b.p[i] == 0xc2 && b.p[i + 1] < 0xa0))
			abort();
	for (size_t columns = 0; columns < 40; columns += 7) {
		size_t at = text_cut(buf_span(&b), columns);

		if (at > b.n || text_width(span_of(b.p, at)) > columns)
			abort();
	}
	text_wrap(&wrapped, buf_cstr(&b), 3, 4, 30);
	buf_fini(&b);
	buf_fini(&wrapped);
}

static void json(struct span s)
{
	json_t *o = json_object();
	const char *text, *b64;
	uint8_t *back = NULL;
	size_t n;

	out_json_path(o, "path", s);
	text = json_string_value(json_object_get(o, "path"));
	b64 = json_string_value(json_object_get(o, "path_bytes"));
	if (text == NULL)
		abort();
	if (b64 == NULL) {
		if (strlen(text) != s.n || memcmp(text, s.p, s.n) != 0)
			abort();
	} else if ((back = base64_decode(b64, &n)) == NULL || n != s.n ||
		   memcmp(back, s.p, n) != 0) {
		abort();
	}
	free(back);
	json_decref(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (n == 0)
		return 0;
	escape(span_of(p, n));
	json(span_of(p, n));
	return 0;
}
