/* ls, find, cat, diff, stats and reach, on snapshots that a backup made. */
#include "engine/op_tree.h"
#include "engine/reach.h"
#include "engine_unit.h"

static struct snapshot *load(struct world *w, struct id id)
{
	struct snapshot *s;
	struct err e;

	OK(snapshot_load(w->repo, &id, &s, &e));
	return s;
}

/* Paths as seen, one a line, those below the folder without it. */
static void note_line(struct buf *b, const char *mark, struct span path)
{
	buf_printf(b, "%s%.*s\n", mark, (int)path.n, (const char *)path.p);
}

static int listed(void *arg, struct span path, const struct entry *en, struct err *e)
{
	note_line(arg, "", path);
	return 0;
}

static int hit(
    void *arg, const struct snapshot *s, struct span path, const struct entry *en, struct err *e)
{
	note_line(arg, "", path);
	return 0;
}

static int changed(void *arg, enum diff_change change, struct span path, const struct entry *old,
    const struct entry *new, struct err *e)
{
	static const char *const marks[] = {"+", "-", "M", "T", "U"};

	assert_true((old != NULL) == (change != DIFF_ADDED));
	assert_true((new != NULL) == (change != DIFF_REMOVED));
	note_line(arg, marks[change], path);
	return 0;
}

static int gather(void *arg, struct span s, struct err *e)
{
	buf_put_span(arg, s);
	return 0;
}

/* The lines with the folder's path taken out of each. */
static void expect(struct world *w, struct buf *b, const char *want)
{
	char *text = mem_strdup(buf_cstr(b)), *at;
	size_t n = strlen(w->dir);

	while ((at = strstr(text, w->dir)) != NULL)
		memmove(at, at + n, strlen(at + n) + 1);
	assert_string_equal(text, want);
	free(text);
	buf_reset(b);
}

static void make_tree(struct world *w)
{
	world_mkdir(w, "a");
	world_mkdir(w, "a/b");
	world_mkdir(w, "c");
	world_write(w, "a/one.txt", "1", 1);
	world_write(w, "a/b/two.TXT", "22", 2);
	world_write(w, "c/three", "333", 3);
}

static void ls_visits_in_tree_order(void **state)
{
	struct world *w = world_new("mem:tree-ls");
	struct snapshot *s;
	struct buf b = {0};
	char *path;
	struct err e;

	make_tree(w);
	s = load(w, world_backup(w, "h", NULL));
	OK(op_ls(w->repo, s, w->dir, true, &w->ctx, listed, &b, &e));
	expect(w, &b, "/a\n/a/b\n/a/b/two.TXT\n/a/one.txt\n/c\n/c/three\n");
	OK(op_ls(w->repo, s, w->dir, false, &w->ctx, listed, &b, &e));
	expect(w, &b, "/a\n/c\n");
	OK(op_ls(w->repo, s, "/", false, &w->ctx, listed, &b, &e));
	expect(w, &b, "/tmp\n");
	path = world_path(w, "a/one.txt");
	OK(op_ls(w->repo, s, path, true, &w->ctx, listed, &b, &e));
	expect(w, &b, "/a/one.txt\n");
	free(path);
	assert_int_equal(op_ls(w->repo, s, "/none", true, &w->ctx, listed, &b, &e), -1);
	assert_int_equal(e.kind, ERR_ABSENT);
	snapshot_free(s);
	buf_fini(&b);
	world_free(w);
}

static void find(struct world *w, const char *pattern, bool ignore_case, const char *want)
{
	struct find_params p = {.patterns = &pattern, .npatterns = 1, .ignore_case = ignore_case};
	struct buf b = {0};
	struct err e;

	OK(op_find(w->repo, &p, &w->ctx, hit, &b, &e));
	expect(w, &b, want);
	buf_fini(&b);
}

static void find_sees_every_snapshot(void **state)
{
	struct world *w = world_new("mem:tree-find");
	char *from = world_path(w, "c"), *to = world_path(w, "d");

	make_tree(w);
	world_backup(w, "h", NULL);
	world_write(w, "c/new.txt", "n", 1);
	world_backup(w, "h", NULL);
	find(w, "*.txt", false, "/a/one.txt\n/a/one.txt\n/c/new.txt\n");
	find(w, "*.txt", true, "/a/b/two.TXT\n/a/one.txt\n/a/b/two.TXT\n/a/one.txt\n/c/new.txt\n");
	find(w, "new*", false, "/c/new.txt\n");
	find(w, "nothing", false, "");
	/* The same tree under another name: only a pattern with a path sees the difference. */
	assert_int_equal(rename(from, to), 0);
	world_backup(w, "h", NULL);
	find(w, "*/d/three", false, "/d/three\n");
	find(w, "*/c/three", false, "/c/three\n/c/three\n");
	free(from);
	free(to);
	world_free(w);
}

static void cat_gives_holes_as_zeros(void **state)
{
	static const size_t SIZE = 5 << 20, AT = 3 << 20;
	struct world *w = world_new("mem:tree-cat");
	uint8_t *want = mem_zalloc(SIZE);
	char *path = world_path(w, "sparse");
	uint64_t seed = 7;
	struct buf b = {0};
	struct snapshot *s;
	struct err e;
	int fd = open(path, O_CREAT | O_WRONLY, 0600);

	unit_rand_fill(&seed, want + AT, 1 << 20);
	want[0] = 'x';
	assert_true(fd != -1);
	assert_int_equal(ftruncate(fd, (off_t)SIZE), 0);
	assert_int_equal(pwrite(fd, want, 1, 0), 1);
	assert_int_equal(pwrite(fd, want + AT, 1 << 20, (off_t)AT), 1 << 20);
	close(fd);
	world_write(w, "empty", "", 0);
	s = load(w, world_backup(w, "h", NULL));
	OK(op_cat(w->repo, s, path, &w->ctx, gather, &b, &e));
	assert_int_equal(b.n, SIZE);
	assert_memory_equal(b.p, want, SIZE);
	free(path);
	path = world_path(w, "empty");
	buf_reset(&b);
	OK(op_cat(w->repo, s, path, &w->ctx, gather, &b, &e));
	assert_int_equal(b.n, 0);
	assert_int_equal(op_cat(w->repo, s, w->dir, &w->ctx, gather, &b, &e), -1);
	assert_int_equal(e.kind, ERR_USAGE);
	free(path);
	free(want);
	buf_fini(&b);
	snapshot_free(s);
	world_free(w);
}

static void diff_tells_each_change(void **state)
{
	struct world *w = world_new("mem:tree-diff");
	struct snapshot *x, *y;
	struct diff_result r;
	struct buf b = {0};
	char *path = world_path(w, "a/one.txt"), *dir = world_path(w, "a");
	struct timespec old[2] = {{1000, 0}, {1000, 0}};
	struct err e;

	make_tree(w);
	world_write(w, "kind", "k", 1);
	utimensat(AT_FDCWD, w->dir, old, 0);
	x = load(w, world_backup(w, "h", NULL));
	world_write(w, "c/three", "3333", 4);
	assert_int_equal(chmod(path, 0711), 0);
	free(path);
	path = world_path(w, "kind");
	assert_int_equal(unlink(path), 0);
	world_mkdir(w, "kind");
	world_write(w, "kind/in", "in", 2);
	free(path);
	path = world_path(w, "a/b/two.TXT");
	assert_int_equal(unlink(path), 0);
	free(path);
	path = world_path(w, "a/b");
	assert_int_equal(rmdir(path), 0);
	utimensat(AT_FDCWD, dir, old, 0);
	utimensat(AT_FDCWD, w->dir, old, 0);
	y = load(w, world_backup(w, "h", NULL));
	OK(op_diff(w->repo, x, y, w->dir, w->dir, &w->ctx, changed, &b, &r, &e));
	expect(w, &b, "U/a\n-/a/b\n-/a/b/two.TXT\nU/a/one.txt\nM/c/three\nT/kind\n+/kind/in\n");
	assert_int_equal(r.added, 1);
	assert_int_equal(r.removed, 2);
	assert_int_equal(r.modified, 2);
	assert_int_equal(r.meta, 2);
	assert_int_equal(r.added_bytes, 3);
	assert_int_equal(r.removed_bytes, 3);
	OK(op_diff(w->repo, x, x, "/", "/", &w->ctx, changed, &b, &r, &e));
	expect(w, &b, "");
	free(path);
	free(dir);
	snapshot_free(x);
	snapshot_free(y);
	buf_fini(&b);
	world_free(w);
}

static int count_missing(
    void *arg, enum format_purpose kind, const struct id *id, const struct err *why, struct err *e)
{
	assert_int_equal(why->kind, ERR_CORRUPT);
	++*(unsigned *)arg;
	return 0;
}

static void stats_and_reach_know_what_is_needed(void **state)
{
	struct world *w = world_new("mem:tree-stats");
	uint8_t *data = mem_alloc(1 << 20);
	uint64_t seed = 3, all;
	struct stats_result r;
	struct snapshot *x;
	struct reader *rd;
	struct reach *h;
	struct id nowhere = {{1}};
	unsigned missing = 0;
	struct err e;

	make_tree(w);
	unit_rand_fill(&seed, data, 1 << 20);
	world_write(w, "big", data, 1 << 20);
	x = load(w, world_backup(w, "h", NULL));
	OK(op_stats(w->repo, NULL, &w->ctx, &r, &e));
	assert_int_equal(r.snapshots, 1);
	assert_int_equal(r.files, 4);
	assert_int_equal(r.dead_bytes, 0);
	assert_int_equal(r.dead_in_live, 0);
	assert_true(r.plain_bytes > 1 << 20 && r.pack_bytes > 1 << 20);
	assert_true(r.stored_bytes > r.pack_bytes + r.index_bytes);
	all = r.blobs;
	rd = reader_new(w->repo);
	h = reach_new(w->repo);
	OK(reach_snapshot(h, rd, x, &w->ctx, NULL, NULL, &e));
	assert_int_equal(reach_count(h), all);
	assert_false(reach_has(h, all + 100));
	OK(reach_tree(h, rd, &nowhere, &w->ctx, count_missing, &missing, &e));
	assert_int_equal(missing, 1);
	assert_int_equal(reach_tree(h, rd, &nowhere, &w->ctx, NULL, NULL, &e), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
	reach_free(h);
	reader_free(rd);
	OK(snapshot_del(w->repo, &x->id, &e));
	OK(op_stats(w->repo, NULL, &w->ctx, &r, &e));
	assert_int_equal(r.snapshots, 0);
	assert_true(r.dead_bytes > 1 << 20);
	assert_int_equal(r.dead_in_live, 0);
	free(data);
	snapshot_free(x);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ls_visits_in_tree_order),
	    cmocka_unit_test(find_sees_every_snapshot),
	    cmocka_unit_test(cat_gives_holes_as_zeros),
	    cmocka_unit_test(diff_tells_each_change),
	    cmocka_unit_test(stats_and_reach_know_what_is_needed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
