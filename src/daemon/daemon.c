/* daemon: the loop.  See daemon.h. */
#include "daemon/daemon.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "daemon/daemon_internal.h"
#include "daemon/run_logs.h"
#include "os/notify_socket.h"
#include "os/os.h"

enum { JUMP_S = 60 };

int64_t daemon_now_s(const struct daemon *d)
{
	return d->ctx->clock->wall_ns(d->ctx->clock) / CALENDAR_SECOND;
}

/* ---- One at a time. */

static char *lock_path(const char *state_dir)
{
	return mem_printf("%s/serve.lock", state_dir);
}

static int take_lock(struct daemon *d, struct err *e)
{
	char *path = lock_path(d->p->state_dir), pid[32];
	bool busy = false;
	int rc = os_mkdirs(d->p->state_dir, 0700, e);

	if (rc == 0) {
		d->lock = os_open(path, O_RDWR | O_CREAT, 0600);
		rc = d->lock == -1 ? err_sys(e, "%s", path) : 0;
		/* Who looks whether there is a daemon has it for a moment, too. */
		for (int i = 0; rc == 0 && (i == 0 || (busy && i < 10)); i++) {
			if (i > 0)
				os_sleep_ns(d->ctx, CALENDAR_SECOND / 10);
			rc = os_lock(d->lock, false, &busy, e);
		}
	}
	if (rc == 0 && busy) {
		rc = err_set(e, ERR_BUSY, "there is a daemon already: %s", path);
		err_hint(
		    e, "'holdfast status' asks it; another one needs another HOLDFAST_STATE_DIR");
	}
	if (rc == 0) {
		snprintf(pid, sizeof pid, "%d\n", (int)getpid());
		os_ftruncate(d->lock, 0);
		(void)!os_pwrite_all(d->lock, pid, strlen(pid), 0);
	}
	free(path);
	return rc;
}

int daemon_lives(const char *state_dir, bool *lives, int64_t *pid, struct err *e)
{
	char *path = lock_path(state_dir), text[32] = "";
	int fd = os_open(path, O_RDONLY, 0), rc = 0;

	*lives = false;
	*pid = 0;
	if (fd != -1) {
		rc = os_lock(fd, false, lives, e);
		if (*lives && os_pread_full(fd, text, sizeof text - 1, 0) > 0)
			*pid = strtoll(text, NULL, 10);
	} else if (errno != ENOENT) {
		rc = err_sys(e, "%s", path);
	}
	os_close(fd);
	free(path);
	return rc;
}

/* ---- Now and then. */

/* A clock that jumps is told; what became due by it is settled as after a time without us. */
static void look_at_clock(struct daemon *d, int64_t wall_s)
{
	int64_t mono_s = d->ctx->clock->mono_ns(d->ctx->clock) / CALENDAR_SECOND;
	int64_t jump = (wall_s - d->last_wall_s) - (mono_s - d->last_mono_s);

	if (d->last_wall_s != 0 && (jump > JUMP_S || jump < -JUMP_S)) {
		daemon_forget_time(d, wall_s);
		d->patient_mono_s = mono_s + DAEMON_LEASE_S;
		daemon_tell(d, "clock.jumped", EVENT_WARN, NULL, 0, "by %" PRId64 " s", jump);
	}
	d->last_wall_s = wall_s;
	d->last_mono_s = mono_s;
}

static void feed_watchdog(struct daemon *d)
{
	int64_t now = (int64_t)uv_now(&d->loop);
	char state[96];
	struct err e;

	if (d->watchdog_ms == 0 || now - d->fed_ms < d->watchdog_ms / 3)
		return;
	d->fed_ms = now;
	snprintf(state, sizeof state, NOTIFY_WATCHDOG "\nSTATUS=%u running, %zu systems",
	    d->running, d->nsystems);
	notify_socket_send(state, &e);
}

static void stop(struct daemon *d)
{
	struct err e;

	if (d->stopping) {
		for (struct child *c = d->children; c != NULL; c = c->next)
			uv_process_kill(&c->process, SIGKILL);
		return;
	}
	d->stopping = true;
	daemon_log(d, EVENT_INFO, "stopping: %u running", d->running);
	notify_socket_send(NOTIFY_STOPPING, &e);
	for (struct child *c = d->children; c != NULL; c = c->next)
		child_stop(c);
	daemon_monitor_stop(d);
	daemon_follow_stop(d);
	if (d->running == 0)
		uv_stop(&d->loop);
}

/* Once a day, and soon after the beginning: a piece at each look, until all is done. */
static void trim(struct daemon *d, int64_t now_s)
{
	bool more = false;
	struct err e;

	if (now_s - d->trimmed_s < 86400 && now_s >= d->trimmed_s)
		return;
	if (d->leads && catalog_trim(d->catalog, now_s * CALENDAR_SECOND, &more, &e) == -1)
		daemon_log(d, EVENT_ERROR, "%s", e.msg);
	if (more)
		return;
	d->trimmed_s = now_s;
	if (run_logs_trim(d->p->state_dir, RUN_LOGS_KEPT, &e) == -1)
		daemon_log(d, EVENT_ERROR, "logs of runs: %s", e.msg);
}

static void reload(struct daemon *d)
{
	struct err e;

	notify_socket_reloading(&e);
	if (daemon_load(d, &e) == 0) {
		daemon_changes_stop(d);
		daemon_changes_start(d);
		daemon_follow_reload(d);
		daemon_tell(d, "config.reloaded", EVENT_INFO, NULL, 0, "%zu systems", d->nsystems);
		daemon_record_config(d, NULL);
	} else {
		pthread_rwlock_wrlock(&d->world_lock);
		snprintf(d->mistake, sizeof d->mistake, "%s", e.msg);
		pthread_rwlock_unlock(&d->world_lock);
		daemon_tell(d, "config.refused", EVENT_ERROR, NULL, 0,
		    "%s (what was loaded before stays in force)", e.msg);
		daemon_record_config(d, &e);
	}
	notify_socket_send(NOTIFY_READY, &e);
}

static void on_timer(uv_timer_t *t)
{
	struct daemon *d = t->data;
	int64_t now = daemon_now_s(d);

	if (ctx_cancelled(d->ctx) && !d->stopping)
		stop(d); /* asked before the loop listened */
	look_at_clock(d, now);
	feed_watchdog(d);
	child_watch(d);
	daemon_notify_tick(d->notify);
	if (d->stopping)
		return;
	daemon_look_at_catalog(d);
	if (now - d->renewed_s >= (d->kept || d->unrenewed ? DAEMON_RETRY_S : DAEMON_RENEW_S) ||
	    now < d->renewed_s) {
		d->renewed_s = now;
		daemon_renew(d);
	}
	daemon_fence(d);
	daemon_take_others(d);
	if (atomic_exchange(&d->reload, false))
		reload(d);
	daemon_look_after_orphans(d);
	daemon_queue_due(d, now);
	daemon_upkeep_due(d, now);
	daemon_changes_due(d);
	daemon_dispatch(d);
	daemon_watch_rpo(d, now);
	daemon_drill_tick(d, now);
	daemon_monitor_tick(d, now);
	daemon_follow_tick(d);
	daemon_watch_thaws(d);
	trim(d, now);
	if (d->p->hooks.tick != NULL)
		d->p->hooks.tick(d->p->hooks.arg, d->ctx->clock->wall_ns(d->ctx->clock));
}

static void on_wake(uv_async_t *a)
{
	on_timer(&((struct daemon *)a->data)->timer);
}

/* ---- Signals. */

static void on_signal(uv_signal_t *s, int sig)
{
	struct daemon *d = s->data;

	if (sig == SIGHUP) {
		atomic_store(&d->reload, true);
		on_timer(&d->timer);
	} else
		stop(d);
}

/* ---- From other threads. */

void daemon_wake(struct daemon *d)
{
	uv_async_send(&d->wake);
}

void daemon_reload(struct daemon *d)
{
	atomic_store(&d->reload, true);
	daemon_wake(d);
}

const struct world *daemon_world_hold(struct daemon *d)
{
	pthread_rwlock_rdlock(&d->world_lock);
	return d->world;
}

void daemon_world_release(struct daemon *d)
{
	pthread_rwlock_unlock(&d->world_lock);
}

void daemon_mistake(struct daemon *d, char *out, size_t size)
{
	pthread_rwlock_rdlock(&d->world_lock);
	snprintf(out, size, "%s", d->mistake);
	pthread_rwlock_unlock(&d->world_lock);
}

/* ---- Beginning and end. */

static void start_loop(struct daemon *d)
{
	static const int sigs[] = {SIGTERM, SIGINT, SIGHUP};

	uv_loop_init(&d->loop);
	uv_timer_init(&d->loop, &d->timer);
	d->timer.data = d;
	uv_async_init(&d->loop, &d->wake, on_wake);
	d->wake.data = d;
	for (size_t i = 0; i < sizeof sigs / sizeof *sigs; i++) {
		uv_signal_init(&d->loop, &d->signals[i]);
		d->signals[i].data = d;
		uv_signal_start(&d->signals[i], on_signal, sigs[i]);
	}
	d->watchdog_ms = notify_socket_watchdog_ns() / 1000000;
	uv_timer_start(&d->timer, on_timer, 0, DAEMON_LOOK_MS);
}

static void close_any(uv_handle_t *h, void *arg)
{
	if (!uv_is_closing(h))
		uv_close(h, NULL);
}

static void end_loop(struct daemon *d)
{
	uv_walk(&d->loop, close_any, NULL);
	uv_run(&d->loop, UV_RUN_DEFAULT);
	uv_loop_close(&d->loop);
}

static int begin(struct daemon *d, struct err *e)
{
	if (take_lock(d, e) == -1 || (d->owner = daemon_owner(d->p->state_dir, e)) == NULL ||
	    catalog_open(d->p->catalog, &d->catalog, e) == -1 || daemon_load(d, e) == -1 ||
	    daemon_take_over(d, e) == -1)
		return -1;
	return 0;
}

static int serve(struct daemon *d, struct err *e)
{
	const struct daemon_hooks *h = &d->p->hooks;
	struct err e2;
	int rc;

	start_loop(d);
	d->began_s = daemon_now_s(d);
	rc = h->up ? h->up(h->arg, d, e) : 0;
	if (rc == 0) {
		d->notify = daemon_notify_new(d);
		daemon_tell(d, "daemon.started", EVENT_INFO, NULL, 0,
		    "pid=%d systems=%zu config=%s", (int)getpid(), d->nsystems, d->world->files[0]);
		daemon_record_life(d, true);
		daemon_record_config(d, NULL);
		notify_socket_send(NOTIFY_READY, &e2);
		daemon_changes_start(d);
		uv_run(&d->loop, UV_RUN_DEFAULT);
		daemon_changes_end(d);
		daemon_record_life(d, false);
		daemon_tell(d, "daemon.stopped", EVENT_INFO, NULL, 0, "nothing runs any more");
		daemon_notify_free(d->notify);
		d->notify = NULL;
		if (h->down != NULL)
			h->down(h->arg);
	}
	end_loop(d);
	return rc;
}

int daemon_run(const struct daemon_params *p, struct ctx *ctx, struct err *e)
{
	struct daemon d = {
	    .p = p, .ctx = ctx, .lock = -1, .world_lock = PTHREAD_RWLOCK_INITIALIZER};
	int rc = begin(&d, e);

	if (rc == 0)
		rc = serve(&d, e);
	for (size_t i = 0; i < d.norphans; i++)
		run_copy_fini(&d.orphans[i]);
	free(d.orphans);
	daemon_drop_kept(&d);
	free(d.thaws);
	daemon_drill_free(&d);
	daemon_monitor_free(&d);
	daemon_follow_free(&d);
	daemon_plan_free(&d);
	catalog_close(d.catalog);
	os_close(d.lock);
	free(d.owner);
	return rc;
}
