/*
 * tree_find: search snapshots by name (op_tree.h).  Snapshots share most of
 * their trees: one that was searched and had no hit isn't searched again.
 */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "crypto/crypto.h"
#include "engine/op_tree.h"
#include "engine/tree_walk.h"

enum { BARREN_MAX = 2000000 }; /* trees remembered, some 100 MB at most */

struct finding {
	const struct find_params *p;
	const struct snapshot *snapshot;
	struct ctx *ctx;
	struct reader *reader;
	find_visit *visit;
	void *arg;
	bool by_path; /* a pattern has a '/': the same tree elsewhere is another matter */
	struct idmap *barren;
	uint64_t hits;
	uint64_t *before; /* hits as each open directory was entered */
	size_t n, cap;
	struct buf name, full, key;
	uint64_t hurt; /* snapshots not searched whole */
};

static struct id barren_key(struct finding *f, const struct id *tree, struct span path)
{
	struct id id = *tree;

	if (f->by_path) {
		buf_reset(&f->key);
		buf_put(&f->key, tree, sizeof *tree);
		buf_put_span(&f->key, path);
		crypto_sha256(buf_span(&f->key), id.b);
	}
	return id;
}

static void push(struct finding *f)
{
	if (f->n == f->cap) {
		f->cap = f->cap ? f->cap * 2 : 16;
		f->before = mem_realloc(f->before, f->cap * sizeof *f->before);
	}
	f->before[f->n++] = f->hits;
}

static bool matches(struct finding *f, struct span path, const struct entry *en)
{
	int flags = f->p->ignore_case ? FNM_CASEFOLD : 0;

	if ((f->p->newer_ns || f->p->older_ns)) {
		int64_t t;

		if (__builtin_mul_overflow(en->mtime, INT64_C(1000000000), &t) ||
		    __builtin_add_overflow(t, (int64_t)en->mtime_ns, &t))
			t = en->mtime < 0 ? INT64_MIN : INT64_MAX;
		if ((f->p->newer_ns && t < f->p->newer_ns) ||
		    (f->p->older_ns && t > f->p->older_ns))
			return false;
	}
	buf_reset(&f->name);
	buf_reset(&f->full);
	buf_put_span(&f->name, en->name);
	buf_put_span(&f->full, path);
	for (size_t i = 0; i < f->p->npatterns; i++) {
		const char *pattern = f->p->patterns[i];
		struct buf *text = strchr(pattern, '/') ? &f->full : &f->name;

		if (fnmatch(pattern, buf_cstr(text), flags) == 0)
			return true;
	}
	return f->p->npatterns == 0;
}

static int visit(
    void *arg, struct span path, const struct entry *en, const struct tree_ref *ref, struct err *e)
{
	struct finding *f = arg;
	struct id key;

	if (matches(f, path, en)) {
		f->hits++;
		if (f->visit(f->arg, f->snapshot, path, en, e) == -1)
			return -1;
	}
	if (en->type != ENTRY_DIR)
		return 0;
	key = barren_key(f, &ref->ids[0], path);
	if (idmap_get(f->barren, &key) != NULL)
		return 1;
	push(f);
	return 0;
}

static void leave(void *arg, const struct id *tree, struct span path)
{
	struct finding *f = arg;
	struct id key;

	if (f->before[--f->n] != f->hits || idmap_count(f->barren) >= BARREN_MAX)
		return;
	key = barren_key(f, tree, path);
	idmap_put(f->barren, &key, NULL);
}

static int find_tree(struct finding *f, const struct id *tree, const char *path, struct err *e)
{
	struct tree_walk w = {.reader = f->reader,
	    .ctx = f->ctx,
	    .recursive = true,
	    .visit = visit,
	    .leave = leave,
	    .arg = f};
	struct id key = barren_key(f, tree, span_str(path));

	if (idmap_get(f->barren, &key) != NULL)
		return 0;
	f->n = 0;
	push(f);
	if (tree_walk(&w, tree, path, e) == 0)
		return 0;
	if (w.stopped || e->kind != ERR_CORRUPT)
		return -1;
	/* The others may be whole. */
	event_emit(f->ctx, EVENT_SNAPSHOT_HURT, span_str(path), "%s", e->msg);
	f->hurt++;
	err_clear(e);
	return 0;
}

static int find_in(struct finding *f, const struct snapshot *s, struct err *e)
{
	int rc = 0;

	f->snapshot = s;
	reader_set_domain(f->reader, snapshot_domain(s));
	for (size_t i = 0; i < s->nparts && rc == 0; i++) {
		char *path = mem_printf("/%s", s->nparts > 1 ? s->parts[i].name : "");

		if (s->parts[i].has_tree)
			rc = find_tree(f, &s->parts[i].tree, path, e);
		free(path);
	}
	return rc;
}

static int find_all(struct finding *f, struct repo *r, struct err *e)
{
	struct select_list l;
	int rc = 0;

	if (f->p->only != NULL)
		return find_in(f, f->p->only, e);
	if (select_all(r, &f->p->filter, f->ctx, &l, e) == -1)
		return -1;
	for (size_t i = 0; i < l.n && rc == 0; i++)
		rc = find_in(f, l.v[i], e);
	f->hurt += l.damaged;
	select_list_fini(&l);
	return rc;
}

int op_find(struct repo *r, const struct find_params *p, struct ctx *ctx, find_visit *each,
    void *arg, struct err *e)
{
	struct finding f = {.p = p, .ctx = ctx, .visit = each, .arg = arg};
	int rc;

	if (repo_index_load(r, false, e) == -1)
		return -1;
	for (size_t i = 0; i < p->npatterns; i++)
		f.by_path |= strchr(p->patterns[i], '/') != NULL;
	f.reader = reader_new(r);
	f.barren = idmap_new(1);
	rc = find_all(&f, r, e);
	if (rc == 0 && f.hurt)
		rc = err_set(e, ERR_INCOMPLETE, "%llu damaged %s could not be searched whole",
		    (unsigned long long)f.hurt, f.hurt == 1 ? "snapshot" : "snapshots");
	idmap_free(f.barren);
	reader_free(f.reader);
	free(f.before);
	buf_fini(&f.name);
	buf_fini(&f.full);
	buf_fini(&f.key);
	return rc;
}
