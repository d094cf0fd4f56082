/* history: see history.h. */
#include "engine/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "repo/client.h"
#include "repo/gone.h"
#include "repo/note.h"
#include "repo/repo_object.h"
#include "repo/seen.h"

struct looking {
	struct repo *repo;
	struct ctx *ctx;
	struct ctx *aloud; /* for what is no finding: ctx may be silent */
	const struct snapshot_list *all;
	struct seen seen;     /* before we looked */
	enum event_id as;     /* how to tell what is found */
	bool gaps;            /* tell every missing number, not only those we had seen */
	struct gone *missing; /* or collect them; NULL: don't */
	uint64_t found;
	bool elsewhere;  /* seen so far at another place only: */
	char where[128]; /* there */
};

/* The newest of each author, as the list has them and as we have seen them. */
static void newest_of_clients(struct looking *l, struct seen *out)
{
	memset(out, 0, sizeof *out);
	for (size_t i = 0; i < l->seen.nclients; i++)
		seen_add_client(out, &l->seen.clients[i].by, l->seen.clients[i].sequence);
	for (size_t i = 0; i < l->all->n; i++) {
		struct author by = snapshot_author(l->all->v[i]);

		seen_add_client(out, &by, l->all->v[i]->sequence);
	}
}

static int by_number(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Numbers of an author that are there, in order; how many. */
static size_t numbers(
    struct looking *l, const struct author *by, uint64_t *out, const struct snapshot **one)
{
	size_t n = 0;

	for (size_t i = 0; i < l->all->n; i++) {
		struct author its = snapshot_author(l->all->v[i]);

		if (author_cmp(&its, by) != 0)
			continue;
		*one = l->all->v[i];
		out[n++] = l->all->v[i]->sequence;
	}
	if (n > 1)
		qsort(out, n, sizeof *out, by_number);
	return n;
}

static void tell_missing(struct looking *l, const struct author *by, const struct snapshot *one,
    uint64_t from, uint64_t to)
{
	char c[2 * FORMAT_UID + 1], s[2 * FORMAT_UID + 1], range[48];

	if (from == to)
		snprintf(range, sizeof range, "number %llu", (unsigned long long)from);
	else
		snprintf(range, sizeof range, "numbers %llu to %llu", (unsigned long long)from,
		    (unsigned long long)to);
	event_emit(l->ctx, l->as, span_str("snapshots"),
	    "%s of client %.8s (host %s, signer %.8s) %s missing, and no prune deleted %s", range,
	    hex_encode(c, by->client, FORMAT_UID), one ? one->host : "?",
	    hex_encode(s, by->signer, FORMAT_UID), from == to ? "is" : "are",
	    from == to ? "it" : "them");
	l->found++;
	if (l->missing != NULL)
		gone_add(l->missing, by, from, to);
}

/* What is missing between two numbers (exclusive), in stretches. */
static void between(struct looking *l, const struct author *by, const struct snapshot *one,
    uint64_t after, uint64_t before)
{
	uint64_t at = after + 1;

	while (at < before) {
		const struct gone_range *g = gone_find(&l->all->gone, by, at);
		uint64_t end;

		if (g != NULL) {
			at = g->to + 1;
			continue;
		}
		end = gone_next(&l->all->gone, by, at, before);
		tell_missing(l, by, one, at, end - 1);
		at = end;
	}
}

static void judge_client(struct looking *l, const struct seen_client *c, uint64_t *have)
{
	const struct snapshot *one = NULL;
	size_t n = numbers(l, &c->by, have, &one);
	uint64_t last = 0;

	for (size_t i = 0; i < n; i++) {
		if (l->gaps)
			between(l, &c->by, one, last, have[i]);
		last = have[i];
	}
	between(l, &c->by, one, last, c->sequence + 1);
}

static void judge_config(struct looking *l)
{
	uint64_t is = repo_config_revision(l->repo);

	if (seen_other_config(l->repo, &l->seen)) {
		event_emit(l->ctx, l->as, span_str("config"),
		    "of revision %llu is another than the one that this machine has seen: two "
		    "holders changed it at the same time, and one change is lost",
		    (unsigned long long)is);
		l->found++;
	}
	if (!seen_newer_config(l->repo, &l->seen))
		return;
	event_emit(l->ctx, l->as, span_str("config"),
	    "has revision %llu, and this machine has seen %llu%s: it %s", (unsigned long long)is,
	    (unsigned long long)l->seen.revision, l->seen.elsewhere ? " elsewhere" : "",
	    l->seen.elsewhere ? "is an older copy, or was set back"
			      : "was set back to an older state");
	l->found++;
}

static bool listed(const struct id_list *l, const struct id *id)
{
	for (size_t i = 0; i < l->n; i++)
		if (id_eq(&l->v[i], id))
			return true;
	return false;
}

/* A key object that was gone is there again: only an older state brings it back. */
static void judge_keys(struct looking *l, const struct id_list *now)
{
	char name[REPO_NAME_MAX];

	for (size_t i = 0; i < l->seen.nkeys; i++)
		if (l->seen.keys[i].gone && listed(now, &l->seen.keys[i].id)) {
			event_emit(l->ctx, l->as,
			    span_str(repo_object_name(name, FORMAT_KEY, &l->seen.keys[i].id)),
			    "was removed, and is there again: keys were set back to an older "
			    "state");
			l->found++;
		}
}

static void remember_keys(struct seen *s, const struct id_list *now)
{
	for (size_t i = 0; i < s->nkeys; i++)
		if (!s->keys[i].gone && !listed(now, &s->keys[i].id))
			s->changed = s->keys[i].gone = true;
	for (size_t i = 0; i < now->n; i++) {
		size_t j = 0;

		while (j < s->nkeys && !id_eq(&s->keys[j].id, &now->v[i]))
			j++;
		if (j < s->nkeys)
			continue;
		s->keys = mem_realloc(s->keys, (s->nkeys + 1) * sizeof *s->keys);
		s->keys[s->nkeys++] = (struct seen_key){now->v[i], false};
		s->changed = true;
	}
}

/* What was judged is right, even where nothing can be remembered. */
static void remember(struct looking *l)
{
	struct err why;

	l->elsewhere = l->seen.elsewhere != NULL;
	if (l->elsewhere)
		snprintf(l->where, sizeof l->where, "%s", l->seen.elsewhere);
	if (l->found == 0 && l->all->damaged == 0)
		seen_settle(&l->seen);
	/* Of two configs of one revision the copy is what brings the other back. */
	if (!seen_newer_config(l->repo, &l->seen) && !seen_other_config(l->repo, &l->seen))
		seen_keep_config(l->repo);
	/* A copy that lacks what the other has is no successor of it. */
	if (l->seen.changed && l->seen.elsewhere == NULL &&
	    seen_write(l->repo, &l->seen, &why) == -1)
		event_emit(l->aloud, EVENT_WARNING, span_of(NULL, 0), "%s", why.msg);
}

/* Judge by what was seen before, and then remember what is there. */
static int look(struct looking *l, struct err *e)
{
	uint64_t *have = mem_alloc((l->all->n + 1) * sizeof *have);
	struct id_list keys = {0};
	struct seen newest;
	struct client own;
	int rc = -1;

	seen_read(l->repo, &l->seen);
	/* What this machine wrote it has seen, too. */
	if (client_open(l->repo, &own, e) == 0) {
		if (own.sequence > 0)
			seen_add_client(&l->seen, &own.author, own.sequence);
		client_close(&own);
	}
	newest_of_clients(l, &newest);
	judge_config(l);
	for (size_t i = 0; i < newest.nclients && l->all->damaged == 0; i++)
		judge_client(l, &newest.clients[i], have);
	if (repo_list_ids(l->repo, FORMAT_KEY, &keys, e) == -1)
		goto out;
	judge_keys(l, &keys);
	for (size_t i = 0; i < newest.nclients; i++)
		seen_add_client(&l->seen, &newest.clients[i].by, newest.clients[i].sequence);
	seen_add_config(&l->seen, l->repo);
	remember_keys(&l->seen, &keys);
	rc = 0;
	remember(l);
out:
	id_list_fini(&keys);
	seen_fini(&newest);
	seen_fini(&l->seen);
	free(have);
	return rc;
}

static void tell_hint(struct looking *l)
{
	if (l->found == 0)
		return;
	if (l->elsewhere)
		event_emit(l->ctx, EVENT_NOTICE, span_of(NULL, 0),
		    "new here: this machine knows a newer state of this repository at %s. If this "
		    "is "
		    "an older copy of that, 'holdfast repair snapshots --accept-history' lets it "
		    "go "
		    "its own way; if it was moved here, somebody set it back",
		    l->where);
	else
		event_emit(l->ctx, EVENT_NOTICE, span_of(NULL, 0),
		    "if you know why, 'holdfast repair snapshots --accept-history' takes the "
		    "present state for right; if not, somebody deleted backups: keep a copy of the "
		    "store, look at its logs");
}

void history_look(struct repo *r, const struct snapshot_list *all, struct ctx *ctx)
{
	struct looking l = {.repo = r, .ctx = ctx, .aloud = ctx, .all = all, .as = EVENT_WARNING};
	struct err e;

	if (!repo_remembers(r))
		return;
	if (look(&l, &e) == -1)
		event_emit(ctx, EVENT_WARNING, span_of(NULL, 0), "%s", e.msg);
	tell_hint(&l);
}

int history_look_back(struct repo *r, struct ctx *ctx, struct err *e)
{
	char name[REPO_NAME_MAX];
	struct snapshot_list all = {0};
	struct store_stat st;
	struct client own;
	struct err why;

	if (seen_own_config(r, e) == -1)
		return -1;
	if (!repo_remembers(r) || client_open(r, &own, &why) == -1)
		return 0;
	client_close(&own);
	if (!own.has_last ||
	    store_stat(repo_store(r), repo_object_name(name, FORMAT_SNAPSHOT, &own.last), &st,
		&why) == 0 ||
	    why.kind != ERR_ABSENT)
		return 0;
	/* Pruned, perhaps: only the whole list tells.  Who may not read it is told nothing. */
	if (snapshot_load_all(r, &all, &why) == 0)
		history_look(r, &all, ctx);
	snapshot_list_fini(&all);
	return 0;
}

int history_check(struct repo *r, const struct snapshot_list *all, struct ctx *ctx,
    uint64_t *findings, struct err *e)
{
	struct ctx quiet = {.clock = ctx->clock};
	struct looking l = {
	    .repo = r, .ctx = &quiet, .aloud = ctx, .all = all, .as = EVENT_FINDING, .gaps = true};
	struct snapshot_list again = {0};
	int rc = look(&l, e);

	if (rc == 0 && l.found > 0) {
		/* A backup or prune that ran while we listed shows half of itself: look twice. */
		rc = snapshot_load_all(r, &again, e);
		l = (struct looking){.repo = r,
		    .ctx = ctx,
		    .aloud = ctx,
		    .all = &again,
		    .as = EVENT_FINDING,
		    .gaps = true};
		if (rc == 0)
			rc = look(&l, e);
		snapshot_list_fini(&again);
		tell_hint(&l);
	}
	*findings += l.found;
	return rc;
}

/* Everything that is missing is gone now. */
static int record(struct repo *r, struct gone *missing, struct err *e)
{
	struct note_list notes;
	struct id note;
	int rc;

	if (note_load_all(r, &notes, e) == -1)
		return -1;
	gone_of_notes(missing, &notes);
	rc = gone_put(r, missing, &note, e);
	if (rc == 0)
		rc = gone_sweep(r, &notes, e);
	note_list_fini(&notes);
	return rc;
}

int history_accept(struct repo *r, struct ctx *ctx, bool dry_run, uint64_t *accepted, struct err *e)
{
	struct gone missing = {0};
	struct snapshot_list all;
	struct looking l = {.repo = r,
	    .ctx = ctx,
	    .aloud = ctx,
	    .all = &all,
	    .as = EVENT_NOTICE,
	    .gaps = true,
	    .missing = &missing};
	int rc;

	if (snapshot_load_all(r, &all, e) == -1)
		return -1;
	rc = look(&l, e);
	*accepted = l.found;
	if (rc == 0 && !dry_run && missing.n > 0)
		rc = record(r, &missing, e);
	/* Begin to remember anew. */
	if (rc == 0 && !dry_run && l.found > 0)
		rc = seen_forget(r, e);
	gone_fini(&missing);
	snapshot_list_fini(&all);
	return rc;
}
