/* follow_gap: WAL that the server does not have any more (follow_internal.h). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/follow_internal.h"
#include "os/os.h"

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

static void tell_gap(struct follow *f, uint64_t to, const struct follow_place *from)
{
	char a[PG_WAL_LSN_TEXT], b[PG_WAL_LSN_TEXT], line[32] = "";

	if (from->timeline != f->timeline)
		snprintf(line, sizeof line, " of timeline %" PRIu32, from->timeline);
	follow_tell(f, "log.gap", EVENT_ERROR,
	    "the server has no WAL from %s on any more: there is a gap up to %s%s; a new base "
	    "backup is needed to recover to a time after it",
	    pg_wal_lsn(to, a), pg_wal_lsn(from->lsn, b), line);
}

/*
 * From where on the server keeps its WAL for us.  By what was said to it when what is gone was
 * asked for it takes the slot back there, and calls that kept until its next checkpoint.
 */
static int kept_past(struct follow *f, struct follow_place *from, struct err *e)
{
	if (follow_slot_mend(f, e) == -1 || follow_kept_from(f, from, e) == -1)
		return -1;
	if (from->timeline != f->timeline || from->lsn > f->at)
		return 0;
	return follow_slot_renew(f, e) == -1 ? -1 : follow_kept_from(f, from, e);
}

int follow_pass_gap(struct follow *f, struct err *e)
{
	char a[PG_WAL_LSN_TEXT], b[PG_WAL_LSN_TEXT];
	struct follow_place from;
	uint64_t to = f->at, first;

	if (until_idle(f, e) == -1 || covered(f, &to, e) == -1)
		return -1;
	if (follow_segment_of(f, to) > f->at) {
		follow_tell(f, "log.healed", EVENT_INFO,
		    "the server has no WAL from %s on any more, but it is in the repository up to "
		    "%s",
		    pg_wal_lsn(f->at, a), pg_wal_lsn(to, b));
		return empty_spool(f, e) == -1
			   ? -1
			   : follow_begin_at(f, (struct follow_place){f->timeline, to}, e);
	}
	if (kept_past(f, &from, e) == -1)
		return -1;
	first = oldest(f);
	/* Of another timeline it is later however low it is. */
	if (first != 0 && first < from.lsn && (first > f->at || f->server.timeline != f->timeline))
		from.lsn = first;
	from.lsn = follow_segment_of(f, from.lsn);
	from.timeline = f->server.timeline;
	f->st.gaps++;
	f->st.gap_start = to;
	f->st.gap_end = from.lsn;
	f->st.gap_ns = os_clock()->wall_ns(os_clock());
	tell_gap(f, to, &from);
	return empty_spool(f, e) == -1 ? -1 : follow_begin_at(f, from, e);
}
