/* prune_plan: see prune_internal.h. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/prune_internal.h"
#include "engine/void.h"
#include "repo/domain.h"
#include "repo/pack.h"

static int take_pack(void *arg, enum format_type type, const struct id *id,
    const struct store_stat *st, struct err *e)
{
	struct prune *pr = arg;
	struct ppack *pk = idmap_put(pr->packs, id, NULL);

	pk->type = (uint8_t)type;
	pk->present = true;
	pk->size = st->size;
	pk->stored_ns = st->mtime_ns;
	pk->class = st->class;
	pk->class_ns = st->class_ns;
	return 0;
}

bool prune_holds(const struct prune *pr, uint64_t domain)
{
	for (size_t i = 0; i < pr->nheld; i++)
		if (pr->held[i] == domain)
			return true;
	return false;
}

/*
 * What cannot be walked may need anything of its domain, so all of that stays.
 * No more than that: one key's holder can make such a snapshot on purpose, and
 * must not stop the prune of everybody.
 */
static void hold(
    struct prune *pr, uint64_t domain, const char *object, const char *signer, const char *why)
{
	event_emit(pr->ctx, EVENT_WARNING, span_str(object),
	    "signed by %s: %s; nothing of its domain is pruned", signer, why);
	if (prune_holds(pr, domain))
		return;
	pr->held = mem_realloc(pr->held, (pr->nheld + 1) * sizeof *pr->held);
	pr->held[pr->nheld++] = domain;
	pr->out->domains_held++;
}

struct walk {
	struct prune *pr;
	const struct snapshot *snapshot;
	bool told;
};

static int hold_snapshot(
    void *arg, enum format_purpose kind, const struct id *id, const struct err *why, struct err *e)
{
	struct walk *w = arg;
	char name[REPO_NAME_MAX];

	(void)kind;
	(void)id;
	(void)e;
	if (!w->told)
		hold(w->pr, snapshot_domain(w->snapshot),
		    repo_object_name(name, FORMAT_SNAPSHOT, &w->snapshot->id),
		    repo_signer_text(w->pr->repo, domain_tag(w->snapshot->signer)), why->msg);
	w->told = true;
	return 0;
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
		struct walk w = {pr, s, false};

		if (!is_live(pr, s)) {
			pr->out->snapshots_removed++;
			continue;
		}
		pr->out->snapshots_kept++;
		if (s->is_void)
			continue; /* pinned: what it still has is its own affair */
		if (reach_snapshot(pr->reach, pr->reader, s, pr->ctx, hold_snapshot, &w, e) == -1 ||
		    ctx_check(pr->ctx, e) == -1)
			return -1;
	}
	return 0;
}

/* Is that pack there, where this index says it is? */
static bool is_there(const struct prune *pr, const struct index_cache_pack *p)
{
	const struct ppack *pk = idmap_get(pr->packs, &p->id);

	return pk != NULL && pk->present && pk->type == p->type;
}

/* A listing may lag behind an index: what it lacks is asked for, before it is taken for gone. */
static int take_unlisted(struct prune *pr, struct err *e)
{
	for (uint32_t i = 0; i < index_cache_packs(repo_index(pr->repo)); i++) {
		struct index_cache_pack p;
		char name[REPO_NAME_MAX];
		struct store_stat st;
		const struct ppack *pk;

		if (index_cache_pack(repo_index(pr->repo), i, &p, e) == -1)
			return -1;
		pk = idmap_get(pr->packs, &p.id);
		if (pk != NULL && pk->present)
			continue;
		repo_object_name(name, (enum format_type)p.type, &p.id);
		if (store_stat(repo_store(pr->repo), name, &st, e) == 0)
			take_pack(pr, (enum format_type)p.type, &p.id, &st, e);
		else if (e->kind != ERR_ABSENT)
			return -1;
	}
	return 0;
}

/* Snapshots that need a pack which is not there cannot be walked either. */
static int hold_lost(struct prune *pr, struct err *e)
{
	uint32_t n = index_cache_packs(repo_index(pr->repo));

	for (uint32_t i = 0; i < n; i++) {
		struct index_cache_pack p;
		char name[REPO_NAME_MAX];
		bool needed = false;

		if (index_cache_pack(repo_index(pr->repo), i, &p, e) == -1)
			return -1;
		if (is_there(pr, &p))
			continue;
		for (uint64_t j = 0; j < p.nblobs && !needed; j++)
			needed = reach_has(pr->reach, p.first_blob + j);
		if (needed)
			hold(pr, p.origin.domain,
			    repo_object_name(name, (enum format_type)p.type, &p.id),
			    repo_signer_text(pr->repo, p.origin.signer),
			    "a pack that snapshots need is missing");
	}
	return 0;
}

/* A pack in no index may be what a held snapshot lacks: its own directory says whose it is. */
static int hold_unindexed(struct prune *pr, struct err *e)
{
	struct pack_dir dir = {0};
	struct buf bytes = {0};
	struct ppack *pk;
	struct id id;
	size_t pos = 0;
	int rc = 0;

	while (pr->nheld > 0 && rc == 0 && (pk = idmap_next(pr->packs, &pos, &id)) != NULL) {
		struct index_pack own;

		if (!pk->present || pk->indexed)
			continue;
		if (pack_read_directory(pr->repo, (enum format_type)pk->type, &id, pk->size, &dir,
			&bytes, &own, e) == 0)
			pk->held = prune_holds(pr, own.origin.domain);
		else if (repo_is_bad(e) || e->kind == ERR_ABSENT || e->kind == ERR_COLD)
			pk->held = true;
		else
			rc = -1;
		pk->live = pk->live || pk->held;
	}
	pack_dir_fini(&dir);
	buf_fini(&bytes);
	return rc;
}

/* Frames with nothing live are dead; others live whole. */
static int weigh_pack(struct prune *pr, uint32_t ordinal, struct pack_dir *dir, struct err *e)
{
	struct index_cache_pack p;
	struct index_pack desc;
	struct ppack *pk;
	bool held;

	if (index_cache_pack(repo_index(pr->repo), ordinal, &p, e) == -1 ||
	    index_cache_pack_dir(repo_index(pr->repo), ordinal, dir, &desc, e) == -1)
		return -1;
	pk = idmap_put(pr->packs, &p.id, NULL);
	/* Who is wrong about its folder or its domain knows nothing of the pack. */
	if (pk->present && (pk->type != p.type || !prune_is_its(pk, p.origin.domain)))
		return 0;
	held = prune_holds(pr, p.origin.domain);
	pk->held = pk->held || held;
	pk->live = pk->live || held;
	/* Named twice: what lives by either name lives. */
	if (pk->indexed)
		pk->live_bytes = pk->dead_bytes = pk->dead_plain = 0;
	pk->indexed = true;
	pk->type = p.type;
	pk->blobs = 0;
	pk->keys = (uint32_t)desc.nslots;
	for (size_t i = 0; i < dir->nframes; i++) {
		const struct pack_frame *f = &dir->frames[i];
		uint64_t dead = 0, live = 0;

		for (uint32_t j = 0; j < f->nblobs; j++) {
			bool on = reach_has(pr->reach, p.first_blob + f->first + j);

			*(on ? &live : &dead) += dir->blobs[f->first + j].len;
		}
		if (live > 0 || held || (f->plain == 0 && dead == 0)) {
			pk->live = pk->live || live > 0;
			pk->live_bytes += f->stored;
			pk->blobs += f->nblobs;
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
	int rc = prune_settle_claims(pr, e);

	for (uint32_t i = 0; i < n && rc == 0; i++)
		rc = weigh_pack(pr, i, &dir, e);
	pack_dir_fini(&dir);
	if (rc == 0)
		rc = hold_unindexed(pr, e);
	while (rc == 0 && (pk = idmap_next(pr->packs, &pos, &id)) != NULL) {
		pk->marked = mark_has_pack(&pr->marks, &id);
		pk->spared = mark_spares(&pr->marks, &id);
		pr->out->bytes_live += pk->live_bytes;
		pr->out->bytes_dead += pk->dead_bytes;
	}
	if (rc == 0)
		prune_keep_paid(pr);
	return rc;
}

/*
 * A mark that cannot be read marks nothing: its packs are marked anew, and it
 * goes when it is so old that it would go anyhow; but for one that is somebody's.
 */
static int load_marks(struct prune *pr, struct err *e)
{
	if (mark_load(pr->repo, &pr->marks, e) == -1)
		return -1;
	for (size_t i = 0; i < pr->marks.n; i++)
		pr->out->passed_over += pr->marks.v[i].unread != ERR_NONE;
	return 0;
}

/*
 * A snapshot that may be one, were it mended or config newer, may need anything.
 * One that is as it was put, and signed by nobody, can never be restored: it needs
 * nothing.  One that a write key signed, and we cannot understand, holds its domain.
 */
static int load_snapshots(struct prune *pr, struct err *e)
{
	const struct snapshot_list *l = &pr->snapshots;
	char name[REPO_NAME_MAX];

	if (snapshot_load_noted(pr->repo, &pr->snapshots, &pr->notes, e) == -1)
		return -1;
	pr->out->passed_over += l->junk;
	for (size_t i = 0; i < l->nriddles; i++)
		hold(pr, domain_tag(l->riddles[i].domain),
		    repo_object_name(name, FORMAT_SNAPSHOT, &l->riddles[i].id),
		    repo_signer_text(pr->repo, domain_tag(l->riddles[i].signer)),
		    "it is not as this program knows snapshots");
	if (l->damaged == 0)
		return 0;
	err_set(
	    e, ERR_CORRUPT, "%zu of the snapshots cannot be read; nothing is pruned", l->damaged);
	if (l->later > 0)
		return err_hint(e,
		    "a key that config lists signed %zu of them: a newer holdfast made them, so "
		    "prune with that; see holdfast check",
		    l->later);
	if (l->foreign > 0)
		return err_hint(e,
		    "config is older than they are, or another than their machine's: import a "
		    "newer sheet with key import, or the *.config that the machine which made them "
		    "keeps in its state folder. Only if there is none are they nobody's: then "
		    "'holdfast "
		    "repair snapshots --drop-foreign' removes them");
	return err_hint(e,
	    "'holdfast repair' mends them where there is parity; 'holdfast repair snapshots' "
	    "removes what cannot be read");
}

int prune_plan(struct prune *pr, struct err *e)
{
	/*
	 * The order matters: marks first, then (after whatever made them is
	 * the grace old) the snapshots that may have come to need their packs.
	 */
	if (load_marks(pr, e) == -1 || load_snapshots(pr, e) == -1 ||
	    repo_index_load(pr->repo, true, e) == -1)
		return -1;
	/* As good as deleted: what snapshots need of such an index holds their domain. */
	pr->out->passed_over += repo_bad_indexes(pr->repo);
	pr->unread = repo_late_gone(pr->repo) > 0 || repo_bad_indexes(pr->repo) > 0;
	/* A copy in a marked pack counts only where there is no other. */
	mark_hide(pr->repo, &pr->marks);
	pr->generation = repo_index_generation(pr->repo);
	if (void_judge(pr->repo, &pr->snapshots, pr->ctx, &pr->out->snapshots_void, e) == -1)
		return -1;
	pr->reach = reach_new(pr->repo);
	if (repo_list_packs(pr->repo, take_pack, pr, e) == -1 || take_unlisted(pr, e) == -1 ||
	    reach_all(pr, e) == -1 || hold_lost(pr, e) == -1)
		return -1;
	return weigh_all(pr, e);
}
