/* follow_start: where a receiver of WAL goes on (op_log_follow.h). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/follow_internal.h"
#include "os/os.h"

struct place {
	uint32_t timeline;
	uint64_t lsn;
};

static uint64_t segment_of(const struct follow *f, uint64_t lsn)
{
	return lsn & ~(f->server.segment - 1);
}

/* ---- The slot. */

static int look_at_slot(struct follow *f, struct pg_wal_slot *out, struct err *e)
{
	struct pg_wal_held held;
	struct pg *q;

	if (pg_wal_slot_look(f->g, f->p->slot, out, e) == -1)
		return -1;
	if (out->known || (q = follow_questions(f)) == NULL)
		return 0;
	if (pg_wal_slot_held(q, f->p->slot, &held, e) == -1)
		return -1;
	*out = (struct pg_wal_slot){true, held.there, held.reserved, held.restart, 0};
	return 0;
}

/* Before which nothing is asked of the server. */
static int kept_from(struct follow *f, struct place *out, struct err *e)
{
	struct pg_wal_slot slot;

	if (look_at_slot(f, &slot, e) == -1)
		return -1;
	out->timeline = slot.timeline ? slot.timeline : f->server.timeline;
	out->lsn = slot.reserved ? slot.restart : f->server.flushed;
	return 0;
}

static int make_slot(struct follow *f, bool *made, struct err *e)
{
	if (pg_wal_slot_make(f->g, f->p->slot, made, e) == -1)
		return err_wrap(e, "make replication slot %s", f->p->slot);
	return 0;
}

/* One that has lost what it should keep is made anew. */
static int mend_slot(struct follow *f, struct err *e)
{
	struct pg_wal_slot slot;
	bool made;

	if (look_at_slot(f, &slot, e) == -1)
		return -1;
	if (slot.there && !slot.reserved && pg_wal_slot_drop(f->g, f->p->slot, e) == -1)
		return err_wrap(e, "drop replication slot %s, which has lost its WAL", f->p->slot);
	return make_slot(f, &made, e);
}

/* One that the server has taken the WAL from keeps nothing, and cannot be streamed by. */
static int slot_lost(struct follow *f, struct err *e)
{
	struct pg_wal_slot slot;

	if (look_at_slot(f, &slot, e) == -1)
		return -1;
	if (!slot.there || slot.reserved)
		return 0;
	follow_tell(f, "log.warning", EVENT_WARN,
	    "replication slot %s has lost its WAL, and is made anew", f->p->slot);
	return mend_slot(f, e);
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
	f->at = segment_of(f, from);
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
static int stored_in(struct follow_repo *store, struct place kept, struct place *out, struct err *e)
{
	uint64_t to;

	if (follow_repo_covered(store, kept.timeline, kept.lsn, &to, e) == -1)
		return -1;
	*out = (struct place){kept.timeline, to};
	if (to > kept.lsn)
		return 0;
	return follow_repo_before(store, kept.timeline, kept.lsn, &out->timeline, &out->lsn, e);
}

/* *known: the repository could be asked. */
static void stored_to(struct follow *f, struct place kept, struct place *out, bool *known)
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
		*out = (struct place){kept.timeline, segment_of(f, kept.lsn)};
}

/* How many at the end of the list follow each other without a hole. */
static size_t joined(const struct follow_spooled *v, size_t n)
{
	size_t i = n;

	while (i > 0) {
		const struct follow_spooled *a = &v[i - 1], *b = i < n ? &v[i] : NULL;

		if (b != NULL && !a->history && !b->history && a->timeline == b->timeline &&
		    a->end != b->start)
			break;
		i--;
	}
	return n - i;
}

static void queue_spooled(struct follow *f, const struct follow_spooled *v, size_t n)
{
	struct follow_queue *q = &f->shared.queue;
	uint32_t timeline = v[0].timeline;

	for (size_t i = 0; i < n; i++) {
		if (v[i].timeline != timeline)
			follow_queue_ended(q, timeline);
		timeline = v[i].timeline;
		if (v[i].history)
			follow_queue_history(q, timeline);
		else
			follow_queue_got(q, timeline, v[i].start, v[i].end);
	}
}

/* Does the server still have what comes there?  Asked for, and let go again. */
static bool server_has(struct follow *f, const struct place *p)
{
	int64_t end = follow_now() + 5 * FOLLOW_SECOND;
	enum pg_copied got = PG_NOTHING;
	struct pg_wal_message m;
	struct span s;
	struct err e = {0};
	uint32_t timeline;
	uint64_t from;
	bool has = false;

	if (pg_wal_stream_begin(f->g, NULL, segment_of(f, p->lsn), p->timeline, &e) == -1)
		return false;
	while (!has && got != PG_END && follow_now() < end) {
		if (pg_copy_read(f->g, FOLLOW_SECOND, &got, &s, &e) == -1)
			return false;
		has = got == PG_MESSAGE && pg_wal_message_read(s, &m, &e) == 0 &&
		      m.kind == PG_WAL_DATA;
	}
	return pg_wal_stream_end(f->g, &timeline, &from, &e) == 0 && has;
}

/* How old what is spooled is at least: when what came before it was whole. */
static void lag_of_spooled(struct follow *f, const struct follow_spooled *v, size_t n)
{
	int64_t ahead = os_clock()->wall_ns(os_clock()) - follow_now(), since = 0;

	for (size_t i = 0; i < n; i++) {
		if (v[i].history)
			continue;
		follow_lag_got(&f->lag, v[i].end, (since ? since : v[i].written_ns) - ahead);
		since = v[i].written_ns;
	}
}

/* What a receiver before us left; false: nothing that leads on. */
static bool use_spool(struct follow *f, const struct follow_spooled *all, size_t nall,
    const struct place *stored, bool known)
{
	size_t n = joined(all, nall);
	const struct follow_spooled *v = all + nall - n, *first = v, *last = v + n - 1;
	char a[PG_WAL_LSN_TEXT], b[PG_WAL_LSN_TEXT];

	while (first < v + n && first->history)
		first++;
	if (n == 0 || first == v + n || last->history || last->timeline < stored->timeline ||
	    (last->timeline == stored->timeline && last->end < segment_of(f, stored->lsn)))
		return false;
	if (n < nall)
		follow_tell(f, "log.warning", EVENT_WARN,
		    "%zu files in %s do not lead to the later ones, and are left there", nall - n,
		    follow_spool_dir(f->spool));
	if (known && first->timeline == stored->timeline && first->start > stored->lsn &&
	    server_has(f, stored))
		return false; /* and all after it */
	if (known && first->timeline == stored->timeline && first->start > stored->lsn) {
		f->st.gaps++;
		f->st.gap_start = stored->lsn;
		f->st.gap_end = first->start;
		f->st.gap_ns = os_clock()->wall_ns(os_clock());
		follow_tell(f, "log.gap", EVENT_ERROR,
		    "WAL from %s to %s is neither in the repository nor in the spool",
		    pg_wal_lsn(stored->lsn, a), pg_wal_lsn(first->start, b));
	}
	if (stored->timeline == first->timeline && stored->lsn > first->start)
		follow_queue_begin(&f->shared.queue, stored->timeline, stored->lsn, first->start);
	else
		follow_queue_begin(&f->shared.queue, first->timeline, first->start, first->start);
	queue_spooled(f, v, n);
	lag_of_spooled(f, v, n);
	f->timeline = last->timeline;
	f->at = last->end;
	f->known_timeline = stored->timeline;
	f->known = known ? stored->lsn : 0;
	return true;
}

static int begin_at(struct follow *f, struct place p, struct err *e)
{
	f->timeline = f->known_timeline = p.timeline;
	f->known = p.lsn;
	f->at = segment_of(f, p.lsn);
	pthread_mutex_lock(&f->shared.lock);
	follow_queue_begin(&f->shared.queue, p.timeline, p.lsn, f->at);
	pthread_mutex_unlock(&f->shared.lock);
	return p.timeline > 1 ? put_history(f, p.timeline, e) : 0;
}

static int begin(struct follow *f, struct err *e)
{
	struct follow_spooled *v;
	struct place kept, stored;
	bool known;
	size_t n;
	int rc = 0;

	if (follow_spool_of(f->spool, f->server.id, f->server.segment, e) == -1 ||
	    kept_from(f, &kept, e) == -1)
		return -1;
	stored_to(f, kept, &stored, &known);
	follow_queue_fini(&f->shared.queue);
	follow_queue_init(&f->shared.queue, f->server.segment, f->p->synchronous,
	    f->p->every_ns ? f->p->every_ns : 2 * FOLLOW_SECOND);
	if (follow_spool_list(f->spool, &v, &n, e) == -1)
		return -1;
	if (n == 0 || !use_spool(f, v, n, &stored, known)) {
		rc = n > 0 ? follow_spool_empty(f->spool, e) : 0;
		if (rc == 0)
			rc = begin_at(f, stored, e);
	}
	free(v);
	f->begun = rc == 0;
	return rc;
}

int follow_start(struct follow *f, struct err *e)
{
	bool made, gap;

	f->left_at = 0;
	if (make_slot(f, &made, e) == -1)
		return -1;
	if (!made && slot_lost(f, e) == -1)
		return -1;
	if (made && f->begun)
		follow_tell(f, "log.warning", EVENT_WARN,
		    "replication slot %s was gone, and was made anew", f->p->slot);
	if (!f->begun && begin(f, e) == -1)
		return -1;
	if (f->put == NULL &&
	    follow_put_start(&f->shared, f->spool, follow_store_put, f, &f->put, e) == -1)
		return -1;
	if (f->mirror == NULL && follow_mirror_start(f->p, f->spool, &f->mirror, e) == -1)
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

/* ---- Gaps. */

static int until_idle(struct follow *f, struct err *e)
{
	for (;;) {
		bool idle;

		pthread_mutex_lock(&f->shared.lock);
		f->shared.flush = true;
		idle = follow_queue_idle(&f->shared.queue);
		if (idle)
			f->shared.flush = false;
		pthread_mutex_unlock(&f->shared.lock);
		if (idle)
			return 0;
		follow_shared_poke(&f->shared);
		if (ctx_check(f->ctx, e) == -1 || follow_watch(f, follow_now(), e) == -1)
			return -1;
		os_sleep_ns(f->ctx, FOLLOW_SECOND / 20);
	}
}

/* The oldest segment of its timeline that the server still has; 0: it does not say. */
static uint64_t oldest(struct follow *f)
{
	unsigned timeline, high, low;
	char *name = NULL, like[16];
	struct pg *q = follow_questions(f);
	struct db_value v;
	uint64_t lsn = 0;
	struct err e;

	snprintf(like, sizeof like, "%08" PRIX32 "%%", f->server.timeline);
	v = db_text(like);
	if (q != NULL &&
	    pg_text(q,
		"SELECT min(name) FROM pg_ls_waldir() WHERE name LIKE $1 AND length(name) = 24", &v,
		1, &name, &e) == 0 &&
	    name != NULL && sscanf(name, "%8X%8X%8X", &timeline, &high, &low) == 3)
		lsn = ((uint64_t)high << 32) + low * f->server.segment;
	free(name);
	return lsn;
}

static int covered(struct follow *f, uint64_t *to, struct err *e)
{
	struct follow_repo *store = follow_store_take(f, e);
	int rc = store ? follow_repo_covered(store, f->timeline, f->at, to, e) : -1;

	if (store != NULL)
		follow_store_give(f, rc == -1 ? e : NULL);
	return rc;
}

static int empty_spool(struct follow *f, struct err *e)
{
	follow_mirror_give_up(f->mirror, true);
	return follow_spool_empty(f->spool, e);
}

int follow_pass_gap(struct follow *f, struct err *e)
{
	char a[PG_WAL_LSN_TEXT], b[PG_WAL_LSN_TEXT];
	struct place from;
	uint64_t to = f->at, first;

	if (until_idle(f, e) == -1 || covered(f, &to, e) == -1)
		return -1;
	if (segment_of(f, to) > f->at) {
		follow_tell(f, "log.healed", EVENT_INFO,
		    "the server has no WAL from %s on any more, but it is in the repository up to "
		    "%s",
		    pg_wal_lsn(f->at, a), pg_wal_lsn(to, b));
		return empty_spool(f, e) == -1 ? -1
					       : begin_at(f, (struct place){f->timeline, to}, e);
	}
	if (mend_slot(f, e) == -1 || kept_from(f, &from, e) == -1)
		return -1;
	first = oldest(f);
	if (first > f->at && first < from.lsn)
		from.lsn = first;
	from.lsn = segment_of(f, from.lsn);
	from.timeline = f->server.timeline;
	f->st.gaps++;
	f->st.gap_start = to;
	f->st.gap_end = from.lsn;
	f->st.gap_ns = os_clock()->wall_ns(os_clock());
	follow_tell(f, "log.gap", EVENT_ERROR,
	    "the server has no WAL from %s on any more: there is a gap up to %s; a new base backup "
	    "is "
	    "needed to recover to a time after it",
	    pg_wal_lsn(to, a), pg_wal_lsn(from.lsn, b));
	return empty_spool(f, e) == -1 ? -1 : begin_at(f, from, e);
}
