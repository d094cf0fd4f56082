/*
 * catalog_find: paths by a part of them; see catalog_files.h.
 *
 * Three letters in a row of the pattern choose candidates in an index; each candidate is then
 * matched whole, here, so that a hit on SQLite and on PostgreSQL is the same.
 */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "catalog/catalog_files.h"
#include "catalog/catalog_internal.h"
#include "catalog/catalog_text.h"
#include "catalog/catalog_words.h"
#include "catalog/find_series.h"

enum {
	FEW = 1000, /* folders, through which to look is quick */
	MANY = 50   /* of 5,000 names: so many that the first are met soon */
};

struct finding {
	struct catalog *c;
	const struct catalog_find *p;
	catalog_hit_row *each;
	void *arg;
	bool glob, by_path, enough;
	uint64_t hits;
	struct find_all_series series;
	struct buf path; /* bytes, with a NUL behind */
	size_t name;     /* where the name begins in it */
	/* What an index is asked for: values of the statement, and their texts. */
	struct buf text, words[CATALOG_WORDS];
	struct db_value v[CATALOG_WORDS];
	size_t n;
	struct buf folders; /* numbers of FEW of them at most, "1,2,3" */
	size_t nfolders;
};

/* ---- What to look for. */

/* Where what begins here ends that stands for other letters: "[abc]", "\\x", "*"; p where none. */
static const char *wild(const char *p)
{
	const char *close;

	if (*p == '\\' && p[1] != '\0')
		return p + 2;
	if (*p == '[' && p[1] != '\0' && (close = strchr(p + 2, ']')) != NULL)
		return close + 1;
	return *p != '\0' && strchr("*?[\\", *p) ? p + 1 : p;
}

/* The longest run of a pattern's letters that stand for themselves, without '/'. */
static struct span literal(const char *p, bool glob)
{
	struct span best = {0};
	const char *start = p;

	while (true) {
		const char *next = glob ? wild(p) : p;

		if (*p == '/')
			next = p + 1;
		if (*p != '\0' && next == p) {
			p++;
			continue;
		}
		if ((size_t)(p - start) > best.n)
			best = span_of(start, (size_t)(p - start));
		if (*p == '\0')
			return best;
		p = start = next;
	}
}

/* Only what is behind the last '/': where that can stand in the name alone. */
static const char *in_name(const struct finding *x)
{
	const char *slash = strrchr(x->p->pattern, '/'), *tail = slash ? slash + 1 : NULL;

	if (!x->by_path)
		return x->p->pattern;
	/* '*' of a path passes over '/', and '[' may hold one. */
	return x->glob && strpbrk(tail, "*?[") != NULL ? NULL : tail;
}

/* ---- What was found. */

/* A part of the name; or of the path, up to within the name. */
static bool has_part(const struct finding *x, const char *path)
{
	char *(*find)(const char *, const char *) = x->p->ignore_case ? strcasestr : strstr;
	const char *at = x->by_path ? path : path + x->name;

	for (; (at = find(at, x->p->pattern)) != NULL; at++)
		if ((size_t)(at - path) + strlen(x->p->pattern) >= x->name)
			return true;
	return false;
}

static bool matches(struct finding *x, struct span folder, struct span name)
{
	const char *path;

	buf_reset(&x->path);
	catalog_text_get(&x->path, folder);
	if (x->path.n > 1)
		buf_put_u8(&x->path, '/');
	x->name = x->path.n;
	catalog_text_get(&x->path, name);
	path = buf_cstr(&x->path);
	if (!x->glob)
		return has_part(x, path);
	return fnmatch(x->p->pattern, x->by_path ? path : path + x->name,
		   x->p->ignore_case ? FNM_CASEFOLD : 0) == 0;
}

static bool in_time(const struct catalog_find *p, int64_t mtime_ns)
{
	return (p->newer_ns == 0 || mtime_ns >= p->newer_ns) &&
	       (p->older_ns == 0 || mtime_ns <= p->older_ns);
}

/* folder, name, series, first, last, type, size, mtime_ns */
static int candidate(void *arg, const struct db_value *v, size_t n, struct err *e)
{
	struct finding *x = arg;
	struct catalog_hit h = {
	    .type = (enum entry_type)v[5].i, .size = (uint64_t)v[6].i, .mtime_ns = v[7].i};
	struct find_series *s;
	size_t from, to;

	if (!matches(x, v[0].s, v[1].s) || !in_time(x->p, h.mtime_ns))
		return 0;
	if (find_series_get(&x->series, x->c, x->p, v[2].i, &s, e) == -1)
		return -1;
	from = find_series_place(s, v[3].i);
	to = v[4].i == 0 ? s->n : find_series_place(s, v[4].i + 1);
	if (from >= to)
		return 0;
	x->hits++;
	h.path = buf_span(&x->path);
	h.snapshots = s->v + from;
	h.n = to - from;
	if (x->each(x->arg, &h, e) == -1)
		return -1;
	x->enough = x->hits == x->p->limit;
	return x->enough ? err_set(e, ERR_CANCELLED, "that many were wanted") : 0;
}

const char *catalog_type_name(enum entry_type type)
{
	static const char *const names[] = {[ENTRY_FILE] = "file",
	    [ENTRY_DIR] = "dir",
	    [ENTRY_SYMLINK] = "symlink",
	    [ENTRY_FIFO] = "fifo",
	    [ENTRY_CHAR] = "char",
	    [ENTRY_BLOCK] = "block"};
	size_t i = (size_t)type;

	return i < sizeof names / sizeof *names && names[i] ? names[i] : "other";
}

/* ---- Asking. */

#define SELECT "SELECT d.path, f.name, v.series, v.first, v.last, v.type, v.size, v.mtime_ns FROM "
/* CROSS JOIN: SQLite keeps the order, and the order is known to be right. */
#define OF_NAME                                                                                    \
	"CROSS JOIN file_version AS v ON v.name = f.id CROSS JOIN folder AS d ON d.id = v.folder "
#define OF_FOLDER                                                                                  \
	"CROSS JOIN file_version AS v ON v.folder = d.id CROSS JOIN file_name AS f ON f.id = "     \
	"v.name "
#define LITE_NAMES "SELECT rowid FROM name_words WHERE name_words MATCH ?1"
/* LATERAL: so does PostgreSQL, which begins to tell before it knows all. */
#define SERVER_SELECT "SELECT %s, v.series, v.first, v.last, v.type, v.size, v.mtime_ns FROM "
#define SERVER_OF_NAME                                                                             \
	"CROSS JOIN LATERAL (SELECT x.*, (SELECT d.path FROM folder AS d WHERE d.id = x.folder) "  \
	"AS path FROM file_version AS x WHERE x.name = f.id "                                      \
	"ORDER BY x.folder, x.series, x.first) AS v "
#define SERVER_OF_FOLDER                                                                           \
	"CROSS JOIN LATERAL (SELECT x.*, (SELECT f.name FROM file_name AS f WHERE f.id = x.name) " \
	"AS file FROM file_version AS x WHERE x.folder = d.id "                                    \
	"ORDER BY x.name, x.series, x.first) AS v "

static void set_words(struct finding *x, size_t n)
{
	x->n = n;
	for (size_t i = 0; i < n; i++)
		x->v[i] = (struct db_value){.type = DB_TEXT, .s = buf_span(&x->words[i])};
}

/* Ask an index for these letters; false: they are too few. */
static bool words_of(struct finding *x, struct span what)
{
	bool server = db_is_server(x->c->db);
	struct catalog_words w;

	buf_reset(&x->text);
	catalog_text_put(&x->text, what);
	if (!catalog_words_of(&w, buf_span(&x->text), server))
		return false;
	for (size_t i = 0; i < (server ? w.n : 1); i++) {
		buf_reset(&x->words[i]);
		if (server)
			catalog_words_like(&x->words[i], w.v[i]);
		else
			catalog_words_match(&x->words[i], &w);
	}
	set_words(x, server ? w.n : 1);
	return true;
}

/* "f.name LIKE ?1 AND f.name LIKE ?2" */
static void put_likes(const struct finding *x, struct buf *sql, const char *column)
{
	for (size_t i = 0; i < x->n; i++)
		buf_printf(sql, "%s%s %s ?%zu", i ? " AND " : "", column,
		    x->p->ignore_case ? "ILIKE" : "LIKE", i + 1);
}

/*
 * Where a good part of all names has these letters, the first of them are found soonest without
 * an index, whose answer has to be whole before it begins: its planner knows that of one text,
 * not of its words.
 */
static int prefer_whole(struct finding *x, struct err *e)
{
	struct db_value like = {.type = DB_TEXT};
	struct buf whole = {0};
	int64_t n;
	int rc;

	if (!db_is_server(x->c->db) || x->n == 1)
		return 0;
	catalog_words_like(&whole, buf_span(&x->text));
	like.s = buf_span(&whole);
	rc = catalog_int(x->c,
	    x->p->ignore_case ? "SELECT count(*) FROM file_name WHERE id <= 5000 AND name ILIKE ?1"
			      : "SELECT count(*) FROM file_name WHERE id <= 5000 AND name LIKE ?1",
	    &like, 1, &n, e);
	if (rc == 0 && n >= MANY) {
		buf_reset(&x->words[0]);
		buf_put_span(&x->words[0], like.s);
		set_words(x, 1);
	}
	buf_fini(&whole);
	return rc;
}

static int run(struct finding *x, struct buf *sql, struct err *e)
{
	int rc = db_stream(x->c->db, buf_cstr(sql), x->v, x->n, candidate, x, e);

	buf_fini(sql);
	return rc;
}

/* With too few letters for an index all names are looked through, which is quickest by LIKE. */
static int by_name(struct finding *x, bool all, struct err *e)
{
	struct buf sql = {0};

	if (prefer_whole(x, e) == -1)
		return -1;
	if (db_is_server(x->c->db)) {
		buf_printf(&sql, SERVER_SELECT "file_name AS f " SERVER_OF_NAME "WHERE ",
		    "v.path, f.name");
		put_likes(x, &sql, "f.name");
	} else if (all)
		buf_printf(
		    &sql, SELECT "file_name AS f " OF_NAME "WHERE f.name LIKE ?1 ESCAPE '\\'");
	else
		buf_printf(&sql,
		    SELECT "name_words AS w CROSS JOIN file_name AS f ON f.id = w.rowid " OF_NAME
			   "WHERE name_words MATCH ?1");
	return run(x, &sql, e);
}

/* ...but those that are found by their names. */
static int by_folder(struct finding *x, struct err *e)
{
	struct buf sql = {0};

	if (db_is_server(x->c->db)) {
		buf_printf(
		    &sql, SERVER_SELECT "folder AS d " SERVER_OF_FOLDER "WHERE ", "d.path, v.file");
		put_likes(x, &sql, "d.path");
		buf_printf(&sql, " AND NOT (");
		put_likes(x, &sql, "v.file");
		buf_printf(&sql, ")");
	} else
		buf_printf(&sql,
		    SELECT "folder_words AS w CROSS JOIN folder AS d ON d.id = w.rowid " OF_FOLDER
			   "WHERE folder_words MATCH ?1 AND f.id NOT IN (" LITE_NAMES ")");
	return run(x, &sql, e);
}

static int note_folder(void *arg, const struct db_value *v, size_t n, struct err *e)
{
	struct finding *x = arg;

	buf_printf(&x->folders, "%s%lld", x->nfolders++ ? "," : "", (long long)v[0].i);
	return 0;
}

/* Which folders; *few: so few that we look through them. */
static int note_folders(struct finding *x, const char *sql, const struct db_value *v, size_t n,
    bool *few, struct err *e)
{
	buf_reset(&x->folders);
	x->nfolders = 0;
	if (db_run(x->c->db, sql, v, n, note_folder, x, e) == -1)
		return -1;
	*few = x->nfolders < FEW;
	return 0;
}

static int in_folders(struct finding *x, struct err *e)
{
	struct buf sql = {0};

	if (x->nfolders == 0)
		return 0;
	if (db_is_server(x->c->db))
		buf_printf(&sql, SERVER_SELECT "folder AS d " SERVER_OF_FOLDER, "d.path, v.file");
	else
		buf_printf(&sql, SELECT "folder AS d " OF_FOLDER);
	buf_printf(&sql, "WHERE d.id IN (%s)", buf_cstr(&x->folders));
	x->n = 0;
	return run(x, &sql, e);
}

/* A part of the path is the end of a folder and the beginning of a name: few have that end? */
static int few_folders(struct finding *x, bool *few, struct err *e)
{
	const char *slash = strrchr(x->p->pattern, '/');
	struct buf sql = {0};
	char *head;
	int rc = 0;

	if (x->glob || slash == NULL)
		return 0;
	head = mem_strndup(x->p->pattern, (size_t)(slash - x->p->pattern));
	if (words_of(x, literal(head, false))) {
		if (db_is_server(x->c->db)) {
			buf_printf(&sql, "SELECT d.id FROM folder AS d WHERE ");
			put_likes(x, &sql, "d.path");
		} else
			buf_printf(
			    &sql, "SELECT rowid FROM folder_words WHERE folder_words MATCH ?1");
		buf_printf(&sql, " LIMIT %d", FEW);
		rc = note_folders(x, buf_cstr(&sql), x->v, x->n, few, e);
	}
	buf_fini(&sql);
	free(head);
	return rc;
}

/* Of a glob's path all is below the folder before its first wildcard: if those are few. */
static int few_below(struct finding *x, bool *few, struct err *e)
{
	static const char *const below[] = {
	    "SELECT id FROM folder WHERE path = ?1 OR (path > ?2 AND path < ?3) LIMIT ?4",
	    "SELECT id FROM folder WHERE path COLLATE \"C\" = ?1 OR (path COLLATE \"C\" > ?2 "
	    "AND path COLLATE \"C\" < ?3) LIMIT ?4"};
	const char *p = x->p->pattern, *slash = memrchr(p, '/', strcspn(p, "*?[\\"));
	struct buf text[3] = {{0}, {0}, {0}};
	struct db_value v[4] = {[3] = db_int(FEW)};
	int rc;

	if (!x->glob || p[0] != '/' || slash == p || x->p->ignore_case)
		return 0;
	for (int i = 0; i < 3; i++)
		catalog_text_put(&text[i], span_of(p, (size_t)(slash - p)));
	buf_put(&text[1], "/", 1);
	buf_put(&text[2], "0", 1); /* what comes after '/' */
	for (int i = 0; i < 3; i++)
		v[i] = (struct db_value){.type = DB_TEXT, .s = buf_span(&text[i])};
	rc = note_folders(x, below[db_is_server(x->c->db)], v, 4, few, e);
	for (int i = 0; i < 3; i++)
		buf_fini(&text[i]);
	return rc;
}

/* One or two; LIKE knows upper and lower case of ASCII alone. */
static struct span few_letters(const struct finding *x)
{
	struct span s = literal(x->p->pattern, x->glob);

	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] >= 0x80)
			return span_of("", 0);
	return s;
}

static int ask(struct finding *x, struct err *e)
{
	const char *name = in_name(x);
	bool few = false;

	if (few_below(x, &few, e) == -1 || (!few && few_folders(x, &few, e) == -1))
		return -1;
	if (few)
		return in_folders(x, e);
	if (name != NULL && words_of(x, literal(name, x->glob)))
		return by_name(x, false, e);
	/* Then it may be the folder that has more letters. */
	if (x->by_path && words_of(x, literal(x->p->pattern, x->glob)))
		return by_name(x, false, e) == -1 ? -1 : by_folder(x, e);
	buf_reset(&x->words[0]);
	catalog_words_like(&x->words[0], x->by_path ? span_of("", 0) : few_letters(x));
	set_words(x, 1);
	return by_name(x, true, e);
}

int catalog_find(struct catalog *c, const struct catalog_find *p, catalog_hit_row *each, void *arg,
    struct err *e)
{
	struct finding x = {.c = c,
	    .p = p,
	    .each = each,
	    .arg = arg,
	    .glob = strpbrk(p->pattern, "*?[") != NULL,
	    .by_path = strchr(p->pattern, '/') != NULL};
	int rc;

	if (p->pattern[0] == '\0')
		return err_set(e, ERR_USAGE, "an empty pattern finds nothing");
	rc = ask(&x, e);
	if (x.enough)
		rc = 0;
	find_series_free(&x.series);
	buf_fini(&x.path);
	buf_fini(&x.text);
	buf_fini(&x.folders);
	for (size_t i = 0; i < CATALOG_WORDS; i++)
		buf_fini(&x.words[i]);
	return rc;
}
