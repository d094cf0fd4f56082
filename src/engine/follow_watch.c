/* follow_watch: how receiving goes: what is let go, confirmed, shown and told (op_log_follow.h). */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/follow_internal.h"
#include "os/os.h"

enum {
	SLOT_S = 10,
	SYNC_S = 2,
	QUESTIONS_S = 30,
	BEHIND_S = 30,
	UNSTORED_S = 10,
	MIN_SEGMENTS = 4
};

static const uint64_t SPOOL_LIMIT = UINT64_C(4) << 30, SLOT_WARN = UINT64_C(1) << 30;

int64_t follow_now(void)
{
	return os_clock()->mono_ns(os_clock());
}

void follow_tell(struct follow *f, const char *event, enum event_level level, const char *fmt, ...)
{
	char text[ERR_MSG_MAX + 512];
	va_list ap;

	if (f->p->tell == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	f->p->tell(f->p->arg, event, level, text);
}

uint64_t follow_safe(struct follow *f, uint32_t *timeline)
{
	uint64_t lsn;

	pthread_mutex_lock(&f->shared.lock);
	lsn = follow_queue_safe(&f->shared.queue, timeline);
	pthread_mutex_unlock(&f->shared.lock);
	return lsn;
}

static uint64_t spool_limit(const struct follow *f)
{
	uint64_t n = f->p->spool_limit ? f->p->spool_limit : SPOOL_LIMIT;
	uint64_t least = MIN_SEGMENTS * f->server.segment;

	return n > least ? n : least;
}

bool follow_full(const struct follow *f)
{
	return follow_spool_bytes(f->spool) >= spool_limit(f);
}

/* ---- The other connection. */

struct pg *follow_questions(struct follow *f)
{
	int64_t now = follow_now();
	struct err e;

	if (f->q == NULL && (f->q_ns == 0 || now - f->q_ns > QUESTIONS_S * FOLLOW_SECOND)) {
		f->q_ns = now;
		if (pg_open_for(&f->p->target, false, 3, f->ctx, &f->q, &e) == 0)
			pg_patience(f->q, 2);
	}
	return f->q;
}

static void look_at_slot(struct follow *f, int64_t now_ns)
{
	uint64_t warn = f->p->slot_warn ? f->p->slot_warn : SLOT_WARN;
	struct pg_wal_held held;
	struct err e;

	f->st.slot_bytes = f->st.server > f->confirmed && f->confirmed > 0
			       ? f->st.server - f->confirmed
			       : 0;
	if (f->slot_ns != 0 && now_ns - f->slot_ns < SLOT_S * FOLLOW_SECOND)
		return;
	f->slot_ns = now_ns;
	if (follow_questions(f) != NULL) {
		if (pg_wal_slot_held(f->q, f->p->slot, &held, &e) == -1) {
			pg_close(f->q);
			f->q = NULL;
		} else if (held.there && held.bytes > f->st.slot_bytes)
			f->st.slot_bytes = held.bytes;
	}
	if (f->st.slot_bytes >= warn && !f->told_slot)
		follow_tell(f, "log.behind", EVENT_WARN,
		    "the server keeps %" PRIu64 " MiB of WAL for slot %s, which its disk must hold",
		    f->st.slot_bytes >> 20, f->p->slot);
	f->told_slot = f->st.slot_bytes >= warn / (f->told_slot ? 2 : 1);
}

/* ---- Whether commits wait for us, where that is promised. */

static void say_sync(struct follow *f, const struct pg_sync_state *s)
{
	f->st.sync_had = s->how == PG_SYNC_WAITS;
	snprintf(f->st.sync_why, sizeof f->st.sync_why, "%s", s->why);
	if (!f->st.sync_had && !f->told_sync)
		follow_tell(f, "log.sync_missing", EVENT_ERROR,
		    "synchronous is promised, but not had: %s. What to type: %s", s->why, s->fix);
	else if (f->st.sync_had && f->told_sync)
		follow_tell(
		    f, "log.sync_had", EVENT_INFO, "each commit waits until its WAL is stored");
	if (f->told_sync != !f->st.sync_had || !f->asked_sync)
		follow_show(f, follow_now(), true);
	f->told_sync = !f->st.sync_had;
	f->asked_sync = true;
}

static void look_at_sync(struct follow *f, int64_t now_ns)
{
	int64_t every = (f->st.sync_had ? SLOT_S : SYNC_S) * FOLLOW_SECOND;
	struct pg_sync_state s;
	struct err e;

	if (!f->p->synchronous || (f->sync_ns != 0 && now_ns - f->sync_ns < every))
		return;
	f->sync_ns = now_ns;
	if (follow_questions(f) != NULL &&
	    pg_sync_look(f->q, f->p->target.application, &s, &e) == 0) {
		say_sync(f, &s);
		return;
	}
	if (f->q != NULL) {
		pg_close(f->q);
		f->q = NULL;
	}
	if (!f->st.sync_had)
		snprintf(f->st.sync_why, sizeof f->st.sync_why,
		    "the server cannot be asked whether commits wait");
}

/* ---- What is let go. */

static int drop(struct follow *f, const struct follow_job *j, struct err *e)
{
	return follow_spool_drop(f->spool, j->timeline, j->segment, j->what == FOLLOW_HISTORY, e);
}

static int let_go_mirrored(struct follow *f, struct err *e)
{
	struct follow_job j;

	while (follow_mirror_taken(f->mirror, &j))
		if (drop(f, &j, e) == -1)
			return -1;
	if (follow_spool_bytes(f->spool) > spool_limit(f) / 2)
		follow_mirror_give_up(f->mirror, false);
	return 0;
}

static int let_go(struct follow *f, struct err *e)
{
	for (;;) {
		struct follow_job j;
		bool some;

		pthread_mutex_lock(&f->shared.lock);
		some = follow_queue_pop(&f->shared.queue, &j);
		pthread_mutex_unlock(&f->shared.lock);
		if (!some)
			return let_go_mirrored(f, e);
		f->st.segments += j.what == FOLLOW_WHOLE;
		if (f->mirror != NULL)
			follow_mirror_add(f->mirror, &j);
		else if (drop(f, &j, e) == -1)
			return -1;
	}
}

/* ---- What is confirmed. */

struct health {
	int64_t age_ns; /* of the oldest byte that is not stored */
	bool failing;   /* puts are */
	bool other;     /* ... for other bytes are there */
	struct err err;
	char why[256];
};

static void look_at_puts(struct follow *f, int64_t now_ns, struct health *h)
{
	uint32_t timeline;
	uint64_t safe = follow_safe(f, &timeline);

	h->age_ns = follow_lag_age(&f->lag, safe, now_ns);
	pthread_mutex_lock(&f->shared.lock);
	h->failing = f->shared.failing_ns != 0;
	h->other = f->shared.other;
	h->err = f->shared.why;
	snprintf(h->why, sizeof h->why, "%.255s", h->failing ? f->shared.why.msg : "");
	pthread_mutex_unlock(&f->shared.lock);
	f->st.lag_ns = h->age_ns;
	f->st.timeline = timeline;
	f->st.durable = safe;
	f->st.received = f->at;
	f->st.lag_bytes = f->st.server > safe ? f->st.server - safe : 0;
}

static bool wants_spool_acks(const struct follow *f, const struct health *h)
{
	if (f->spool_acks)
		return h->age_ns > FOLLOW_SECOND;
	if (f->p->synchronous)
		return f->p->synchronous_wait_ns > 0 && h->age_ns > f->p->synchronous_wait_ns;
	return h->failing && h->age_ns > UNSTORED_S * FOLLOW_SECOND;
}

static int confirm(struct follow *f, const struct health *h, int64_t now_ns, struct err *e)
{
	bool wanted = wants_spool_acks(f, h);
	int64_t pause = f->p->synchronous ? 0 : FOLLOW_SECOND;

	if (wanted != f->spool_acks)
		follow_tell(f, wanted ? "log.spool_acks" : "log.caught_up",
		    !wanted             ? EVENT_INFO
		    : f->p->synchronous ? EVENT_ERROR
					: EVENT_WARN,
		    wanted ? "WAL is not stored in the repository for %.0f s%s%s: until it is, "
			     "what is "
			     "on this machine's disk (%s) is confirmed to the server%s"
			   : "all WAL is in the repository again (%.0f s behind)%s%s%s%s",
		    (double)h->age_ns / (double)FOLLOW_SECOND, wanted && h->why[0] ? ": " : "",
		    wanted ? h->why : "", wanted ? follow_spool_dir(f->spool) : "",
		    wanted && f->p->synchronous
			? ", and zero loss holds only as long as that disk does"
			: "");
	f->spool_acks = wanted;
	if (!wanted || f->at == f->spooled || now_ns - f->synced_ns < pause)
		return 0;
	f->synced_ns = now_ns;
	if (follow_spool_sync(f->spool, e) == -1)
		return -1;
	f->spooled = f->at;
	return 0;
}

/* ---- What is told. */

static void tell_full(struct follow *f)
{
	bool full = follow_full(f);

	if (full && !f->told_full)
		follow_tell(f, "log.spool_full", EVENT_ERROR,
		    "the spool %s is full (%" PRIu64
		    " MiB): WAL is not received until the repository "
		    "takes it; the server keeps it for slot %s%s",
		    follow_spool_dir(f->spool), spool_limit(f) >> 20, f->p->slot,
		    f->p->synchronous
			? "; commits wait. To let them go on without: ALTER SYSTEM SET "
			  "synchronous_standby_names = ''; SELECT pg_reload_conf();"
			: "");
	/* Told again only after it was well below. */
	f->told_full = full || (f->told_full && follow_spool_bytes(f->spool) > spool_limit(f) / 2);
}

static void tell_behind(struct follow *f, const struct health *h, int64_t now_ns)
{
	int64_t quiet = f->quiet_ns ? now_ns - f->quiet_ns : 0;
	int64_t age = h->age_ns > quiet ? h->age_ns : quiet;

	if (!f->told_behind && age > BEHIND_S * FOLLOW_SECOND) {
		f->told_behind = true;
		follow_tell(f, "log.behind", EVENT_WARN,
		    quiet > h->age_ns ? "no WAL is received for %.0f s: %s"
				      : "WAL is not stored for %.0f s: %s",
		    (double)age / (double)FOLLOW_SECOND,
		    f->st.why[0] ? f->st.why : "the repository does not keep up");
	} else if (f->told_behind && age < FOLLOW_SECOND && f->begun) {
		f->told_behind = false;
		follow_tell(f, "log.caught_up", EVENT_INFO, "all WAL that was received is stored");
	}
}

void follow_phase(struct follow *f, enum follow_phase phase, const char *why)
{
	bool other = f->st.phase != phase;

	snprintf(f->st.why, sizeof f->st.why, "%.255s", why);
	if (other) {
		f->st.phase = phase;
		f->st.since_ns = os_clock()->wall_ns(os_clock());
		follow_show(f, follow_now(), true);
	}
}

void follow_show(struct follow *f, int64_t now_ns, bool at_once)
{
	if (f->p->state == NULL ||
	    (!at_once && f->state_ns != 0 && now_ns - f->state_ns < FOLLOW_SECOND))
		return;
	f->state_ns = now_ns;
	f->st.at_ns = os_clock()->wall_ns(os_clock());
	f->st.pid = getpid();
	f->st.synchronous = f->p->synchronous;
	f->st.spool_acks = f->spool_acks;
	f->st.spool_bytes = follow_spool_bytes(f->spool);
	f->st.spool_limit = spool_limit(f);
	f->p->state(f->p->arg, &f->st);
}

int follow_watch(struct follow *f, int64_t now_ns, struct err *e)
{
	struct health h;

	look_at_puts(f, now_ns, &h);
	if (h.other) {
		f->other = true;
		*e = h.err;
		return -1;
	}
	if (let_go(f, e) == -1 || confirm(f, &h, now_ns, e) == -1)
		return -1;
	tell_full(f);
	tell_behind(f, &h, now_ns);
	if (f->quiet_ns == 0) {
		look_at_slot(f, now_ns);
		look_at_sync(f, now_ns);
		follow_phase(f,
		    follow_full(f) ? FOLLOW_HELD
		    : h.failing    ? FOLLOW_SPOOLING
				   : FOLLOW_STREAMING,
		    h.why);
	}
	follow_show(f, now_ns, false);
	return 0;
}
