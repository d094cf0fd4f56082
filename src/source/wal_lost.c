/* wal_lost: see wal_lost.h. */
#include "source/wal_lost.h"

#include <stdlib.h>

#include "base/cursor.h"
#include "base/mem.h"

enum { CREATE = 0x00, CREATE_LOGGED = 0x10, DROP = 0x20, DROP_14 = 0x10 };

struct folder {
	uint32_t spc, db;
};

/* A folder that the log made; where what it has comes from before the log, which folder had it. */
struct made {
	struct folder at, from; /* from.db 0: the log has all of it */
	bool lost;
};

struct wal_lost {
	struct made *v;
	size_t n;
};

struct wal_lost *wal_lost_new(void)
{
	return mem_zalloc(sizeof(struct wal_lost));
}

void wal_lost_free(struct wal_lost *l)
{
	if (l != NULL)
		free(l->v);
	free(l);
}

static bool same(struct folder a, struct folder b)
{
	return a.spc == b.spc && a.db == b.db;
}

static struct made *find(struct wal_lost *l, struct folder at)
{
	for (size_t i = 0; i < l->n; i++)
		if (same(l->v[i].at, at))
			return &l->v[i];
	return NULL;
}

/* What was made of one that the backup has is lost with it. */
static void drop(struct wal_lost *l, struct folder at)
{
	struct made *m = find(l, at);

	if (m != NULL) {
		*m = l->v[--l->n];
		return;
	}
	for (size_t i = 0; i < l->n; i++)
		l->v[i].lost |= same(l->v[i].from, at);
}

static void make(struct wal_lost *l, struct folder at, struct folder from)
{
	const struct made *m = find(l, from);
	struct made new = {.at = at, .from = m ? m->from : from, .lost = m && m->lost};
	struct made *old = find(l, at);

	if (old == NULL) {
		l->v = mem_realloc(l->v, (l->n + 1) * sizeof *l->v);
		old = &l->v[l->n++];
	}
	*old = new;
}

static struct folder folder_of(struct cursor *c)
{
	struct folder f = {.db = cursor_u32(c)};

	f.spc = cursor_u32(c);
	return f;
}

int wal_lost_add(struct wal_lost *l, const struct wal_record *r, struct err *e)
{
	struct cursor c = cursor_of(r->main);
	uint8_t what = r->info & WAL_INFO_MASK;

	if (r->rmgr != WAL_RMGR_DBASE)
		return 0;
	if (what == CREATE) {
		struct folder at = folder_of(&c), from = folder_of(&c);

		if (!c.bad)
			make(l, at, from);
	} else if (what == (r->version < 15 ? DROP_14 : DROP)) {
		uint32_t db = cursor_u32(&c);

		for (uint32_t n = cursor_u32(&c); n > 0 && !c.bad; n--) {
			struct folder at = {.spc = cursor_u32(&c), .db = db};

			if (!c.bad)
				drop(l, at);
		}
	} else if (what == CREATE_LOGGED && r->version >= 15) {
		struct folder at = folder_of(&c);

		if (!c.bad)
			make(l, at, (struct folder){0});
	} else {
		c.bad = true;
	}
	return c.bad ? err_set(e, ERR_UNSUPPORTED,
			   "a record of manager %u (info %02x) is not known", r->rmgr, r->info)
		     : 0;
}

/* It was moved from there: what a database has in further tablespaces is not. */
static bool was_moved(const struct wal_lost *l, struct folder from)
{
	for (size_t i = 0; i < l->n; i++)
		if (same(l->v[i].from, from) && l->v[i].at.db == from.db)
			return true;
	return false;
}

static bool is_there(
    const struct wal_lost *l, struct folder from, const struct wal_lost_database *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].oid == from.db)
			return v[i].settled && (v[i].spc == from.spc || !was_moved(l, from));
	return false;
}

void wal_lost_end(struct wal_lost *l, const struct wal_lost_database *v, size_t n)
{
	for (size_t i = 0; i < l->n; i++)
		l->v[i].lost |= l->v[i].from.db != 0 && !is_there(l, l->v[i].from, v, n);
}

bool wal_lost_get(const struct wal_lost *l, size_t i, uint32_t *spc, uint32_t *db)
{
	for (size_t k = 0; k < l->n; k++)
		if (l->v[k].lost && i-- == 0) {
			*spc = l->v[k].at.spc;
			*db = l->v[k].at.db;
			return true;
		}
	return false;
}
