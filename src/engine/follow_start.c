/* follow_start: where a receiver of WAL goes on (op_log_follow.h). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/follow_internal.h"
#include "os/os.h"

uint64_t follow_segment_of(const struct follow *f, uint64_t lsn)
{
	return lsn & ~(f->server.segment - 1);
}

/* ---- Timelines. */

static int put_history(struct follow *f, uint32_t timeline, struct err *e)
{
	struct buf b = {0};
	int rc = pg_wal_stream_history(f->g, timeline, &b, e);

	if (rc == 0)
		rc = follow_spool_put_history(f->spool, timeline, buf_span(&b), e);
	buf_fini(&b);
	if (rc == -1) {
		if (e->kind == ERR_ABSENT) /* of that file: no WAL is missing */
			e->kind = ERR_FAILED;
		return err_wrap(e, "history of timeline %" PRIu32, timeline);
	}
	pthread_mutex_lock(&f->shared.lock);
	follow_queue_history(&f->shared.queue, timeline);
	pthread_mutex_unlock(&f->shared.lock);
	follow_shared_poke(&f->shared);
	return 0;
}

int follow_next_timeline(struct follow *f, uint32_t timeline, uint64_t from, struct err *e)
{
	char lsn[PG_WAL_LSN_TEXT];
	uint32_t safe;

	follow_safe(f, &safe);
	if (safe == f->timeline || from < f->branch)
		f->branch = from;
	if (f->confirmed > f->branch)
		f->confirmed = f->branch;
	if (f->spooled > f->branch)
		f->spooled = f->branch;
	if (f->kept > f->branch)
		f->kept = f->branch;
	pthread_mutex_lock(&f->shared.lock);
	follow_queue_ended(&f->shared.queue, f->timeline);
	pthread_mutex_unlock(&f->shared.lock);
	follow_shared_poke(&f->shared);
	if (put_history(f, timeline, e) == -1)
		return -1;
	follow_tell(f, "log.timeline", EVENT_INFO,
	    "timeline %" PRIu32 " ended at %s: going on with %" PRIu32, f->timeline,
	    pg_wal_lsn(from, lsn), timeline);
	f->timeline = timeline;
	f->at = follow_segment_of(f, from);
	f->left_at = 0;
	return 0;
}

/* The server is on a later timeline: does ours lead there?  *gap: it does not. */
static int follow_branch(struct follow *f, bool *gap, struct err *e)
{
	struct pg_wal_switch *v = NULL;
	struct buf b = {0};
	size_t n = 0, i;
	int rc = pg_wal_stream_history(f->g, f->server.timeline, &b, e);

	*gap = false;
	if (rc == 0)
		rc = pg_wal_history_read(buf_span(&b), f->server.timeline, &v, &n, e);
	for (i = 0; rc == 0 && i < n && v[i].timeline != f->timeline; i++)
		;
	if (rc == 0 && i == n)
		*gap = true;
	else if (rc == 0 && follow_known_end(f) >= v[i].at) {
		/* We have all of ours, or more than what the server went on from: if it is that. */
		f->left_at = v[i].at;
		f->left_for = i + 1 < n ? v[i + 1].timeline : f->server.timeline;
	}
	free(v);
	buf_fini(&b);
	return rc;
}

/* ---- The first time. */

/* Up to where the repository has it. */
static int stored_in(
    struct follow_repo *store, struct follow_place kept, struct follow_place *out, struct err *e)
{
	uint64_t to;

	if (follow_repo_covered(store, kept.timeline, kept.lsn, &to, e) == -1)
		return -1;
	*out = (struct follow_place){kept.timeline, to};
	if (to > kept.lsn)
		return 0;
	return follow_repo_before(store, kept.timeline, kept.lsn, &out->timeline, &out->lsn, e);
}

/* *known: the repository could be asked. */
static void stored_to(
    struct follow *f, struct follow_place kept, struct follow_place *out, bool *known)
{
	struct err e = {0};
	struct follow_repo *store = follow_store_take(f, &e);
	int rc = store ? stored_in(store, kept, out, &e) : -1;

	if (store != NULL)
		follow_store_give(f, rc == -1 ? &e : NULL);
	*known = rc == 0;
	if (rc == -1) {
		follow_tell(f, "log.behind", EVENT_WARN,
		    "the repository cannot be asked what it has: %s", e.msg);
		f->told_behind = true;
		*out = kept;
	}
	if (rc == 0 && out->timeline == 0)
		/* Nothing yet: from the segment's beginning on, so that it is whole. */
		*out = (struct follow_place){kept.timeline, follow_segment_of(f, kept.lsn)};
}

int follow_begin_at(struct follow *f, struct follow_place p, struct err *e)
{
	/* What was durable of another timeline, or beyond what leads back, says nothing here. */
	if (p.timeline != f->timeline || p.lsn < f->confirmed) {
		f->confirmed = f->spooled = f->kept = 0;
		f->lag = (struct follow_lag){0};
	}
	f->timeline = f->known_timeline = p.timeline;
	f->known = p.lsn;
	f->at = follow_segment_of(f, p.lsn);
	pthread_mutex_lock(&f->shared.lock);
	follow_queue_begin(&f->shared.queue, p.timeline, p.lsn, f->at);
	pthread_mutex_unlock(&f->shared.lock);
	return p.timeline > 1 ? put_history(f, p.timeline, e) : 0;
}

static int begin(struct follow *f, struct err *e)
{
	struct follow_spooled *v;
	struct follow_place kept, stored;
	bool known;
	size_t n;
	int rc = 0;

	if (follow_spool_of(f->spool, f->server.id, f->server.segment, e) == -1 ||
	    follow_kept_from(f, &kept, e) == -1)
		return -1;
	stored_to(f, kept, &stored, &known);
	follow_queue_fini(&f->shared.queue);
	follow_queue_init(&f->shared.queue, f->server.segment, f->p->synchronous,
	    f->p->every_ns ? f->p->every_ns : 2 * FOLLOW_SECOND);
	if (follow_spool_list(f->spool, &v, &n, e) == -1)
		return -1;
	if (n == 0 || !follow_use_spooled(f, v, n, &stored, known)) {
		rc = n > 0 ? follow_spool_empty(f->spool, e) : 0;
		if (rc == 0)
			rc = follow_begin_at(f, stored, e);
	}
	free(v);
	f->begun = rc == 0;
	return rc;
}

/* Threads that outlive a connection. */
static int start_threads(struct follow *f, struct err *e)
{
	const struct follow_fold_when as_is_good = {0, 0};

	if (f->put == NULL &&
	    follow_put_start(&f->shared, f->spool, follow_store_put, f, &f->put, e) == -1)
		return -1;
	if (f->mirror == NULL && follow_mirror_start(f->p, f->spool, &f->mirror, e) == -1)
		return -1;
	return f->fold == NULL ? follow_fold_start(f, &as_is_good, &f->fold, e) : 0;
}

int follow_start(struct follow *f, struct err *e)
{
	bool made, gap;

	f->left_at = 0;
	if (follow_slot_make(f, &made, e) == -1)
		return -1;
	if (!made && follow_slot_lost(f, e) == -1)
		return -1;
	if (made && f->begun)
		follow_tell(f, "log.warning", EVENT_WARN,
		    "replication slot %s was gone, and was made anew", f->p->slot);
	if (!f->begun && begin(f, e) == -1)
		return -1;
	if (start_threads(f, e) == -1)
		return -1;
	if (f->server.timeline < f->timeline)
		return err_set(e, ERR_FAILED,
		    "the server is on timeline %" PRIu32 ", but %" PRIu32 " was received already",
		    f->server.timeline, f->timeline);
	if (follow_check_server(f, e) == -1)
		return -1;
	gap = f->gap;
	if (!gap && f->server.timeline != f->timeline && follow_branch(f, &gap, e) == -1)
		return -1;
	if (gap && follow_pass_gap(f, e) == -1)
		return -1;
	f->gap = false;
	return 0;
}
