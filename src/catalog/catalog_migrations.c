/*
 * catalog_migrations: the form of the catalog, step by step.  A step that was released is never
 * changed: another follows it.
 */
#include "catalog/catalog_internal.h"

/* clang-format off */
const struct catalog_migration catalog_migrations[] = {
    {"runs, events, measurements, values",
	"CREATE TABLE migration (version INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, what TEXT);"
	"CREATE TABLE run (id INTEGER PRIMARY KEY,"
	" system TEXT NOT NULL, node TEXT, kind TEXT NOT NULL, type TEXT, cause TEXT, asked_by TEXT,"
	" queue TEXT, priority INTEGER NOT NULL, attempt INTEGER NOT NULL, after_run INTEGER NOT NULL,"
	" status TEXT NOT NULL, due_ns INTEGER NOT NULL, not_before_ns INTEGER NOT NULL,"
	" queued_ns INTEGER NOT NULL, started_ns INTEGER NOT NULL, ended_ns INTEGER NOT NULL,"
	" owner TEXT, lease_ns INTEGER NOT NULL, pid INTEGER NOT NULL,"
	" exit_status INTEGER NOT NULL, error_kind TEXT, message TEXT, hint TEXT, destinations TEXT,"
	" snapshot TEXT, encrypted INTEGER NOT NULL, compressed INTEGER NOT NULL,"
	" files INTEGER NOT NULL, files_new INTEGER NOT NULL, files_changed INTEGER NOT NULL,"
	" bytes INTEGER NOT NULL, bytes_read INTEGER NOT NULL, added INTEGER NOT NULL,"
	" stored INTEGER NOT NULL, warnings INTEGER NOT NULL, errors INTEGER NOT NULL,"
	" score REAL NOT NULL, verified TEXT, log TEXT);"
	"CREATE UNIQUE INDEX run_due ON run (system, kind, due_ns, attempt) WHERE due_ns <> 0;"
	"CREATE INDEX run_queued ON run (priority, due_ns, id) WHERE status = 'queued';"
	"CREATE INDEX run_running ON run (queue) WHERE status = 'running';"
	"CREATE INDEX run_open ON run (id) WHERE status IN ('queued', 'running');"
	"CREATE INDEX run_system ON run (system, id);"
	"CREATE TABLE run_latest (system TEXT NOT NULL, kind TEXT NOT NULL,"
	" last_id INTEGER NOT NULL, success_id INTEGER NOT NULL, last_status TEXT NOT NULL,"
	" last_ended_ns INTEGER NOT NULL, success_started_ns INTEGER NOT NULL,"
	" success_ended_ns INTEGER NOT NULL, message TEXT, snapshot TEXT,"
	" bytes INTEGER NOT NULL, stored INTEGER NOT NULL, files INTEGER NOT NULL,"
	" runs INTEGER NOT NULL, failures INTEGER NOT NULL, failed_in_row INTEGER NOT NULL,"
	" PRIMARY KEY (system, kind));"
	"CREATE TABLE event (id INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, run INTEGER NOT NULL,"
	" name TEXT NOT NULL, severity TEXT NOT NULL, system TEXT, text TEXT);"
	"CREATE INDEX event_system ON event (system, id);"
	"CREATE TABLE measurement (system TEXT NOT NULL, name TEXT NOT NULL, at_ns INTEGER NOT NULL,"
	" value REAL NOT NULL, PRIMARY KEY (system, name, at_ns));"
	"CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);", NULL, NULL},
    {"snapshots and their files",
	"CREATE TABLE repository (id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE, name TEXT);"
	"CREATE TABLE series (id INTEGER PRIMARY KEY, repository INTEGER NOT NULL, grp TEXT NOT NULL,"
	" head INTEGER NOT NULL, head_hex TEXT, busy TEXT, busy_ns INTEGER NOT NULL,"
	" UNIQUE (repository, grp));"
	"CREATE TABLE snapshot (id INTEGER PRIMARY KEY, repository INTEGER NOT NULL, hex TEXT NOT NULL,"
	" series INTEGER NOT NULL, seq INTEGER NOT NULL, system TEXT, host TEXT, outcome TEXT,"
	" start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL, files INTEGER NOT NULL,"
	" bytes INTEGER NOT NULL, stored INTEGER NOT NULL, UNIQUE (repository, hex));"
	"CREATE INDEX snapshot_series ON snapshot (series, seq);"
	"CREATE INDEX snapshot_start ON snapshot (start_ns);"
	"CREATE TABLE folder (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE);"
	"CREATE TABLE file_name (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);",
	/* first and last are places in the series; last 0: its newest has it. */
#define VERSION \
	"CREATE TABLE file_version (name INTEGER NOT NULL, folder INTEGER NOT NULL," \
	" series INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL," \
	" type INTEGER NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL," \
	" PRIMARY KEY (name, folder, series, first))"
	VERSION " WITHOUT ROWID;"
	"CREATE INDEX file_version_folder ON file_version (folder);"
	"CREATE VIRTUAL TABLE folder_words USING fts5(path, content='', columnsize=0, detail=none,"
	" tokenize='trigram');"
	"CREATE VIRTUAL TABLE name_words USING fts5(name, content='', columnsize=0, detail=none,"
	" tokenize='trigram');",
	VERSION ";"
	"CREATE INDEX file_version_folder ON file_version (folder);"
	/* Where it can't be had, searches look through all names. */
	"DO $$ BEGIN CREATE EXTENSION IF NOT EXISTS pg_trgm;"
	" CREATE INDEX folder_words ON folder USING gin (path gin_trgm_ops);"
	" CREATE INDEX name_words ON file_name USING gin (name gin_trgm_ops);"
	" EXCEPTION WHEN OTHERS THEN NULL; END $$;"},
    {"leases of what one does for all, and what is old",
	"CREATE TABLE lease (name TEXT PRIMARY KEY, owner TEXT NOT NULL, until_ns INTEGER NOT NULL);"
	"CREATE INDEX event_at ON event (at_ns);"
	"CREATE INDEX run_at ON run (queued_ns);"
	"CREATE INDEX run_passed_over ON run (queued_ns) WHERE status IN ('skipped', 'cancelled');"
	"CREATE INDEX measurement_at ON measurement (at_ns);", NULL, NULL},
    {"the newest snapshot of each repository",
	"CREATE INDEX snapshot_newest ON snapshot (repository, outcome, end_ns);", NULL, NULL},
    /* Whatever order the server's own language has. */
    {"folders below a folder", NULL, NULL,
	"CREATE INDEX folder_bytes ON folder (path COLLATE \"C\");"},
};
/* clang-format on */
const int catalog_version = sizeof catalog_migrations / sizeof *catalog_migrations;
