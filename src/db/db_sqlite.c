/* db_sqlite: a file of SQLite's; see db.h. */
#include "db/db_driver.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/os.h"

enum {
	BUSY_MS = 10000,
	KEPT = 32,   /* prepared statements */
	COLUMNS = 64 /* of an answer */
};

struct kept {
	char *sql;
	sqlite3_stmt *stmt;
};

struct lite {
	struct db db; /* first */
	sqlite3 *lite;
	struct kept kept[KEPT]; /* none of them running; the last used first */
	size_t nkept;
	bool in_transaction;
};

static enum err_kind kind_of(int code)
{
	static const struct {
		int code;
		enum err_kind kind;
	} kinds[] = {
	    {SQLITE_BUSY, ERR_BUSY},
	    {SQLITE_LOCKED, ERR_BUSY},
	    {SQLITE_CONSTRAINT, ERR_EXISTS},
	    {SQLITE_CORRUPT, ERR_CORRUPT},
	    {SQLITE_NOTADB, ERR_CORRUPT},
	    {SQLITE_FULL, ERR_NO_SPACE},
	    {SQLITE_READONLY, ERR_DENIED},
	    {SQLITE_PERM, ERR_DENIED},
	    {SQLITE_AUTH, ERR_DENIED},
	    {SQLITE_CANTOPEN, ERR_ABSENT},
	    {SQLITE_IOERR, ERR_IO},
	    {SQLITE_INTERRUPT, ERR_CANCELLED},
	    {SQLITE_ERROR, ERR_BUG},
	    {SQLITE_MISUSE, ERR_BUG},
	    {SQLITE_RANGE, ERR_BUG},
	};

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (kinds[i].code == (code & 0xff))
			return kinds[i].kind;
	return ERR_FAILED;
}

static int failed(struct lite *d, const char *what, struct err *e)
{
	int code = d->lite ? sqlite3_extended_errcode(d->lite) : SQLITE_NOMEM;

	err_set(
	    e, kind_of(code), "%.60s: %s", what, d->lite ? sqlite3_errmsg(d->lite) : "no memory");
	return e->kind == ERR_BUSY
		   ? err_hint(e, "another program has it open and writes for long; try again later")
		   : -1;
}

static int script(struct lite *d, const char *sql, struct err *e)
{
	if (sqlite3_exec(d->lite, sql, NULL, NULL, NULL) == SQLITE_OK)
		return 0;
	return failed(d, sql, e);
}

/* Made by us, so that nobody else ever reads it; sqlite's own files follow its mode. */
static int make_file(const char *path, struct err *e)
{
	/*
	 * Only if it isn't there: to close a file drops all locks that this process has on it
	 * (POSIX), also those of its other connections, and then another process, which takes
	 * itself for the last, deletes the log that they write to.
	 */
	int fd = os_open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd == -1 && errno != EEXIST)
		return err_sys(e, "%s", path);
	os_close(fd);
	return 0;
}

static void lite_close(struct db *db);

int db_open_sqlite(const char *url, struct db **out, struct err *e)
{
	const char *path = strncmp(url, "sqlite:", 7) == 0 ? url + 7 : url;
	struct lite *d;

	if (path[0] != '/') {
		err_set(e, ERR_USAGE, "%s: the path of a database has to be absolute", url);
		return -1;
	}
	if (make_file(path, e) == -1)
		return -1;
	d = mem_zalloc(sizeof *d);
	if (sqlite3_open_v2(path, &d->lite, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
	    SQLITE_OK)
		goto bad;
	sqlite3_extended_result_codes(d->lite, 1);
	sqlite3_busy_timeout(d->lite, BUSY_MS);
	/* What a hostile file could make us call. */
	sqlite3_db_config(d->lite, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(d->lite, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	if (script(d, "PRAGMA journal_mode=WAL", e) == -1 ||
	    script(d, "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA cache_size=-16384",
		e) == -1) {
		err_wrap(e, "%s", path);
		lite_close(&d->db);
		return -1;
	}
	d->db.ops = &db_sqlite_ops;
	*out = &d->db;
	return 0;
bad:
	failed(d, path, e);
	lite_close(&d->db);
	return -1;
}

static void drop(struct kept *k)
{
	sqlite3_finalize(k->stmt);
	free(k->sql);
}

static int lite_begin(struct db *db, struct err *e)
{
	struct lite *d = (struct lite *)db;

	/* IMMEDIATE: one that began to read and then wants to write could only fail. */
	if (script(d, "BEGIN IMMEDIATE", e) == -1)
		return -1;
	d->in_transaction = true;
	return 0;
}

static void lite_rollback(struct db *db)
{
	struct lite *d = (struct lite *)db;
	struct err ignored;

	if (d->in_transaction)
		script(d, "ROLLBACK", &ignored);
	d->in_transaction = false;
}

static int lite_commit(struct db *db, struct err *e)
{
	struct lite *d = (struct lite *)db;

	if (script(d, "COMMIT", e) == -1) {
		lite_rollback(db);
		return -1;
	}
	d->in_transaction = false;
	return 0;
}

static void lite_close(struct db *db)
{
	struct lite *d = (struct lite *)db;

	lite_rollback(db);
	while (d->nkept > 0)
		drop(&d->kept[--d->nkept]);
	sqlite3_close(d->lite);
	free(d);
}

/* Prepared before, or now.  It is out of the kept ones while it runs: a row may run others. */
static int take(struct lite *d, const char *sql, struct kept *out, struct err *e)
{
	for (size_t i = 0; i < d->nkept; i++)
		if (strcmp(d->kept[i].sql, sql) == 0) {
			*out = d->kept[i];
			memmove(d->kept + i, d->kept + i + 1, (--d->nkept - i) * sizeof *d->kept);
			return 0;
		}
	if (sqlite3_prepare_v3(d->lite, sql, -1, SQLITE_PREPARE_PERSISTENT, &out->stmt, NULL) !=
	    SQLITE_OK)
		return failed(d, sql, e);
	out->sql = mem_strdup(sql);
	return 0;
}

static void give_back(struct lite *d, const struct kept *k)
{
	sqlite3_reset(k->stmt);
	sqlite3_clear_bindings(k->stmt);
	if (d->nkept == KEPT)
		drop(&d->kept[--d->nkept]);
	memmove(d->kept + 1, d->kept, d->nkept++ * sizeof *k);
	d->kept[0] = *k;
}

static int bind(sqlite3_stmt *s, int at, const struct db_value *v)
{
	switch (v->type) {
	case DB_INT:
		return sqlite3_bind_int64(s, at, v->i);
	case DB_REAL:
		return sqlite3_bind_double(s, at, v->d);
	case DB_TEXT:
		return sqlite3_bind_text64(
		    s, at, (const char *)v->s.p, v->s.n, SQLITE_STATIC, SQLITE_UTF8);
	case DB_BLOB:
		return v->s.n ? sqlite3_bind_blob64(s, at, v->s.p, v->s.n, SQLITE_STATIC)
			      : sqlite3_bind_zeroblob(s, at, 0);
	case DB_NULL:
		break;
	}
	return sqlite3_bind_null(s, at);
}

static struct db_value column(sqlite3_stmt *s, int at)
{
	const void *p;

	switch (sqlite3_column_type(s, at)) {
	case SQLITE_INTEGER:
		return db_int(sqlite3_column_int64(s, at));
	case SQLITE_FLOAT:
		return db_real(sqlite3_column_double(s, at));
	case SQLITE_TEXT:
		p = sqlite3_column_text(s, at);
		return (struct db_value){
		    .type = DB_TEXT, .s = span_of(p, (size_t)sqlite3_column_bytes(s, at))};
	case SQLITE_BLOB:
		p = sqlite3_column_blob(s, at);
		return db_blob(span_of(p, (size_t)sqlite3_column_bytes(s, at)));
	default:
		return db_null();
	}
}

static int step(
    struct lite *d, const char *sql, sqlite3_stmt *s, db_row *row, void *arg, struct err *e)
{
	struct db_value v[COLUMNS];
	int code;

	while ((code = sqlite3_step(s)) == SQLITE_ROW) {
		int n = sqlite3_column_count(s);

		if (n > COLUMNS)
			return err_set(e, ERR_BUG, "%.60s: more than %d columns", sql, COLUMNS);
		for (int i = 0; i < n; i++)
			v[i] = column(s, i);
		if (row != NULL && row(arg, v, (size_t)n, e) == -1)
			return -1;
	}
	return code == SQLITE_DONE ? 0 : failed(d, sql, e);
}

static int lite_run(struct db *db, const char *sql, const struct db_value *v, size_t n, db_row *row,
    void *arg, struct err *e)
{
	struct lite *d = (struct lite *)db;
	struct kept k;
	int rc = 0;

	if (take(d, sql, &k, e) == -1)
		return -1;
	for (size_t i = 0; i < n && rc == 0; i++)
		if (bind(k.stmt, (int)i + 1, &v[i]) != SQLITE_OK)
			rc = failed(d, sql, e);
	if (rc == 0)
		rc = step(d, sql, k.stmt, row, arg, e);
	give_back(d, &k);
	return rc;
}

static int lite_script(struct db *db, const char *sql, struct err *e)
{
	return script((struct lite *)db, sql, e);
}

static int64_t lite_changed(const struct db *db)
{
	return sqlite3_changes64(((const struct lite *)db)->lite);
}

const struct db_ops db_sqlite_ops = {
    .server = false,
    .close = lite_close,
    .run = lite_run,
    .script = lite_script,
    .begin = lite_begin,
    .commit = lite_commit,
    .rollback = lite_rollback,
    .changed = lite_changed,
};
