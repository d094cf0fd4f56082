/* pg_server: see pg_server.h. */
#include "engine/pg_server.h"

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "db/pg.h"
#include "engine/pg_server_internal.h"
#include "os/os.h"
#include "os/os_scratch.h"
#include "os/os_spawn.h"

#define SECOND        INT64_C(1000000000)
#define FAST_FOR      (30 * SECOND)
#define AGAIN_AFTER   (SECOND / 4)
#define IMMEDIATE_FOR (5 * SECOND)

enum { LOOK_MS = 5, PORT = 5432, TAIL_LINES = 6 };

/* Whom to be: PostgreSQL does not run as root. */
static int find_user(struct pg_server *s, const char *user, struct err *e)
{
	struct passwd pw, *found = NULL;
	char text[4096];
	struct stat st;

	if (geteuid() != 0)
		return 0;
	s->as_user = true;
	if (user != NULL) {
		if (getpwnam_r(user, &pw, text, sizeof text, &found) != 0 || found == NULL)
			return err_set(e, ERR_USAGE, "there is no user %s", user);
		s->uid = pw.pw_uid;
		s->gid = pw.pw_gid;
	} else {
		if (stat(s->data, &st) == -1)
			return err_sys(e, "%s", s->data);
		s->uid = st.st_uid;
		s->gid = st.st_gid;
	}
	if (s->uid != 0)
		return 0;
	err_set(e, ERR_USAGE, "%s belongs to root, and PostgreSQL does not run as root", s->data);
	return err_hint(e, "give it to another: chown -R postgres: %s", s->data);
}

static int open_log(struct pg_server *s, const char *path, int *fd, struct err *e)
{
	struct stat st;

	s->log = path ? mem_strdup(path)
		      : mem_printf("%s/server.log", s->socket_dir ? s->socket_dir : s->data);
	/* The folder is another's: what he may have put there is not written through. */
	*fd = os_open(s->log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (*fd == -1 || os_fstat(*fd, &st) == -1)
		return err_sys(e, "%s", s->log);
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
		return err_set(e, ERR_EXISTS, "%s is no plain file of its own", s->log);
	if (s->as_user && fchown(*fd, s->uid, s->gid) == -1)
		return err_sys(e, "%s", s->log);
	s->log_from = st.st_size;
	return 0;
}

/* A folder above that lets nobody pass looks like a program that may not be run. */
static void tell_closed(const struct pg_server *s, struct err *e)
{
	struct err ignored;
	bool closed;

	if (!s->as_user || os_act_as(s->uid, s->gid, &ignored) == -1)
		return;
	closed = faccessat(AT_FDCWD, s->data, X_OK, AT_EACCESS) == -1 && errno == EACCES;
	os_act_back();
	if (!closed)
		return;
	err_set(e, ERR_DENIED, "user %u, whose files they are, cannot enter %s", (unsigned)s->uid,
	    s->data);
	err_hint(e, "each folder above it has to let him pass: chmod o+x; or another --target");
}

static int spawn(
    struct pg_server *s, const struct pg_server_params *p, struct ctx *ctx, struct err *e)
{
	struct pg_args args = {0};
	int out = -1, rc = -1;

	if (open_log(s, p->log, &out, e) == 0 && pg_server_args(s, p, ctx, &args, e) == 0) {
		struct os_spawn sp = {.argv = (const char *const *)args.v,
		    .dir = s->data,
		    .out = out,
		    .as_user = s->as_user,
		    .uid = s->uid,
		    .gid = s->gid,
		    .stay = p->lasting,
		    .die = SIGQUIT}; /* at once, and its children with it */

		rc = p->spawn ? p->spawn(p->spawn_arg, &sp, &s->pid, e) : os_spawn(&sp, &s->pid, e);
		if (rc == -1 && e->kind == ERR_DENIED)
			tell_closed(s, e);
	}
	os_close(out);
	pg_args_fini(&args);
	return rc;
}

/* What its log says last, as one line. */
static int say_log(struct pg_server *s, struct err *e)
{
	struct buf b = {0};
	char *p;

	pg_server_log_tail(s, TAIL_LINES, &b);
	buf_cstr(&b);
	for (p = (char *)b.p; *p; p++)
		if (*p == '\n')
			*p = p[1] ? '|' : '\0';
	if (b.p[0] != '\0')
		err_hint(e, "its log says: %.300s", (char *)b.p);
	buf_fini(&b);
	return -1;
}

static bool is_at(enum pg_server_phase now, enum pg_server_phase wait)
{
	if (wait == PG_SERVER_STARTING)
		return true;
	return wait == PG_SERVER_STANDBY ? now == PG_SERVER_STANDBY || now == PG_SERVER_READY
					 : now == wait;
}

int pg_server_wait(struct pg_server *s, enum pg_server_phase wait, int64_t timeout_ns,
    struct ctx *ctx, struct err *e)
{
	struct clock *clock = os_clock();
	int64_t from = clock->mono_ns(clock);
	enum pg_server_phase now;

	while (!is_at(now = pg_server_phase(s), wait)) {
		if (now == PG_SERVER_ENDED) {
			err_set(
			    e, ERR_FAILED, "the server on %s ended with %d", s->data, s->status);
			return say_log(s, e);
		}
		if (ctx != NULL && ctx_check(ctx, e) == -1)
			return -1;
		if (timeout_ns && clock->mono_ns(clock) - from >= timeout_ns) {
			err_set(e, ERR_TIMEOUT, "the server on %s is not up after %lld s", s->data,
			    (long long)(timeout_ns / SECOND));
			return say_log(s, e);
		}
		poll(NULL, 0, LOOK_MS);
	}
	return 0;
}

int pg_server_start(
    const struct pg_server_params *p, struct ctx *ctx, struct pg_server **out, struct err *e)
{
	struct pg_server *s = mem_zalloc(sizeof *s);
	struct err why;
	int pid;

	*out = NULL;
	s->pid = -1;
	s->port = p->port ? p->port : PORT;
	snprintf(s->port_text, sizeof s->port_text, "%u", s->port);
	s->lasting = p->lasting;
	s->namespaced = p->spawn != NULL;
	if ((s->data = os_real_path(p->data)) == NULL) {
		err_sys(e, "%s", p->data);
		goto out;
	}
	if (pg_server_runs(s->data, &pid)) {
		err_set(e, ERR_BUSY, "a server (process %d) runs on %s", pid, s->data);
		goto out;
	}
	if (pg_version_of(s->data, &s->major, e) == -1 ||
	    (s->bin = pg_binaries_find(s->major, p->bin, e)) == NULL ||
	    find_user(s, p->user, e) == -1 || pg_server_folder(s, p, e) == -1 ||
	    spawn(s, p, ctx, e) == -1 || pg_server_wait(s, p->wait, p->timeout_ns, ctx, e) == -1)
		goto out;
	*out = s;
	return 0;
out:
	if (s->pid > 0)
		pg_server_stop(s, &why);
	pg_server_free(s);
	return err_wrap(e, "start PostgreSQL");
}

int pg_server_stop(struct pg_server *s, struct err *e)
{
	if (s->ended || s->pid <= 0)
		return 0;
	/* The first process of a place of its own does not get what it has no handler for yet. */
	for (int64_t left = FAST_FOR; left > 0; left -= AGAIN_AFTER) {
		kill(s->pid, SIGINT);
		if ((s->ended = os_spawn_ended(s->pid, AGAIN_AFTER, &s->status)))
			return 0;
	}
	kill(s->pid, SIGQUIT);
	if (!(s->ended = os_spawn_ended(s->pid, IMMEDIATE_FOR, &s->status))) {
		kill(-s->pid, SIGKILL);
		s->ended = os_spawn_ended(s->pid, IMMEDIATE_FOR, &s->status);
	}
	return err_set(e, ERR_TIMEOUT, "the server on %s did not stop in %lld s, and was ended",
	    s->data, (long long)(FAST_FOR / SECOND));
}

void pg_server_free(struct pg_server *s)
{
	struct err e;

	if (s == NULL)
		return;
	if (!s->lasting && !s->ended && s->pid > 0) {
		kill(s->pid, SIGQUIT);
		pg_server_stop(s, &e);
	}
	if (s->own_dir && (!s->lasting || s->pid <= 0))
		os_scratch_remove(s->socket_dir, &e);
	free(s->data);
	free(s->bin);
	free(s->socket_dir);
	free(s->log);
	free(s->superuser);
	free(s);
}

void pg_server_target(const struct pg_server *s, struct pg_target *out)
{
	*out = (struct pg_target){.host = s->socket_dir,
	    .port = s->port_text,
	    .user = s->superuser ? s->superuser : "postgres",
	    .database = "postgres"};
}

void pg_server_name_superuser(struct pg_server *s, const char *name)
{
	free(s->superuser);
	s->superuser = mem_strdup(name);
}

const char *pg_server_socket_dir(const struct pg_server *s)
{
	return s->socket_dir;
}

const char *pg_server_bin(const struct pg_server *s)
{
	return s->bin;
}

unsigned pg_server_port(const struct pg_server *s)
{
	return s->port;
}

int pg_server_pid(const struct pg_server *s)
{
	return s->pid;
}

int pg_server_major(const struct pg_server *s)
{
	return s->major;
}
