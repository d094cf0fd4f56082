/* pg_server_args: see pg_server_internal.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/pg_server_internal.h"
#include "os/os.h"
#include "os/os_scratch.h"

enum { SOCKET_PATH_MAX = 100 }; /* of sun_path, less than all */

static void add(struct pg_args *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void add(struct pg_args *a, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) == -1)
		text = NULL;
	va_end(ap);
	a->v = mem_realloc(a->v, (a->n + 2) * sizeof *a->v);
	a->v[a->n++] = mem_checked(text);
	a->v[a->n] = NULL;
}

void pg_args_fini(struct pg_args *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->v[i]);
	free(a->v);
	*a = (struct pg_args){0};
}

/* ---- The folder. */

static int own(struct pg_server *s, const char *path, struct err *e)
{
	if (s->as_user && lchown(path, s->uid, s->gid) == -1)
		return err_sys(e, "%s: give it to user %u", path, (unsigned)s->uid);
	return 0;
}

static int put_file(struct pg_server *s, const char *name, const char *text, struct err *e)
{
	char *path = mem_printf("%s/%s", s->socket_dir, name);
	int rc = os_file_replace(path, span_str(text), 0600, e);

	if (rc == 0)
		rc = own(s, path, e);
	free(path);
	return rc;
}

int pg_server_folder(struct pg_server *s, const struct pg_server_params *p, struct err *e)
{
	if (p->socket_dir == NULL && s->lasting)
		return 0; /* where its configuration says */
	if (p->socket_dir == NULL) {
		s->socket_dir = os_scratch_new("/tmp", "hfpg", e);
		s->own_dir = s->socket_dir != NULL;
	} else if (os_mkdirs(p->socket_dir, 0700, e) == 0) {
		s->socket_dir = mem_strdup(p->socket_dir);
	}
	if (s->socket_dir == NULL)
		return -1;
	if (strlen(s->socket_dir) > SOCKET_PATH_MAX - strlen("/.s.PGSQL.65535.lock"))
		return err_set(e, ERR_USAGE, "%s: too long a path for a socket", s->socket_dir);
	if (own(s, s->socket_dir, e) == -1)
		return -1;
	if (s->lasting)
		return 0;
	/* Who gets into the folder is let in. */
	if (put_file(s, "postgresql.conf", "# a scratch server: all is on its command line\n", e) ==
		-1 ||
	    put_file(s, "pg_ident.conf", "", e) == -1)
		return -1;
	return put_file(s, "pg_hba.conf",
	    p->reachable_by_tcp ? "local all all trust\nlocal replication all trust\n"
				  "host all all 127.0.0.1/32 trust\n"
				: "local all all trust\nlocal replication all trust\n",
	    e);
}

/* ---- The command line. */

static unsigned at_least(unsigned n, unsigned least)
{
	return n > least ? n : least;
}

/* A server that replays others' WAL while it answers must have room for as much as they had. */
static int scratch_args(struct pg_server *s, const struct pg_server_params *p, struct ctx *ctx,
    struct pg_args *a, struct err *e)
{
	const char *dir = s->socket_dir;
	struct pg_control c;

	if (pg_control_read(s->bin, s->data, ctx, &c, e) == -1)
		return -1;
	add(a, "-cconfig_file=%s/postgresql.conf", dir);
	add(a, "-chba_file=%s/pg_hba.conf", dir);
	add(a, "-cident_file=%s/pg_ident.conf", dir);
	add(a, "-cunix_socket_directories=%s", dir);
	add(a, "-clisten_addresses=%s", p->reachable_by_tcp ? "127.0.0.1" : "");
	add(a, "-cport=%u", s->port);
	add(a, "-cmax_connections=%u", at_least(c.max_connections, 20));
	add(a, "-cmax_worker_processes=%u", at_least(c.max_worker_processes, 8));
	add(a, "-cmax_wal_senders=%u", at_least(c.max_wal_senders, 2));
	add(a, "-cmax_prepared_transactions=%u", c.max_prepared);
	add(a, "-cmax_locks_per_transaction=%u", at_least(c.max_locks, 64));
	add(a, "-cexternal_pid_file=");
	add(a, "-carchive_mode=off");
	add(a, "-cprimary_conninfo=");
	add(a, "-csynchronous_standby_names=");
	/* A copy that subscribes would take the real one's place at its publisher. */
	add(a, "-cmax_logical_replication_workers=0");
	add(a, "-cshared_preload_libraries=");
	add(a, "-clogging_collector=off");
	add(a, "-clog_destination=stderr");
	add(a, "-clc_messages=C");
	add(a, "-cssl=off");
	add(a, "-crestart_after_crash=off");
	return 0;
}

int pg_server_args(struct pg_server *s, const struct pg_server_params *p, struct ctx *ctx,
    struct pg_args *out, struct err *e)
{
	*out = (struct pg_args){0};
	add(out, "%s/postgres", s->bin);
	add(out, "-D%s", s->data);
	/* What its configuration says may be where it once was, and goes before -D. */
	add(out, "-cdata_directory=%s", s->data);
	if (!s->lasting && scratch_args(s, p, ctx, out, e) == -1)
		return -1;
	if (s->lasting && p->port)
		add(out, "-cport=%u", s->port);
	if (s->lasting && p->socket_dir != NULL)
		add(out, "-cunix_socket_directories=%s", s->socket_dir);
	for (size_t i = 0; i < p->nsettings; i++)
		add(out, "-c%s", p->settings[i]);
	return 0;
}
