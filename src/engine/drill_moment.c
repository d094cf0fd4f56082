/* drill_moment: see drill_moment.h. */
#include "engine/drill_moment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/crypto.h"
#include "engine/recover_plan.h"

enum { WISHES = 8, DAY_S = 86400 };
static const int64_t second = 1000000000;

int64_t drill_moment_of(const char *system, int64_t day, unsigned n, int64_t from_us, int64_t to_us)
{
	char text[300];
	uint8_t h[32];
	uint64_t x = 0;

	if (to_us <= from_us)
		return from_us;
	snprintf(text, sizeof text, "%lld/%u/%.250s", (long long)day, n, system);
	crypto_sha256(span_str(text), h);
	for (int i = 0; i < 8; i++)
		x = x << 8 | h[i];
	return from_us + (int64_t)(x % (uint64_t)(to_us - from_us));
}

/* Does the log go on from it, without a gap, to where it ends now? */
static bool goes_on(const struct recover_plan *pl, const struct recover_base *b)
{
	struct recover_reach reach = {0};
	bool all;

	if (!recover_line_has(&pl->line, b->timeline, b->start, b->end))
		return false;
	recover_reach_find(&pl->line, pl->at, pl->nat, b->start, pl->segment, &reach);
	all = reach.n > 0 && reach.end >= pl->log_end;
	recover_reach_fini(&reach);
	return all;
}

/* Of the first base from which every moment since can be reached. */
static void find_first(const struct recover_plan *pl, struct drill_moment_stretch *out)
{
	for (size_t i = 0; i < pl->nbases && out->from_us == 0; i++)
		if (goes_on(pl, &pl->bases[i])) {
			out->from_us = pl->bases[i].end_ns / 1000;
			out->first = i == 0;
		}
}

/*
 * The last commit of all, 0: none.  A plan looks no further back than its base: where nothing was
 * committed since the newest one, those before it are asked.
 */
static int64_t last_us(struct repo *r, const struct recover_params *p,
    const struct recover_plan *pl, int64_t from_us, struct ctx *ctx)
{
	int64_t us = pl->last.there ? pl->last.time_us : 0;

	for (size_t i = pl->nbases; us <= from_us && i-- > 0;) {
		struct recover_params at = *p;
		struct recover_plan older;
		struct err ignored;
		char hex[ID_HEX];

		if (ctx_cancelled(ctx) || !goes_on(pl, &pl->bases[i]))
			break;
		at.snapshot = id_hex(hex, &pl->bases[i].snapshot->id);
		if (recover_plan_make(r, &at, ctx, &older, &ignored) == 0 && older.last.there)
			us = older.last.time_us;
		recover_plan_fini(&older);
	}
	return us;
}

/* Can it be reached, by each of them? */
static bool reaches(struct repo *r, const char *system, const char *const *parts, size_t n,
    int64_t us, struct ctx *ctx)
{
	bool can = true;

	for (size_t i = 0; can && i < n; i++) {
		struct recover_params at = {.system = system,
		    .part = parts[i],
		    .to = {.kind = RECOVER_TIME, .time_us = us}};
		struct recover_plan pl;
		struct err ignored;

		can = recover_plan_make(r, &at, ctx, &pl, &ignored) == 0;
		recover_plan_fini(&pl);
	}
	return can;
}

static int stretch(struct repo *r, const char *system, const char *part, struct ctx *ctx,
    struct drill_moment_stretch *out, struct err *e)
{
	struct recover_params p = {.system = system, .part = part, .to = {.kind = RECOVER_LATEST}};
	struct recover_plan pl;
	int rc = recover_plan_make(r, &p, ctx, &pl, e);

	*out = (struct drill_moment_stretch){0};
	if (rc == 0)
		find_first(&pl, out);
	if (out->from_us != 0)
		out->last_us = last_us(r, &p, &pl, out->from_us, ctx);
	recover_plan_fini(&pl);
	return rc;
}

/* What is stored is all that is known: what was committed beside it is not. */
static const char *why_none(const struct drill_moment_stretch *s)
{
	if (s->from_us == 0)
		return "the stored log goes on from none of its base backups";
	return s->first ? "the stored log has no commit since its first base backup"
			: "the stored log goes on from none but its newest base backups, and has "
			  "no commit since";
}

const char *drill_moment_common(
    const struct drill_moment_stretch *v, size_t n, int64_t *from_us, int64_t *to_us)
{
	*from_us = 0;
	*to_us = INT64_MAX;
	for (size_t i = 0; i < n; i++) {
		if (v[i].from_us == 0 || v[i].last_us <= v[i].from_us)
			return why_none(&v[i]);
		*from_us = v[i].from_us > *from_us ? v[i].from_us : *from_us;
		*to_us = v[i].last_us < *to_us ? v[i].last_us : *to_us;
	}
	return *to_us <= *from_us ? "its sources have none in common" : NULL;
}

int drill_moment_find(struct repo *r, const char *system, const char *const *parts, size_t nparts,
    int64_t now_ns, struct ctx *ctx, char out[RECOVER_TARGET_TEXT], const char **why, struct err *e)
{
	struct drill_moment_stretch *v = mem_zalloc((nparts + 1) * sizeof *v);
	int64_t day = now_ns / second / DAY_S, from, to;
	int rc = 0;

	out[0] = '\0';
	for (size_t i = 0; rc == 0 && i < nparts; i++)
		rc = stretch(r, system, parts[i], ctx, &v[i], e);
	*why = rc == 0 ? drill_moment_common(v, nparts, &from, &to) : NULL;
	free(v);
	if (rc == -1 || *why != NULL)
		return rc;
	for (unsigned n = 0; n < WISHES; n++) {
		int64_t us = drill_moment_of(system, day, n, from, to);

		if (ctx_check(ctx, e) == -1)
			return -1;
		if (!reaches(r, system, parts, nparts, us, ctx))
			continue;
		recover_time_text(us, out);
		return 0;
	}
	return err_set(e, ERR_ABSENT,
	    "none of %d moments within its log can be reached: see 'holdfast log list'", WISHES);
}
