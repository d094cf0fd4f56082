/*
 * recover_line: the timelines that lead to where a recovery goes, and how far the stored log
 * reaches along them.
 *
 * A timeline's history file says which timelines came before it and where each was left.  The
 * segment in which one was left is in the next one's too, with the same bytes up to there: it is
 * read from the newest that has it, as PostgreSQL does.
 *
 * Threads: any; nothing here waits.
 */
#ifndef HF_ENGINE_RECOVER_LINE_H
#define HF_ENGINE_RECOVER_LINE_H

#include "base/span.h"
#include "repo/log.h"

struct recover_leg {
	uint32_t timeline;
	uint64_t begin, end; /* end: where it was left; UINT64_MAX for the last */
};

struct recover_line { /* oldest first */
	struct recover_leg *legs;
	size_t n;
};

/* Of a history file's text (any bytes); empty: a timeline without forebears.  ERR_CORRUPT. */
int recover_line_parse(
    struct span text, uint32_t timeline, struct recover_line *out, struct err *e);
void recover_line_fini(struct recover_line *l);

/* Is the stretch [start, end] of this timeline on the line? */
bool recover_line_has(
    const struct recover_line *l, uint32_t timeline, uint64_t start, uint64_t end);

/* One file of the log: a segment, or the beginning of one (then it is the last). */
struct recover_file {
	uint32_t timeline;
	uint64_t start, end;
};

struct recover_reach {
	struct recover_file *v;
	size_t n;
	uint64_t end;      /* everything from the start's segment until here is there */
	uint32_t timeline; /* where that is */
	bool gap;          /* there is more behind it, from: */
	uint64_t gap_end;
};

/* at: as log_list gives it.  segment: bytes, a power of two. */
void recover_reach_find(const struct recover_line *l, const struct log_at *at, size_t n,
    uint64_t start, uint64_t segment, struct recover_reach *out);
void recover_reach_fini(struct recover_reach *r);

/* "000000010000000000000003"; returns out. */
enum { RECOVER_FILE_NAME = 64 };
const char *recover_file_name(
    char out[RECOVER_FILE_NAME], uint32_t timeline, uint64_t lsn, uint64_t segment);

#endif
