/* catalog: see catalog.h; here: opening, and bringing it to this version's form. */
#include "catalog/catalog_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/os.h"

struct number {
	int64_t value;
};

static int take_number(void *arg, const struct db_value *v, size_t n, struct err *e)
{
	struct number *x = arg;

	x->value = v[0].type == DB_REAL ? (int64_t)v[0].d : v[0].i;
	return 0;
}

int catalog_int(struct catalog *c, const char *sql, const struct db_value *v, size_t n,
    int64_t *out, struct err *e)
{
	struct number x = {0};

	if (db_run(c->db, sql, v, n, take_number, &x, e) == -1)
		return -1;
	*out = x.value;
	return 0;
}

int catalog_lock(struct catalog *c, int which, struct err *e)
{
	struct db_value v = db_int(which);

	/* SQLite's transactions are one after the other already. */
	if (!db_is_server(c->db))
		return 0;
	return db_run(c->db, "SELECT pg_advisory_xact_lock(?1)", &v, 1, NULL, NULL, e);
}

/* 0 where nothing was ever made. */
static int version(struct catalog *c, int64_t *out, struct err *e)
{
	int64_t there;

	*out = 0;
	if (catalog_int(c,
		db_is_server(c->db)
		    ? "SELECT count(*) FROM pg_class WHERE oid = to_regclass('migration')"
		    : "SELECT count(*) FROM sqlite_master WHERE name = 'migration'",
		NULL, 0, &there, e) == -1)
		return -1;
	if (there == 0)
		return 0;
	return catalog_int(c, "SELECT max(version) FROM migration", NULL, 0, out, e);
}

static int migrate_one(struct catalog *c, int64_t to, struct err *e)
{
	const struct catalog_migration *m = &catalog_migrations[to - 1];
	const char *own = db_is_server(c->db) ? m->server : m->lite;
	struct clock *clock = os_clock();
	struct db_value v[] = {db_int(to), db_int(clock->wall_ns(clock)), db_text(m->what)};

	if ((m->both != NULL && db_script(c->db, m->both, e) == -1) ||
	    (own != NULL && db_script(c->db, own, e) == -1) ||
	    db_run(c->db, "INSERT INTO migration (version, at_ns, what) VALUES (?1, ?2, ?3)", v, 3,
		NULL, NULL, e) == -1)
		return err_wrap(e, "bring it to form %d (%s)", (int)to, m->what);
	return 0;
}

static int too_new(int64_t form, struct err *e)
{
	err_set(e, ERR_UNSUPPORTED,
	    "a newer Holdfast has made it: it is of form %lld, this one "
	    "knows %d",
	    (long long)form, catalog_version);
	return err_hint(e, "use that version, or another place for this one's catalog");
}

/* All steps or none; several may open it at once, and one of them does it. */
static int migrate(struct catalog *c, struct err *e)
{
	int64_t form;

	if (version(c, &form, e) == -1)
		return -1;
	if (form == catalog_version)
		return 0;
	if (form > catalog_version)
		return too_new(form, e);
	if (db_begin(c->db, e) == -1)
		return -1;
	if (catalog_lock(c, CATALOG_LOCK_MIGRATE, e) == -1 || version(c, &form, e) == -1)
		goto bad;
	if (form > catalog_version) {
		too_new(form, e);
		goto bad;
	}
	while (form < catalog_version)
		if (migrate_one(c, ++form, e) == -1)
			goto bad;
	return db_commit(c->db, e);
bad:
	db_rollback(c->db);
	return -1;
}

int catalog_open(const char *url, struct catalog **out, struct err *e)
{
	struct catalog *c = mem_zalloc(sizeof *c);

	c->url = mem_strdup(url);
	if (db_open(url, &c->db, e) == -1 || migrate(c, e) == -1) {
		catalog_close(c);
		return err_wrap(e, "catalog");
	}
	catalog_note_file(c);
	*out = c;
	return 0;
}

void catalog_close(struct catalog *c)
{
	if (c == NULL)
		return;
	db_close(c->db);
	free(c->url);
	free(c);
}

struct db *catalog_db(struct catalog *c)
{
	return c->db;
}

char *catalog_place(const struct catalog *c)
{
	char *text = mem_strdup(c->url), *at = strstr(text, "://"), *end, *colon;

	if (at == NULL)
		return text;
	at += 3;
	end = at + strcspn(at, "/?#");
	*end = *end == '/' ? '/' : '\0';
	colon = memchr(at, ':', (size_t)(end - at));
	end = memrchr(at, '@', (size_t)(end - at));
	if (end != NULL && colon != NULL && colon < end)
		memmove(colon, end, strlen(end) + 1);
	if ((end = strchr(text, '?')) != NULL)
		*end = '\0';
	return text;
}
