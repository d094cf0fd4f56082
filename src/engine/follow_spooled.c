/* follow_spooled: what a receiver of WAL before this one left in the spool (follow_internal.h). */
#include "engine/follow_internal.h"
#include "os/os.h"

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
static bool server_has(struct follow *f, const struct follow_place *p)
{
	int64_t end = follow_now() + 5 * FOLLOW_SECOND;
	enum pg_copied got = PG_NOTHING;
	struct pg_wal_message m;
	struct span s;
	struct err e = {0};
	uint32_t timeline;
	uint64_t from;
	bool has = false;

	if (pg_wal_stream_begin(f->g, NULL, follow_segment_of(f, p->lsn), p->timeline, &e) == -1)
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

static bool leads_on(
    const struct follow *f, const struct follow_spooled *last, const struct follow_place *stored)
{
	return last->timeline > stored->timeline ||
	       (last->timeline == stored->timeline &&
		   last->end >= follow_segment_of(f, stored->lsn));
}

static void tell_gap(struct follow *f, uint64_t from, uint64_t to)
{
	char a[PG_WAL_LSN_TEXT], b[PG_WAL_LSN_TEXT];

	f->st.gaps++;
	f->st.gap_start = from;
	f->st.gap_end = to;
	f->st.gap_ns = os_clock()->wall_ns(os_clock());
	follow_tell(f, "log.gap", EVENT_ERROR,
	    "WAL from %s to %s is neither in the repository nor in the spool", pg_wal_lsn(from, a),
	    pg_wal_lsn(to, b));
}

bool follow_use_spooled(struct follow *f, const struct follow_spooled *all, size_t nall,
    const struct follow_place *stored, bool known)
{
	size_t n = joined(all, nall);
	const struct follow_spooled *v = all + nall - n, *first = v, *last = v + n - 1;

	while (first < v + n && first->history)
		first++;
	if (n == 0 || first == v + n || last->history)
		return false;
	if (known && !leads_on(f, last, stored))
		return false;
	if (n < nall)
		follow_tell(f, "log.warning", EVENT_WARN,
		    "%zu files in %s do not lead to the later ones, and are left there", nall - n,
		    follow_spool_dir(f->spool));
	if (known && first->timeline == stored->timeline && first->start > stored->lsn) {
		if (server_has(f, stored))
			return false; /* and all after it */
		tell_gap(f, stored->lsn, first->start);
	}
	if (known && stored->timeline == first->timeline && stored->lsn > first->start)
		follow_queue_begin(&f->shared.queue, stored->timeline, stored->lsn, first->start);
	else
		follow_queue_begin(&f->shared.queue, first->timeline, first->start, first->start);
	queue_spooled(f, v, n);
	lag_of_spooled(f, v, n);
	f->timeline = last->timeline;
	f->at = last->end;
	f->known_timeline = stored->timeline;
	f->known = known ? stored->lsn : 0;
	f->kept = known ? 0 : stored->lsn;
	return true;
}
