/*
 * repair_snapshots: see repair_internal.h.  A snapshot never changes: the
 * mended one is its successor, and the old one is forgotten.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/history.h"
#include "engine/repair_internal.h"
#include "engine/void.h"
#include "repo/note.h"

static void tell_lost(struct repair *rp, const char *path, const char *why)
{
	rp->out->entries_dropped++;
	event_emit(rp->ctx, EVENT_SNAPSHOT_HURT, span_str(path), "%s: left out", why);
}

static int mend_tree(struct repair *rp, const struct id *tree, const char *path, unsigned depth,
    struct mended *out, struct err *e);

/* Keep the entry?  1 (ref may point into *sub now), 0 lost, -1. */
static int mend_entry(struct repair *rp, const struct entry *en, struct tree_ref *ref,
    const char *path, unsigned depth, struct id *sub, struct err *e)
{
	struct mended m;
	struct err why;

	if (en->type == ENTRY_DIR) {
		struct id old = ref->ids[0];

		if (mend_tree(rp, &old, path, depth + 1, &m, e) == -1)
			return -1;
		if (m.lost) {
			tell_lost(rp, path, "the directory cannot be read");
			return 0;
		}
		*sub = m.tree;
		ref->ids = sub;
		return 1;
	}
	if (damage_content(rp->damage, rp->reader, en, ref, &why) == 0)
		return 1;
	if (why.kind == ERR_UNSUPPORTED) {
		repo_warn(rp->repo, path, why.msg);
		return 1;
	}
	if (why.kind != ERR_CORRUPT) {
		*e = why;
		return -1;
	}
	tell_lost(rp, path, why.msg);
	return 0;
}

/* The whole directory once more, without what is lost. */
static int rebuild(struct repair *rp, const struct id *tree, const char *path, unsigned depth,
    bool *changed, struct tree_writer *w, struct err *e)
{
	struct tree_reader *t = tree_reader_open(reader_tree_get, rp->reader, tree, e);
	struct tree_ref ref;
	struct entry en;
	int rc = -1;

	while (t != NULL && (rc = tree_reader_next(t, &en, &ref, e)) == 1) {
		char *child = mem_printf("%s/%.*s", path, (int)en.name.n, (const char *)en.name.p);
		struct id before = ref.n == 1 ? ref.ids[0] : (struct id){{0}}, sub;
		int keep = mend_entry(rp, &en, &ref, child, depth, &sub, e);

		free(child);
		if (keep == 1 && en.type == ENTRY_DIR && !id_eq(&before, &ref.ids[0]))
			*changed = true;
		if (keep == 0)
			*changed = true;
		if (keep == -1 || (keep == 1 && tree_writer_add(w, &en, &ref, e) == -1)) {
			rc = -1;
			break;
		}
	}
	tree_reader_close(t);
	return rc;
}

static int mend_tree(struct repair *rp, const struct id *tree, const char *path, unsigned depth,
    struct mended *out, struct err *e)
{
	struct mended *memo = idmap_get(rp->mended, tree);
	struct tree_writer *w;
	bool changed = false;
	int rc;

	*out = (struct mended){*tree, true, false};
	if (memo != NULL && memo->known) {
		*out = *memo;
		return 0;
	}
	if (depth > ENTRY_DEPTH_MAX)
		return err_set(e, ERR_CORRUPT, "directories nested too deep");
	w = tree_writer_new(writer_tree_put, rp->lane);
	rc = rebuild(rp, tree, path, depth, &changed, w, e);
	if (rc == -1 && e->kind == ERR_CORRUPT) {
		out->lost = true;
		rc = 0;
	} else if (rc == -1 && e->kind == ERR_UNSUPPORTED) {
		/* A later version's: what we do not understand we cannot write anew. */
		repo_warn(rp->repo, *path ? path : "/", e->msg);
		rc = 0;
	} else if (rc == 0 && changed) {
		rc = tree_writer_end(w, &out->tree, e);
	}
	tree_writer_free(w);
	if (rc == 0)
		*(struct mended *)idmap_put(rp->mended, tree, NULL) = *out;
	return rc;
}

/* Trees of all parts; *hurt if the snapshot needs a successor, *lost if nothing is left. */
static int mend_parts(struct repair *rp, struct snapshot *s, bool *hurt, bool *lost, struct err *e)
{
	*hurt = *lost = false;
	reader_set_domain(rp->reader, snapshot_domain(s));
	if (repair_writer(rp, snapshot_domain(s), e) == -1)
		return -1;
	for (size_t i = 0; i < s->nparts; i++) {
		struct snapshot_part *p = &s->parts[i];
		struct mended m;

		if (!p->has_tree)
			continue;
		if (mend_tree(rp, &p->tree, "", 0, &m, e) == -1)
			return -1;
		if (!m.lost && id_eq(&m.tree, &p->tree))
			continue;
		*hurt = true;
		*lost = *lost || m.lost;
		p->tree = m.tree;
		p->outcome = SNAPSHOT_INCOMPLETE;
		p->stats.errors++;
	}
	return 0;
}

static int replace(struct repair *rp, struct snapshot *s, bool lost, struct err *e)
{
	struct id old = s->id;
	char hex[ID_HEX];

	id_hex(hex, &old);
	if (rp->p->dry_run)
		return 0;
	if (!lost) {
		s->has_parent = true;
		s->parent = old;
		s->has_original = false; /* it lacks what was lost: copied again, it is whole */
		if (writer_lane_flush(rp->lane, e) == -1 || writer_finish(rp->writer, e) == -1 ||
		    writer_commit(rp->writer, s, e) == -1)
			return -1;
	}
	if (note_put(rp->repo, &old, NOTE_FORGET, "0", e) == -1)
		return -1;
	event_emit(rp->ctx, EVENT_NOTICE, span_of(NULL, 0),
	    lost ? "snapshot %.8s: nothing of it can be read; forgotten"
		 : "snapshot %.8s: a successor without what is lost was made; it is forgotten",
	    hex);
	return 0;
}

int repair_bad_snapshots(struct repair *rp, repair_bad_visit *visit, void *arg, struct err *e)
{
	struct id_list ids = {0};
	char name[REPO_NAME_MAX];
	int rc = repo_list_ids(rp->repo, FORMAT_SNAPSHOT, &ids, e);

	for (size_t i = 0; i < ids.n && rc == 0; i++) {
		struct snapshot *s;

		if (snapshot_load(rp->repo, &ids.v[i], &s, e) == 0) {
			snapshot_free(s);
			continue;
		}
		if (e->kind == ERR_ABSENT)
			continue;
		repo_object_name(name, FORMAT_SNAPSHOT, &ids.v[i]);
		rc = visit(rp, &ids.v[i], name, arg, e);
	}
	id_list_fini(&ids);
	return rc;
}

static int remove_unreadable(
    struct repair *rp, const struct id *id, const char *name, void *arg, struct err *why)
{
	/* What only our config is too old for is as good as ever. */
	if (repo_is_foreign(why))
		return 0;
	if (why->kind != ERR_CORRUPT)
		return -1;
	event_emit(rp->ctx, EVENT_OBJECT_DAMAGED, span_str(name), "%s", why->msg);
	if (!rp->p->dry_run && snapshot_del(rp->repo, id, why) == -1)
		return -1;
	rp->out->snapshots_removed++;
	event_emit(rp->ctx, EVENT_OBJECT_REMOVED, span_str(name), "unreadable snapshot");
	return 0;
}

int repair_snapshots_load(struct repair *rp, struct err *e)
{
	if (repair_bad_snapshots(rp, remove_unreadable, NULL, e) == -1)
		return -1;
	return snapshot_load_all(rp->repo, &rp->snapshots, e);
}

int repair_snapshots(struct repair *rp, struct err *e)
{
	struct snapshot_list *l = &rp->snapshots;
	uint64_t voids;

	atomic_store(&rp->ctx->progress.phase, "mending snapshots");
	if (void_judge(rp->repo, l, rp->ctx, &voids, e) == -1)
		return -1;
	for (size_t i = 0; i < l->n; i++) {
		bool hurt, lost;

		if (l->v[i]->forgotten || l->v[i]->is_void)
			continue; /* prune removes them */
		/* Its successor would lack what we do not understand. */
		if (l->v[i]->unread)
			continue;
		rp->out->snapshots_checked++;
		if (ctx_check(rp->ctx, e) == -1 || mend_parts(rp, l->v[i], &hurt, &lost, e) == -1)
			return -1;
		if (!hurt)
			continue;
		rp->out->snapshots_rewritten++;
		if (replace(rp, l->v[i], lost, e) == -1)
			return -1;
	}
	/* What is missing, here or before, is a finding until somebody says that it is right. */
	if (!rp->p->accept_history)
		return 0;
	return history_accept(rp->repo, rp->ctx, rp->p->dry_run, &rp->out->gaps_accepted, e);
}
