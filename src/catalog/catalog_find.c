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

enum {
	LETTERS = 3, /* that the indexes are made of */
	FEW = 1000   /* folders, through which to look is quick */
};

/* The snapshots of one series, by their places in it; kept from one hit to the next. */
struct series {
	int64_t id;
	const struct catalog_snapshot **v;
	size_t n;
};

struct finding {
	struct catalog *c;
	const struct catalog_find *p;
	catalog_hit_row *each;
	void *arg;
	bool glob, by_path, enough;
	uint64_t hits;
	struct series *series;
	size_t nseries;
	struct buf path; /* bytes, with a NUL behind */
	size_t name;     /* where the name begins in it */
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

static size_t letters(struct span s)
{
	uint32_t code;
	size_t n = 0;

	for (size_t k; s.n > 0; n++, s = span_of(s.p + k, s.n - k))
		k = catalog_text_step(s, &code) ? catalog_text_step(s, &code) : 1;
	return n;
}

/* "abc" "bcd": each three letters in a row, quoted, for the index of SQLite. */
static void put_trigrams(struct buf *out, struct span s)
{
	while (letters(s) >= LETTERS) {
		struct span at = s;
		uint32_t code;

		buf_put_u8(out, '"');
		for (int i = 0; i < LETTERS; i++) {
			size_t k = catalog_text_step(at, &code);

			if (at.p[0] == '"')
				buf_put_u8(out, '"');
			buf_put(out, at.p, k);
			at = span_of(at.p + k, at.n - k);
		}
		buf_put(out, "\" ", 2);
		s = span_of(s.p + catalog_text_step(s, &code), s.n - catalog_text_step(s, &code));
	}
}

/* For LIKE of PostgreSQL. */
static void put_escaped(struct buf *out, struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (strchr("%_\\", s.p[i]))
			buf_put_u8(out, '\\');
		buf_put_u8(out, s.p[i]);
	}
}

/* %abcd% */
static void put_like(struct buf *out, struct span s)
{
	buf_put_u8(out, '%');
	put_escaped(out, s);
	buf_put_u8(out, '%');
}

/* abcd/% */
static void put_prefix(struct buf *out, struct span s)
{
	put_escaped(out, s);
	buf_put(out, "/%", 2);
}

/* ---- What was found. */

static const struct catalog_snapshot *copy(const struct catalog_snapshot *s)
{
	struct catalog_snapshot *d = mem_dup(s, sizeof *s);
	const char **texts[] = {
	    &d->repository, &d->name, &d->snapshot, &d->group, &d->system, &d->host, &d->outcome};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		*texts[i] = *texts[i] ? mem_strdup(*texts[i]) : NULL;
	return d;
}

static void free_copy(const struct catalog_snapshot *s)
{
	const char *texts[] = {
	    s->repository, s->name, s->snapshot, s->group, s->system, s->host, s->outcome};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		free((void *)texts[i]);
	free((void *)s);
}

static int keep(void *arg, const struct catalog_snapshot *s, struct err *e)
{
	struct series *x = arg;

	x->v = mem_realloc(x->v, (x->n + 1) * sizeof *x->v);
	x->v[x->n++] = copy(s);
	return 0;
}

static int series_of(struct finding *x, int64_t id, struct series **out, struct err *e)
{
	struct db_value v[] = {db_int(id), db_text(x->p->repository ? x->p->repository : ""),
	    db_text(x->p->system ? x->p->system : "")};
	struct series *s;

	for (size_t i = 0; i < x->nseries; i++)
		if (x->series[i].id == id) {
			*out = &x->series[i];
			return 0;
		}
	x->series = mem_realloc(x->series, (x->nseries + 1) * sizeof *x->series);
	s = *out = &x->series[x->nseries++];
	*s = (struct series){.id = id};
	return catalog_snapshots_where(x->c,
	    "WHERE s.series = ?1 AND s.seq > 0 AND (?2 = '' OR r.uid = ?2 OR r.name = ?2) "
	    "AND (?3 = '' OR s.system = ?3) ORDER BY s.seq",
	    v, 3, keep, s, e);
}

/* The first whose place is that or a later one. */
static size_t place(const struct series *s, int64_t seq)
{
	size_t a = 0, b = s->n;

	while (a < b) {
		size_t m = a + (b - a) / 2;

		if (s->v[m]->seq < seq)
			a = m + 1;
		else
			b = m;
	}
	return a;
}

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
	struct series *s;
	size_t from, to;

	if (!matches(x, v[0].s, v[1].s) || !in_time(x->p, h.mtime_ns))
		return 0;
	if (series_of(x, v[2].i, &s, e) == -1)
		return -1;
	from = place(s, v[3].i);
	to = v[4].i == 0 ? s->n : place(s, v[4].i + 1);
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
#define LITE_NAMES "SELECT rowid FROM name_words WHERE name_words MATCH ?1"

static const char *const by_name[] = {
    SELECT "name_words AS w CROSS JOIN file_name AS f ON f.id = w.rowid " OF_NAME
	   "WHERE name_words MATCH ?1",
    SELECT "file_name AS f JOIN file_version AS v ON v.name = f.id "
	   "JOIN folder AS d ON d.id = v.folder WHERE f.name ILIKE ?1 "
	   "ORDER BY f.id, d.id, v.series, v.first",
};
/* ...but those that were found by their names. */
static const char *const by_folder[] = {
    SELECT "folder_words AS w CROSS JOIN folder AS d ON d.id = w.rowid "
	   "CROSS JOIN file_version AS v ON v.folder = d.id "
	   "CROSS JOIN file_name AS f ON f.id = v.name "
	   "WHERE folder_words MATCH ?1 AND f.id NOT IN (" LITE_NAMES ")",
    SELECT "folder AS d JOIN file_version AS v ON v.folder = d.id "
	   "JOIN file_name AS f ON f.id = v.name WHERE d.path ILIKE ?1 AND NOT f.name ILIKE ?1 "
	   "ORDER BY d.id, f.id, v.series, v.first",
};
/* With fewer letters all names are looked through, which is quickest by LIKE. */
static const char *const all[] = {
    SELECT "file_name AS f " OF_NAME "WHERE f.name LIKE ?1 ESCAPE '\\'",
    SELECT "file_name AS f JOIN file_version AS v ON v.name = f.id "
	   "JOIN folder AS d ON d.id = v.folder WHERE f.name ILIKE ?1",
};

static const char *const in_folder[] = {
    SELECT "folder_words AS w CROSS JOIN folder AS d ON d.id = w.rowid "
	   "CROSS JOIN file_version AS v ON v.folder = d.id "
	   "CROSS JOIN file_name AS f ON f.id = v.name WHERE folder_words MATCH ?1",
    SELECT "folder AS d JOIN file_version AS v ON v.folder = d.id "
	   "JOIN file_name AS f ON f.id = v.name WHERE d.path ILIKE ?1 "
	   "ORDER BY d.id, f.id, v.series, v.first",
};
static const char *const folders[] = {
    "SELECT count(*) FROM (SELECT 1 FROM folder_words WHERE folder_words MATCH ?1 LIMIT ?2)",
    "SELECT count(*) FROM (SELECT 1 FROM folder WHERE path ILIKE ?1 LIMIT ?2) AS x",
};

/* What an index is asked for these letters; false: they are too few. */
static bool words_of(const struct finding *x, struct span what, struct buf *words)
{
	struct buf text = {0};
	bool enough;

	buf_reset(words);
	catalog_text_put(&text, what);
	enough = letters(buf_span(&text)) >= LETTERS;
	if (enough && db_is_server(x->c->db))
		put_like(words, buf_span(&text));
	else if (enough)
		put_trigrams(words, buf_span(&text));
	buf_fini(&text);
	return enough;
}

/* A part of the path is the end of a folder and the beginning of a name: few have that end? */
static int few_folders(struct finding *x, struct buf *words, bool *few, struct err *e)
{
	const char *slash = strrchr(x->p->pattern, '/');
	struct db_value v[] = {{.type = DB_TEXT}, db_int(FEW)};
	char *head;
	int64_t n = FEW;
	int rc = 0;

	*few = false;
	if (x->glob || slash == NULL)
		return 0;
	head = mem_strndup(x->p->pattern, (size_t)(slash - x->p->pattern));
	if (words_of(x, literal(head, false), words)) {
		v[0].s = buf_span(words);
		rc = catalog_int(x->c, folders[db_is_server(x->c->db)], v, 2, &n, e);
	}
	*few = n < FEW;
	free(head);
	return rc;
}

/* Of a glob's path all that is below the folder before its first wildcard, if that is little. */
static const char *const below[] = {
    SELECT "folder AS d CROSS JOIN file_version AS v ON v.folder = d.id "
	   "CROSS JOIN file_name AS f ON f.id = v.name "
	   "WHERE d.path = ?1 OR (d.path > ?2 AND d.path < ?3)",
    SELECT "folder AS d JOIN file_version AS v ON v.folder = d.id "
	   "JOIN file_name AS f ON f.id = v.name WHERE d.path = ?1 OR d.path LIKE ?2 "
	   "ORDER BY d.id, f.id, v.series, v.first",
};
static const char *const folders_below[] = {
    "SELECT count(*) FROM (SELECT 1 FROM folder WHERE path = ?1 OR (path > ?2 AND path < ?3) "
    "LIMIT ?4)",
    "SELECT count(*) FROM (SELECT 1 FROM folder WHERE path = ?1 OR path LIKE ?2 LIMIT ?4) AS x",
};

/* *done: it was little, and was asked. */
static int ask_below(struct finding *x, bool *done, struct err *e)
{
	bool server = db_is_server(x->c->db);
	const char *p = x->p->pattern, *slash;
	struct buf text[3] = {{0}, {0}, {0}};
	struct db_value v[] = {
	    {.type = DB_TEXT}, {.type = DB_TEXT}, {.type = DB_TEXT}, db_int(FEW)};
	int64_t n = FEW;
	int rc;

	*done = false;
	slash = memrchr(p, '/', strcspn(p, "*?[\\"));
	if (!x->glob || p[0] != '/' || slash == p || x->p->ignore_case)
		return 0;
	for (int i = 0; i < 3; i++)
		catalog_text_put(&text[i], span_of(p, (size_t)(slash - p)));
	buf_put(&text[1], "/", 1);
	buf_put(&text[2], "0", 1); /* what comes after '/' */
	if (server) {
		buf_reset(&text[1]);
		put_prefix(&text[1], buf_span(&text[0]));
	}
	for (int i = 0; i < 3; i++)
		v[i].s = buf_span(&text[i]);
	rc = catalog_int(x->c, folders_below[server], v, 4, &n, e);
	*done = rc == 0 && n < FEW;
	if (*done)
		rc = db_run(x->c->db, below[server], v, 3, candidate, x, e);
	for (int i = 0; i < 3; i++)
		buf_fini(&text[i]);
	return rc;
}

static int ask_with(
    struct finding *x, const char *const *sql, const struct buf *words, struct err *e)
{
	struct db_value v = {.type = DB_TEXT, .s = buf_span(words)};

	return db_run(x->c->db, sql[db_is_server(x->c->db)], &v, 1, candidate, x, e);
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

static int ask(struct finding *x, struct buf *words, struct err *e)
{
	const char *name = in_name(x);
	bool few, done;

	if (ask_below(x, &done, e) == -1)
		return -1;
	if (done)
		return 0;
	if (few_folders(x, words, &few, e) == -1)
		return -1;
	if (few)
		return ask_with(x, in_folder, words, e);
	if (name != NULL && words_of(x, literal(name, x->glob), words))
		return ask_with(x, by_name, words, e);
	/* Then it may be the folder that has more letters. */
	if (!x->by_path || !words_of(x, literal(x->p->pattern, x->glob), words)) {
		buf_reset(words);
		put_like(words, x->by_path ? span_of("", 0) : few_letters(x));
		return ask_with(x, all, words, e);
	}
	if (ask_with(x, by_name, words, e) == -1)
		return -1;
	return ask_with(x, by_folder, words, e);
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
	struct buf words = {0};
	int rc;

	if (p->pattern[0] == '\0')
		return err_set(e, ERR_USAGE, "an empty pattern finds nothing");
	rc = ask(&x, &words, e);
	if (x.enough)
		rc = 0;
	for (size_t i = 0; i < x.nseries; i++) {
		for (size_t k = 0; k < x.series[i].n; k++)
			free_copy(x.series[i].v[k]);
		free(x.series[i].v);
	}
	free(x.series);
	buf_fini(&x.path);
	buf_fini(&words);
	return rc;
}
