/* fuzz: durations, sizes, times, codecs as people write them. */
#include <stdlib.h>

#include "base/calendar.h"
#include "base/mem.h"
#include "codec/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void usage(int rc, const struct err *e)
{
	if (rc == -1 && e->kind != ERR_USAGE)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char *s = mem_dup(p, n), text[CALENDAR_TEXT];
	struct calendar_duration d;
	struct calendar_time t;
	enum codec_id id;
	struct err e = {0};
	uint64_t size;
	int rc, level;

	usage(calendar_parse_duration(s, &d, &e), &e);
	usage(calendar_parse_within(s, &d, &e), &e);
	usage(calendar_parse_size(s, &size, &e), &e);
	rc = calendar_parse_time(s, &t, &e);
	usage(rc, &e);
	if (rc == 0) {
		int64_t ns = t.ns;

		calendar_format_local(text, ns);
		calendar_format_utc(text, ns);
		if (calendar_parse_time(text, &t, &e) == -1 || t.ns != ns)
			abort();
	}
	if (n >= 8) {
		int64_t ns;

		memcpy(&ns, p, 8);
		calendar_format_local(text, ns);
		calendar_format_utc(text, ns);
	}
	if (codec_parse(s, &id, &level) && level != CODEC_AUTO &&
	    (level < codec_info(id)->min || level > codec_info(id)->max))
		abort();
	free(s);
	return 0;
}
