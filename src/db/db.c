/* db: which driver; see db.h. */
#include <string.h>

#include "db/db_driver.h"

int db_open(const char *url, struct db **out, struct err *e)
{
	if (strncmp(url, "postgresql://", 13) == 0 || strncmp(url, "postgres://", 11) == 0)
		return db_open_postgres(url, out, e);
	return db_open_sqlite(url, out, e);
}

void db_close(struct db *d)
{
	if (d != NULL)
		d->ops->close(d);
}

bool db_is_server(const struct db *d)
{
	return d->ops->server;
}

int db_run(struct db *d, const char *sql, const struct db_value *v, size_t n, db_row *row,
    void *arg, struct err *e)
{
	return d->ops->run(d, sql, v, n, row, arg, e);
}

int db_script(struct db *d, const char *sql, struct err *e)
{
	return d->ops->script(d, sql, e);
}

int db_begin(struct db *d, struct err *e)
{
	return d->ops->begin(d, e);
}

int db_commit(struct db *d, struct err *e)
{
	return d->ops->commit(d, e);
}

void db_rollback(struct db *d)
{
	d->ops->rollback(d);
}

int64_t db_changed(const struct db *d)
{
	return d->ops->changed(d);
}
