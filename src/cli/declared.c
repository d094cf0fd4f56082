/* declared: see declared.h. */
#include "cli/declared.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/near.h"
#include "daemon/newest.h"
#include "db/pg_wal_message.h"
#include "engine/follow_state.h"
#include "os/os.h"

const struct world_system *declared_system(
    const struct world *w, const char *name, enum err_kind kind, struct err *e)
{
	const struct world_system *s = world_system(w, name);
	const char *best = NULL;
	size_t least = 64;

	if (s != NULL)
		return s;
	for (size_t i = 0; i < w->systems.n; i++)
		near_consider(name, world_system_at(w, i)->item.name, &best, &least);
	err_set(e, kind, "there is no system '%.200s' in %s", name, w->files[0]);
	if (best != NULL)
		err_hint(e, "did you mean '%s'?", best);
	else
		err_hint(e, "holdfast config show prints what is declared");
	return NULL;
}

int declared_for(
    const struct world *w, const char *name, const char *kind, enum err_kind error, struct err *e)
{
	if (strcmp(kind, "prune") != 0)
		return declared_system(w, name, error, e) ? 0 : -1;
	if (world_repository(w, name) != NULL)
		return 0;
	err_set(e, error, "there is no repository '%.200s' in %s", name, w->files[0]);
	return err_hint(e, "a prune is of a repository, by its name in the configuration");
}

static int64_t length(const struct calendar_duration *d)
{
	return d->ns + (int64_t)d->months * 30 * 86400 * CALENDAR_SECOND;
}

int64_t declared_every_ns(const struct world_times *t, enum times_what what, int64_t now_s)
{
	int64_t first, second;

	if (!t->is[what] || !schedule_next(&t->v[what], now_s, &first) ||
	    !schedule_next(&t->v[what], first, &second))
		return 0;
	return (second - first) * CALENDAR_SECOND;
}

static int by_name(const void *a, const void *b)
{
	const struct world_system *const *x = a, *const *y = b;

	return strcmp((*x)->item.name, (*y)->item.name);
}

/* Of the receiver of its log, if it is to have one: texts are in *f. */
struct received {
	struct follow_state f;
	struct api_receiver r;
	char at[PG_WAL_LSN_TEXT], stored[PG_WAL_LSN_TEXT];
};

static const struct api_receiver *receiver_of(
    const struct world_system *s, const char *place, int64_t now_ns, struct received *x)
{
	const struct world_source *src = world_source_of(s, WORLD_POSTGRESQL);
	struct newest n;
	struct err e;

	if (src == NULL || !src->postgresql.receive.enabled ||
	    (s->node != NULL && strcmp(s->node, os_host()) != 0))
		return NULL;
	x->r = (struct api_receiver){.state = "never", .lag_ns = -1};
	if (follow_state_read(place, s->item.name, src->part, &x->f, &e) == -1)
		return &x->r;
	x->r = (struct api_receiver){.state = follow_phase_name(x->f.phase),
	    .why = x->f.why[0]                                              ? x->f.why
		   : x->f.synchronous && !x->f.sync_had && x->f.sync_why[0] ? x->f.sync_why
									    : NULL,
	    .received = x->f.received ? pg_wal_lsn(x->f.received, x->at) : NULL,
	    .stored = x->f.durable ? pg_wal_lsn(x->f.durable, x->stored) : NULL,
	    .lag_ns = x->f.lag_ns,
	    .lag_bytes = x->f.lag_bytes,
	    .slot_bytes = x->f.slot_bytes,
	    .spool_bytes = x->f.spool_bytes,
	    .gaps = x->f.gaps,
	    .promised = x->f.synchronous,
	    .synchronous = x->f.synchronous && x->f.sync_had,
	    .spool_acks = x->f.spool_acks};
	newest_look(s, place, now_ns, &n);
	x->r.point_ns = n.point_ns;
	x->r.gap_ns = n.gap_ns;
	/* While nothing comes, what the server has written since may be lost, too. */
	if (x->f.phase == FOLLOW_CONNECTING || x->f.phase == FOLLOW_DIVERGED)
		x->r.lag_ns += now_ns - x->f.since_ns;
	else if (x->f.phase == FOLLOW_DEAD || x->f.phase == FOLLOW_STOPPED)
		x->r.lag_ns += now_ns - x->f.at_ns;
	if (x->r.lag_ns < 0)
		x->r.lag_ns = 0;
	return &x->r;
}

int declared_systems(const struct world *w, declared_times *times, void *arg, int64_t now_ns,
    api_system_row *each, void *to, struct err *e)
{
	const struct world_system **v = mem_alloc((w->systems.n + 1) * sizeof(void *));
	int64_t now_s = now_ns / CALENDAR_SECOND, due, start;
	char *place = os_state_dir();
	enum times_what what;
	int rc = 0;

	for (size_t i = 0; i < w->systems.n; i++)
		v[i] = world_system_at(w, i);
	qsort(v, w->systems.n, sizeof *v, by_name);
	for (size_t i = 0; rc == 0 && i < w->systems.n; i++) {
		const struct world_times *t = times(arg, v[i]);
		struct received received;
		struct api_system row = {.name = v[i]->item.name,
		    .tier = v[i]->tier,
		    .node = v[i]->node,
		    .rpo_ns = length(&world_tier(w, v[i]->tier)->rpo.target)};

		row.receiver = receiver_of(v[i], place, now_ns, &received);
		if (t != NULL)
			row.verify_ns = declared_every_ns(t, TIMES_VERIFY, now_s);
		if (t != NULL && !v[i]->paused &&
		    world_times_next(t, now_s, true, &what, &due, &start))
			row.next_ns = start * CALENDAR_SECOND;
		rc = each(to, &row, e);
	}
	free(place);
	free(v);
	return rc;
}

/* What a bucket keeps is not a disk of ours. */
const char *declared_media(const struct world_repository *r)
{
	static const char *const buckets[] = {"s3:", "gcs:", "gs:", "azure:", "b2:", "swift:"};

	if (r->media != NULL)
		return r->media;
	for (size_t i = 0; i < sizeof buckets / sizeof *buckets; i++)
		if (strncmp(r->url, buckets[i], strlen(buckets[i])) == 0)
			return "objects";
	return "disk";
}

int declared_repositories(const struct world *w, api_repository_row *each, void *to, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < w->repositories.n; i++) {
		const struct world_repository *r = world_repository_at(w, i);
		const char *role = world_role_name(r->role);
		struct api_repository row = {
		    r->item.name, role[0] ? role : NULL, r->location, declared_media(r)};

		rc = each(to, &row, e);
	}
	return rc;
}
