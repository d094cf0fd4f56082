/*
 * follow_check: is what a server sends what is stored?  (follow_internal.h)
 *
 * A server that was put back to an earlier state, or a copy of it, has the same name and number
 * and writes other log at the same places.  So at each connection the last bytes that are known,
 * back to the beginning of their segment, are asked for again and compared; until they have come
 * nothing is confirmed.  Where neither spool nor repository gives them now, those that come are
 * kept, and compared by the repository before anything else is put into it.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/follow_internal.h"

enum { CHECK_MAX = 16 << 20 };

/* Where what is known ends: what was received, or where the repository was ahead of that. */
uint64_t follow_known_end(const struct follow *f)
{
	return f->known_timeline == f->timeline && f->known > f->at ? f->known : f->at;
}

void follow_check_end(struct follow *f)
{
	buf_fini(&f->check.known);
	f->check.n = 0;
	f->check.by_put = f->check.away = false;
}

static int from_spool(struct follow *f, uint64_t segment, uint64_t start, uint64_t end)
{
	struct follow_mapped m;
	struct err e;

	if (end > f->at ||
	    follow_spool_map(f->spool, f->timeline, segment, start, end, &m, &e) == -1)
		return -1;
	buf_put_span(&f->check.known, m.bytes);
	follow_spool_unmap(&m);
	return 0;
}

/* 0: they are there; 1: not all of them are; 2: not to be read by us, or now. */
static int from_repository(struct follow *f, uint64_t start, uint64_t end)
{
	struct err e = {0};
	struct follow_repo *store = follow_store_take(f, &e);
	uint64_t to = start;
	int rc;

	f->check.away = store == NULL;
	if (store == NULL)
		return 2;
	rc = follow_repo_read(store, f->timeline, start, end, &f->check.known, &e);
	if (rc == -1 && e.kind == ERR_ABSENT)
		/* Damaged, if they are in the list. */
		rc = follow_repo_covered(store, f->timeline, start, &to, &e) == 0 && to < end;
	f->check.away = rc == -1 && e.kind != ERR_ABSENT && e.kind != ERR_WRONG_KEY;
	follow_store_give(f, f->check.away ? &e : NULL);
	if (rc == 1)
		return 1;
	return rc == 0 && f->check.known.n == end - start ? 0 : 2;
}

uint64_t follow_check_begin(struct follow *f)
{
	uint64_t end = follow_known_end(f), segment, start;
	int rc;

	follow_check_end(f);
	if (f->left_at != 0)
		end = f->left_at;
	else if (f->unchecked || end == 0)
		return f->at;
	segment = (end - 1) & ~(f->server.segment - 1);
	start = end - segment > CHECK_MAX ? end - CHECK_MAX : segment;
	rc = from_spool(f, segment, start, end) == 0 ? 0 : from_repository(f, start, end);
	if (rc == 1)
		return f->at;
	if (rc == 2) {
		buf_reset(&f->check.known);
		f->check.by_put = true;
	}
	f->check.start = start;
	f->check.n = (size_t)(end - start);
	return start < f->at || f->left_at != 0 ? start : f->at;
}

bool follow_check_waits(const struct follow *f)
{
	return f->check.n > 0;
}

int follow_other(struct follow *f, uint64_t at, struct err *e)
{
	char lsn[PG_WAL_LSN_TEXT];

	f->other = true;
	err_set(e, ERR_EXISTS,
	    "the server's log is not what was received from it before, at %s of timeline %" PRIu32
	    ": it was put back to an earlier state, or is a copy of the one that was followed",
	    pg_wal_lsn(at, lsn), f->timeline);
	return err_hint(e,
	    "give this source another name (part: NAME), and its log begins anew; "
	    "or bring the server back by 'holdfast recover', which begins a timeline");
}

static int compare_late(struct follow *f, struct err *e)
{
	struct follow_repo *store = follow_store_take(f, e);
	int rc;

	if (store == NULL)
		return -1;
	rc = follow_repo_same(store, f->late.timeline, f->late.start, buf_span(&f->late.came), e);
	follow_store_give(f, rc == -1 && e->kind != ERR_EXISTS ? e : NULL);
	return rc;
}

int follow_check_late(struct follow *f, struct err *e)
{
	int rc = 0;

	if (!atomic_load(&f->late.waits))
		return 0;
	pthread_mutex_lock(&f->late.lock);
	if (atomic_load(&f->late.waits))
		rc = compare_late(f, e);
	if (rc == 0) {
		atomic_store(&f->late.waits, false);
		buf_fini(&f->late.came);
	}
	pthread_mutex_unlock(&f->late.lock);
	return rc;
}

/* All of it has come.  What waits already came first, and tells more. */
static int put_known(struct follow *f, struct err *e)
{
	bool away = f->check.away;
	struct err why = {0};

	pthread_mutex_lock(&f->late.lock);
	if (!atomic_load(&f->late.waits)) {
		f->late.timeline = f->timeline;
		f->late.start = f->check.start;
		f->late.came = f->check.known;
		f->check.known = (struct buf){0};
		atomic_store(&f->late.waits, true);
	}
	pthread_mutex_unlock(&f->late.lock);
	if (away || follow_check_late(f, &why) == 0 || why.kind != ERR_EXISTS)
		return 0;
	return follow_other(f, f->check.start, e);
}

int follow_check_take(struct follow *f, uint64_t at, struct span data, struct err *e)
{
	uint64_t from = f->check.start, end = from + f->check.n, to = at + data.n;
	const uint8_t *a, *b;
	size_t n, i = 0;

	if (f->check.n == 0)
		return 0;
	from = at > from ? at : from;
	n = from < end && from < to ? (size_t)((to < end ? to : end) - from) : 0;
	if (n > 0 && f->check.by_put)
		buf_put(&f->check.known, data.p + (from - at), n);
	else if (n > 0) {
		a = f->check.known.p + (from - f->check.start);
		b = data.p + (from - at);
		if (memcmp(a, b, n) != 0) {
			while (a[i] == b[i])
				i++;
			return follow_other(f, from + i, e);
		}
	}
	if (to < end)
		return 0;
	if (f->check.by_put && f->check.known.n == f->check.n && put_known(f, e) == -1)
		return -1;
	follow_check_end(f);
	return 0;
}

int follow_check_server(struct follow *f, struct err *e)
{
	const char *standby = pg_parameter(f->g, "in_hot_standby");

	/* A standby says what it has replayed yet; a primary sends nothing that may be gone again.
	 */
	if (f->server.timeline != f->timeline || f->server.flushed >= follow_known_end(f) ||
	    standby == NULL || strcmp(standby, "off") != 0)
		return 0;
	return follow_other(f, f->server.flushed, e);
}
