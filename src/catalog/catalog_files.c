/*
 * catalog_files: taking in what a snapshot has; see catalog_files.h.
 *
 * What is added and removed waits in memory and is written so many at a time, each time in a
 * transaction of its own: nobody waits for us while we wait for a repository.  It is not seen
 * before the head of the series moves, at the end; and what was cut off is undone first.
 */
#include "catalog/catalog_files.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "catalog/catalog_internal.h"
#include "catalog/catalog_text.h"
#include "os/os.h"

enum { BATCH = 4000 };
#define BUSY_NS (120 * INT64_C(1000000000)) /* so long a series is ours, from each batch on */

struct change {
	bool add, before;
	enum entry_type type;
	uint64_t size;
	int64_t mtime_ns;
	size_t path, n; /* in `paths` */
};

struct catalog_files {
	struct catalog *c;
	struct clock *clock;
	char owner[64];
	char *repository, *snapshot;
	bool whole;
	int64_t series, head, seq;
	uint64_t left_out;
	struct change *changes;
	size_t n;
	struct buf paths;
	struct buf folder; /* the last one's path, as text, */
	int64_t folder_id; /* and its number; 0: none */
	struct buf text;
};

static int run(
    struct catalog_files *f, const char *sql, const struct db_value *v, size_t n, struct err *e)
{
	return db_run(f->c->db, sql, v, n, NULL, NULL, e);
}

/* It is ours from now on; ERR_BUSY where it is another's. */
static int occupy(struct catalog_files *f, struct err *e)
{
	int64_t now = f->clock->wall_ns(f->clock);
	struct db_value v[] = {
	    db_int(f->series), db_text(f->owner), db_int(now), db_int(now + BUSY_NS)};

	if (run(f,
		"UPDATE series SET busy = ?2, busy_ns = ?4 WHERE id = ?1 "
		"AND (busy IS NULL OR busy = ?2 OR busy_ns < ?3)",
		v, 4, e) == -1)
		return -1;
	if (db_changed(f->c->db) == 1)
		return 0;
	err_set(e, ERR_BUSY, "another program takes in the files of this series");
	return err_hint(e, "try again in two minutes");
}

/* What one that was cut off has left. */
static int undo(struct catalog_files *f, struct err *e)
{
	struct db_value v[] = {db_int(f->series), db_int(f->head)};

	if (run(f, "DELETE FROM file_version WHERE series = ?1 AND first > ?2", v, 2, e) == -1)
		return -1;
	return f->head == 0
		   ? 0
		   : run(f, "UPDATE file_version SET last = 0 WHERE series = ?1 AND last = ?2", v,
			 2, e);
}

struct head {
	int64_t seq;
	char hex[CATALOG_HEX];
	bool cut_off;
};

static int take_head(void *arg, const struct db_value *v, size_t n, struct err *e)
{
	struct head *h = arg;

	h->seq = v[0].i;
	snprintf(h->hex, sizeof h->hex, "%.*s", (int)v[1].s.n,
	    v[1].type == DB_TEXT ? (const char *)v[1].s.p : "");
	h->cut_off = v[2].type != DB_NULL;
	return 0;
}

static int look(struct catalog_files *f, struct head *h, struct err *e)
{
	struct db_value v[] = {db_int(f->series), db_text(f->repository), db_text(f->snapshot)};
	int64_t there;

	if (catalog_int(f->c,
		"SELECT s.seq FROM snapshot AS s JOIN repository AS r ON r.id = s.repository "
		"WHERE s.hex = ?2 AND r.uid = ?1",
		&(struct db_value[]){v[1], v[2]}[0], 2, &there, e) == -1)
		return -1;
	if (there > 0)
		return err_set(e, ERR_EXISTS, "the files of %.8s are known", f->snapshot);
	return db_run(f->c->db, "SELECT head, head_hex, busy FROM series WHERE id = ?1", v, 1,
	    take_head, h, e);
}

static int start(
    struct catalog_files *f, const struct catalog_snapshot *s, struct head *h, struct err *e)
{
	struct db_value v[2];

	if (catalog_series_id(f->c, s, &f->series, e) == -1 || look(f, h, e) == -1 ||
	    occupy(f, e) == -1)
		return -1;
	f->head = h->seq;
	f->seq = h->seq + 1;
	if (h->cut_off && undo(f, e) == -1)
		return -1;
	v[0] = db_int(f->series);
	v[1] = db_int(f->head);
	if (!f->whole || f->head == 0)
		return 0;
	/* None is there any more, until it is added. */
	return run(f, "UPDATE file_version SET last = ?2 WHERE series = ?1 AND last = 0", v, 2, e);
}

int catalog_files_begin(struct catalog *c, const struct catalog_snapshot *s, bool whole,
    struct catalog_files **out, char head[CATALOG_HEX], struct err *e)
{
	struct catalog_files *f = mem_zalloc(sizeof *f);
	struct head h = {0};

	f->c = c;
	f->clock = os_clock();
	f->whole = whole;
	f->repository = mem_strdup(s->repository);
	f->snapshot = mem_strdup(s->snapshot);
	snprintf(f->owner, sizeof f->owner, "%.40s:%d", os_host(), (int)getpid());
	/* Names are looked for all over the place: that is slow where the indexes aren't held. */
	if (!db_is_server(c->db) && db_script(c->db, "PRAGMA cache_size=-131072", e) == -1)
		goto bad;
	if (db_begin(c->db, e) == -1)
		goto bad;
	if (start(f, s, &h, e) == -1) {
		db_rollback(c->db);
		goto bad;
	}
	if (db_commit(c->db, e) == -1)
		goto bad;
	memcpy(head, h.hex, CATALOG_HEX);
	*out = f;
	return 0;
bad:
	f->series = 0;
	catalog_files_abort(f);
	return -1;
}

/* ---- Writing what waits. */

/* The number of a folder or a name, made where it is new, and then in its index too. */
static int number_of(
    struct catalog_files *f, bool folder, struct span text, int64_t *id, struct err *e)
{
	struct db_value v[] = {{.type = DB_TEXT, .s = text}, db_int(0)};

	if (catalog_int(f->c,
		folder ? "SELECT id FROM folder WHERE path = ?1"
		       : "SELECT id FROM file_name WHERE name = ?1",
		v, 1, id, e) == -1)
		return -1;
	if (*id != 0)
		return 0;
	if (catalog_int(f->c,
		folder ? "INSERT INTO folder (path) VALUES (?1) ON CONFLICT (path) DO UPDATE "
			 "SET path = excluded.path RETURNING id"
		       : "INSERT INTO file_name (name) VALUES (?1) ON CONFLICT (name) DO UPDATE "
			 "SET name = excluded.name RETURNING id",
		v, 1, id, e) == -1)
		return -1;
	v[1] = db_int(*id);
	if (db_is_server(f->c->db))
		return 0;
	return run(f,
	    folder ? "INSERT INTO folder_words (rowid, path) VALUES (?2, ?1)"
		   : "INSERT INTO name_words (rowid, name) VALUES (?2, ?1)",
	    v, 2, e);
}

/* Both numbers of a path; files of a folder come one after the other. */
static int numbers(
    struct catalog_files *f, struct span path, int64_t *folder, int64_t *name, struct err *e)
{
	const uint8_t *slash = memrchr(path.p, '/', path.n);
	size_t n = (size_t)(slash - path.p);
	struct span at = span_of(path.p, n ? n : 1);

	buf_reset(&f->text);
	catalog_text_put(&f->text, at);
	if (f->folder_id == 0 || !span_eq(buf_span(&f->text), buf_span(&f->folder))) {
		f->folder_id = 0;
		if (number_of(f, true, buf_span(&f->text), &f->folder_id, e) == -1)
			return -1;
		buf_reset(&f->folder);
		buf_put_span(&f->folder, buf_span(&f->text));
	}
	*folder = f->folder_id;
	buf_reset(&f->text);
	catalog_text_put(&f->text, span_of(slash + 1, path.n - n - 1));
	return number_of(f, false, buf_span(&f->text), name, e);
}

/* With `whole`, what was there and is there still goes on. */
static int goes_on(struct catalog_files *f, const struct change *x, int64_t name, int64_t folder,
    bool *yes, struct err *e)
{
	struct db_value v[] = {db_int(name), db_int(folder), db_int(f->series), db_int(f->head),
	    db_int(x->type), db_int((int64_t)x->size), db_int(x->mtime_ns)};

	if (run(f,
		"UPDATE file_version SET last = 0 WHERE name = ?1 AND folder = ?2 AND series = ?3 "
		"AND last = ?4 AND type = ?5 AND size = ?6 AND mtime_ns = ?7",
		v, 7, e) == -1)
		return -1;
	*yes = db_changed(f->c->db) > 0;
	return 0;
}

static int apply(struct catalog_files *f, const struct change *x, struct err *e)
{
	struct db_value v[] = {db_int(0), db_int(0), db_int(f->series), db_int(f->seq),
	    db_int(x->type), db_int((int64_t)x->size), db_int(x->mtime_ns)};
	struct db_value w[4];
	bool done = false;

	if (numbers(f, span_of(f->paths.p + x->path, x->n), &v[1].i, &v[0].i, e) == -1)
		return -1;
	if (f->whole && f->head != 0 && goes_on(f, x, v[0].i, v[1].i, &done, e) == -1)
		return -1;
	if (done)
		return 0;
	memcpy(w, v, sizeof w);
	w[3] = db_int(f->head);
	if ((!x->add || x->before) && f->head != 0 &&
	    run(f,
		"UPDATE file_version SET last = ?4 WHERE name = ?1 AND folder = ?2 AND series = ?3 "
		"AND last = 0 AND first <= ?4",
		w, 4, e) == -1)
		return -1;
	if (!x->add)
		return 0;
	return run(f,
	    "INSERT INTO file_version (name, folder, series, first, last, type, size, mtime_ns) "
	    "VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6, ?7) ON CONFLICT (name, folder, series, first) "
	    "DO UPDATE SET last = 0, type = excluded.type, size = excluded.size, "
	    "mtime_ns = excluded.mtime_ns",
	    v, 7, e);
}

/* Within a transaction. */
static int apply_all(struct catalog_files *f, struct err *e)
{
	if (f->n > 0 && occupy(f, e) == -1)
		return -1;
	for (size_t i = 0; i < f->n; i++)
		if (apply(f, &f->changes[i], e) == -1)
			return -1;
	f->n = 0;
	buf_reset(&f->paths);
	return 0;
}

static int flush(struct catalog_files *f, struct err *e)
{
	if (f->n == 0)
		return 0;
	if (db_begin(f->c->db, e) == -1)
		return -1;
	if (apply_all(f, e) == 0)
		return db_commit(f->c->db, e);
	db_rollback(f->c->db);
	f->folder_id = 0;
	return -1;
}

static int change(struct catalog_files *f, struct span path, struct change x, struct err *e)
{
	const uint8_t *slash = path.n ? memrchr(path.p, '/', path.n) : NULL;

	/* "/" itself has no name. */
	if (slash == NULL || slash + 1 == path.p + path.n)
		return 0;
	if (slash - path.p > CATALOG_FOLDER_MAX ||
	    path.p + path.n - slash - 1 > CATALOG_FOLDER_MAX) {
		f->left_out += x.add;
		return 0;
	}
	if (f->changes == NULL)
		f->changes = mem_alloc(BATCH * sizeof *f->changes);
	x.path = f->paths.n;
	x.n = path.n;
	buf_put_span(&f->paths, path);
	f->changes[f->n++] = x;
	return f->n == BATCH ? flush(f, e) : 0;
}

int catalog_files_add(struct catalog_files *f, struct span path, enum entry_type type,
    uint64_t size, int64_t mtime_ns, bool before, struct err *e)
{
	struct change x = {.add = true,
	    .before = before,
	    .type = type,
	    .size = size > INT64_MAX ? INT64_MAX : size,
	    /* A folder's changes with what is in it, which has times of its own. */
	    .mtime_ns = type == ENTRY_DIR ? 0 : mtime_ns};

	return change(f, path, x, e);
}

int catalog_files_remove(struct catalog_files *f, struct span path, struct err *e)
{
	return change(f, path, (struct change){.add = false}, e);
}

static int finish(struct catalog_files *f, struct err *e)
{
	struct db_value v[] = {db_int(f->series), db_int(f->seq), db_text(f->snapshot),
	    db_text(f->repository), db_text(f->owner)};

	if (run(f,
		"UPDATE snapshot SET seq = ?2 WHERE hex = ?3 AND series = ?1 AND repository IN "
		"(SELECT id FROM repository WHERE uid = ?4)",
		v, 4, e) == -1)
		return -1;
	if (db_changed(f->c->db) != 1)
		return err_set(e, ERR_ABSENT, "%.8s is no snapshot of the catalog's", f->snapshot);
	if (run(f,
		"UPDATE series SET head = ?2, head_hex = ?3, busy = NULL WHERE id = ?1 "
		"AND busy = ?4",
		(struct db_value[]){v[0], v[1], v[2], v[4]}, 4, e) == -1)
		return -1;
	return db_changed(f->c->db) == 1
		   ? 0
		   : err_set(e, ERR_BUSY, "another program took this series over");
}

static void free_files(struct catalog_files *f)
{
	struct err ignored;

	if (!db_is_server(f->c->db))
		db_script(f->c->db, "PRAGMA cache_size=-16384; PRAGMA shrink_memory", &ignored);
	free(f->repository);
	free(f->snapshot);
	free(f->changes);
	buf_fini(&f->paths);
	buf_fini(&f->folder);
	buf_fini(&f->text);
	free(f);
}

int catalog_files_commit(struct catalog_files *f, uint64_t *left_out, struct err *e)
{
	*left_out = f->left_out;
	if (db_begin(f->c->db, e) == -1)
		goto bad;
	if (apply_all(f, e) == -1 || finish(f, e) == -1) {
		db_rollback(f->c->db);
		goto bad;
	}
	if (db_commit(f->c->db, e) == -1)
		goto bad;
	free_files(f);
	return 0;
bad:
	catalog_files_abort(f);
	return -1;
}

/* `busy` stays, with a time that is over: what was written is to be undone by the next. */
void catalog_files_abort(struct catalog_files *f)
{
	struct db_value v[2];
	struct err ignored;

	if (f == NULL)
		return;
	v[0] = db_int(f->series);
	v[1] = db_text(f->owner);
	if (f->series != 0)
		run(f, "UPDATE series SET busy_ns = 0 WHERE id = ?1 AND busy = ?2", v, 2, &ignored);
	free_files(f);
}
