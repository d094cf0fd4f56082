/* recover_run: see recover_internal.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "db/pg.h"
#include "engine/recover_internal.h"
#include "os/os.h"
#include "os/os_child.h"

#define SECOND   INT64_C(1000000000)
#define STOP_FOR (INT64_C(120) * SECOND)

/* It hears within a second, and needs the more to write what a promotion writes. */
#define SAY_AFTER     (INT64_C(15) * SECOND)
#define GIVE_UP_AFTER (INT64_C(600) * SECOND)

enum {
	SEGMENT_FITS = 32, /* MiB: what a server's own min_wal_size allows for */
	LOOK_MS = 5,
	/* looks */
	PAUSE_EVERY = 10,
	PROMOTE_EVERY = 20,
	PROMOTE_OFTEN = 100,
	STUCK_EVERY = 400,
	TAIL_LINES = 3
};

static int run_command(struct recovering *g, const char *command, struct err *e)
{
	const char *argv[] = {"/bin/sh", "-c", command, NULL};
	struct os_child c = {.argv = argv, .timeout_ns = STOP_FOR};
	int status;

	if (os_child_run(&c, g->ctx, &status, e) == -1)
		return err_wrap(e, "%s", command);
	if (status == 0)
		return 0;
	err_set(e, ERR_FAILED, "%s: exit status %d", command, status);
	return err_hint(e, "it is the configuration's stop: what it says stands above");
}

int recover_stop_old(struct recovering *g, struct err *e)
{
	struct clock *clock = os_clock();
	int64_t until = clock->mono_ns(clock) + STOP_FOR;
	int pid;

	if (!pg_server_runs(g->data, &pid)) {
		recover_say(g, "nothing runs there");
		return 0;
	}
	if (run_command(g, g->p->stop_command, e) == -1)
		return -1;
	while (pg_server_runs(g->data, &pid)) {
		if (clock->mono_ns(clock) >= until) {
			err_set(e, ERR_BUSY, "process %d still runs on %s", pid, g->data);
			return err_hint(e, "the configuration's stop did not end it: stop it "
					   "yourself, then the same command again");
		}
		if (ctx_check(g->ctx, e) == -1)
			return -1;
		poll(NULL, 0, LOOK_MS * 10);
	}
	recover_say(g, "%s", g->p->stop_command);
	return 0;
}

/* ---- Waiting for the replay's end. */

static enum pg_server_phase phase(struct recovering *g)
{
	return g->server ? pg_server_phase(g->server) : pg_server_phase_at(g->data);
}

/* Has it come to the target and waits there? */
static bool is_paused(struct recovering *g)
{
	char *text = NULL;
	struct pg *db;
	struct err e;
	bool is = false;

	if (recover_connect(g, &db, &e) == -1)
		return false;
	if (pg_text(db, "SELECT pg_is_wal_replay_paused()", NULL, 0, &text, &e) == 0)
		is = text != NULL && strcmp(text, "t") == 0;
	free(text);
	pg_close(db);
	return is;
}

/* What its log says goes into the message; the hint is what to do. */
static int past_log(struct err *e, const char *what, const char *todo)
{
	char log[ERR_HINT_MAX];

	snprintf(log, sizeof log, "%s", e->hint);
	err_set(e, ERR_ABSENT, "%s: %.400s", what, log);
	return err_hint(e, "%s", todo);
}

/* Why it ended, for those who do not know its log. */
static int ended(struct recovering *g, struct err *e)
{
	if (g->server == NULL) {
		err_set(e, ERR_FAILED, "the server on %s is not there any more", g->data);
		return err_hint(e, "its own log says why it ended; the same command with --delta "
				   "begins anew");
	}
	pg_server_wait(g->server, PG_SERVER_READY, 0, NULL, e);
	if (strstr(e->hint, "before configured recovery target was reached") != NULL)
		return past_log(e, "the log ended before the target",
		    "--to latest goes as far as it is stored: holdfast log list");
	if (strstr(e->hint, "before consistent recovery point") != NULL)
		return past_log(e, "the target is before the base backup's end",
		    "--base takes an older one: holdfast log list");
	return -1;
}

bool recover_promotes_early(const struct recovering *g)
{
	const char *standby = recover_fact_text(
	    json_object_get(g->pl.facts, "settings"), "hot_standby");

	if (!(g->p->start || g->p->scratch) || g->p->action != RECOVER_PROMOTE)
		return false;
	/* Without hot_standby it would not pause. */
	return g->pl.to.kind == RECOVER_LATEST || standby == NULL || strcmp(standby, "off") != 0;
}

/*
 * By the process that we started, if it is ours: what stands in postmaster.pid may be its number in
 * a place of its own.  Before that file is there, a signal would end it.
 */
static bool takes_signals(const struct recovering *g, int *pid)
{
	char *file;
	bool there;

	if (g->server == NULL)
		return pg_server_runs(g->data, pid);
	file = mem_printf("%s/postmaster.pid", g->data);
	there = access(file, F_OK) == 0;
	free(file);
	*pid = pg_server_pid(g->server);
	return there && *pid > 0;
}

int recover_put_promote(struct recovering *g, struct err *e)
{
	char *path = mem_printf("%s/promote", g->data);
	int rc = 0, fd;

	fd = os_open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1 && errno != EEXIST)
		rc = err_sys(e, "ask the server to be promoted: %s", path);
	if (fd != -1 && g->as_user && fchown(fd, g->uid, g->gid) == -1) {
		rc = err_sys(e, "ask the server to be promoted: give %s to it", path);
		os_unlinkat(AT_FDCWD, path, 0);
	}
	os_close(fd);
	free(path);
	return rc;
}

/* The word, and the signal to look for it; again, for it may not have listened yet. */
static int promote(struct recovering *g, struct err *e)
{
	int pid;

	if (!takes_signals(g, &pid))
		return 0;
	if (recover_put_promote(g, e) == -1)
		return -1;
	kill(pid, SIGUSR1);
	return 0;
}

/* The word may have been left after it was heard. */
static void promoted(struct recovering *g)
{
	char *path = mem_printf("%s/promote", g->data);

	os_unlinkat(AT_FDCWD, path, 0);
	free(path);
}

enum recover_patience recover_patience(struct recover_stuck *s, bool paused, int64_t now_ns)
{
	if (!paused) {
		*s = (struct recover_stuck){0};
		return RECOVER_GO_ON;
	}
	if (!s->paused)
		*s = (struct recover_stuck){.paused = true, .since_ns = now_ns};
	if (now_ns - s->since_ns >= GIVE_UP_AFTER)
		return RECOVER_GIVE_UP;
	if (s->said || now_ns - s->since_ns < SAY_AFTER)
		return RECOVER_GO_ON;
	s->said = true;
	return RECOVER_SAY;
}

/* It was told to be promoted, and pauses all the same: -1, it has done so for too long. */
static int check_stuck(struct recovering *g, struct recover_stuck *s, struct err *e)
{
	enum recover_patience p = recover_patience(
	    s, is_paused(g), os_clock()->mono_ns(os_clock()));
	struct buf b = {0};

	if (p == RECOVER_GO_ON)
		return 0;
	if (g->server != NULL)
		pg_server_log_tail(g->server, TAIL_LINES, &b);
	if (p == RECOVER_SAY) {
		event_emit(g->ctx, EVENT_WARNING, span_str(g->data),
		    "the server pauses and is not promoted; its log says: %.300s", buf_cstr(&b));
	} else {
		err_set(e, ERR_TIMEOUT, "the server on %s pauses, and was not promoted in %d s",
		    g->data, (int)(GIVE_UP_AFTER / SECOND));
		err_hint(e, "its log says: %.300s", buf_cstr(&b));
	}
	buf_fini(&b);
	return p == RECOVER_GIVE_UP ? -1 : 0;
}

static int wait_replay(struct recovering *g, struct err *e)
{
	struct recover_stuck stuck = {0};
	bool early = recover_promotes_early(g);
	bool pause = g->p->action == RECOVER_PAUSE && g->pl.to.kind != RECOVER_LATEST;
	bool shut = g->p->action == RECOVER_SHUTDOWN && g->pl.to.kind != RECOVER_LATEST;
	bool seen = g->server != NULL;
	enum pg_server_phase now;
	unsigned looks = 0;

	for (;; poll(NULL, 0, LOOK_MS)) {
		now = phase(g);
		if (recover_feed_check(g->feed, e) == -1 || ctx_check(g->ctx, e) == -1)
			return -1;
		if (now == PG_SERVER_ENDED && shut)
			return 0;
		if (now == PG_SERVER_ENDED && seen)
			return ended(g, e);
		seen |= now != PG_SERVER_ENDED;
		if (now == PG_SERVER_READY) {
			if (early)
				promoted(g);
			return 0;
		}
		/* One that gets there before it has heard it waits a second. */
		if (early && (looks < PROMOTE_OFTEN || looks % PROMOTE_EVERY == 0) &&
		    promote(g, e) == -1)
			return -1;
		looks += early;
		if (early && now == PG_SERVER_STANDBY && looks % STUCK_EVERY == 0 &&
		    check_stuck(g, &stuck, e) == -1)
			return -1;
		if (pause && now == PG_SERVER_STANDBY && looks++ % PAUSE_EVERY == 0 && is_paused(g))
			return recover_feed_wait(g->feed, e);
	}
}

/* ---- Starting. */

const char *const recover_apart[RECOVER_APART] = {"archive_command=", "synchronous_standby_names="};

/*
 * A copy beside the original hands nothing to the archive, where it would fork the original's log.
 * Its archiver keeps what it would have sent: turned off it would forget the timeline's history.
 */
static void set_apart(struct recovering *g, struct pg_server_params *p)
{
	const char *was = recover_fact_text(g->pl.facts, "data_directory");

	if (g->p->scratch || g->p->in_place || p->nsettings > 0 ||
	    (was != NULL && strcmp(was, g->data) == 0))
		return;
	p->settings = recover_apart;
	p->nsettings = RECOVER_APART;
	event_emit(g->ctx, EVENT_NOTICE, span_str(g->data),
	    "started with an empty archive_command, for it is not where the original is: its log "
	    "is kept back until it is started by its own configuration");
}

/* A server on the side has a configuration of its own, which has to fit the size of segments. */
struct sized {
	char min[32], max[32];
	const char **v; /* new; NULL: what there is fits */
};

static void fit_segments(const struct recovering *g, struct pg_server_params *p, struct sized *s)
{
	unsigned long long mb = g->pl.segment >> 20;

	if (!g->p->scratch || mb <= SEGMENT_FITS)
		return;
	snprintf(s->min, sizeof s->min, "min_wal_size=%lluMB", 2 * mb);
	snprintf(s->max, sizeof s->max, "max_wal_size=%lluMB", mb < 256 ? 1024 : 4 * mb);
	s->v = mem_alloc((p->nsettings + 2) * sizeof *s->v);
	s->v[0] = s->min;
	s->v[1] = s->max;
	for (size_t i = 0; i < p->nsettings; i++)
		s->v[2 + i] = p->settings[i];
	p->settings = s->v;
	p->nsettings += 2;
}

static int start_server(struct recovering *g, struct err *e)
{
	struct sized sized = {.v = NULL};
	struct pg_server_params p = g->p->server;
	char *log = NULL, *config = NULL;
	/* What it wrote its number to is the old one's. */
	const char *settings[] = {NULL, "external_pid_file="};
	const char *was = recover_fact_text(g->pl.facts, "data_directory");
	int rc;

	if (g->config != NULL && p.nsettings == 0) {
		settings[0] = config = mem_printf("config_file=%s", g->config);
		p.settings = settings;
		p.nsettings = was != NULL && strcmp(was, g->data) == 0 ? 1 : 2;
	}
	set_apart(g, &p);
	fit_segments(g, &p, &sized);
	p.data = g->data;
	p.bin = g->bin;
	p.lasting = !g->p->scratch;
	p.wait = PG_SERVER_STARTING;
	if (p.lasting && p.log == NULL)
		p.log = log = mem_printf("%s/holdfast-recover.log", g->data);
	rc = pg_server_start(&p, g->ctx, &g->server, e);
	free(log);
	free(config);
	free(sized.v);
	return rc;
}

void recover_end(struct recovering *g)
{
	struct err why;
	int pid;

	if (g->server != NULL)
		pg_server_stop(g->server, &why);
	else if (pg_server_runs(g->data, &pid))
		kill(pid, SIGINT);
}

int recover_start(struct recovering *g, struct err *e)
{
	uint64_t asked;
	int rc;

	if (g->p->start_command != NULL && !g->p->scratch)
		rc = run_command(g, g->p->start_command, e);
	else
		rc = start_server(g, e);
	if (rc == -1)
		return -1;
	rc = wait_replay(g, e);
	if (rc == -1) {
		recover_end(g);
		return -1;
	}
	g->out->started = true;
	g->out->promoted = phase(g) == PG_SERVER_READY;
	g->out->segments = g->pl.reach.n;
	asked = recover_feed_asked(g->feed);
	recover_say(g, "%s, %llu segment%s of the log asked for",
	    g->out->promoted                ? "recovered and promoted"
	    : phase(g) == PG_SERVER_STANDBY ? "paused at the target"
					    : "shut down at the target",
	    (unsigned long long)asked, asked == 1 ? "" : "s");
	return 0;
}
