/* catalog_event: events, measurements, and values under names; see catalog.h. */
#include <stdlib.h>

#include "base/mem.h"
#include "catalog/catalog_internal.h"

#define AT(type, member) type, offsetof(struct catalog_event, member)

static const struct catalog_column columns[] = {
    {"id", AT(COLUMN_INT, id)}, /* the first: what is added leaves it out */
    {"at_ns", AT(COLUMN_INT, at_ns)},
    {"run", AT(COLUMN_INT, run)},
    {"name", AT(COLUMN_TEXT, name)},
    {"severity", AT(COLUMN_TEXT, severity)},
    {"system", AT(COLUMN_TEXT, system)},
    {"text", AT(COLUMN_TEXT, text)},
    {NULL},
};

int catalog_event_add(struct catalog *c, const struct catalog_event *ev, int64_t *id, struct err *e)
{
	struct db_value v[CATALOG_COLUMNS];
	int64_t given;

	catalog_bind(columns + 1, ev, v);
	if (catalog_int(c,
		"INSERT INTO event (at_ns, run, name, severity, system, text) "
		"VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING id",
		v, 6, &given, e) == -1)
		return -1;
	if (id != NULL)
		*id = given;
	return 0;
}

struct listing {
	catalog_event_row *each;
	void *arg;
	struct buf texts;
};

static int row(void *arg, const struct db_value *v, size_t n, struct err *e)
{
	struct listing *l = arg;
	struct catalog_event ev = {0};

	catalog_read(columns, v, &ev, &l->texts);
	return l->each(l->arg, &ev, e);
}

int catalog_event_list(struct catalog *c, int64_t after_id, const char *system, unsigned limit,
    catalog_event_row *each, void *arg, struct err *e)
{
	struct listing l = {.each = each, .arg = arg};
	struct db_value v[] = {db_int(after_id), db_text(system)};
	struct buf sql = {0};
	int rc;

	buf_printf(&sql, "SELECT ");
	catalog_names(&sql, columns);
	buf_printf(&sql, " FROM event WHERE id > ?1%s ORDER BY id %s",
	    system ? " AND system = ?2" : "", after_id ? "ASC" : "DESC");
	if (limit)
		buf_printf(&sql, " LIMIT %u", limit);
	rc = db_run(c->db, buf_cstr(&sql), v, system ? 2 : 1, row, &l, e);
	buf_fini(&sql);
	buf_fini(&l.texts);
	return rc;
}

int catalog_measure(struct catalog *c, const char *system, const char *name, int64_t at_ns,
    double value, struct err *e)
{
	struct db_value v[] = {
	    db_text(system ? system : ""), db_text(name), db_int(at_ns), db_real(value)};

	return db_run(c->db,
	    "INSERT INTO measurement (system, name, at_ns, value) VALUES (?1, ?2, ?3, ?4) "
	    "ON CONFLICT (system, name, at_ns) DO UPDATE SET value = excluded.value",
	    v, 4, NULL, NULL, e);
}

struct measured {
	catalog_measured *each;
	void *arg;
};

static int measured_row(void *arg, const struct db_value *v, size_t n, struct err *e)
{
	struct measured *m = arg;

	return m->each(m->arg, v[0].i, v[1].type == DB_INT ? (double)v[1].i : v[1].d, e);
}

int catalog_measured_list(struct catalog *c, const char *system, const char *name, int64_t since_ns,
    unsigned limit, catalog_measured *each, void *arg, struct err *e)
{
	struct db_value v[] = {db_text(system ? system : ""), db_text(name), db_int(since_ns),
	    db_int(limit ? limit : INT64_MAX)};
	struct measured m = {each, arg};

	return db_run(c->db,
	    "SELECT at_ns, value FROM measurement WHERE system = ?1 AND name = ?2 AND at_ns >= ?3 "
	    "ORDER BY at_ns DESC LIMIT ?4",
	    v, 4, measured_row, &m, e);
}

int catalog_put(struct catalog *c, const char *name, const char *value, struct err *e)
{
	struct db_value v[] = {db_text(name), db_text(value)};

	if (value == NULL)
		return db_run(c->db, "DELETE FROM setting WHERE name = ?1", v, 1, NULL, NULL, e);
	return db_run(c->db,
	    "INSERT INTO setting (name, value) VALUES (?1, ?2) "
	    "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
	    v, 2, NULL, NULL, e);
}

static int take_text(void *arg, const struct db_value *v, size_t n, struct err *e)
{
	char **out = arg;

	free(*out);
	*out = mem_strndup((const char *)v[0].s.p, v[0].s.n);
	return 0;
}

int catalog_get(struct catalog *c, const char *name, char **value, struct err *e)
{
	struct db_value v = db_text(name);

	*value = NULL;
	return db_run(
	    c->db, "SELECT value FROM setting WHERE name = ?1", &v, 1, take_text, value, e);
}
