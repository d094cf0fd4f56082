/*
 * wal_file: files of PostgreSQL's log as it hands them to an archive: their names, and what the
 * heads of their pages say of them.
 *
 * Bytes are from outside: nothing here is trusted.  What is in the pages wal_reader reads.
 *
 * Threads: any.
 */
#ifndef HF_SOURCE_WAL_FILE_H
#define HF_SOURCE_WAL_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

enum wal_file_kind {
	WAL_FILE_SEGMENT, /* 000000010000000A000000FF */
	WAL_FILE_PARTIAL, /* the same and ".partial" */
	WAL_FILE_HISTORY, /* 00000002.history */
	WAL_FILE_BACKUP,  /* 000000010000000A000000FF.00000028.backup: of pg_basebackup */
};

enum {
	WAL_FILE_HEAD = 40, /* bytes that wal_file_head looks at */
	WAL_FILE_MIN = 1 << 20,
	WAL_FILE_MAX = 1 << 30, /* a segment, both a power of two */
	WAL_FILE_NAME = 25,
};

struct wal_file {
	enum wal_file_kind kind;
	uint32_t timeline, log, segment; /* the last two 0 of a history */
};

/* From a name without folders; ERR_USAGE if PostgreSQL calls no file so. */
int wal_file_parse(const char *name, struct wal_file *out, struct err *e);

/* Where a segment begins; false where there is no such one of that size. */
bool wal_file_start(const struct wal_file *f, uint32_t size, uint64_t *out);
/* The name of the segment that has this position. */
const char *wal_file_name(char out[WAL_FILE_NAME], uint32_t timeline, uint64_t at, uint32_t size);

struct wal_file_head {
	uint64_t system, start;
	uint32_t size, page, timeline; /* the first page's: an older one after a switch */
};

/* What a segment's first bytes say of it; ERR_CORRUPT if they begin none. */
int wal_file_head(struct span first, struct wal_file_head *out, struct err *e);

/* Is it that file, of these many bytes?  ERR_CORRUPT, saying what does not fit. */
int wal_file_fits(
    const struct wal_file *f, const struct wal_file_head *h, uint64_t bytes, struct err *e);

/*
 * Pages that follow one another from `start` on, a multiple of `page`: each names its own position,
 * and no later timeline.  Pages of zeros are what a switch to the next segment leaves.  ERR_CORRUPT
 * with the position.
 */
int wal_file_pages(
    struct span bytes, uint64_t start, uint32_t page, uint32_t timeline, struct err *e);

#endif
