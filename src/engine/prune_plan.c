/* prune_plan: see prune_internal.h. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/prune_internal.h"

static int take_pack(void *arg, enum format_type type, const struct id *id,
    const struct store_stat *st, struct err *e)
{
	struct prune *pr = arg;
	struct ppack *pk = idmap_put(pr->packs, id, NULL);

	pk->type = (uint8_t)type;
	pk->present = true;
	pk->size = st->size;
	pk->stored_ns = st->mtime_ns;
	return 0;
}

/*
 * Reaching must be complete: what cannot be walked may need anything.
 */
static int refuse_missing(
    void *arg, enum format_purpose kind, const struct id *id, const struct err *why, struct err *e)
{
	(void)arg;
	(void)kind;
	(void)id;
	*e = *why;
	err_wrap(e, "a snapshot needs what cannot be read; nothing is pruned");
	return err_hint(e, "holdfast check names what suffers, holdfast repair saves the rest");
}

static bool is_live(const struct prune *pr, const struct snapshot *s)
{
	return !snapshot_goes(s, pr->now_ns);
}

static int reach_all(struct prune *pr, struct err *e)
{
	atomic_store(&pr->ctx->progress.phase, "finding what is needed");
	for (size_t i = 0; i < pr->snapshots.n; i++) {
		struct snapshot *s = pr->snapshots.v[i];

		if (!is_live(pr, s)) {
			pr->out->snapshots_removed++;
			continue;
		}
		pr->out->snapshots_kept++;
		if (reach_snapshot(pr->reach, pr->reader, s, pr->ctx, refuse_missing, pr, e) ==
			-1 ||
		    ctx_check(pr->ctx, e) == -1)
			return -1;
	}
	return 0;
}

/* Frames with nothing live are dead; others live whole. */
static int weigh_pack(struct prune *pr, uint32_t ordinal, struct pack_dir *dir, struct err *e)
{
	struct index_cache_pack p;
	struct index_pack desc;
	struct ppack *pk;

	if (index_cache_pack(repo_index(pr->repo), ordinal, &p, e) == -1 ||
	    index_cache_pack_dir(repo_index(pr->repo), ordinal, dir, &desc, e) == -1)
		return -1;
	pk = idmap_put(pr->packs, &p.id, NULL);
	/* Named twice: what lives by either name lives. */
	if (pk->indexed)
		pk->live_bytes = pk->dead_bytes = pk->dead_plain = 0;
	pk->indexed = true;
	pk->type = p.type;
	for (size_t i = 0; i < dir->nframes; i++) {
		const struct pack_frame *f = &dir->frames[i];
		uint64_t dead = 0, live = 0;

		for (uint32_t j = 0; j < f->nblobs; j++) {
			bool on = reach_has(pr->reach, p.first_blob + f->first + j);

			*(on ? &live : &dead) += dir->blobs[f->first + j].len;
		}
		if (live > 0 || (f->plain == 0 && dead == 0)) {
			pk->live = pk->live || live > 0;
			pk->live_bytes += f->stored;
			pk->dead_plain += dead;
		} else {
			pk->dead_bytes += f->stored;
		}
	}
	return 0;
}

static int weigh_all(struct prune *pr, struct err *e)
{
	struct pack_dir dir = {0};
	uint32_t n = index_cache_packs(repo_index(pr->repo));
	struct ppack *pk;
	struct id id;
	size_t pos = 0;
	int rc = 0;

	for (uint32_t i = 0; i < n && rc == 0; i++)
		rc = weigh_pack(pr, i, &dir, e);
	pack_dir_fini(&dir);
	while (rc == 0 && (pk = idmap_next(pr->packs, &pos, &id)) != NULL) {
		pk->marked = mark_has_pack(&pr->marks, &id);
		if (pk->live && !pk->present)
			return err_set(e, ERR_CORRUPT,
				   "a pack that snapshots need is missing; nothing is pruned"),
			       err_hint(e, "holdfast check names what suffers");
		pr->out->bytes_live += pk->live_bytes;
		pr->out->bytes_dead += pk->dead_bytes;
	}
	return rc;
}

int prune_plan(struct prune *pr, struct err *e)
{
	/*
	 * The order matters: marks first, then (after whatever made them is
	 * the grace old) the snapshots that may have come to need their packs.
	 */
	if (mark_load(pr->repo, &pr->marks, e) == -1)
		return -1;
	for (size_t i = 0; i < pr->marks.n; i++)
		if (pr->marks.v[i].packs == NULL)
			return err_set(e, ERR_CORRUPT, "a mark is damaged; nothing is pruned"),
			       err_hint(
				   e, "remove the damaged object below marks/ and prune again");
	if (snapshot_load_all(pr->repo, &pr->snapshots, e) == -1 ||
	    note_load_all(pr->repo, &pr->notes, e) == -1)
		return -1;
	if (pr->snapshots.damaged > 0)
		return err_set(e, ERR_CORRUPT, "a snapshot cannot be read; nothing is pruned"),
		       err_hint(e, "holdfast repair snapshots removes what cannot be read");
	if (repo_index_load(pr->repo, true, e) == -1)
		return -1;
	if (repo_bad_indexes(pr->repo) > 0)
		return err_set(e, ERR_CORRUPT, "an index is damaged; nothing is pruned"),
		       err_hint(e, "holdfast repair index makes a new one from the packs");
	/* A copy in a marked pack counts only where there is no other. */
	mark_hide(pr->repo, &pr->marks);
	pr->generation = repo_index_generation(pr->repo);
	pr->reach = reach_new(pr->repo);
	if (repo_list_packs(pr->repo, take_pack, pr, e) == -1 || reach_all(pr, e) == -1)
		return -1;
	return weigh_all(pr, e);
}
