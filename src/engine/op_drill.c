/* op_drill: see op_drill.h. */
#include "engine/op_drill.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "catalog/evidence_statement.h"
#include "engine/drill_internal.h"
#include "engine/recover_target.h"
#include "engine/select.h"
#include "os/os.h"

enum { HOURS = 6 };
static const int64_t second = 1000000000;

/* ---- Steps. */

void drill_step(struct drill *d, const char *name)
{
	struct drill_step *s;

	d->steps = mem_realloc(d->steps, (d->nsteps + 1) * sizeof *d->steps);
	s = &d->steps[d->nsteps++];
	*s = (struct drill_step){.name = name, .open = true};
	s->began_ns = d->clock->wall_ns(d->clock);
	d->step_mono = d->clock->mono_ns(d->clock);
	atomic_store(&d->step, name);
	atomic_store(&d->ctx->progress.phase, name); /* what runs within tells its own there */
}

void drill_note(struct drill *d, const char *fmt, ...)
{
	struct drill_step *s = &d->steps[d->nsteps - 1];
	size_t n = strlen(s->note);
	va_list ap;

	if (n > 0 && n + 2 < sizeof s->note)
		n += (size_t)snprintf(s->note + n, sizeof s->note - n, "; ");
	va_start(ap, fmt);
	vsnprintf(s->note + n, sizeof s->note - n, fmt, ap);
	va_end(ap);
}

void drill_step_end(struct drill *d, bool failed)
{
	struct drill_step *s = d->nsteps ? &d->steps[d->nsteps - 1] : NULL;

	if (s == NULL || !s->open)
		return;
	s->seconds = (double)(d->clock->mono_ns(d->clock) - d->step_mono) / (double)second;
	s->failed = failed;
	s->open = false;
	d->broken |= failed;
}

bool drill_is_finding(const struct err *e)
{
	switch (e->kind) {
	case ERR_BUSY:
	case ERR_UNREACHABLE:
	case ERR_TIMEOUT:
	case ERR_DENIED:
	case ERR_WRONG_KEY:
	case ERR_NO_REPOSITORY:
	case ERR_NO_SPACE:
	case ERR_CANCELLED:
	case ERR_UNSUPPORTED:
	case ERR_FOREIGN:
	case ERR_LATER:
	case ERR_COLD:
	case ERR_USAGE:
	case ERR_IO:
	case ERR_BUG:
		return false;
	default:
		return true;
	}
}

/* ---- Its time. */

static int64_t time_of(const struct drill *d)
{
	return d->p->timeout_s ? d->p->timeout_s : HOURS * 3600;
}

static uint64_t bytes_of(const struct snapshot *s)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s->nparts; i++)
		n += s->parts[i].stats.bytes;
	return n;
}

/* A slow store and a query without an end are told apart by this alone. */
static void note_late(struct drill *d)
{
	const char *at = atomic_load(&d->step);
	double s = (double)(d->clock->mono_ns(d->clock) - d->began_mono) / (double)second;

	snprintf(d->late_at, sizeof d->late_at,
	    "not finished in time, at step %s after %.0f s (drill.timeout: %lld s), with %llu of "
	    "%llu bytes restored",
	    at ? at : "prepare", s, (long long)time_of(d),
	    (unsigned long long)atomic_load(&d->ctx->progress.bytes),
	    (unsigned long long)bytes_of(d->p->snapshot));
}

static void *watch(void *arg)
{
	struct drill *d = arg;
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += time_of(d);
	pthread_mutex_lock(&d->lock);
	while (!d->is_over && pthread_cond_timedwait(&d->over, &d->lock, &until) != ETIMEDOUT)
		;
	if (!d->is_over) {
		d->late = true;
		note_late(d);
		atomic_store(&d->ctx->cancel, true);
	}
	pthread_mutex_unlock(&d->lock);
	return NULL;
}

static void watch_begin(struct drill *d)
{
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->over, NULL);
	d->watched = pthread_create(&d->watch, NULL, watch, d) == 0;
}

/* From here on nothing ends it: the teardown has to come to its own. */
static void watch_end(struct drill *d)
{
	pthread_mutex_lock(&d->lock);
	d->is_over = true;
	pthread_cond_signal(&d->over);
	pthread_mutex_unlock(&d->lock);
	if (d->watched)
		pthread_join(d->watch, NULL);
	pthread_mutex_destroy(&d->lock);
	pthread_cond_destroy(&d->over);
}

/* ---- Prepare. */

static uint64_t needed(const struct snapshot *s)
{
	uint64_t n = bytes_of(s);

	for (size_t i = 0; i < s->nparts; i++)
		if (s->parts[i].has_log && s->parts[i].log_end > s->parts[i].log_start)
			n += s->parts[i].log_end - s->parts[i].log_start;
	return n;
}

/* Places and transactions are of one server's log. */
static int judge_target(const struct drill *d, struct err *e)
{
	struct recover_target t;

	if (d->nsources < 2 || d->p->to == NULL)
		return 0;
	if (recover_target_parse(d->p->to, &t, e) == -1)
		return -1;
	if (t.kind != RECOVER_LSN && t.kind != RECOVER_XID)
		return 0;
	err_set(e, ERR_USAGE, "%s has %zu sources of PostgreSQL, and '%s' is of the log of one",
	    d->p->system, d->nsources, d->p->to);
	return err_hint(e, "a time is a point of all of them");
}

static int judge_space(struct drill *d, struct err *e)
{
	uint64_t need = needed(d->snapshot), left = drill_room_space(&d->room);

	need += need / 20 + (UINT64_C(16) << 20);
	if (d->p->disk && need > d->p->disk) {
		err_set(e, ERR_NO_SPACE, "it needs %llu MiB, and drill.disk allows %llu MiB",
		    (unsigned long long)(need >> 20), (unsigned long long)(d->p->disk >> 20));
		return err_hint(e, "a greater drill.disk, or another drill.directory");
	}
	if (need <= left)
		return 0;
	err_set(e, ERR_NO_SPACE, "it needs %llu MiB, and %s has %llu MiB left",
	    (unsigned long long)(need >> 20), d->room.base, (unsigned long long)(left >> 20));
	return err_hint(e, "drill.directory names another place");
}

static void judge_snapshot(struct drill *d)
{
	const struct snapshot *s = d->snapshot;

	if (select_counts(s))
		drill_hold(&d->score, DRILL_SNAPSHOT);
	else
		drill_break(&d->score, DRILL_SNAPSHOT,
		    "it is dated later than it was stored, or came after its signer was removed");
	for (size_t i = 0; i < s->nparts; i++)
		if (!s->parts[i].has_tree || s->parts[i].outcome == SNAPSHOT_FAILED)
			drill_break(&d->score, DRILL_OUTCOME, "the backup of its part %s failed",
			    s->parts[i].name);
		else if (s->parts[i].outcome != SNAPSHOT_COMPLETE)
			drill_break(&d->score, DRILL_OUTCOME, "the backup left something out: %s",
			    s->parts[i].nerrors ? s->parts[i].errors[0].path : "it is incomplete");
	drill_hold(&d->score, DRILL_OUTCOME);
}

/* Root starts no server as itself. */
static const char *user_of(const struct drill *d)
{
	if (d->p->user != NULL || d->nsources == 0 || geteuid() != 0)
		return d->p->user;
	return "postgres";
}

static int prepare(struct drill *d, struct err *e)
{
	struct os_isolate_params ip = {
	    .name = "holdfast-drill", .user = user_of(d), .limits = d->p->limits};

	drill_step(d, "prepare");
	if (d->snapshot->head_only)
		return err_set(e, ERR_WRONG_KEY, "this key does not read what is stored");
	if (judge_target(d, e) == -1)
		return -1;
	os_cgroup_sweep(ip.name);
	if (drill_room_open(&d->room, d->p->directory, d->ctx, e) == -1 || judge_space(d, e) == -1)
		return -1;
	if (d->room.swept)
		drill_note(d, "removed what %u killed %s had left", d->room.swept,
		    d->room.swept == 1 ? "drill" : "drills");
	ip.folder = d->room.path;
	if (os_isolate_new(&ip, &d->isolate, e) == -1)
		return -1;
	judge_snapshot(d);
	d->data = mem_printf("%s/data", d->room.path);
	if (drill_room_folder(&d->room, "tmp", 0700, os_isolate_uid(d->isolate),
		os_isolate_gid(d->isolate), e) == -1)
		return -1;
	drill_step_end(d, false);
	return ctx_check(d->ctx, e);
}

/* ---- All of it. */

/* Files, and of a database that is alone in it that as well, in one step. */
static int restore(struct drill *d, struct err *e)
{
	bool files = false;
	int rc;

	drill_step(d, "restore");
	rc = drill_restore_files(d, &files, e);
	if (rc == 0 && d->nsources == 1)
		rc = drill_recover(d, e);
	rc = drill_restore_end(d, rc, files, e);
	if (rc == 0 && !files && d->nsources > 1)
		d->nsteps--; /* each has one of its own */
	return rc == -1 ? err_wrap(e, "restore") : 0;
}

static int rehearse(struct drill *d, struct err *e)
{
	if (prepare(d, e) == -1)
		return err_wrap(e, "prepare");
	if (restore(d, e) == -1)
		return -1;
	if (d->nsources > 1 && drill_sources_rehearse(d, e) == -1)
		return -1;
	if (d->nsources == 1 && !d->broken && drill_start(d, e) == -1)
		return err_wrap(e, "start");
	if (d->broken)
		return 0;
	drill_step(d, "compare");
	if (d->nsources == 1 && drill_compare_pg(d, e) == -1)
		return err_wrap(e, "compare");
	drill_compare_files(d);
	drill_compare_before(d);
	drill_step_end(d, false);
	if (ctx_check(d->ctx, e) == -1)
		return -1;
	return drill_checks(d, e) == -1 ? err_wrap(e, "checks") : 0;
}

/* What all that was started in it had. */
static void note_isolation(struct drill *d)
{
	for (const char *const *w = os_isolate_had(d->isolate); *w != NULL; w++)
		json_array_append_new(d->isolation, statement_string(*w));
}

static void teardown(struct drill *d)
{
	struct err e;

	drill_step_end(d, true); /* one that was left in its middle */
	if (d->room.path == NULL)
		return;
	drill_step(d, "teardown");
	drill_pg_stop(d);
	if (d->isolate != NULL) {
		d->memory_peak = os_isolate_memory_peak(d->isolate);
		note_isolation(d);
	}
	os_isolate_free(d->isolate); /* and what still runs in its cgroup */
	d->isolate = NULL;
	if (d->p->keep && d->data != NULL && drill_room_keep(&d->room, &e) == 0) {
		drill_note(d, "kept in %s", d->room.path);
		drill_leave(&d->score, DRILL_CLEAN, "it was to be kept");
	} else if (d->room.fd != -1 && drill_room_close(&d->room, &e) == -1) {
		drill_break(&d->score, DRILL_CLEAN, "%s stays: %s", d->room.path, e.msg);
		event_emit(d->ctx, EVENT_WARNING, span_str(d->room.path), "it stays: %s", e.msg);
	} else {
		drill_hold(&d->score, DRILL_CLEAN);
	}
	drill_step_end(d, false);
}

static void fini(struct drill *d)
{
	os_isolate_free(d->isolate);
	drill_room_fini(&d->room);
	drill_sources_fini(d);
	drill_score_fini(&d->score);
	json_decref(d->before);
	json_decref(d->facts);
	json_decref(d->isolation);
	free(d->steps);
	free(d->data);
}

int op_drill(struct repo *r, const struct drill_params *p, struct ctx *ctx,
    struct drill_result *out, struct err *e)
{
	struct drill d = {.repo = r,
	    .p = p,
	    .snapshot = p->snapshot,
	    .ctx = ctx,
	    .clock = os_clock_of(ctx),
	    .room = {.base_fd = -1, .fd = -1}};
	int rc;

	*out = (struct drill_result){0};
	drill_score_init(&d.score, p->level);
	drill_sources_find(&d);
	d.facts = json_object();
	d.isolation = json_array();
	d.began_ns = d.clock->wall_ns(d.clock);
	d.began_mono = d.clock->mono_ns(d.clock);
	watch_begin(&d);
	rc = rehearse(&d, e);
	watch_end(&d);
	if (d.late) {
		atomic_store(&ctx->cancel, false);
		drill_break(&d.score, DRILL_IN_TIME, "%s", d.late_at);
		rc = 0;
	} else {
		drill_hold(&d.score, DRILL_IN_TIME);
	}
	teardown(&d);
	if (rc == 0)
		drill_judge(&d, out);
	fini(&d);
	return rc;
}
