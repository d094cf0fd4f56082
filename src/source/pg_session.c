/* pg_session: see pg_session.h. */
#include "source/pg_session.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/os.h"
#include "source/pg_page.h"

enum { CONNECT_S = 10, START_S = 3600, PID_FILE_MAX = 4096, CONTROL_MAX = 64 << 10 };

static int take_server(void *arg, const char *const *v, size_t n, struct err *e)
{
	struct pg_session *s = arg;

	if (n != 11)
		return err_set(e, ERR_FAILED, "an answer that was not expected");
	for (size_t i = 0; i < n; i++)
		if (v[i] == NULL && i != 7 && i != 8)
			return err_set(e, ERR_FAILED, "an answer that was not expected");
	s->standby = v[0][0] == 't';
	s->system = strtoull(v[1], NULL, 10);
	s->timeline = (uint32_t)strtoul(v[2], NULL, 10);
	s->segment_size = strtoull(v[3], NULL, 10);
	s->block_size = (uint32_t)strtoul(v[4], NULL, 10);
	s->relation = (uint32_t)strtoul(v[5], NULL, 10);
	s->checksums = strcmp(v[6], "on") == 0;
	s->data_directory = v[7] ? mem_strdup(v[7]) : NULL;
	s->local = v[8] == NULL;
	s->port = mem_strdup(v[9]);
	s->pid = atoi(v[10]);
	return 0;
}

/* A connection of ours is idle for as long as the files are read, whatever this role is given. */
static const char *patient(const struct pg *g)
{
	if (pg_version(g) >= 170000)
		return "set statement_timeout = 0; set idle_session_timeout = 0; "
		       "set transaction_timeout = 0";
	return pg_version(g) >= 140000 ? "set statement_timeout = 0; set idle_session_timeout = 0"
				       : "set statement_timeout = 0";
}

/*
 * The data directory is told to those who may read all settings.  One round trip; settings that no
 * one's role changes come from the control file, since pg_settings makes all of its rows each time.
 */
static const char server_sql[] =
    "%s; select pg_is_in_recovery(), system_identifier::text, "
    "(select timeline_id from pg_control_checkpoint()), "
    "i.bytes_per_wal_segment, i.database_block_size, i.blocks_per_segment, "
    "current_setting('data_checksums'), "
    "case when pg_has_role('pg_read_all_settings', '%s') then current_setting('data_directory') "
    "end, host(inet_server_addr()), current_setting('port'), pg_backend_pid() "
    "from pg_control_system(), pg_control_init() i";

int pg_session_ask(struct pg_session *s, struct err *e)
{
	/* As the server itself looks at it when a setting is asked for. */
	const char *has = s->version >= 150000 ? "usage" : "member";
	char *sql = mem_printf(server_sql, patient(s->g), has);
	const char *version = pg_parameter(s->g, "server_version");
	const char *super = pg_parameter(s->g, "is_superuser");
	int rc = pg_query(s->g, sql, NULL, 0, take_server, s, e);

	free(sql);
	if (rc == 0 && s->port == NULL)
		rc = err_set(e, ERR_FAILED, "an answer that was not expected");
	s->version_text = mem_strdup(version ? version : "");
	s->superuser = super != NULL && strcmp(super, "on") == 0;
	return rc;
}

int pg_session_connect(
    const struct pg_target *t, struct ctx *ctx, struct pg_session *s, struct err *e)
{
	*s = (struct pg_session){0};
	if (pg_open_for(t, false, CONNECT_S, ctx, &s->g, e) == -1)
		return -1;
	s->version = pg_version(s->g);
	return 0;
}

int pg_session_open(const struct pg_target *t, struct ctx *ctx, struct pg_session *s, struct err *e)
{
	return pg_session_connect(t, ctx, s, e) == -1 ? -1 : pg_session_ask(s, e);
}

void pg_session_close(struct pg_session *s)
{
	pg_close(s->g);
	free(s->version_text);
	free(s->data_directory);
	free(s->port);
	*s = (struct pg_session){0};
}

/* ---- The backup. */

/* WAL of the backup has to be there until we have it; without a slot it most often is. */
uint64_t pg_session_keep(struct pg *g)
{
	char *sql = mem_printf("%s; select lsn from pg_create_physical_replication_slot("
			       "'holdfast_backup_%d_' || pg_backend_pid(), true, true)",
	    patient(g), (int)getpid());
	char *text = NULL;
	uint64_t lsn = 0;
	struct err ignored;

	if (pg_text(g, sql, NULL, 0, &text, &ignored) == -1 || text == NULL ||
	    !pg_lsn_parse(text, &lsn))
		lsn = 0;
	free(text);
	free(sql);
	return lsn;
}

static int no_right(struct pg_session *s, struct err *e)
{
	if (strcmp(pg_state(s->g), "42501") != 0)
		return -1;
	return err_hint(
	    e, s->version >= 150000
		   ? "grant execute on function pg_backup_start(text, boolean), "
		     "pg_backup_stop(boolean) to this role: doc/postgresql.md"
		   : "grant execute on function pg_start_backup(text, boolean, boolean), "
		     "pg_stop_backup(boolean, boolean) to this role: doc/postgresql.md");
}

static int ask_timeline(struct pg_session *s, const char *sql, uint32_t *out, struct err *e)
{
	char *text;

	if (pg_text(s->g, sql, NULL, 0, &text, e) == -1)
		return -1;
	*out = text ? (uint32_t)strtoul(text, NULL, 10) : 0;
	free(text);
	return *out != 0 ? 0 : err_set(e, ERR_FAILED, "the server does not say its timeline");
}

/*
 * After a promotion the control file names the timeline before it until there was a checkpoint,
 * which may take minutes; the backup's own has been by now.
 */
static int started(struct pg_session *s, const char *lsn, struct err *e)
{
	if (lsn == NULL || !pg_lsn_parse(lsn, &s->start))
		return err_set(e, ERR_FAILED, "the server does not say where the backup begins");
	s->started = true;
	return ask_timeline(s, "select timeline_id from pg_control_checkpoint()", &s->timeline, e);
}

int pg_session_start(struct pg_session *s, const char *label, struct err *e)
{
	const struct db_value v[] = {db_text(label)};
	char *lsn = NULL;
	int rc;

	pg_patience(s->g, START_S); /* a checkpoint of much takes long */
	rc = pg_text(s->g,
	    s->version >= 150000 ? "select pg_backup_start($1, true)"
				 : "select pg_start_backup($1, true, false)",
	    v, 1, &lsn, e);
	if (rc == -1)
		return no_right(s, e);
	rc = started(s, lsn, e);
	free(lsn);
	return rc;
}

int pg_session_written(struct pg_session *s, uint64_t *lsn, struct err *e)
{
	char *text;
	bool good;

	if (pg_text(s->g,
		s->standby ? "select greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())"
			   : "select pg_current_wal_insert_lsn()",
		NULL, 0, &text, e) == -1)
		return -1;
	good = text != NULL && pg_lsn_parse(text, lsn);
	free(text);
	return good ? 0 : err_set(e, ERR_FAILED, "the server does not say where its WAL ends");
}

struct stopped {
	struct pg_session *s;
	char **label, **map;
};

static int take_stop(void *arg, const char *const *v, size_t n, struct err *e)
{
	struct stopped *x = arg;

	if (n != 3 || v[0] == NULL || v[1] == NULL || !pg_lsn_parse(v[0], &x->s->stop))
		return err_set(e, ERR_FAILED, "the server does not say where the backup ends");
	*x->label = mem_strdup(v[1]);
	*x->map = v[2] != NULL && v[2][0] != '\0' ? mem_strdup(v[2]) : NULL;
	return 0;
}

/* A primary does not change it; a standby may follow another one's promotion. */
static int check_timeline(struct pg_session *s, struct err *e)
{
	uint32_t end = s->label.timeline;

	if (s->standby &&
	    ask_timeline(
		s, "select min_recovery_end_timeline from pg_control_recovery()", &end, e) == -1)
		return -1;
	if (s->label.timeline == s->timeline && end == s->timeline)
		return 0;
	err_set(e, ERR_FAILED, "the server went from timeline %u to %u while it was read",
	    s->timeline, end != s->timeline ? end : s->label.timeline);
	return err_hint(e, "after a promotion: the next run will do");
}

int pg_session_stop(struct pg_session *s, char **label, char **map, struct err *e)
{
	struct stopped x = {s, label, map};

	*label = *map = NULL;
	/* Nobody waits for the archive: the WAL is brought by ourselves. */
	if (pg_query(s->g,
		s->version >= 150000 ? "select * from pg_backup_stop(false)"
				     : "select * from pg_stop_backup(false, false)",
		NULL, 0, take_stop, &x, e) == -1)
		return no_right(s, e);
	if (*label == NULL)
		return err_set(e, ERR_FAILED, "the server does not say where the backup ends");
	if (pg_label_parse(span_str(*label), &s->label, e) == -1)
		return -1;
	if (s->label.start > s->stop)
		return err_set(e, ERR_FAILED, "the backup ends before it begins");
	if (check_timeline(s, e) == -1)
		return -1;
	s->stopped = true;
	return 0;
}

/* ---- Is it here? */

static bool same_system(const struct pg_session *s, const char *data, struct err *e)
{
	char *path = mem_printf("%s/global/pg_control", data);
	struct buf b = {0};
	uint64_t id = 0;
	int rc = os_read_file(path, CONTROL_MAX, &b, e);

	if (rc == 0 && b.n >= sizeof id)
		memcpy(&id, b.p, sizeof id);
	if (rc == 0 && id != s->system)
		err_set(e, ERR_UNSUPPORTED, "%s is not of the server that was connected to", data);
	buf_fini(&b);
	free(path);
	return rc == 0 && id == s->system;
}

/* The i-th line of postmaster.pid, from 1, as a number; -1. */
static long line_number(const char *text, int i)
{
	for (; i > 1 && text != NULL; i--) {
		text = strchr(text, '\n');
		text += text != NULL;
	}
	return text ? strtol(text, NULL, 10) : -1;
}

/* Whose child is it?  -1: nobody can tell. */
static long parent_of(int pid)
{
	char path[64], *close;
	struct buf b = {0};
	struct err ignored;
	long parent = -1;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	if (os_read_file(path, PID_FILE_MAX, &b, &ignored) == 0 &&
	    (close = strrchr(buf_cstr(&b), ')')) != NULL)
		sscanf(close, ") %*c %ld", &parent);
	buf_fini(&b);
	return parent;
}

/* A standby on this host, or on another with the same paths, has the same number. */
static int same_server(const struct pg_session *s, const char *data, struct err *e)
{
	char *path = mem_printf("%s/postmaster.pid", data);
	struct buf b = {0};
	int rc = os_read_file(path, PID_FILE_MAX, &b, e);

	if (rc == -1 && e->kind == ERR_ABSENT)
		err_set(e, ERR_UNSUPPORTED, "no server runs on %s", data);
	if (rc == 0 && line_number(buf_cstr(&b), 4) != strtol(s->port, NULL, 10))
		rc = err_set(e, ERR_UNSUPPORTED, "%s is of a server at another port", data);
	if (rc == 0 && parent_of(s->pid) != line_number(buf_cstr(&b), 1) && !s->local)
		rc = err_set(e, ERR_UNSUPPORTED,
		    "%s is not of the server that was connected to: that one runs elsewhere", data);
	if (rc == -1)
		err_hint(e,
		    "leave out data_directory: the server says where its files are; method: "
		    "stream takes them over the connection");
	buf_fini(&b);
	free(path);
	return rc;
}

int pg_session_has_pages(const struct pg_session *s, struct err *e)
{
	if (s->block_size == PG_PAGE)
		return 0;
	err_set(e, ERR_UNSUPPORTED, "a server with blocks of %u bytes", s->block_size);
	return err_hint(e, "only blocks of %u are known here: take a logical dump", PG_PAGE);
}

int pg_session_is_here(const struct pg_session *s, const char *data, struct err *e)
{
	if (pg_session_has_pages(s, e) == -1)
		return -1;
	if (!same_system(s, data, e) || same_server(s, data, e) == -1)
		return -1;
	return 0;
}
