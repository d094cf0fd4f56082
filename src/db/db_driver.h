/*
 * db_driver: what a database has to be able to do; contracts are those of db.h.  A driver's own
 * struct begins with struct db.
 */
#ifndef HF_DB_DRIVER_H
#define HF_DB_DRIVER_H

#include "db/db.h"

struct db_ops {
	bool server;
	void (*close)(struct db *d);
	int (*run)(struct db *d, const char *sql, const struct db_value *v, size_t n, db_row *row,
	    void *arg, struct err *e);
	int (*script)(struct db *d, const char *sql, struct err *e);
	int (*begin)(struct db *d, struct err *e);
	int (*commit)(struct db *d, struct err *e);
	void (*rollback)(struct db *d);
	int64_t (*changed)(const struct db *d);
};

struct db {
	const struct db_ops *ops;
};

extern const struct db_ops db_sqlite_ops, db_postgres_ops;
int db_open_sqlite(const char *url, struct db **out, struct err *e);
int db_open_postgres(const char *url, struct db **out, struct err *e);

#endif
