/*
 * drill_score: what a drill asserts of what came back, and its score.
 *
 * The score is the share of the weights that held, among those that could be judged.  A drill
 * has passed from DRILL_PASS_MARK on; one critical assertion that does not hold fails it whatever
 * the share.  What is asserted of every drill is a table; a system's own checks are added to it.
 *
 * Threads: one owner.
 */
#ifndef HF_ENGINE_DRILL_SCORE_H
#define HF_ENGINE_DRILL_SCORE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define DRILL_PASS_MARK 0.95

enum drill_level { DRILL_STANDARD = 1, DRILL_COMPREHENSIVE };
const char *drill_level_name(enum drill_level l); /* "standard" */

enum drill_id {
	DRILL_SNAPSHOT,
	DRILL_OUTCOME,
	DRILL_RESTORED,
	DRILL_CONTENT,
	DRILL_COUNTS,
	DRILL_FORMATS,
	DRILL_LOG,
	DRILL_STARTS,
	DRILL_REACHED,
	DRILL_DATABASES,
	DRILL_TABLES,
	DRILL_ROWS,
	DRILL_SCHEMA,
	DRILL_ROLES,
	DRILL_SETTINGS,
	DRILL_PAGES,
	DRILL_NOT_LESS,
	DRILL_OBJECTS,
	DRILL_IN_TIME,
	DRILL_CLEAN,
	DRILL_RULES
};

struct drill_rule {
	enum drill_id id;
	const char *name; /* "restore.content" */
	enum drill_level level;
	unsigned weight;
	bool critical;
	const char *says;
};
extern const struct drill_rule drill_rules[DRILL_RULES];

enum { DRILL_CHECK_WEIGHT = 5 };

enum drill_state { DRILL_NOT_JUDGED, DRILL_HELD, DRILL_BROKEN };

struct drill_assertion {
	char *name, *says, *why; /* why: what was found, or why it was not judged; NULL: nothing */
	unsigned weight;
	bool critical;
	enum drill_state state;
};

struct drill_score {
	struct drill_assertion *v; /* first those of the table, in its order */
	size_t n;
	/* After drill_score_sum: */
	double score; /* 0 to 1; where nothing was judged nothing is proven: 0 */
	bool passed;
	unsigned judged, broken, critical; /* critical: of those that are broken */
};

void drill_score_init(struct drill_score *s, enum drill_level level);
void drill_score_fini(struct drill_score *s);

/* What is broken stays so, and its first reason. */
void drill_hold(struct drill_score *s, enum drill_id id);
void drill_break(struct drill_score *s, enum drill_id id, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void drill_leave(struct drill_score *s, enum drill_id id, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * What holds of one of several sources, into what holds of all: held, where it was judged of any
 * and broken of none; `why` then says of which it was not judged.
 */
void drill_score_merge(struct drill_score *all, const struct drill_score *one, const char *source);

/* One more, of a check; `why` may be NULL. */
void drill_score_add(
    struct drill_score *s, const char *name, bool critical, bool held, const char *why);

void drill_score_sum(struct drill_score *s);
double drill_deduction(const struct drill_score *s, size_t which);
/* The one that matters most among those that are broken; NULL: none is. */
const struct drill_assertion *drill_worst(const struct drill_score *s);
/* "name", "state", "critical", "weight", "deduction", "says", "why" of each; new. */
json_t *drill_score_json(const struct drill_score *s);

#endif
