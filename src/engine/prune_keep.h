/*
 * prune_keep: which of a log's stretches still bring a database back (format.md 12).
 *
 * Each timeline that was lived on within the retention, or may go on, needs all from the beginning
 * of one base backup on its way there: the newest that ended before the retention begins, else the
 * oldest.  Its way there is what its history says: of each timeline that it came from as much as
 * lies before the next one begins.
 *
 * Pure; threads: any.
 */
#ifndef HF_ENGINE_PRUNE_KEEP_H
#define HF_ENGINE_PRUNE_KEEP_H

#include "repo/log.h"

struct prune_base { /* what a snapshot needs for itself is kept whatever comes of it */
	uint32_t timeline;
	uint64_t start, end;
	int64_t ended_ns;
};

struct prune_history {
	uint32_t timeline;
	int64_t stored_ns;      /* when it had begun at the latest */
	struct log_line *lines; /* where each of those that it came from ended */
	size_t n;
};

struct prune_keep {
	const struct prune_base *bases;
	size_t nbases;
	/* Those that could be read.  One without stands for all before it. */
	const struct prune_history *histories;
	size_t nhistories;
	bool timed; /* there is a retention, that begins at: */
	int64_t from_ns;
};

/* needed[i]: v[i] must stay.  Where there is no base at all that is everything. */
void prune_keep(const struct prune_keep *k, const struct log_at *v, size_t n, bool *needed);

#endif
