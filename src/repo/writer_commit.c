/*
 * writer_commit: the snapshot.  It says by when it must be stored; one that is
 * later is never acknowledged, for prune may have deleted what it needs: it is
 * void (format.md 10), and taken back.  So is one of which no answer came.
 */
#include <stdlib.h>
#include <string.h>

#include "repo/client.h"
#include "repo/writer_internal.h"

static void save(struct writer *w, struct client *client)
{
	struct err e;

	if (client_save(client, &e) == -1)
		event_emit(w->repo->ctx, EVENT_WARNING, span_of(NULL, 0), "%s", e.msg);
}

/* The client's sequence goes on after this one. */
static void remember(struct writer *w, const struct snapshot *s, struct client *client)
{
	client->sequence = s->sequence;
	client->has_last = true;
	client->last = s->id;
	save(w, client);
}

/*
 * It was never acknowledged, and must not look as if it were: void, or put
 * with an outcome that is not known.  Its number is used again, so that there
 * is no gap; unless it stays, for two snapshots of one number look like a
 * forgery.  It is no snapshot's `previous`.
 */
static void take_back(
    struct writer *w, const struct snapshot *s, struct client *client, bool stored)
{
	char name[REPO_NAME_MAX];
	struct store_stat st;
	struct err e, gone;
	bool there;

	if (snapshot_del(w->repo, &s->id, &e) == 0)
		return;
	repo_object_name(name, FORMAT_SNAPSHOT, &s->id);
	there = store_stat(w->repo->store, name, &st, &gone) == 0;
	if (!there && (gone.kind == ERR_ABSENT || !stored))
		return; /* only the answer was lost; or nothing shows that it was ever there */
	event_emit(w->repo->ctx, EVENT_WARNING, span_str(name),
	    "this snapshot does not count, but could not be deleted: %s", e.msg);
	client->sequence = s->sequence;
	save(w, client);
}

/* Of a put that failed so it is not known whether it was done. */
static bool unknown_outcome(const struct err *e)
{
	return e->kind == ERR_UNREACHABLE || e->kind == ERR_TIMEOUT || e->kind == ERR_CANCELLED;
}

static int put_once(
    struct writer *w, struct snapshot *s, const struct client *client, struct err *e)
{
	memcpy(s->client, client->author.client, FORMAT_UID);
	s->sequence = client->sequence + 1;
	s->has_previous = client->has_last;
	s->previous = client->last;
	if (snapshot_put(w->repo, s, e) == -1)
		return -1;
	atomic_fetch_add(&w->stats.object_bytes, s->object_size);
	return 0;
}

static int look_anew(
    struct writer *w, struct snapshot *s, struct writer_moment *base, struct err *e)
{
	return writer_look(w, w->own_packs.v, w->own_packs.n, true, base, &s->deadline_ns, e);
}

static int put_in_time(struct writer *w, struct snapshot *s, struct client *client, struct err *e)
{
	struct writer_moment base = w->begun;

	s->deadline_ns = base.store_ns + repo_lease_ns(w->repo);
	for (int tries = 0; tries < WRITER_TRIES; tries++) {
		/* Where it can be known before, nothing void is stored. */
		bool anew = tries > 0 || writer_long_ago(w, &base);
		int in;

		if ((anew ? look_anew(w, s, &base, e) : writer_may_go_on(w, e)) == -1)
			return -1;
		if (put_once(w, s, client, e) == -1) {
			if (unknown_outcome(e))
				take_back(w, s, client, false);
			return -1;
		}
		if ((in = writer_in_time(w, &base, s->deadline_ns, e)) == 1)
			return 0;
		take_back(w, s, client, true);
		if (in == -1)
			return err_wrap(e, "the snapshot is void");
	}
	return err_set(e, ERR_BUSY, "the snapshot was stored too late, time and again");
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
	if (put_in_time(w, s, &client, e) == -1) {
		if (e->hint[0] == '\0')
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
