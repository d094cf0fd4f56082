/*
 * backup_pg_lost: databases that were copied or moved while their server was backed up, from a
 * folder that was gone before the end (source/wal_lost.h); see backup_pg.c.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "engine/backup_pg_priv.h"
#include "source/wal_dir.h"
#include "source/wal_lost.h"
#include "source/wal_reader.h"

enum { WAL_PAGE = 8192, PG_DEFAULT = 1663 };
#define PIECE (UINT64_C(1) << 20)

struct looking {
	struct backup_pg_run *run;
	struct wal_lost *lost;
	struct wal_reader *reader;
};

static int take_record(void *arg, const struct wal_record *r, struct err *e)
{
	struct looking *x = arg;

	return r->lsn < x->run->s.label.start ? 0 : wal_lost_add(x->lost, r, e);
}

static int take_bytes(void *arg, struct span bytes, struct err *e)
{
	struct looking *x = arg;

	if (ctx_check(x->run->b->ctx, e) == -1)
		return -1;
	return wal_reader_feed(x->reader, bytes, e);
}

/* One segment, of which a switch to the next leaves most empty. */
static int read_segment(
    struct looking *x, const char *wal, uint64_t at, uint64_t end, struct err *e)
{
	const struct pg_session *s = &x->run->s;
	uint64_t n = PIECE / 16;

	for (; at < end; n = PIECE) {
		uint64_t stop = end - at < n ? end : at + n;

		if (wal_dir_read(wal, s->label.timeline, (uint32_t)s->segment_size, at, stop,
			take_bytes, x, e) == -1)
			return -1;
		if (wal_reader_wants(x->reader) >= end) {
			wal_reader_pass(x->reader);
			return 0;
		}
		at = stop;
	}
	return 0;
}

static int read_log(struct looking *x, const char *wal, struct err *e)
{
	const struct pg_session *s = &x->run->s;
	uint64_t at = s->label.start - s->label.start % WAL_PAGE;
	struct wal_reader_params p = {.start = at,
	    .segment = (uint32_t)s->segment_size,
	    .system = s->system,
	    .timeline = s->label.timeline,
	    .record = take_record,
	    .arg = x};

	x->reader = wal_reader_new(&p, e);
	if (x->reader == NULL)
		return -1;
	while (at < s->stop) {
		uint64_t end = (at / s->segment_size + 1) * s->segment_size;

		end = end < s->stop ? end : s->stop;
		if (read_segment(x, wal, at, end, e) == -1)
			return -1;
		at = end;
	}
	return wal_reader_done(x->reader) + WAL_PAGE > s->stop
		   ? 0
		   : err_set(e, ERR_CORRUPT, "the log cannot be read to the end");
}

/* ---- What the server has. */

static int take_database(void *arg, const char *const *v, size_t n, struct err *e)
{
	struct backup_pg_run *run = arg;
	size_t i = run->ndatabases;

	if (n != 4 || v[0] == NULL || v[1] == NULL || v[2] == NULL || v[3] == NULL)
		return err_set(e, ERR_FAILED, "an answer that was not expected");
	run->ndatabases++;
	run->databases = mem_realloc(run->databases, (i + 1) * sizeof *run->databases);
	run->names = mem_realloc(run->names, (i + 1) * sizeof *run->names);
	run->names[i] = mem_strdup(v[2]);
	run->databases[i] = (struct wal_lost_database){.oid = (uint32_t)strtoul(v[0], NULL, 10),
	    .spc = (uint32_t)strtoul(v[1], NULL, 10),
	    .settled = v[3][0] == 't'};
	return 0;
}

/*
 * Who drops or moves one has its lock until it is seen to be gone.  So locks are looked at first:
 * with one answer of both a drop could end between what it says of the one and of the other.
 */
void backup_pg_ask_databases(struct backup_pg_run *run)
{
	char *locked = NULL;
	struct db_value v;
	struct err ignored;

	if (pg_text(run->s.g,
		"select coalesce(array_agg(objid), '{}') from pg_locks where locktype = 'object' "
		"and classid = 1262 and mode = 'AccessExclusiveLock' and granted",
		NULL, 0, &locked, &ignored) == -1 ||
	    locked == NULL)
		return;
	v = db_text(locked);
	run->asked =
	    pg_query(run->s.g,
		"select oid, dattablespace, datname, oid <> all ($1::oid[]) from pg_database", &v,
		1, take_database, run, &ignored) == 0;
	free(locked);
}

void backup_pg_free_databases(struct backup_pg_run *run)
{
	for (size_t i = 0; i < run->ndatabases; i++)
		free(run->names[i]);
	free(run->names);
	free(run->databases);
}

/* ---- What is told. */

static const char *name_of(const struct backup_pg_run *run, uint32_t db)
{
	for (size_t i = 0; i < run->ndatabases; i++)
		if (run->databases[i].oid == db)
			return run->names[i];
	return "";
}

static void tell(struct backup_pg_run *run, uint32_t spc, uint32_t db)
{
	const char *name = name_of(run, db);
	char *path = spc == PG_DEFAULT
			 ? mem_printf("base/%u", (unsigned)db)
			 : mem_printf("pg_tblspc/%u: database %u", (unsigned)spc, (unsigned)db);
	struct err e;

	err_set(&e, ERR_FAILED,
	    "%s%s was copied or moved while the backup ran, from a folder that was dropped "
	    "meanwhile: what is recovered from this backup may lack any of it",
	    name[0] ? "database " : "this database", name);
	backup_problem(run->b, path, &e);
	free(path);
}

int backup_pg_find_lost(struct backup_pg_run *run, struct err *e)
{
	struct looking x = {.run = run, .lost = wal_lost_new()};
	struct backup_map_params p;
	char *wal = backup_pg_map_params(run, &p);
	uint32_t spc, db;
	int rc = read_log(&x, wal, e);

	if (rc == 0 && run->asked)
		wal_lost_end(x.lost, run->databases, run->ndatabases);
	for (size_t i = 0; rc == 0 && wal_lost_get(x.lost, i, &spc, &db); i++)
		tell(run, spc, db);
	if (rc == -1 && e->kind != ERR_CANCELLED) {
		event_emit(run->b->ctx, EVENT_WARNING, span_str(run->pg->part),
		    "whether databases were copied or moved meanwhile cannot be told: %s", e->msg);
		rc = 0;
	}
	wal_reader_free(x.reader);
	wal_lost_free(x.lost);
	free(wal);
	return rc;
}
