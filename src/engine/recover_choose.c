/* recover_choose: which base backup, which timeline; see recover_plan.h. */
#include <string.h>

#include "engine/recover_plan.h"

static bool before_target(const struct recover_base *b, const struct recover_target *to)
{
	if (to->kind == RECOVER_TIME)
		return b->end_ns / 1000 <= to->time_us;
	return to->kind != RECOVER_LSN || b->end <= to->lsn;
}

/* Later on the line: a base of a later timeline, or further on the same. */
static bool is_newer(const struct recover_base *a, const struct recover_base *b)
{
	if (a->timeline != b->timeline)
		return a->timeline > b->timeline;
	return a->end >= b->end;
}

const struct recover_base *recover_choose(const struct recover_base *v, size_t n,
    const struct recover_line *line, const struct recover_target *to)
{
	const struct recover_base *best = NULL;

	for (size_t i = 0; i < n; i++)
		if (recover_line_has(line, v[i].timeline, v[i].start, v[i].end) &&
		    before_target(&v[i], to) && (best == NULL || is_newer(&v[i], best)))
			best = &v[i];
	return best;
}

const char *recover_fact_text(const json_t *facts, const char *name)
{
	return json_string_value(json_object_get(facts, name));
}

uint64_t recover_fact_number(const json_t *facts, const char *name)
{
	json_int_t v = json_integer_value(json_object_get(facts, name));

	return v > 0 ? (uint64_t)v : 0;
}
