/* doctor_postgresql: each declared server of PostgreSQL's: reached, of our versions, with the
 * rights and settings that its backups and recoveries need.
 */
#include "cli/cli_out.h"
#include "cli/doctor.h"

#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/mem.h"
#include "config/world.h"
#include "engine/pg_binaries.h"
#include "db/pg_sync.h"
#include "os/os.h"
#include "source/pg_session.h"

static const char what[] = "postgresql";

struct server {
	struct doctor *d;
	const char *name; /* of its system */
	const char *tier;
	const struct world_postgresql *p;
	struct pg_session s;
	char *role; /* whom the server takes us for, as SQL writes it */
};

/* A setting's value, new; "" where this role is not told it. */
static char *setting(struct server *v, const char *name)
{
	const struct db_value value = db_text(name);
	char *out = NULL;
	struct err e;

	if (pg_text(v->s.g, "select setting from pg_settings where name = $1", &value, 1, &out,
		&e) == -1 ||
	    out == NULL)
		return mem_strdup("");
	return out;
}

/* The answer begins with 't'. */
static bool holds(struct server *v, const char *sql)
{
	char *out = NULL;
	struct err e;
	bool yes = pg_text(v->s.g, sql, NULL, 0, &out, &e) == 0 && out != NULL && out[0] == 't';

	free(out);
	return yes;
}

static long number(struct server *v, const char *name)
{
	char *text = setting(v, name);
	long n = strtol(text, NULL, 10);

	free(text);
	return n;
}

static void version(struct server *v)
{
	int major = v->s.version / 10000;

	if (major > 17)
		doctor_bad(v->d, what, v->name, "try a recovery before you rely on it",
		    "PostgreSQL %s is newer than what was tried: 13 to 17", v->s.version_text);
	else
		doctor_good(v->d, what, v->name, "PostgreSQL %s answers%s", v->s.version_text,
		    v->s.standby ? ", a standby" : "");
}

static void settings(struct server *v)
{
	char *level = setting(v, "wal_level"), *pages = setting(v, "full_page_writes");

	if (strcmp(level, "minimal") == 0)
		doctor_bad(v->d, what, v->name,
		    "alter system set wal_level = replica; then restart the server",
		    "wal_level is minimal: no backup of it can be recovered");
	if (strcmp(pages, "off") == 0)
		doctor_bad(v->d, what, v->name,
		    "alter system set full_page_writes = on; "
		    "select pg_reload_conf()",
		    "full_page_writes is off: a crash can tear pages, and backups of standbys "
		    "are refused");
	if (!v->s.checksums)
		doctor_bad(v->d, what, v->name,
		    "stop the server, pg_checksums --enable -D DATA, start it",
		    "its pages have no checksums: damage by a disk is not noticed");
	if (number(v, "max_wal_senders") < 2)
		doctor_bad(v->d, what, v->name,
		    "alter system set max_wal_senders = 10; then restart the server",
		    "max_wal_senders is %ld: WAL cannot be received", number(v, "max_wal_senders"));
	if (number(v, "max_replication_slots") < 2)
		doctor_bad(v->d, what, v->name,
		    "alter system set max_replication_slots = 10; then restart the server",
		    "max_replication_slots is %ld: WAL is not kept while a backup runs",
		    number(v, "max_replication_slots"));
	free(level);
	free(pages);
}

/* What is set up may fail all the same: the server counts that. */
static bool archives(struct server *v, bool ours)
{
	char *wal = NULL;
	struct err e;
	bool good;

	if (!ours || v->s.standby ||
	    pg_text(v->s.g,
		"select last_failed_wal from pg_stat_archiver where last_failed_time > "
		"coalesce(last_archived_time, '-infinity')",
		NULL, 0, &wal, &e) == -1)
		return true;
	good = wal == NULL;
	if (!good)
		doctor_bad(v->d, what, v->name,
		    "the server's log says why; without a daemon (holdfast serve) the server's "
		    "user has to be able to read configuration and key",
		    "its archive_command fails: %.60s is not archived, and the server keeps all "
		    "that came since",
		    wal);
	free(wal);
	return good;
}

static bool receives(struct server *v)
{
	const char *slot = world_postgresql_slot(v->p);
	const struct db_value name = db_text(slot);
	char *active = NULL;
	struct err e;
	bool good;

	if (!v->p->receive.enabled ||
	    pg_text(v->s.g, "select active from pg_replication_slots where slot_name = $1", &name,
		1, &active, &e) == -1)
		return true;
	good = active != NULL && active[0] == 't';
	if (!good)
		doctor_bad(v->d, what, v->name,
		    "holdfast serve begins it; by hand: holdfast log follow SYSTEM",
		    "its WAL is to be received by the slot %s, and nobody receives it now", slot);
	free(active);
	return good;
}

/* By both ways, if both are promised: each is told. */
static bool comes(struct server *v, bool ours)
{
	bool pushed = archives(v, ours), read = receives(v);

	return pushed && read;
}

/* Either WAL is received, or the server sends it; else only the moments of backups come back. */
static void archiving(struct server *v)
{
	char *mode = setting(v, "archive_mode"), *command = setting(v, "archive_command");
	bool on = strcmp(mode, "on") == 0 || strcmp(mode, "always") == 0;

	if (v->p->archived && (!on || strstr(command, "holdfast") == NULL))
		doctor_bad(v->d, what, v->name,
		    "alter system set archive_command = 'holdfast log push %p'; alter system set "
		    "archive_mode = on; then restart the server",
		    "archived: yes is promised, but not had: archive_mode is %s, and "
		    "archive_command %s",
		    mode, strstr(command, "holdfast") ? "ours" : "none of ours");
	else if (!v->p->receive.enabled && !on)
		doctor_bad(v->d, what, v->name,
		    "receive: {enabled: yes} in the configuration, or archive_mode = on with "
		    "archive_command = 'holdfast log push %p'",
		    "its WAL goes nowhere: it can be recovered to the moments of its backups only");
	else if (on && strstr(command, "holdfast") == NULL && !v->p->receive.enabled)
		doctor_bad(v->d, what, v->name,
		    "archive_command = 'holdfast log push %p', or receive: {enabled: yes}",
		    "its archive_command is none of ours, and its WAL is not received");
	else if (comes(v, on && strstr(command, "holdfast") != NULL))
		doctor_good(v->d, what, v->name, "its WAL is %s",
		    v->p->receive.enabled ? "received" : "archived");
	free(mode);
	free(command);
}

/* What is archived comes when a segment is full, or archive_timeout has passed. */
static void archived(struct server *v)
{
	const struct world_tier *t = world_tier(v->d->c->world, v->tier);
	int64_t rpo = t ? t->rpo.target.ns / CALENDAR_SECOND : 0;
	long timeout = number(v, "archive_timeout");
	char fix[128];

	if (!v->p->archived || v->p->receive.enabled || rpo == 0 || t->rpo.target.months ||
	    (timeout > 0 && timeout <= rpo))
		return;
	snprintf(fix, sizeof fix,
	    "alter system set archive_timeout = %lld; select pg_reload_conf(); or receive: "
	    "{enabled: yes}",
	    (long long)(rpo > 2 ? rpo / 2 : 1));
	doctor_bad(v->d, what, v->name, fix,
	    "an rpo of %lld s is promised, and archive_timeout is %ld s: a segment that is not "
	    "full is archived later",
	    (long long)rpo, timeout);
}

static void slot(struct server *v)
{
	const char *slot = world_postgresql_slot(&v->p[0]);
	const struct db_value name = db_text(slot);
	char *kept = NULL, *limit = setting(v, "max_slot_wal_keep_size");
	struct err e;

	if (!v->p->receive.enabled) {
		free(limit);
		return;
	}
	if (pg_text(v->s.g, "select wal_status from pg_replication_slots where slot_name = $1",
		&name, 1, &kept, &e) == 0 &&
	    kept != NULL && strcmp(kept, "lost") == 0)
		doctor_bad(v->d, what, v->name,
		    "the daemon makes it anew; a backup closes the gap: holdfast run SYSTEM",
		    "the slot %s lost its WAL", slot);
	if (strcmp(limit, "-1") == 0)
		doctor_bad(v->d, what, v->name,
		    "alter system set max_slot_wal_keep_size = '20GB'; select pg_reload_conf()",
		    "max_slot_wal_keep_size is not set: a slot that nobody reads fills the disk");
	free(kept);
	free(limit);
}

/* A commit takes as long as a put into the first destination, and what is far may be away. */
static void commits_wait_for(struct server *v)
{
	const struct world *w = v->d->c->world;
	const struct world_tier *t = world_tier(w, v->tier);
	const struct world_repository **all = mem_alloc((w->repositories.n + 1) * sizeof(void *));
	size_t n = t ? world_written(w, t, all) : 0;
	const struct calendar_duration *most = &v->p->receive.synchronous_wait;

	if (n > 0 && all[0]->url != NULL && strchr("/.", all[0]->url[0]) == NULL && most->ns == 0)
		doctor_bad(v->d, what, v->name,
		    "synchronous_wait: 30s; or put a repository on this machine's network first",
		    "commits wait for %s, for as long as it cannot be reached: synchronous_wait "
		    "is left out",
		    all[0]->item.name);
	else if (n > 1)
		doctor_good(v->d, what, v->name,
		    "commits wait for %s alone; its %zu other destinations get the log after that",
		    all[0]->item.name, n - 1);
	if (n > 0 && all[0]->prune.every == NULL && all[0]->object_lock.ns == 0 &&
	    all[0]->object_lock.months == 0)
		doctor_bad(v->d, what, v->name,
		    "prune: {every: 1d} at that repository; or holdfast prune, by hand",
		    "commits that wait leave many small stretches of log in %s, and nothing prunes "
		    "it",
		    all[0]->item.name);
	free(all);
}

/* Zero loss is promised: does the server keep it? */
static void synchronous(struct server *v)
{
	const struct world_pg_receive *r = &v->p->receive;
	const char *ours = r->application ? r->application : world_postgresql_slot(v->p);
	struct pg_sync_state s;
	struct err e;

	if (!r->synchronous)
		return;
	if (pg_sync_look(v->s.g, ours, &s, &e) == -1)
		doctor_err(v->d, what, v->name, &e, "can this role ask the server?");
	else if (s.how != PG_SYNC_WAITS)
		doctor_bad(v->d, what, v->name, s.fix,
		    "receive.synchronous is promised, but not had: %s", s.why);
	else
		doctor_good(v->d, what, v->name, "each commit waits for %s", ours);
	commits_wait_for(v);
}

/* What waits here has to find room here. */
static void spool(struct server *v)
{
	uint64_t limit = v->p->spool_limit ? v->p->spool_limit : UINT64_C(4) << 30, free_bytes;
	char *place = os_state_dir(), a[32], b[32];
	struct statvfs st;

	if (v->p->receive.enabled && statvfs(place, &st) == 0) {
		free_bytes = (uint64_t)st.f_bavail * st.f_frsize;
		if (free_bytes < limit)
			doctor_bad(v->d, what, v->name,
			    "make room there, HOLDFAST_STATE_DIR on another disk, or a smaller "
			    "spool_limit",
			    "its log may wait in %s, up to %s (spool_limit), and there are %s",
			    place, text_bytes(a, limit), text_bytes(b, free_bytes));
	}
	free(place);
}

/* What to type, with this very role. */
static const char *fix_for(struct server *v, char out[256], const char *what_to_type)
{
	const char *database = v->p->database ? v->p->database : "postgres";
	const char *role = v->role ? v->role : "ROLE";
	const char *at = what_to_type, *hole;
	size_t n = 0;

	for (int i = 0; (hole = strstr(at, "%s")) != NULL; i++, at = hole + 2)
		n += (size_t)snprintf(
		    out + n, 256 - n, "%.*s%.64s", (int)(hole - at), at, i == 0 ? role : database);
	snprintf(out + n, 256 - n, "%s", at);
	return out;
}

static void rights(struct server *v)
{
	bool fifteen = v->s.version >= 150000;

	char fix[256];

	if (!holds(v,
		fifteen
		    ? "select has_function_privilege('pg_backup_start(text, boolean)', 'execute') "
		      "and has_function_privilege('pg_backup_stop(boolean)', 'execute')"
		    : "select has_function_privilege('pg_start_backup(text, boolean, boolean)', "
		      "'execute') and has_function_privilege('pg_stop_backup(boolean, boolean)', "
		      "'execute')"))
		doctor_bad(v->d, what, v->name,
		    fix_for(v, fix,
			fifteen ? "grant execute on function pg_backup_start(text, boolean), "
				  "pg_backup_stop(boolean) to %s (in database %s)"
				: "grant execute on function pg_start_backup(text, boolean, "
				  "boolean), pg_stop_backup(boolean, boolean) to %s (in database "
				  "%s)"),
		    "this role may not begin and end backups");
	if (!holds(
		v, "select rolreplication or rolsuper from pg_roles where rolname = current_user"))
		doctor_bad(v->d, what, v->name, fix_for(v, fix, "alter role %s replication"),
		    "this role may not replicate: no WAL is received, or kept during a backup");
	if (!holds(v, "select pg_has_role('pg_monitor', 'usage') or rolsuper from pg_roles "
		      "where rolname = current_user"))
		doctor_bad(v->d, what, v->name, fix_for(v, fix, "grant pg_monitor to %s"),
		    "this role is not told all settings, as where the data directory is");
}

static void room(struct server *v, const char *data)
{
	struct statvfs st;

	if (statvfs(data, &st) == 0 && st.f_blocks > 0 && st.f_bavail < st.f_blocks / 20)
		doctor_bad(v->d, what, v->name, "make room: a server whose disk is full stops",
		    "the disk of %s is fuller than 95 %%", data);
}

/* Without its account of what WAL changed all of it comes each time. */
static void streamed(struct server *v)
{
	char *on = setting(v, "summarize_wal");

	if (v->s.version >= 170000 && strcmp(on, "off") == 0)
		doctor_bad(v->d, what, v->name,
		    "alter system set summarize_wal = on; select pg_reload_conf()",
		    "summarize_wal is off: each backup over its connection sends all of it");
	free(on);
}

static void data(struct server *v)
{
	const char *path = v->p->data_directory ? v->p->data_directory : v->s.data_directory;
	struct err e;

	err_clear(&e);
	if (v->p->method == WORLD_PG_STREAM) {
		streamed(v);
		return;
	}
	if (path != NULL && pg_session_is_here(&v->s, path, &e) == 0) {
		doctor_good(v->d, what, v->name, "its files can be read at %s", path);
		room(v, path);
		return;
	}
	if (path == NULL)
		err_set(&e, ERR_DENIED, "nobody says where its data directory is");
	if (v->p->method == WORLD_PG_DIRECT)
		doctor_err(v->d, what, v->name, &e,
		    "run on the server's host, as its user or root; or leave out method");
	else
		doctor_good(v->d, what, v->name, "backed up over its connection: %s", e.msg);
	if (v->p->method != WORLD_PG_DIRECT)
		streamed(v);
}

static void dumped_is_there(struct server *v, const char *name)
{
	const struct db_value value = db_text(name);
	char *there = NULL;
	struct err e;

	if (strcmp(name, "*") != 0 &&
	    pg_text(v->s.g,
		"select count(*) from pg_database where datallowconn and "
		"(datname = $1 or starts_with($1, datname || '.'))",
		&value, 1, &there, &e) == 0 &&
	    there != NULL && strcmp(there, "0") == 0)
		doctor_bad(v->d, what, v->name, "dump: DATABASE, DATABASE.SCHEMA, or '*' for all",
		    "the server has no database %s to be dumped", name);
	free(there);
}

/* Of a source of dumps: is there a pg_dump that fits, and may this role read? */
static void dumped(struct server *v)
{
	struct err e;
	char *bin = pg_binaries_find(v->s.version / 10000, v->p->bin_directory, &e);
	char fix[256];

	if (bin == NULL)
		doctor_err(v->d, what, v->name, &e, "bin_directory: where pg_dump is");
	else
		doctor_good(v->d, what, v->name, "dumped by %s/pg_dump", bin);
	if (!v->s.superuser && v->s.version >= 140000 &&
	    !holds(v, "select pg_has_role('pg_read_all_data', 'usage')"))
		doctor_bad(v->d, what, v->name, fix_for(v, fix, "grant pg_read_all_data to %s"),
		    "this role may not read all tables: their dumps fail");
	for (size_t i = 0; i < v->p->dump.n; i++)
		dumped_is_there(v, v->p->dump.v[i]);
	free(bin);
}

static void look(struct doctor *d, const struct world_system *s, const struct world_postgresql *p)
{
	struct server v = {.d = d, .name = s->item.name, .tier = s->tier, .p = p};
	struct world_pg_place at;
	struct err e;

	if (world_postgresql_place(p, &at, &e) == -1) {
		doctor_err(d, what, s->item.name, &e,
		    "password: names a file that this user can read, or env:NAME, command:WORDS");
		return;
	}
	if (pg_session_open(&at.target, d->c->ctx, &v.s, &e) == -1) {
		doctor_err(d, what, s->item.name, &e, "doc/postgresql.md sets it up");
	} else if (pg_text(v.s.g, "select quote_ident(current_user)", NULL, 0, &v.role, &e) == -1) {
		doctor_err(d, what, s->item.name, &e, "does the server answer others?");
	} else if (p->dump.n > 0) {
		version(&v);
		dumped(&v);
	} else {
		version(&v);
		settings(&v);
		rights(&v);
		archiving(&v);
		archived(&v);
		slot(&v);
		synchronous(&v);
		spool(&v);
		data(&v);
	}
	pg_session_close(&v.s);
	free(v.role);
	world_pg_place_fini(&at);
}

void doctor_postgresql(struct doctor *d)
{
	const struct world *w = d->c->world;

	for (size_t i = 0; w != NULL && i < w->systems.n; i++) {
		const struct world_system *s = world_system_at(w, i);

		for (size_t k = 0; k < s->sources.n; k++)
			if (world_source_at(s, k)->kind != WORLD_FILES)
				look(d, s, &world_source_at(s, k)->postgresql);
	}
}
