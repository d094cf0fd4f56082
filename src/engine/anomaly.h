/*
 * anomaly: does a run look like those before it?  Ransomware rewrites many files, and
 * what it writes does not compress.  Pure: numbers in, findings out; the
 * thresholds and their reasons are a table in anomaly.c.
 */
#ifndef HF_ENGINE_ANOMALY_H
#define HF_ENGINE_ANOMALY_H

#include "repo/snapshot.h"

struct anomaly_run {
	uint64_t files;     /* in the tree */
	uint64_t known;     /* files of the run before; 0: nothing to compare with */
	uint64_t rewritten; /* of those: changed, or gone while as many new ones came */
	uint64_t bytes;     /* of content, all files */
	uint64_t added,
	    stored; /* new content, before and after compression; 0, 0: not compressed */
};

enum { ANOMALY_RUNS = 8 };

struct anomaly_past { /* newest first */
	struct anomaly_run v[ANOMALY_RUNS];
	size_t n;
};

/* From a run's counters; `before` is the run before it, or NULL. */
struct anomaly_run anomaly_run_of(
    const struct snapshot_stats *s, const struct anomaly_run *before, bool compresses);

/* What stands out, at most ANOMALY_KINDS of them into `out`. */
enum { ANOMALY_KINDS = 2 };
size_t anomaly_judge(const struct anomaly_run *now, const struct anomaly_past *past,
    struct snapshot_anomaly out[ANOMALY_KINDS]);

#endif
