/*
 * evidence_read: records of the state folder's chain as they stand in its file, and its verdict as
 * JSON, for who shows them.
 *
 * Threads: any.
 */
#ifndef HF_CATALOG_EVIDENCE_READ_H
#define HF_CATALOG_EVIDENCE_READ_H

#include <sys/types.h>

#include "catalog/evidence_check.h"

/* One line, without its newline: a record, of which nothing is verified.  -1 ends. */
typedef int evidence_line(void *arg, struct span line, struct err *e);

/* Where a line begins: so many stand before it.  Zeros: the first. */
struct evidence_place {
	uint64_t line;
	off_t offset;
	dev_t dev;
	ino_t ino;
};

/*
 * Lines after the first `after`, at most `most` of them (0: all).  What a crash left torn at the
 * end is no line.  A folder without a chain has none.  `from` is a place at or before the first of
 * them where one is known, and is where reading ended.
 */
int evidence_read_from(const char *dir, struct evidence_place *from, uint64_t after, uint64_t most,
    evidence_line *each, void *arg, struct err *e);

/* "verdict", "message", "line", "sequence", "records", "heads", "chain", "hash"; new. */
json_t *evidence_verdict_json(const struct evidence_verdict *v);

#endif
