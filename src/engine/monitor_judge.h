/*
 * monitor_judge: what an integrity monitor has seen against what was accepted.
 *
 * The first value is accepted.  A count that stays within its threshold is accepted too, so that
 * it may grow; any other change differs until somebody accepts it or it is as it was.
 *
 * Threads: any; no state.
 */
#ifndef HF_ENGINE_MONITOR_JUDGE_H
#define HF_ENGINE_MONITOR_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum { MONITOR_VALUE = 200 };

struct monitor_memory { /* zeroed: nothing yet */
	char accepted[MONITOR_VALUE], seen[MONITOR_VALUE];
	bool differs, failing; /* failing: it could not be looked at */
	int64_t at_ns;         /* when it was looked at last */
};

struct monitor_rule {
	bool counts;        /* values are numbers, and may differ by */
	double threshold;   /* percent */
	const char *expect; /* instead of what was accepted; or NULL */
};

enum monitor_outcome {
	MONITOR_FIRST,   /* there was nothing to compare with: accepted */
	MONITOR_SAME,    /* or near enough */
	MONITOR_DIFFERS, /* and did not before, or from another value: to be told */
	MONITOR_STILL,   /* as it was told */
	MONITOR_BACK     /* as it should be again: to be told */
};

const char *monitor_outcome_name(enum monitor_outcome o); /* "differs" */

/* m gets the value as seen, and whether it differs.  ERR_FAILED: a count that is no number. */
int monitor_judge(const struct monitor_rule *r, struct monitor_memory *m, const char *value,
    enum monitor_outcome *out, struct err *e);

/* What was seen is right from now on; false: nothing was amiss. */
bool monitor_accept(struct monitor_memory *m);

/* As text, for the catalog; new.  And back: what is none is a zeroed one. */
char *monitor_memory_text(const struct monitor_memory *m);
void monitor_memory_read(struct monitor_memory *m, const char *text); /* text may be NULL */

#endif
