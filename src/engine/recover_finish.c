/* recover_finish: see recover_finish.h. */
#include "engine/recover_finish.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "engine/instant_log.h"
#include "engine/recover_internal.h"
#include "os/os.h"
#include "os/os_child.h"

#define SECOND INT64_C(1000000000)
#define LOOK   (SECOND / 5)

enum { STOP_S = 120, SETTLE_S = 60, START_S = 600, AGAIN_S = 10, LIST_MAX = 1 << 20 };

static int64_t now(void)
{
	return os_clock()->mono_ns(os_clock());
}

/* ---- Steps. */

struct finishing {
	struct repo *repo;
	const struct recover_finish_params *p;
	struct ctx *ctx;
	bool ran;       /* a server, when we came or until who served it was killed */
	unsigned port;  /* where it listened; 0: not known */
	uint64_t heard; /* of the log of who serves it */
	char what[RECOVER_WHAT];
};

static int step(struct finishing *f, const char *name, int (*act)(struct finishing *, struct err *),
    struct err *e)
{
	struct clock *wall = os_clock_of(f->ctx);
	struct recover_step s = {name, wall->wall_ns(wall), 0, f->what};
	int64_t from = now();
	int rc;

	f->what[0] = '\0';
	atomic_store(&f->ctx->progress.phase, name);
	rc = act(f, e);
	s.seconds = (double)(now() - from) / 1e9;
	if (rc == -1)
		s.what = "failed";
	if (f->p->step != NULL)
		f->p->step(f->p->arg, &s);
	return rc == -1 ? err_wrap(e, "%s", name) : 0;
}

/* ---- Serving. */

/* All of it, and nothing is left to do that takes long. */
static bool bring_all(struct instant *in, struct ctx *ctx, struct err *said)
{
	struct err why;

	if (instant_copy(in, &why) == 0 && instant_settle_soon(in, &why) == 0)
		return true;
	if (ctx_cancelled(ctx))
		return false;
	if (strcmp(said->msg, why.msg) != 0)
		event_emit(ctx, EVENT_WARNING, span_of(NULL, 0), "%s", why.msg);
	*said = why;
	return false;
}

/* Nothing is missing, and a file could not be synced: that holds until it is begun again. */
static bool is_lost(struct instant *in, const struct err *said)
{
	uint64_t left;

	return said->kind == ERR_IO && instant_left(in, &left) > 0 && left == 0;
}

int recover_serve(struct instant *in, struct ctx *ctx, struct err *e)
{
	struct err why, said = {0};
	bool here = false;
	uint64_t left;

	for (;;) {
		struct ctx none = {.clock = os_clock()};

		instant_keep(in);
		if (!here && !ctx_cancelled(ctx)) {
			here = bring_all(in, ctx, &said);
			/* The place may be away for a while: what is asked for meanwhile fails
			 * alone. */
			if (!here && !ctx_cancelled(ctx) && !is_lost(in, &said)) {
				os_sleep_ns(ctx, AGAIN_S * SECOND);
				continue;
			}
		}
		if (instant_unmount(in, &why) == 0)
			break;
		if (why.kind != ERR_BUSY)
			event_emit(ctx, EVENT_WARNING, span_of(NULL, 0), "%s", why.msg);
		os_sleep_ns(&none, LOOK);
	}
	if (instant_left(in, &left) == 0) {
		int rc = instant_settle(in, e);

		instant_close(in);
		return rc;
	}
	instant_close(in);
	if (left == 0)
		return err_set(
		    e, ERR_IO, "not all of it could be synced: the same command goes on with it");
	return err_set(e, ERR_CANCELLED, "not all of it was brought yet");
}

/* ---- Servers. */

static int run_command(struct finishing *f, const char *command, struct err *e)
{
	const char *argv[] = {"/bin/sh", "-c", command, NULL};
	struct os_child c = {.argv = argv, .timeout_ns = STOP_S * SECOND};
	int status;

	if (os_child_run(&c, f->ctx, &status, e) == -1)
		return err_wrap(e, "%s", command);
	return status == 0 ? 0 : err_set(e, ERR_FAILED, "%s: exit status %d", command, status);
}

static int wait_stopped(struct finishing *f, const char *data, int seconds, struct err *e)
{
	int64_t until = now() + seconds * SECOND;
	int pid;

	while (pg_server_runs(data, &pid)) {
		if (ctx_check(f->ctx, e) == -1)
			return -1;
		if (now() > until)
			return err_set(e, ERR_BUSY, "process %d still runs on %s", pid, data);
		os_sleep_ns(f->ctx, LOOK / 4);
	}
	return 0;
}

/* Who uses it goes on where it was. */
static void keep_port(struct finishing *f, const char *data)
{
	char dir[PG_SERVER_SOCKET_MAX], port[16];

	if (pg_server_where(data, dir, port))
		f->port = (unsigned)strtoul(port, NULL, 10);
}

/* One that was stopped takes this away; one whose files went away under it cannot. */
static bool was_running(const char *data)
{
	char *path = mem_printf("%s/postmaster.pid", data);
	struct stat st;
	bool is = os_fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) == 0;

	free(path);
	return is;
}

/* A server whose files went away under it can do nothing but end. */
static int end_stranded(struct finishing *f, struct err *e)
{
	static const int how[] = {SIGQUIT, SIGKILL};
	char *data = instant_data(f->p->target);
	int pid, rc = 0;

	f->ran |= was_running(data);
	keep_port(f, data);
	for (size_t i = 0; i < 2 && pg_server_runs(data, &pid); i++) {
		kill(pid, how[i]);
		rc = wait_stopped(f, data, AGAIN_S, e);
	}
	free(data);
	return rc;
}

static int start(struct finishing *f, struct err *e)
{
	struct pg_server_params p = f->p->server;
	struct pg_server *s = NULL;
	char *log;
	int rc;

	if (f->p->start_command != NULL)
		return run_command(f, f->p->start_command, e);
	if (!f->p->in_place && p.nsettings == 0) {
		p.settings = recover_apart;
		p.nsettings = RECOVER_APART;
	}
	if (p.port == 0)
		p.port = f->port;
	p.data = f->p->target;
	p.lasting = true;
	p.wait = PG_SERVER_READY;
	p.timeout_ns = START_S * SECOND;
	p.log = log = mem_printf("%s/holdfast-recover.log", f->p->target);
	rc = pg_server_start(&p, f->ctx, &s, e);
	pg_server_free(s);
	free(log);
	return rc;
}

/* ---- Again. */

static int look(const char *target, struct instant_seen *seen, struct err *e)
{
	if (instant_look(target, seen, e) == -1)
		return -1;
	if (seen->begun)
		return 0;
	err_set(e, ERR_ABSENT, "%s: no instant recovery is under way there", target);
	return err_hint(e, "what stands there already is all of it");
}

static int open_again(struct finishing *f, struct instant **out, struct err *e)
{
	struct instant_seen seen;
	struct instant_params ip = {.repo = f->repo, .root = seen.root, .target = f->p->target};

	if (look(f->p->target, &seen, e) == -1)
		return -1;
	if (!seen.ready)
		return err_set(e, ERR_ABSENT,
		    "%s: the recovery there was broken off before its end", f->p->target);
	ip.snapshot = seen.snapshot;
	if (end_stranded(f, e) == -1)
		return -1;
	return instant_open(&ip, f->ctx, out, e);
}

/* Nothing is to be served any more. */
static int again_settled(struct finishing *f, struct err *e)
{
	int pid;

	if (instant_settled_clear(f->p->target, e) == -1)
		return -1;
	return pg_server_runs(f->p->target, &pid) ? 0 : step(f, "start", start, e);
}

int recover_again(struct repo *r, const struct recover_finish_params *p, struct ctx *ctx,
    struct instant **out, struct err *e)
{
	struct finishing f = {.repo = r, .p = p, .ctx = ctx};
	struct instant_seen seen;
	struct instant *in;
	struct err why;

	*out = NULL;
	if (look(p->target, &seen, e) == -1)
		return -1;
	if (seen.settled)
		return again_settled(&f, e);
	if (open_again(&f, &in, e) == -1)
		return -1;
	if (instant_mount(in, e) == -1) {
		instant_close(in);
		return -1;
	}
	if (step(&f, "start", start, e) == -1) {
		if (instant_unmount(in, &why) == 0)
			instant_close(in);
		return -1;
	}
	*out = in;
	return 0;
}

/* ---- The end. */

/* Who serves it has written down what. */
static int damaged(struct finishing *f, uint64_t bytes, struct err *e)
{
	char *work = instant_work(f->p->target), *path = mem_printf("%s/damaged", work);
	struct buf b = {0};
	struct err why;

	if (os_read_file(path, LIST_MAX, &b, &why) == -1)
		buf_reset(&b);
	buf_cstr(&b);
	for (char *end = (char *)b.p; (end = strchr(end, '\n')) != NULL; end++)
		*end = end[1] ? ';' : '\0';
	err_set(e, ERR_DAMAGE_FOUND,
	    "%llu KiB are damaged in the repository, everything else is here: %.600s",
	    (unsigned long long)bytes >> 10, (const char *)b.p);
	err_hint(e,
	    "%s lists them; mend the repository (holdfast check, repair), or drop or truncate "
	    "what these files belong to",
	    path);
	buf_fini(&b);
	free(path);
	free(work);
	return -1;
}

/* Nobody saw it when it was said. */
static void pass_on_log(struct finishing *f)
{
	struct buf b = {.p = NULL};
	char *line, *save = NULL;

	instant_log_read(f->p->target, &f->heard, &b);
	for (line = strtok_r((char *)(uintptr_t)buf_cstr(&b), "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save))
		event_emit(
		    f->ctx, EVENT_WARNING, span_of(NULL, 0), "said while it was served: %s", line);
	buf_fini(&b);
}

/* By who serves it, while the server works; or by us, where nobody does. */
static int bring(struct finishing *f, struct err *e)
{
	struct instant_seen seen;
	struct instant *in;
	int rc;

	for (;;) {
		if (instant_look(f->p->target, &seen, e) == -1 || ctx_check(f->ctx, e) == -1)
			return -1;
		pass_on_log(f);
		if (!seen.begun || (seen.pid != 0 && seen.left == 0))
			return 0;
		if (seen.pid == 0)
			break;
		if (seen.bad > 0 && seen.bad == seen.left)
			return damaged(f, seen.bad, e);
		os_sleep_ns(f->ctx, LOOK);
	}
	if (seen.settled) {
		snprintf(f->what, sizeof f->what, "all of it was in its place");
		return instant_settled_clear(f->p->target, e);
	}
	snprintf(f->what, sizeof f->what, "nobody served it any more");
	if (open_again(f, &in, e) == -1)
		return -1;
	rc = instant_copy(in, e);
	if (rc == 0)
		rc = instant_settle(in, e);
	instant_close(in);
	return rc;
}

static int stop(struct finishing *f, struct err *e)
{
	struct instant_seen seen;
	int pid;

	if (instant_look(f->p->target, &seen, e) == -1)
		return -1;
	if (!seen.begun || !pg_server_runs(f->p->target, &pid))
		return 0;
	f->ran = true;
	keep_port(f, f->p->target);
	if (f->p->stop_command != NULL && run_command(f, f->p->stop_command, e) == -1)
		return -1;
	if (f->p->stop_command == NULL)
		kill(pid, SIGINT);
	return wait_stopped(f, f->p->target, STOP_S, e);
}

static int settle(struct finishing *f, struct err *e)
{
	int64_t until = now() + SETTLE_S * SECOND;
	struct instant_seen seen;

	for (;;) {
		if (instant_look(f->p->target, &seen, e) == -1 || ctx_check(f->ctx, e) == -1)
			return -1;
		if (!seen.begun)
			return 0;
		if (seen.pid == 0)
			return bring(f, e);
		if (now() > until)
			break;
		os_sleep_ns(f->ctx, LOOK / 4);
	}
	err_set(e, ERR_BUSY, "%s is still in use", f->p->target);
	return err_hint(e, "who uses it: fuser -vm %s", f->p->target);
}

int recover_finish(
    struct repo *r, const struct recover_finish_params *p, struct ctx *ctx, struct err *e)
{
	struct finishing f = {.repo = r, .p = p, .ctx = ctx};
	struct instant_seen seen;

	if (look(p->target, &seen, e) == -1 || step(&f, "bring", bring, e) == -1 ||
	    step(&f, "stop", stop, e) == -1 || step(&f, "settle", settle, e) == -1)
		return -1;
	return f.ran ? step(&f, "start", start, e) : 0;
}
