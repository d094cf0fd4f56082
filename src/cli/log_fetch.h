/*
 * log_fetch: a file of PostgreSQL's log, from whichever of a system's repositories has it.
 *
 * Threads: one owner.
 */
#ifndef HF_CLI_LOG_FETCH_H
#define HF_CLI_LOG_FETCH_H

#include "cli/log_place.h"
#include "source/wal_file.h"

enum log_found {
	LOG_WHOLE,
	LOG_TAIL, /* the log ends in it: what is beyond is zeros, and may come yet */
	LOG_ABSENT
};

struct log_fetch;

struct log_fetch *log_fetch_new(struct cli *c, const char *system); /* nothing is opened yet */
void log_fetch_free(struct log_fetch *f);                           /* NULL does nothing */

/*
 * The first repository that has all of it, else the longest tail of all.  -1: it could not be told;
 * also where the log goes on beyond what is missing: a gap is no end.  In a standby's folder it is
 * absent, with a warning, as soon as one repository says so and others are away.
 * What was open is closed then, and opened again at the next call.
 */
int log_fetch(struct log_fetch *f, const struct wal_file *file, struct buf *out,
    enum log_found *found, struct err *e);

/* In a child of the process that opened it: what is on a wire is the parent's, and opened anew. */
void log_fetch_forked(struct log_fetch *f);

/* For another thread: of the same system, wherever we are by now. */
struct log_fetch *log_fetch_another(const struct log_fetch *f);

/* Of the segment fetched last: bytes of each; 0: not known. */
uint32_t log_fetch_size(const struct log_fetch *f);

#endif
