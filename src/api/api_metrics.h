/*
 * api_metrics: what is told to Prometheus, in its text format (version 0.0.4).
 *
 * Metrics are rows of one table, of the whole, of each system, of each system and kind of run,
 * or of each queue.  What is not known (no success yet) is left out, not 0.
 *
 * Threads: any.
 */
#ifndef HF_API_API_METRICS_H
#define HF_API_API_METRICS_H

#include "api/api_survey.h"
#include "base/buf.h"

struct api_counters;

struct metrics_more { /* what is not of the survey */
	int64_t started_ns;
	bool ready;
	const struct api_counters *counters; /* NULL: none */
};

void api_metrics_text(const struct api_survey *s, const struct metrics_more *more, struct buf *out);

/* The i-th metric's name, NULL behind the last; for tests of what refers to them. */
const char *api_metrics_name(size_t i);

#endif
