/*
 * restore_cold: before anything is written, find out which of the packs that this restore will
 * read sleep in cold storage (thaw.h).  The tree is walked once more for that, which reads only
 * what never sleeps: index and trees.  Nobody pays for it where nothing seems to sleep.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/restore_internal.h"

struct plan {
	struct restore dry; /* a restore that only looks, and tells nobody */
	struct restore_params params;
	struct ctx quiet;
	struct thaw *thaw;
};

static int need_blob(void *arg, const struct id *id, struct err *e)
{
	struct plan *pl = arg;
	struct index_cache_pack pack;
	struct index_place at;
	int rc = reader_find_near(pl->dry.reader, id, &at, e);

	if (rc == 1 && (rc = reader_pack(pl->dry.reader, &at, &pack, e)) == 0)
		thaw_need(pl->thaw, &pack);
	return rc == -1 ? -1 : 0;
}

/* What is amiss with one entry is told when it is restored. */
static int passed_over(struct restore *rs, const struct err *why, struct err *e)
{
	if (ctx_check(rs->ctx, e) == -1)
		return -1;
	if (why->kind != ERR_UNREACHABLE && why->kind != ERR_TIMEOUT)
		return 0;
	*e = *why;
	return -1;
}

static int plan_file(struct plan *pl, struct restore *rs, const struct entry *en,
    const struct tree_ref *ref, const char *path, struct err *e)
{
	struct err why;
	uint64_t size;

	if (restore_leave(&pl->dry, NULL, en, ref, path, &size, &why) == 1)
		return 0;
	if (tree_content(reader_tree_get, rs->reader, ref, need_blob, pl, &why) == -1)
		return passed_over(rs, &why, e);
	return ctx_check(rs->ctx, e);
}

static int plan_tree(struct plan *pl, struct restore *rs, const struct id *tree, const char *path,
    bool inside, unsigned depth, struct err *e);

static int plan_entry(struct plan *pl, struct restore *rs, const struct entry *en,
    const struct tree_ref *ref, const char *path, bool inside, unsigned depth, struct err *e)
{
	struct id sub;

	if (!restore_wanted(rs, path, en->type == ENTRY_DIR, &inside))
		return 0;
	if (en->type == ENTRY_FILE)
		return plan_file(pl, rs, en, ref, path, e);
	if (en->type != ENTRY_DIR || depth > ENTRY_DEPTH_MAX)
		return 0;
	sub = ref->ids[0];
	return plan_tree(pl, rs, &sub, path, inside, depth + 1, e);
}

static int plan_tree(struct plan *pl, struct restore *rs, const struct id *tree, const char *path,
    bool inside, unsigned depth, struct err *e)
{
	struct err why;
	struct tree_reader *t = tree_reader_open(reader_tree_get, rs->reader, tree, &why);
	struct tree_ref ref;
	struct entry en;
	int rc = -1, planned = 0;

	ctx_item(rs->ctx, span_str(path));
	while (planned == 0 && t != NULL && (rc = tree_reader_next(t, &en, &ref, &why)) == 1) {
		char *child = mem_printf("%s/%.*s", path, (int)en.name.n, (const char *)en.name.p);

		planned = plan_entry(pl, rs, &en, &ref, child, inside, depth, e);
		free(child);
	}
	tree_reader_close(t);
	return planned == -1 ? -1 : rc == -1 ? passed_over(rs, &why, e) : 0;
}

static int plan_all(struct restore *rs, const struct tree_path *at, struct err *e)
{
	struct plan pl = {.params = *rs->p, .thaw = rs->thaw};
	const char *prefix = strcmp(rs->p->path, "/") == 0 ? "" : rs->p->path;
	bool inside = rs->p->include == NULL;
	int rc;

	pl.params.dry_run = true;
	pl.params.verify = false;
	pl.quiet.clock = rs->ctx->clock;
	pl.dry.repo = rs->repo;
	pl.dry.ctx = &pl.quiet;
	pl.dry.p = &pl.params;
	pl.dry.skip = rs->skip;
	pl.dry.reader = rs->reader;
	restore_links_init(&pl.dry);
	atomic_store(&rs->ctx->progress.phase, "looking for what must be thawed");
	rc = at->entry.type == ENTRY_DIR
		 ? plan_tree(&pl, rs, &at->ref.ids[0], prefix, inside, 0, e)
		 : plan_entry(&pl, rs, &at->entry, &at->ref, rs->p->path, inside, 0, e);
	restore_links_free(&pl.dry);
	buf_fini(&pl.dry.left);
	atomic_store(&rs->ctx->progress.phase, NULL);
	return rc;
}

static int refuse(const struct thaw_cost *c, struct err *e)
{
	err_set(e, ERR_COLD, "restore: %llu of the %llu packs that it needs sleep in cold storage",
	    (unsigned long long)c->asleep.packs, (unsigned long long)c->all.packs);
	return err_hint(e,
	    "nothing was asked for, paid or written; add --thaw bulk, standard or expedited to "
	    "have them thawed and wait for them");
}

static int only_asked(const struct thaw_cost *c, struct err *e)
{
	err_set(e, ERR_INCOMPLETE, "restore: %llu packs thaw; nothing was written",
	    (unsigned long long)(c->asleep.packs + c->thawing.packs));
	return err_hint(e, "run it again without --no-wait to wait for them and restore");
}

int restore_cold_begin(struct restore *rs, const struct tree_path *at, struct err *e)
{
	const struct thaw_params *p = &rs->p->thaw;
	const struct thaw_cost *cost;
	int likely = p->asked ? store_can_sleep(repo_store(rs->repo)) : thaw_likely(rs->repo, e);

	if (likely <= 0)
		return likely;
	/* Who is refused for what is in the target shall not have paid before. */
	if (restore_dry_open(rs, e) == -1)
		return -1;
	rs->thaw = thaw_new(rs->repo, p, rs->ctx);
	thaw_stop_by(rs->thaw, &rs->failed);
	cost = thaw_cost_of(rs->thaw);
	if (plan_all(rs, at, e) == -1 || thaw_look(rs->thaw, e) == -1)
		return -1;
	if (cost->asleep.packs + cost->thawing.packs == 0) {
		thaw_free(rs->thaw);
		rs->thaw = NULL;
		return 0;
	}
	if (thaw_tell(rs->thaw, e) == -1)
		return -1;
	if (rs->p->dry_run)
		return 0;
	if (cost->asleep.packs && !p->asked)
		return refuse(cost, e);
	if (thaw_ask(rs->thaw, e) == -1)
		return -1;
	if (p->no_wait)
		return only_asked(cost, e);
	/* The target is not touched before there is something to write into it. */
	if (thaw_wait_first(rs->thaw, e) == 0)
		return 0;
	return e->kind == ERR_CANCELLED ? err_hint(e, "nothing was written yet, and what was asked "
						      "for thaws: the same command goes on")
					: -1;
}

int restore_cold_wait(
    struct restore *rs, struct reader *rd, const struct index_place *at, struct err *e)
{
	struct index_cache_pack pack;

	if (rs->thaw == NULL)
		return 0;
	if (reader_pack(rd, at, &pack, e) == -1)
		return -1;
	return thaw_wait(rs->thaw, &pack, e);
}
