/* pg_dump_run: a program of PostgreSQL's whose output is read; see pg_dump.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/os.h"
#include "os/os_environ.h"
#include "os/os_spawn.h"
#include "source/pg_dump.h"

enum { PIPE = 1 << 20, LOOK_MS = 200, SAID_MAX = 2000, ENV_MAX = 10 };
#define PATIENCE (INT64_C(60) * 1000000000)

struct env {
	char *own[ENV_MAX]; /* ended by NULL */
	size_t n;
	char **all;
};

static void set(struct env *v, const char *name, const char *value)
{
	if (value != NULL)
		v->own[v->n++] = mem_printf("%s=%s", name, value);
}

static bool is_not_libpqs(const char *variable)
{
	return strncmp(variable, "PG", 2) != 0;
}

/* What libpq takes here by itself it takes there, too, but for what is said of this server. */
static void make_env(struct env *v, const struct pg_target *t, const char *database)
{
	*v = (struct env){0};
	set(v, "PGHOST", t->host);
	set(v, "PGPORT", t->port);
	set(v, "PGUSER", t->user);
	set(v, "PGPASSWORD", t->password);
	set(v, "PGDATABASE", database);
	set(v, "PGSSLMODE", t->sslmode);
	set(v, "PGSSLROOTCERT", t->sslrootcert);
	set(v, "PGAPPNAME", t->application ? t->application : "holdfast");
	v->all = os_environ((const char *const *)v->own, is_not_libpqs);
}

static void forget_env(struct env *v)
{
	for (size_t i = 0; i < v->n; i++) {
		explicit_bzero(v->own[i], strlen(v->own[i]));
		free(v->own[i]);
	}
	free(v->all);
}

int pg_dump_start(struct pg_dump_run *r, const char *const *argv, const struct pg_target *t,
    const char *database, struct err *e)
{
	struct os_spawn s = {.argv = argv, .die = SIGTERM};
	struct env env;
	int pipes[2], rc;

	*r = (struct pg_dump_run){.out = -1, .error = -1};
	r->error = memfd_create("said", MFD_CLOEXEC);
	if (r->error == -1 || pipe2(pipes, O_CLOEXEC) == -1) {
		err_sys(e, "run %s", argv[0]);
		os_close(r->error);
		return -1;
	}
	fcntl(pipes[1], F_SETPIPE_SZ, PIPE);
	r->out = pipes[0];
	s.out = pipes[1];
	s.error = r->error;
	make_env(&env, t, database);
	s.env = (const char *const *)env.all;
	rc = os_spawn(&s, &r->pid, e);
	forget_env(&env);
	os_close(pipes[1]);
	if (rc == 0)
		return 0;
	os_close(r->out);
	os_close(r->error);
	*r = (struct pg_dump_run){.out = -1, .error = -1};
	/* That the program is not there is not that the database is gone. */
	return e->kind == ERR_ABSENT ? err_set(e, ERR_UNSUPPORTED, "%s: there is none", argv[0])
				     : -1;
}

int64_t pg_dump_read(struct pg_dump_run *r, struct ctx *ctx, void *p, size_t n, struct err *e)
{
	size_t got = 0;

	while (got < n && !r->ended) {
		int can = ctx_check(ctx, e) == -1 ? -2 : os_readable(r->out, LOOK_MS);
		ssize_t more;

		if (can == -2)
			return -1;
		if (can == 0)
			continue;
		more = can == -1 ? -1 : os_read(r->out, (uint8_t *)p + got, n - got);
		if (more == -1)
			return err_sys(e, "read a program's output");
		r->ended = more == 0;
		got += (size_t)more;
	}
	return (int64_t)got;
}

/* The last of what it said, in one line. */
static char *last_words(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	off_t from = size > SAID_MAX ? size - SAID_MAX : 0;
	size_t n = (size_t)(size - from);
	char *text = mem_zalloc(n + 1);
	ssize_t got = os_pread_full(fd, text, n, from);

	text[got > 0 ? got : 0] = '\0';
	for (n = strlen(text); n > 0 && text[n - 1] == '\n';)
		text[--n] = '\0';
	for (char *p = text; *p != '\0'; p++)
		if ((unsigned char)*p < ' ')
			*p = ' ';
	return text;
}

int pg_dump_finish(struct pg_dump_run *r, const char *program, struct err *e)
{
	bool whole = r->ended;
	char *said;
	int status = -1, rc = -1;

	if (!whole)
		kill(r->pid, SIGTERM);
	if (!os_spawn_ended(r->pid, PATIENCE, &status)) {
		kill(r->pid, SIGKILL);
		os_spawn_ended(r->pid, PATIENCE, &status);
		whole = false;
	}
	said = last_words(r->error);
	if (whole && status == 0)
		rc = 0;
	else if (status != 0)
		err_set(e, ERR_FAILED, "%s failed (%d)%s%s", program, status, said[0] ? ": " : "",
		    said);
	else
		err_set(e, ERR_FAILED, "%s was not read to its end", program);
	free(said);
	os_close(r->out);
	os_close(r->error);
	*r = (struct pg_dump_run){.out = -1, .error = -1};
	return rc;
}
