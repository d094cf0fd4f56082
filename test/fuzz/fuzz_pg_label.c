/* fuzz_pg_label: what a server says when a backup ends: backup_label and tablespace_map. */
#include "source/pg_label.h"

#include "base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void each(void *arg, uint32_t oid, const char *location)
{
	buf_printf(arg, "%u %s", (unsigned)oid, location);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct pg_label label;
	struct buf out = {0};
	struct err e;

	pg_label_parse(span_of(data, n), &label, &e);
	pg_map_parse(span_of(data, n), each, &out, &e);
	buf_fini(&out);
	return 0;
}
