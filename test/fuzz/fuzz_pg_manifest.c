/*
 * fuzz_pg_manifest: what a server says that its base backup is, in one piece and byte by byte: both
 * come to the same.
 */
#include "source/pg_manifest.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int read_in(const uint8_t *data, size_t n, size_t piece)
{
	struct pg_manifest m = {0};
	struct pg_manifest_reading *r;
	struct err e;
	int rc = 0;

	pg_manifest_add(&m, "pg_wal/000000010000000000000001");
	pg_manifest_add(&m, "base/1")->size = 3;
	r = pg_manifest_read(&m);
	for (size_t at = 0; rc == 0 && at < n; at += piece)
		rc = pg_manifest_feed(r, span_of(data + at, n - at < piece ? n - at : piece), &e);
	if (rc == 0)
		rc = pg_manifest_end(r, &e);
	pg_manifest_free(r);
	pg_manifest_fini(&m);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (read_in(data, n, n ? n : 1) != read_in(data, n, 1))
		abort();
	return 0;
}
