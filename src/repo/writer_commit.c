/*
 * writer_commit: the snapshot, and the question that comes after it: was
 * anything it relies on pruned meanwhile (format.md 10)?
 */
#include <stdlib.h>
#include <string.h>

#include "repo/client.h"
#include "repo/writer_internal.h"

/*
 * A pack is there, and no mark over it is so old that somebody may be
 * deleting it just now.  A younger mark does no harm: whoever executes it
 * will look at the snapshots before, and see ours.
 */
static int pack_safe(struct writer *w, const struct mark_set *marks, int64_t before_ns,
    enum format_type type, const struct id *id, struct err *e)
{
	struct store_stat st;
	char name[REPO_NAME_MAX];

	if (mark_has_pack_since(marks, id, before_ns))
		return err_set(e, ERR_BUSY, "%s was marked for deletion while this run slept",
		    repo_object_name(name, type, id));
	return store_stat(w->repo->store, repo_object_name(name, type, id), &st, e);
}

static int own_packs_safe(struct writer *w, const struct mark_set *marks, int64_t before_ns,
    const struct id *ids, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		struct err ignored;

		/* Content or trees: the folder tells. */
		if (pack_safe(w, marks, before_ns, FORMAT_PACK, &ids[i], &ignored) == -1 &&
		    pack_safe(w, marks, before_ns, FORMAT_META, &ids[i], e) == -1)
			return -1;
	}
	return 0;
}

static int all_packs_safe(
    struct writer *w, const struct mark_set *marks, int64_t before_ns, struct err *e)
{
	if (w->generation != repo_index_generation(w->repo))
		return err_set(e, ERR_BUSY, "the index changed under this run");
	if (own_packs_safe(w, marks, before_ns, w->own_packs.v, w->own_packs.n, e) == -1)
		return -1;
	for (uint32_t i = 0; i < w->nrelied; i++) {
		struct index_cache_pack p;

		if (!atomic_load(&w->relied[i]))
			continue;
		if (index_cache_pack(w->repo->index, i, &p, e) == -1 ||
		    pack_safe(w, marks, before_ns, (enum format_type)p.type, &p.id, e) == -1)
			return -1;
	}
	return 0;
}

/* So long ago that marks made since may have been executed? */
static bool long_ago(struct writer *w, int64_t since_ns)
{
	/* A tenth is left for clocks that differ and listings that lag. */
	return writer_boot_ns(w) - since_ns >= w->repo->config.grace_s * 900000000;
}

static bool took_long(struct writer *w)
{
	return long_ago(w, w->begin_ns);
}

int writer_packs_kept(
    struct writer *w, int64_t since_ns, const struct id *ids, size_t n, struct err *e)
{
	struct mark_set now;
	int64_t store_ns;
	int rc;

	if (!long_ago(w, since_ns))
		return 0;
	if (mark_load(w->repo, &now, e) == -1)
		return -1;
	rc = repo_store_now(w->repo, &store_ns, e);
	if (rc == 0)
		rc = own_packs_safe(
		    w, &now, store_ns - w->repo->config.grace_s * 900000000, ids, n, e);
	mark_set_fini(&now);
	if (rc == -1)
		err_hint(e, "this run slept too long; run it again");
	return rc;
}

/*
 * Is all that the run relies on still there?  Asked before the put, so that
 * nothing void is stored where it can be known, and after it, for a run may
 * sleep in between.
 */
static int look_at_marks(struct writer *w, struct err *e)
{
	struct mark_set now;
	int64_t store_ns;
	int rc = 0;

	if (mark_load(w->repo, &now, e) == -1)
		return -1;
	if (took_long(w)) {
		rc = repo_store_now(w->repo, &store_ns, e);
		if (rc == 0)
			rc = all_packs_safe(
			    w, &now, store_ns - w->repo->config.grace_s * 900000000, e);
	}
	mark_set_fini(&now);
	return rc;
}

/* The client's sequence goes on after this one. */
static void remember(struct writer *w, const struct snapshot *s, struct client *client)
{
	struct err e;

	client->sequence = s->sequence;
	client->has_last = true;
	client->last = s->id;
	if (client_save(client, &e) == -1)
		event_emit(w->repo->ctx, EVENT_WARNING, span_of(NULL, 0), "%s", e.msg);
}

/*
 * Void: it was never acknowledged, and must not look as if it were.  Its
 * number is used again, so that there is no gap; unless it stays, for two
 * snapshots of one number look like a forgery.
 */
static void take_back(struct writer *w, const struct snapshot *s, struct client *client)
{
	char name[REPO_NAME_MAX];
	struct store_stat st;
	struct err e, gone;

	if (snapshot_del(w->repo, &s->id, &e) == 0)
		return;
	repo_object_name(name, FORMAT_SNAPSHOT, &s->id);
	if (store_stat(w->repo->store, name, &st, &gone) == -1 && gone.kind == ERR_ABSENT)
		return; /* only the answer was lost */
	event_emit(w->repo->ctx, EVENT_WARNING, span_str(name),
	    "this snapshot is void, but could not be deleted: %s", e.msg);
	remember(w, s, client);
}

int writer_commit(struct writer *w, struct snapshot *s, struct err *e)
{
	struct client client;
	int rc = -1;

	if (atomic_load(&w->broken))
		return err_set(
		    e, ERR_FAILED, "some of this run was not stored; no snapshot is made");
	if (client_open(w->repo, &client, e) == -1)
		return -1;
	if (look_at_marks(w, e) == -1) {
		err_hint(e, "run the backup again; what was stored is reused");
		goto out;
	}
	memcpy(s->client, client.author.client, FORMAT_UID);
	s->sequence = client.sequence + 1;
	s->has_previous = client.has_last;
	s->previous = client.last;
	if (snapshot_put(w->repo, s, e) == -1)
		goto out;
	atomic_fetch_add(&w->stats.object_bytes, s->object_size);
	if (look_at_marks(w, e) == -1) {
		take_back(w, s, &client);
		err_wrap(e, "the snapshot is void");
		err_hint(e, "run the backup again; what was stored is reused");
		goto out;
	}
	writer_journal_end(w);
	remember(w, s, &client);
	rc = 0;
out:
	client_close(&client);
	return rc;
}
