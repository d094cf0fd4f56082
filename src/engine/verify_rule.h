/*
 * verify_rule: what a verification asserts of a system's newest snapshot, and the score.
 *
 * The score is the share of the weights that passed, among those that could be judged.  It is
 * passed from VERIFY_PASS_MARK on; one failed critical assertion fails it whatever the share.
 *
 * Threads: any; no state.
 */
#ifndef HF_ENGINE_VERIFY_RULE_H
#define HF_ENGINE_VERIFY_RULE_H

#include <stdbool.h>
#include <stddef.h>

#define VERIFY_PASS_MARK 0.95

enum verify_level { VERIFY_STANDARD = 1, VERIFY_COMPREHENSIVE };

enum verify_id {
	VERIFY_SNAPSHOT,
	VERIFY_READABLE,
	VERIFY_ONE_GROUP,
	VERIFY_NEWEST,
	VERIFY_TREE,
	VERIFY_PACKS,
	VERIFY_DATA,
	VERIFY_SEALED,
	VERIFY_KEYS,
	VERIFY_OUTCOME,
	VERIFY_SOURCES,
	VERIFY_COUNTS,
	VERIFY_ERRORS,
	VERIFY_RPO_TARGET,
	VERIFY_RPO,
	VERIFY_SAMPLE,
	VERIFY_ATTRIBUTES,
	VERIFY_SIZES,
	VERIFY_LINKS,
	VERIFY_FACTS,
	VERIFY_RTO_TARGET,
	VERIFY_RTO,
	VERIFY_IDS
};

struct verify_rule {
	enum verify_id id;
	const char *name; /* "integrity.packs" */
	enum verify_level level;
	unsigned weight;
	bool critical;
	const char *says;
};

extern const struct verify_rule verify_rules[VERIFY_IDS];

enum verify_state { VERIFY_NOT_JUDGED, VERIFY_PASSED, VERIFY_FAILED };

enum { VERIFY_WHY = 400 };
struct verify_answer {
	enum verify_state state;
	char why[VERIFY_WHY]; /* what was found, or why it was not judged */
};

struct verify_score {
	double score; /* 0 to 1 */
	bool passed;
	unsigned judged, failed, critical; /* critical: of those that failed */
};

/* Of `n` rules and their answers; where none was judged, nothing is proven: 0, failed. */
struct verify_score verify_score(
    const struct verify_rule *rules, const struct verify_answer *answers, size_t n);

/* What a failed one takes off the score: its weight among what was judged. */
double verify_deduction(
    const struct verify_rule *rules, const struct verify_answer *answers, size_t n, size_t which);

#endif
