/*
 * prune_delete: see prune_internal.h.  First new indexes that do not name the
 * doomed, then the old ones go, then the packs: a crash in between leaves
 * packs that no index names, which is garbage (I2).
 */
#include "engine/index_rewrite.h"
#include "engine/prune_internal.h"
#include "os/os.h"
#include "repo/repo_parity.h"

/* An index may name a pack that is not there: kept only if it may come back. */
bool prune_drops(const struct ppack *pk)
{
	return pk->doomed || (!pk->present && !pk->held);
}

static bool doomed(void *arg, const struct id *pack)
{
	const struct prune *pr = arg;
	const struct ppack *pk = idmap_get(pr->packs, pack);

	return pk != NULL && prune_drops(pk);
}

/*
 * A prune that slept must not write an index any more: what it knows may
 * name packs that another has deleted, whose mark is gone by now.
 */
static int still_fresh(void *arg, struct err *e)
{
	const struct prune *pr = arg;
	struct clock *clock = os_clock_of(pr->ctx);
	int64_t took = clock->mono_ns(clock) - pr->began_ns;

	/* A grace below a minute is for trying things out; a busy machine needs 30 s. */
	if (!pr->p->exclusive && took > 30 * 1000000000LL && took > pr->grace_ns / 2) {
		err_set(e, ERR_TIMEOUT, "this prune took more than half of the grace");
		return err_hint(e, "nothing is lost; run it again");
	}
	return 0;
}

/*
 * What no mark names any more another prune found in use meanwhile; what one of a later
 * version names by now is left alone.  Only a last look: an old mark may go on naming what
 * was unmarked, and what is safe is so because snapshots were read after the marks.
 */
static int spare_unmarked(struct prune *pr, struct err *e)
{
	struct mark_set now;
	struct ppack *pk;
	struct id id;
	size_t pos = 0;

	if (pr->p->exclusive)
		return 0;
	if (mark_load(pr->repo, &now, e) == -1)
		return -1;
	while ((pk = idmap_next(pr->packs, &pos, &id)) != NULL)
		pk->doomed = pk->doomed && mark_has_pack(&now, &id) && !mark_spares(&now, &id);
	mark_set_fini(&now);
	return 0;
}

static bool any_packs(const struct prune *pr)
{
	struct ppack *pk;
	struct id id;
	size_t pos = 0;

	while ((pk = idmap_next(pr->packs, &pos, &id)) != NULL)
		if (pk->doomed && pk->present)
			return true;
	return false;
}

static int delete_packs(struct prune *pr, struct err *e)
{
	char name[REPO_NAME_MAX];
	struct ppack *pk;
	struct id id;
	size_t pos = 0;

	atomic_store(&pr->ctx->progress.phase, "deleting");
	while ((pk = idmap_next(pr->packs, &pos, &id)) != NULL) {
		if (!pk->doomed || !pk->present)
			continue;
		repo_object_name(name, (enum format_type)pk->type, &id);
		if (repo_del_named(pr->repo, name, e) == -1)
			return -1;
		event_emit(pr->ctx, EVENT_OBJECT_REMOVED, span_str(name), "no snapshot needs it");
		pr->out->packs_deleted++;
		pr->out->bytes_deleted += pk->size;
	}
	return 0;
}

int prune_delete_doomed(struct prune *pr, struct err *e)
{
	struct index_rewrite w = {.drop = doomed,
	    .still = still_fresh,
	    .arg = pr,
	    .deadline_ns = pr->now_ns + repo_lease_ns(pr->repo)};

	/* Repacking wrote indexes that this must see too. */
	if (repo_index_load(pr->repo, true, e) == -1 || spare_unmarked(pr, e) == -1 ||
	    still_fresh(pr, e) == -1)
		return -1;
	/* Before anything goes: who comes too late for it must be known by that. */
	if (any_packs(pr) && pruned_put(pr->repo, pr->now_ns, &pr->snapshots, e) == -1)
		return -1;
	if (index_rewrite(pr->repo, &w, e) == -1 || delete_packs(pr, e) == -1)
		return -1;
	return any_packs(pr) ? pruned_sweep(pr->repo, pr->now_ns, &pr->snapshots.pruned, e) : 0;
}
