/* fuzz: a file's name, a NUL, and its first pages: what is a segment's has a name that it fits. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "source/wal_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const uint8_t *nul = n ? memchr(p, 0, n) : NULL;
	struct wal_file_head h;
	struct wal_file f;
	struct span bytes;
	struct err e = {0};
	char name[WAL_FILE_NAME];
	uint64_t at;

	if (nul == NULL)
		return 0;
	bytes = span_of(nul + 1, (size_t)(p + n - nul - 1));
	if (wal_file_head(bytes, &h, &e) == 0) {
		wal_file_name(name, h.timeline, h.start, h.size);
		if (wal_file_parse(name, &f, &e) == -1 || wal_file_fits(&f, &h, h.size, &e) == -1 ||
		    !wal_file_start(&f, h.size, &at) || at != h.start)
			abort();
		wal_file_pages(bytes, h.start, h.page, h.timeline, &e);
	}
	if (wal_file_parse((const char *)p, &f, &e) == 0 && f.kind == WAL_FILE_SEGMENT &&
	    wal_file_start(&f, WAL_FILE_MIN, &at) &&
	    strcmp(wal_file_name(name, f.timeline, at, WAL_FILE_MIN), (const char *)p) != 0)
		abort();
	return 0;
}
