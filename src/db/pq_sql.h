/*
 * pq_sql: our statements (db.h) as PostgreSQL takes them: ?1 becomes $1, INTEGER becomes BIGINT,
 * REAL becomes DOUBLE PRECISION, BLOB becomes BYTEA, and INTEGER PRIMARY KEY a number that is
 * given.  What stands in quotes is left alone.
 *
 * Threads: any.
 */
#ifndef HF_DB_PQ_SQL_H
#define HF_DB_PQ_SQL_H

#include "base/buf.h"

/* Appended, with a NUL after it. */
void pq_sql(struct buf *out, const char *sql);

#endif
