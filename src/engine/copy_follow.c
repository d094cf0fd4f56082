/*
 * copy_follow: the pruning mirror (op_copy.h).  Only copies of what the source itself made are
 * looked at; what decides is the source's own list, after its history was judged.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "engine/history.h"
#include "engine/op_copy.h"
#include "engine/op_forget.h"
#include "os/os.h"
#include "repo/repo_object.h"

struct following {
	struct repo *from, *to;
	const struct copy_follow_params *p;
	struct ctx *ctx;
	struct copy_follow_result *out;
	struct idmap *alive; /* snapshots of `from` that are not forgotten */
	struct select_list copies;
	const struct snapshot **gone; /* of the copies */
	size_t ngone;
};

static int refuse(struct err *e, const char *why)
{
	err_set(e, ERR_INCOMPLETE, "retention is not followed: %s", why);
	return err_hint(e,
	    "look at it with 'holdfast check' and 'holdfast snapshots'; if all is well, --force "
	    "follows all the same");
}

/* A source that was set back, lost snapshots or cannot be read whole is no example to follow. */
static int judge_source(struct following *f, struct err *e)
{
	struct snapshot_list all;
	uint64_t findings = 0;
	size_t alive = 0;
	int rc = 0;

	if (snapshot_load_all(f->from, &all, e) == -1)
		return -1;
	for (size_t i = 0; i < all.n; i++) {
		if (all.v[i]->forgotten)
			continue;
		idmap_put(f->alive, &all.v[i]->id, NULL);
		alive++;
	}
	if (!f->p->force && all.damaged + all.junk + all.nriddles > 0)
		rc = refuse(e, "some snapshots of the source cannot be read");
	else if (history_check(f->from, &all, f->ctx, &findings, e) == -1)
		rc = -1;
	else if (!f->p->force && findings > 0)
		rc = refuse(e, "the source was set back, or lost snapshots");
	else if (!f->p->force && alive == 0)
		rc = refuse(e, "the source is empty");
	snapshot_list_fini(&all);
	return rc;
}

static bool made_by(const struct snapshot *s, const uint8_t repo[FORMAT_UID])
{
	return s->has_original && memcmp(s->original_repo, repo, FORMAT_UID) == 0;
}

static bool same_group(const struct snapshot *a, const struct snapshot *b)
{
	return memcmp(a->signer, b->signer, FORMAT_UID) == 0 &&
	       memcmp(a->group, b->group, FORMAT_UID) == 0;
}

/* Would its group in `to` have nothing left of the kind? */
static bool empties_group(const struct following *f, const struct snapshot *s)
{
	for (size_t i = 0; i < f->copies.n; i++) {
		const struct snapshot *x = f->copies.v[i];

		if (same_group(x, s) &&
		    (!x->has_original || idmap_get(f->alive, &x->original) != NULL))
			return false;
	}
	return true;
}

/* Counted once, at the group's first. */
static bool first_of_group(const struct following *f, const struct snapshot *s)
{
	size_t i = 0;

	while (!same_group(f->copies.v[i], s))
		i++;
	return f->copies.v[i] == s;
}

static int tell(struct following *f, const struct snapshot *s, bool kept, struct err *e)
{
	return f->p->item ? f->p->item(f->p->item_arg, s, kept, e) : 0;
}

static int choose(struct following *f, struct err *e)
{
	uint8_t repo[FORMAT_UID];
	int64_t now = repo_now(f->to);

	hex_decode(repo, FORMAT_UID, repo_id_text(f->from));
	f->gone = mem_zalloc((f->copies.n + 1) * sizeof *f->gone);
	for (size_t i = 0; i < f->copies.n; i++) {
		const struct snapshot *s = f->copies.v[i];
		bool kept = snapshot_kept(s, now);

		if (!made_by(s, repo) || idmap_get(f->alive, &s->original) != NULL)
			continue;
		if (!kept && !f->p->force && empties_group(f, s)) {
			f->out->groups_held += first_of_group(f, s);
			kept = true;
		} else if (kept) {
			f->out->refused++;
		}
		if (tell(f, s, kept, e) == -1)
			return -1;
		if (!kept)
			f->gone[f->ngone++] = s;
	}
	return 0;
}

static int forget(struct following *f, struct err *e)
{
	const struct forget_params p = {.named = f->gone,
	    .nnamed = f->ngone,
	    .dry_run = f->p->dry_run,
	    .delay_ns = f->p->delay_ns};
	struct forget_result r = {0};

	if (f->ngone == 0)
		return 0;
	if (op_forget(f->to, &p, f->ctx, NULL, NULL, &r, e) == -1)
		return -1;
	f->out->forgotten = r.dropped;
	f->out->refused += r.refused;
	return 0;
}

static int judge(const struct following *f, struct err *e)
{
	if (f->out->groups_held == 0)
		return 0;
	err_set(e, ERR_INCOMPLETE,
	    "retention is not followed where it would leave no copy: %llu groups",
	    (unsigned long long)f->out->groups_held);
	return err_hint(e, "if they are to go, --force, or 'holdfast forget' at the destination");
}

int op_copy_follow(struct repo *from, struct repo *to, const struct copy_follow_params *p,
    struct ctx *ctx, struct copy_follow_result *out, struct err *e)
{
	struct following f = {.from = from, .to = to, .p = p, .ctx = ctx, .out = out};
	int rc = -1;

	memset(out, 0, sizeof *out);
	f.alive = idmap_new(1);
	if (judge_source(&f, e) == 0 && select_all(to, &p->filter, ctx, &f.copies, e) == 0 &&
	    choose(&f, e) == 0 && forget(&f, e) == 0)
		rc = judge(&f, e);
	select_list_fini(&f.copies);
	idmap_free(f.alive);
	free(f.gone);
	return rc;
}
