/* op_log_follow: see op_log_follow.h.  Connections come and go here; what is received stays. */
#include "engine/op_log_follow.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/follow_internal.h"
#include "os/os.h"

enum { CONNECT_S = 10, LOOK_S = 5, PAUSE_MS = 500, PAUSE_MAX_MS = 10000 };

static int connect_to(struct follow *f, struct err *e)
{
	struct pg_wal_system s;

	if (pg_open_for(&f->p->target, true, CONNECT_S, f->ctx, &f->g, e) == -1 ||
	    pg_wal_stream_identify(f->g, &s, e) == -1)
		return -1;
	if (f->begun && (strcmp(s.id, f->server.id) != 0 || s.segment != f->server.segment))
		return err_set(e, ERR_FAILED,
		    "this is another database system (%s) than the one that was followed (%s)",
		    s.id, f->server.id);
	f->server = s;
	if (f->p->once && f->once_end == 0)
		f->once_end = s.flushed;
	if (s.flushed > f->st.server)
		f->st.server = s.flushed;
	return 0;
}

static void disconnect(struct follow *f)
{
	pg_close(f->g);
	pg_close(f->q);
	f->g = f->q = NULL;
	f->q_ns = 0;
}

static int one_connection(struct follow *f, struct err *e)
{
	if (connect_to(f, e) == -1 || follow_start(f, e) == -1)
		return -1;
	return follow_stream(f, e);
}

/* Nothing that time or others mend. */
static bool is_final(const struct follow *f, const struct err *e)
{
	switch (e->kind) {
	case ERR_BUG:
	case ERR_USAGE:
	case ERR_UNSUPPORTED:
	case ERR_CANCELLED:
		return true;
	case ERR_DENIED:
	case ERR_FAILED:
		return !f->begun;
	default:
		return false;
	}
}

/* -1: it is not the same server's log. */
static int rest(struct follow *f, int64_t ms, struct err *e)
{
	int64_t end = follow_now() + ms * 1000000;

	while (!ctx_cancelled(f->ctx) && follow_now() < end) {
		if (!f->begun || follow_watch(f, follow_now(), e) == 0)
			follow_show(f, follow_now(), false);
		else if (f->other)
			return -1;
		else
			follow_tell(f, "log.warning", EVENT_WARN, "%s", e->msg);
		os_sleep_ns(f->ctx, FOLLOW_SECOND / 10);
	}
	return 0;
}

static void lost(struct follow *f, const struct err *e)
{
	if (f->quiet_ns == 0)
		f->quiet_ns = follow_now();
	if (strncmp(f->st.why, e->msg, sizeof f->st.why - 1) == 0)
		return; /* once is enough */
	if (e->kind == ERR_NO_SPACE)
		follow_tell(f, "log.spool_full", EVENT_ERROR, "%s", e->msg);
	else if (e->kind == ERR_CORRUPT || e->kind == ERR_FAILED || e->kind == ERR_DENIED)
		follow_tell(f, "log.warning", EVENT_WARN, "%s", e->msg);
	follow_phase(f, FOLLOW_CONNECTING, e->msg);
}

/* Recovered meanwhile: on a timeline of its own it can be followed. */
static bool on_another_timeline(struct follow *f)
{
	uint32_t timeline = f->server.timeline;
	struct err e;
	bool is = connect_to(f, &e) == 0 && f->server.timeline > timeline;

	f->server.timeline = timeline;
	disconnect(f);
	return is;
}

/* Until somebody has looked at it: what would be stored is another database's. */
static int stand_still(struct follow *f, struct err *e)
{
	const char *hint = e->hint[0] ? ". " : "";
	int64_t looked = follow_now();

	follow_tell(f, "log.diverged", EVENT_ERROR, "%s: nothing is received any more%s%s%s",
	    e->msg, hint, e->hint,
	    f->p->synchronous ? ". Commits wait; to let them go on without: ALTER SYSTEM SET "
				"synchronous_standby_names = ''; SELECT pg_reload_conf();"
			      : "");
	follow_phase(f, FOLLOW_DIVERGED, e->msg);
	if (f->p->once)
		return -1;
	while (!ctx_cancelled(f->ctx)) {
		follow_show(f, follow_now(), false);
		os_sleep_ns(f->ctx, FOLLOW_SECOND / 10);
		if (follow_now() - looked < LOOK_S * FOLLOW_SECOND)
			continue;
		if (on_another_timeline(f))
			return err_set(e, ERR_UNREACHABLE,
			    "the server has begun another timeline: receiving begins anew");
		looked = follow_now();
	}
	return 0;
}

static int follow_on(struct follow *f, struct err *e)
{
	int64_t pause = PAUSE_MS;

	for (;;) {
		int64_t began = follow_now();
		bool had = f->gap || f->unchecked;
		int rc;

		err_clear(e);
		rc = one_connection(f, e);
		disconnect(f);
		if (rc == 0 || ctx_cancelled(f->ctx))
			return 0;
		if (f->other)
			return stand_still(f, e);
		if (is_final(f, e))
			return -1;
		if (follow_now() - began > 10 * FOLLOW_SECOND)
			pause = PAUSE_MS;
		lost(f, e);
		if ((f->gap || f->unchecked) && !had)
			continue;
		if (rest(f, pause, e) == -1)
			return stand_still(f, e);
		pause = 2 * pause > PAUSE_MAX_MS ? PAUSE_MAX_MS : 2 * pause;
	}
}

int op_log_follow(const struct follow_params *p, struct ctx *ctx, struct err *e)
{
	struct follow *f = mem_zalloc(sizeof *f);
	int rc = -1;

	f->p = p;
	f->ctx = ctx;
	f->quiet_ns = follow_now();
	f->st.since_ns = os_clock()->wall_ns(os_clock());
	snprintf(f->st.system, sizeof f->st.system, "%s", p->system);
	snprintf(f->st.source, sizeof f->st.source, "%s", p->source);
	snprintf(f->st.slot, sizeof f->st.slot, "%s", p->slot);
	if (!pg_wal_slot_name_ok(p->slot)) {
		err_set(e, ERR_USAGE, "'%s' is no name of a replication slot", p->slot);
		goto out;
	}
	if (follow_spool_open(p->spool, NULL, &f->spool, e) == -1 ||
	    follow_shared_init(&f->shared, e) == -1)
		goto out;
	pthread_mutex_init(&f->repo_lock, NULL);
	pthread_mutex_init(&f->late.lock, NULL);
	rc = follow_on(f, e);
	follow_fold_stop(f->fold);
	follow_put_stop(f->put);
	follow_mirror_stop(f->mirror);
	follow_store_close(f);
	follow_check_end(f);
	buf_fini(&f->late.came);
	pthread_mutex_destroy(&f->late.lock);
	pthread_mutex_destroy(&f->repo_lock);
	f->quiet_ns = follow_now();
	follow_phase(f, FOLLOW_STOPPED, rc == -1 ? e->msg : "");
	follow_shared_fini(&f->shared);
out:
	follow_spool_close(f->spool);
	free(f);
	return rc;
}
