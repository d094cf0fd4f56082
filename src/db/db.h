/*
 * db: SQL, as our own record needs it: parameters are always bound, answers come row by row.
 *
 * What a statement says both SQLite and PostgreSQL take: ?1, ?2, ... for parameters, INTEGER (64
 * bits), REAL, TEXT and BLOB, INTEGER PRIMARY KEY for numbers that are given, ON CONFLICT,
 * RETURNING.  What is of one alone asks db_is_server.  Whole numbers come back as DB_INT of 64
 * bits; a sum of them is cast to INTEGER.
 *
 * A write that meets another's waits some seconds for it, and is ERR_BUSY then.  Text is UTF-8.
 * SQLite: WAL mode, synchronous=FULL (a commit survives power loss), foreign keys checked.
 *
 * PostgreSQL: libpq is opened when it is first needed.  Passwords come from where libpq looks for
 * them (~/.pgpass, PGPASSWORD) or the URL.  A connection that is lost is ERR_UNREACHABLE, and
 * whether the statement was done is not known; the next one connects anew, but within a
 * transaction, which is lost.  A transaction sees what others commit (READ COMMITTED); what it
 * changes is its own until its end.  Every wait has an end (ERR_TIMEOUT).
 *
 * Errors: ERR_EXISTS a unique key is there, ERR_BUSY, ERR_UNREACHABLE, ERR_TIMEOUT, ERR_DENIED,
 * ERR_CORRUPT, ERR_NO_SPACE, ERR_UNSUPPORTED there is no libpq, ERR_USAGE the URL is none; ERR_BUG
 * for SQL of ours that is wrong.
 *
 * Threads: a db is one thread's at a time; each thread opens its own.
 */
#ifndef HF_DB_DB_H
#define HF_DB_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

struct db;

enum db_type { DB_NULL, DB_INT, DB_REAL, DB_TEXT, DB_BLOB };

struct db_value {
	enum db_type type;
	int64_t i;
	double d;
	struct span s; /* text (no NUL counted) or bytes; borrowed */
};

static inline struct db_value db_null(void)
{
	return (struct db_value){.type = DB_NULL};
}
static inline struct db_value db_int(int64_t i)
{
	return (struct db_value){.type = DB_INT, .i = i};
}
static inline struct db_value db_real(double d)
{
	return (struct db_value){.type = DB_REAL, .d = d};
}
/* NULL becomes DB_NULL. */
static inline struct db_value db_text(const char *s)
{
	if (s == NULL)
		return db_null();
	return (struct db_value){.type = DB_TEXT, .s = span_str(s)};
}
static inline struct db_value db_blob(struct span s)
{
	return (struct db_value){.type = DB_BLOB, .s = s};
}

/* A path or "sqlite:PATH", made if it isn't there, mode 0600; or "postgresql://...". */
int db_open(const char *url, struct db **out, struct err *e);
void db_close(struct db *d); /* NULL does nothing; what is not committed is undone */

bool db_is_server(const struct db *d);

/*
 * One statement.  `row` is called for each row of its answer, whose values are borrowed until it
 * returns; -1 ends it with that error.  row may be NULL.
 */
typedef int db_row(void *arg, const struct db_value *v, size_t n, struct err *e);
int db_run(struct db *d, const char *sql, const struct db_value *v, size_t n, db_row *row,
    void *arg, struct err *e);

/*
 * The same for an answer that may be long: rows are told as they come, and `row` may run others.
 * On a server in a transaction of its own: not within one.
 */
int db_stream(struct db *d, const char *sql, const struct db_value *v, size_t n, db_row *row,
    void *arg, struct err *e);

/* Several statements, separated by ';', without parameters: of a migration. */
int db_script(struct db *d, const char *sql, struct err *e);

/* One transaction at a time; in a file it holds the right to write from its beginning. */
int db_begin(struct db *d, struct err *e);
int db_commit(struct db *d, struct err *e); /* undone where it fails */
void db_rollback(struct db *d);             /* nothing where there is none */

/* Rows that the last statement changed. */
int64_t db_changed(const struct db *d);

#endif
