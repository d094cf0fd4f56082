/* follow_stream: what a server sends is taken, and it is told what is durable (op_log_follow.h). */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>

#include "engine/follow_internal.h"
#include "os/os.h"

enum { LOOK_MS = 500, SAY_S = 5, AT_ONCE = 64 };

/* ---- What is said. */

static int say(struct follow *f, int64_t now_ns, bool answer, struct err *e)
{
	uint32_t timeline;
	uint64_t safe = follow_safe(f, &timeline), flushed;
	bool waits = follow_check_waits(f) || f->left_at != 0;
	struct buf b = {0};
	int rc;

	if (timeline != f->timeline && safe > f->branch)
		safe = f->branch;
	if (atomic_load(&f->late.waits)) /* what is stored may be another server's */
		safe = f->confirmed;
	flushed = f->spool_acks && f->spooled > safe ? f->spooled : safe;

	if (flushed > f->confirmed && flushed >= f->kept && !waits)
		f->confirmed = flushed;
	else if (!answer && now_ns - f->said_ns < SAY_S * FOLLOW_SECOND)
		return 0;
	f->said_ns = now_ns;
	/* With synchronous_commit = remote_write a commit waits for what is written alone. */
	pg_wal_message_status(&b,
	    waits                                        ? 0
	    : f->at > f->confirmed && !f->p->synchronous ? f->at
							 : f->confirmed,
	    waits ? 0 : f->confirmed, waits ? 0 : f->confirmed, os_clock()->wall_ns(os_clock()),
	    false);
	rc = pg_copy_write(f->g, buf_span(&b), e);
	buf_fini(&b);
	return rc;
}

/* ---- What comes. */

static int take_wal(struct follow *f, const struct pg_wal_message *m, struct err *e)
{
	uint64_t at = m->start;
	struct span left = m->data;

	if (at != f->next) {
		char a[PG_WAL_LSN_TEXT], b[PG_WAL_LSN_TEXT];

		return err_set(e, ERR_CORRUPT, "the server sent WAL at %s where %s was to come",
		    pg_wal_lsn(at, a), pg_wal_lsn(f->next, b));
	}
	if (follow_check_take(f, at, left, e) == -1)
		return -1;
	f->next += left.n;
	f->unchecked = false; /* it does have what comes here */
	if (f->next <= f->at)
		return 0;
	if (at < f->at) { /* it is here already */
		size_t known = (size_t)(f->at - at);

		left = span_of(left.p + known, left.n - known);
		at = f->at;
	}
	while (left.n > 0) {
		uint64_t room = f->server.segment - (at & (f->server.segment - 1));
		struct span now = span_of(left.p, left.n < room ? left.n : (size_t)room);

		if (follow_spool_append(f->spool, f->timeline, at, now, e) == -1)
			return -1;
		pthread_mutex_lock(&f->shared.lock);
		follow_queue_got(&f->shared.queue, f->timeline, at, at + now.n);
		pthread_mutex_unlock(&f->shared.lock);
		if (f->p->synchronous || now.n == room)
			follow_shared_poke(&f->shared);
		at += now.n;
		f->at = at;
		left = span_of(left.p + now.n, left.n - now.n);
	}
	follow_lag_got(&f->lag, at, follow_now());
	return 0;
}

static int take(struct follow *f, struct span message, struct err *e)
{
	struct pg_wal_message m;

	if (pg_wal_message_read(message, &m, e) == -1)
		return -1;
	if (m.end > f->st.server)
		f->st.server = m.end;
	if (m.kind == PG_WAL_DATA)
		return take_wal(f, &m, e);
	return m.answer ? say(f, follow_now(), true, e) : 0;
}

/* What is there now, but not for ever: others wait, too. */
static int take_some(struct follow *f, enum pg_copied *got, struct err *e)
{
	struct span message;

	*got = PG_MESSAGE;
	for (unsigned i = 0; i < AT_ONCE && *got == PG_MESSAGE && !follow_full(f); i++) {
		if (pg_copy_read(f->g, 0, got, &message, e) == -1)
			return -1;
		if (*got == PG_MESSAGE && take(f, message, e) == -1)
			return -1;
	}
	return 0;
}

/* Until something comes, or something was put, or it is time to look. */
static void rest(struct follow *f)
{
	struct pollfd p[2] = {{.fd = f->shared.wake, .events = POLLIN},
	    {.fd = follow_full(f) ? -1 : pg_socket(f->g), .events = POLLIN}};
	uint64_t n;

	if (poll(p, 2, LOOK_MS) > 0 && p[0].revents != 0 &&
	    read(f->shared.wake, &n, sizeof n) == -1)
		return;
}

static int timeline_over(struct follow *f, bool *next, struct err *e)
{
	uint32_t timeline;
	uint64_t from;

	if (pg_wal_stream_end(f->g, &timeline, &from, e) == -1)
		return -1;
	*next = timeline != 0;
	if (*next && follow_check_waits(f))
		return err_set(e, ERR_UNREACHABLE,
		    "timeline %" PRIu32 " ended before what is known of it had come again",
		    f->timeline);
	if (*next && timeline <= f->timeline)
		return err_set(e, ERR_CORRUPT, "timeline %" PRIu32 " cannot follow %" PRIu32,
		    timeline, f->timeline);
	return *next ? follow_next_timeline(f, timeline, from, e)
		     : err_set(e, ERR_UNREACHABLE, "the server ended the stream");
}

static bool all_there(struct follow *f)
{
	bool idle;

	if (f->once_end == 0 || f->at < f->once_end || f->left_at != 0)
		return false;
	pthread_mutex_lock(&f->shared.lock);
	f->shared.flush = true;
	idle = follow_queue_idle(&f->shared.queue);
	pthread_mutex_unlock(&f->shared.lock);
	follow_shared_poke(&f->shared);
	return idle;
}

/* Once what comes is known to be the log that was followed. */
static void tell_started(struct follow *f, uint64_t from)
{
	char lsn[PG_WAL_LSN_TEXT];

	if (f->told_started || follow_check_waits(f) || f->left_at != 0)
		return;
	f->told_started = true;
	follow_tell(f, "log.started", EVENT_INFO,
	    "WAL is received from %s of timeline %" PRIu32 " on, by slot %s%s",
	    pg_wal_lsn(from, lsn), f->timeline, f->p->slot,
	    f->p->synchronous ? ", synchronously" : "");
}

static int stream_on(struct follow *f, bool *next, struct err *e)
{
	uint64_t from = f->at;

	*next = false;
	for (;;) {
		enum pg_copied got = PG_NOTHING;
		int64_t now;

		if (ctx_check(f->ctx, e) == -1)
			return -1;
		if (!follow_full(f) && take_some(f, &got, e) == -1)
			return -1;
		tell_started(f, from);
		now = follow_now();
		if (follow_watch(f, now, e) == -1)
			return -1;
		if (got == PG_END) /* nobody listens any more; and why is still to come */
			return timeline_over(f, next, e);
		if (say(f, now, false, e) == -1)
			return -1;
		if (all_there(f))
			return 0;
		if (got == PG_NOTHING || follow_full(f))
			rest(f);
	}
}

/* It is the server that says so, and of WAL: other things may be absent, too. */
static int stream_failed(struct follow *f, const struct err *e)
{
	if (e->kind != ERR_ABSENT || strcmp(pg_state(f->g), "58P01") != 0)
		return -1;
	if (follow_check_waits(f) && !f->unchecked && f->left_at == 0)
		f->unchecked = true;
	else
		f->gap = true;
	return -1;
}

int follow_stream(struct follow *f, struct err *e)
{
	bool next = true;

	while (next) {
		f->next = follow_check_begin(f);
		if (f->left_at != 0 && !follow_check_waits(f)) { /* nothing before it is known */
			if (follow_next_timeline(f, f->left_for, f->left_at, e) == -1)
				return -1;
			continue;
		}
		if (pg_wal_stream_begin(f->g, f->p->slot, f->next, f->timeline, e) == -1)
			return stream_failed(f, e);
		f->quiet_ns = 0;
		follow_phase(f, FOLLOW_STREAMING, "");
		if (stream_on(f, &next, e) == -1)
			return stream_failed(f, e);
	}
	return 0;
}
