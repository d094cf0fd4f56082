/*
 * op_log: what a repository holds of a continuous log (repo/log.h), beside the base backups that
 * need it: how far it reaches, where it has gaps, and whether all of it is what it should be.
 *
 * Threads: one owner.
 */
#ifndef HF_ENGINE_OP_LOG_H
#define HF_ENGINE_OP_LOG_H

#include "base/ctx.h"
#include "repo/log.h"
#include "repo/snapshot.h"

enum log_gap {
	LOG_JOINED,  /* the first of its timeline */
	LOG_GAP,     /* something is missing before it */
	LOG_BETWEEN, /* nothing but what backups need was kept before it: as retention says */
};

struct log_view_span {
	struct log_span span;
	enum log_gap gap;
	uint64_t stored; /* bytes of its stretches */
};

struct log_view_base { /* a snapshot's part that names this log */
	struct id snapshot;
	int64_t ended_ns;
	uint32_t timeline;
	uint64_t start, end;
	uint64_t stop;  /* where the last segment ends that it brought */
	bool forgotten; /* in the trash: nothing is recovered from it unless it is brought back */
	bool whole;     /* all that it needs is there; else */
	uint64_t missing;
};

struct log_view {
	uint8_t stream[LOG_STREAM];
	struct log_at *at; /* as log_list */
	size_t n;
	bool *beside;         /* which of them stand beside an earlier one with other content */
	uint64_t divergences; /* how many */
	struct log_view_span *spans;
	size_t nspans;
	struct log_view_base *bases; /* by time */
	size_t nbases;
	uint64_t gaps; /* LOG_GAP among the spans, and bases that are not whole */
	struct log_view_window {
		bool any;
		int64_t from_ns; /* the end of the first base from which everything is there... */
		int64_t to_ns;   /* ...until the last that was stored: at least to that time */
		uint32_t timeline;
		uint64_t to;
	} window;
	struct log_view_history {
		uint32_t timeline;
		struct log_line *lines;
		size_t n;
	} * histories;
	size_t nhistories;
};

/*
 * Where the last segment ends that a base needs and brought: log_end itself where its size is not
 * known, or of a standby, which has no more of it yet.
 */
uint64_t log_base_stop(const struct snapshot_part *p);

/* Of one stream; `all` are the repository's snapshots. */
int log_view_make(struct repo *r, const uint8_t stream[LOG_STREAM], const struct snapshot_list *all,
    struct log_view *out, struct err *e);
void log_view_fini(struct log_view *v);

/* From a base on: does everything reach `to`, on the way to that timeline?  As log_reaches. */
bool log_view_reaches(
    const struct log_view *v, uint32_t timeline, uint64_t from, uint64_t to, uint64_t *missing);

struct log_verify_result {
	uint64_t stretches, bytes; /* read, and what they hold */
	uint64_t damaged;          /* each told as EVENT_OBJECT_DAMAGED */
	uint64_t gaps;             /* each told as EVENT_FINDING */
	uint64_t divergences;      /* two contents for one place; told so, too */
};

/* Read all of it: every stretch, every page's head (of PostgreSQL's), every base's range. */
int op_log_verify(struct repo *r, const struct log_view *v, struct ctx *ctx,
    struct log_verify_result *out, struct err *e);

#endif
