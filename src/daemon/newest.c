/* newest: see newest.h. */
#include "daemon/newest.h"

#include "engine/archived.h"
#include "engine/follow_state.h"

static const int64_t second = 1000000000;

/* What the receiver of one source says; 0: nothing that is believed. */
static int64_t received(const struct world_system *s, const struct world_source *src,
    const char *state_dir, int64_t now_ns, struct newest *out)
{
	struct follow_state f;
	struct err ignored;

	if (src->kind != WORLD_POSTGRESQL || !src->postgresql.receive.enabled ||
	    follow_state_read(state_dir, s->item.name, src->part, &f, &ignored) == -1)
		return 0;
	if (f.gap_ns > out->gap_ns)
		out->gap_ns = f.gap_ns;
	if (f.phase != FOLLOW_STREAMING && f.phase != FOLLOW_SPOOLING && f.phase != FOLLOW_HELD)
		return 0;
	if (now_ns - f.at_ns > NEWEST_STALE_S * second || f.at_ns <= f.lag_ns)
		return 0;
	return (f.at_ns < now_ns ? f.at_ns : now_ns) - f.lag_ns;
}

static int64_t handed_over(const struct world_system *s, const struct world_source *src,
    const char *state_dir, int64_t now_ns, struct newest *out)
{
	struct archived a;
	struct err ignored;

	if (src->kind != WORLD_POSTGRESQL ||
	    archived_read(state_dir, s->item.name, src->part, &a, &ignored) == -1 ||
	    a.last_ns > now_ns)
		return 0;
	if (a.first_ns > out->since_ns)
		out->since_ns = a.first_ns;
	return a.last_ns;
}

void newest_look(
    const struct world_system *s, const char *state_dir, int64_t now_ns, struct newest *out)
{
	*out = (struct newest){0};
	for (size_t i = 0; i < s->sources.n; i++) {
		const struct world_source *src = world_source_at(s, i);
		int64_t point = received(s, src, state_dir, now_ns, out);

		if (point == 0)
			point = handed_over(s, src, state_dir, now_ns, out);
		if (i == 0 || point < out->point_ns)
			out->point_ns = point;
	}
}

int64_t newest_point(const struct newest *n, int64_t base_ns)
{
	return base_ns > n->gap_ns && base_ns >= n->since_ns && base_ns != 0 &&
		       n->point_ns > base_ns
		   ? n->point_ns
		   : base_ns;
}
