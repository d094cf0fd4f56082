/* db: which driver; see db.h. */
#include <string.h>

#include "base/buf.h"
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

struct counted {
	db_row *row;
	void *arg;
	bool any;
};

static int count(void *arg, const struct db_value *v, size_t n, struct err *e)
{
	struct counted *c = arg;

	c->any = true;
	return c->row(c->arg, v, n, e);
}

/* A cursor: what is told first is planned for, and found, first. */
static int fetch_all(struct db *d, const char *sql, const struct db_value *v, size_t n,
    struct counted *c, struct err *e)
{
	struct buf declare = {0};
	int rc;

	buf_printf(&declare, "DECLARE answer NO SCROLL CURSOR FOR %s", sql);
	rc = db_run(d, buf_cstr(&declare), v, n, NULL, NULL, e);
	buf_fini(&declare);
	for (c->any = true; rc == 0 && c->any;) {
		c->any = false;
		rc = db_run(d, "FETCH 500 FROM answer", NULL, 0, count, c, e);
	}
	return rc;
}

int db_stream(struct db *d, const char *sql, const struct db_value *v, size_t n, db_row *row,
    void *arg, struct err *e)
{
	struct counted c = {.row = row, .arg = arg};
	int rc;

	if (!db_is_server(d))
		return db_run(d, sql, v, n, row, arg, e);
	if (db_begin(d, e) == -1)
		return -1;
	rc = fetch_all(d, sql, v, n, &c, e);
	db_rollback(d); /* which ends the cursor: there is nothing to keep */
	return rc;
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
