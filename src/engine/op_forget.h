/*
 * op_forget: apply a retention policy, group by group; or drop named
 * snapshots, or bring them back.  Forgetting writes notes, and for a delay the
 * snapshot can be brought back; then prune frees the space.
 */
#ifndef HF_ENGINE_OP_FORGET_H
#define HF_ENGINE_OP_FORGET_H

#include "engine/select.h"

struct forget_policy {                                    /* 0: not given */
	int last, hourly, daily, weekly, monthly, yearly; /* -1: unlimited */
	int64_t within_ns;                                /* counted back from the group's newest */
	int within_months;       /* calendar part of --keep-within: 1y6mo is 18 */
	const char *const *tags; /* keep what has any of these */
	size_t ntags;
};

struct forget_params {
	struct select_filter filter;
	struct forget_policy policy;
	const struct snapshot *const *named; /* if nnamed: just these, no policy */
	size_t nnamed;
	bool dry_run;
	bool undo;        /* named ones are brought back */
	bool flooded_ok;  /* rules drop also where a group grew out of its rhythm */
	int64_t delay_ns; /* from the store's time of the note until prune deletes; 0: at once */
};

struct forget_decision {
	const struct snapshot *snapshot;
	bool keep;
	char reason[512]; /* "daily snapshot 2026-11-20, last snapshot"; or why dropped */
};

/* A group's usual interval, and a burst that does not fit into it. */
struct forget_rhythm {
	int64_t usual_ns;       /* median interval of what came before the burst */
	size_t burst;           /* snapshots within one such interval; 0: none */
	int64_t from_ns, to_ns; /* when they were stored */
};

struct forget_result {
	uint64_t unclear; /* forgotten, but a note that cannot be read keeps them */
	uint64_t groups, kept, dropped;
	uint64_t undone;  /* of the kept: brought back */
	uint64_t refused; /* of the kept: a name or the policy dropped them, but pinned or held */
	uint64_t groups_unkept;  /* the policy keeps nothing of them: nothing dropped there */
	uint64_t groups_flooded; /* grew out of their rhythm: nothing dropped there */
};

/*
 * `decided` (may be NULL) sees every snapshot, group after group, newest first
 * in each; a note is durable before.  Refused are pinned and held snapshots, and
 * (counted apart) groups of which the policy keeps nothing.  A policy that says nothing is
 * ERR_USAGE.  Forgotten snapshots are out of it; to name one is no error.
 */
int op_forget(struct repo *r, const struct forget_params *p, struct ctx *ctx,
    int (*decided)(void *, const struct forget_decision *, struct err *), void *arg,
    struct forget_result *out, struct err *e);

/*
 * The pure part, for tests: one group, sorted oldest first, local time zone
 * for days, weeks (ISO), months, years.  out[i] is of group[i].
 *
 * A rule keeps the newest of each of its newest n buckets (days, weeks...)
 * that have snapshots; while fewer have, the oldest snapshot too.  What is dated
 * later than it was stored uses up no rule, and is kept: drop it by name.
 */
void forget_decide(const struct forget_policy *p, const struct snapshot *const *group, size_t n,
    struct forget_decision *out);

/*
 * Did so many snapshots of a group come within one of its usual intervals
 * that somebody may be flooding it, and push they older ones out of this policy?  By the
 * store's times; numbers in forget_rhythm.c.  Pure; the group as for forget_decide.
 */
struct forget_rhythm forget_rhythm(
    const struct forget_policy *p, const struct snapshot *const *group, size_t n);

#endif
