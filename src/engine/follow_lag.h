/*
 * follow_lag: how long the oldest byte that is not durable has been here.
 *
 * Moments are kept for some positions; where there are many, for every second one of them: the
 * answer is never too small, and too large by at most a 1000th of what it says.
 *
 * Threads: one owner.
 */
#ifndef HF_ENGINE_FOLLOW_LAG_H
#define HF_ENGINE_FOLLOW_LAG_H

#include <stddef.h>
#include <stdint.h>

enum { FOLLOW_LAG_KEPT = 4096 };

struct follow_lag {
	struct {
		uint64_t end;
		int64_t ns;
	} v[FOLLOW_LAG_KEPT];
	size_t n;
	int64_t apart_ns;
};

/* All up to `end` is here now. */
void follow_lag_got(struct follow_lag *l, uint64_t end, int64_t now_ns);
/* All up to there is durable: 0, or the age of the oldest byte that is not. */
int64_t follow_lag_age(struct follow_lag *l, uint64_t safe, int64_t now_ns);

#endif
