/* store_suite: see store_suite.h. */
#include "suite/store_suite.h"

#include <dirent.h>
#include <ftw.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "store/store_cold.h"
#include "store/store_drivers.h"

#define OK(call)          check_ok((call), &t->e, #call, __LINE__)
#define FAILS(call, kind) check_fails((call), (kind), &t->e, #call, __LINE__)

static const struct store_suite *driver;

struct t {
	char *dir, *place;
	struct store *s;
	struct err e;
	int fds;
};

static int open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

static void check_ok(int rc, const struct err *e, const char *what, int line)
{
	if (rc != 0)
		fail_msg("line %d: %s: %s", line, what, e->msg);
}

static void check_fails(int rc, enum err_kind kind, const struct err *e, const char *what, int line)
{
	if (rc == 0)
		fail_msg("line %d: %s succeeded", line, what);
	if (e->kind != kind)
		fail_msg(
		    "line %d: %s: wrong kind %s: %s", line, what, err_info(e->kind)->name, e->msg);
}

static int setup(void **state)
{
	const char *tmp = getenv("TMPDIR");
	struct t *t = mem_zalloc(sizeof *t);

	t->dir = mem_printf("%s/hf-store-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(t->dir));
	t->place = mem_printf("%s/repo", t->dir);
	t->fds = open_fds();
	t->s = driver->open(t->place, true);
	assert_non_null(t->s);
	*state = t;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	return remove(path);
}

static int teardown(void **state)
{
	struct t *t = *state;

	store_close(t->s);
	assert_int_equal(open_fds(), t->fds);
	nftw(t->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(t->dir);
	free(t->place);
	free(t);
	return 0;
}

static void reopen(struct t *t)
{
	store_close(t->s);
	t->s = driver->open(t->place, false);
	assert_non_null(t->s);
}

static int put(struct t *t, const char *key, const char *text, unsigned flags)
{
	return store_put(t->s, key, span_str(text), flags, &t->e);
}

static void holds(struct t *t, const char *key, const char *text)
{
	struct buf b = {0};

	OK(store_get_all(t->s, key, 1 << 20, &b, &t->e));
	assert_int_equal(b.n, strlen(text));
	assert_memory_equal(b.p, text, b.n);
	buf_fini(&b);
}

static void is_absent(struct t *t, const char *key)
{
	struct store_stat st;
	char c;

	FAILS(store_stat(t->s, key, &st, &t->e), ERR_ABSENT);
	FAILS(store_get(t->s, key, 0, &c, 0, &t->e), ERR_ABSENT);
	FAILS(store_get(t->s, key, 0, &c, 1, &t->e), ERR_ABSENT);
}

struct keys {
	char **v;
	size_t n;
};

static int collect(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	struct keys *k = arg;

	assert_true(st->class < STORE_CLASSES);
	assert_int_equal(st->class_ns == 0, st->class == STORE_CLASS_USUAL);
	k->v = mem_realloc(k->v, (k->n + 1) * sizeof *k->v);
	k->v[k->n++] = mem_strdup(key);
	return 0;
}

static size_t count(const struct keys *k, const char *key)
{
	size_t n = 0;

	for (size_t i = 0; i < k->n; i++)
		n += strcmp(k->v[i], key) == 0;
	return n;
}

static void keys_fini(struct keys *k)
{
	for (size_t i = 0; i < k->n; i++)
		free(k->v[i]);
	free(k->v);
	*k = (struct keys){0};
}

/* ---- put, get, stat, del ---- */

static void get_finds_what_was_put(void **state)
{
	struct t *t = *state;
	char mid[3];

	OK(put(t, "config", "one", 0));
	OK(put(t, "packs/ab/abc", "hello", STORE_NEW));
	holds(t, "config", "one");
	holds(t, "packs/ab/abc", "hello");
	OK(store_get(t->s, "packs/ab/abc", 1, mid, 3, &t->e));
	assert_memory_equal(mid, "ell", 3);
	reopen(t);
	holds(t, "config", "one");
	holds(t, "packs/ab/abc", "hello");
}

static void put_replaces_whole(void **state)
{
	struct t *t = *state;

	OK(put(t, "config", "a long first content", 0));
	OK(put(t, "config", "short", 0));
	holds(t, "config", "short");
	OK(put(t, "keys/a", "first", 0));
	holds(t, "keys/a", "first");
	OK(put(t, "keys/a", "second", 0));
	holds(t, "keys/a", "second");
}

static void put_repair_replaces_what_is_there_and_brings_nothing_back(void **state)
{
	struct t *t = *state;

	OK(put(t, "packs/ab/abc", "what it shoulb be, and more", STORE_NEW));
	OK(store_put_repair(t->s, "packs/ab/abc", span_str("what it should be"), &t->e));
	holds(t, "packs/ab/abc", "what it should be");
	reopen(t);
	holds(t, "packs/ab/abc", "what it should be");
	OK(store_put_repair(t->s, "packs/ab/abc", span_str(""), &t->e));
	holds(t, "packs/ab/abc", "");
	FAILS(store_put_repair(t->s, "packs/ab/gone", span_str("x"), &t->e), ERR_ABSENT);
	is_absent(t, "packs/ab/gone");
}

static void put_new_never_replaces(void **state)
{
	struct t *t = *state;

	OK(put(t, "packs/a", "one", STORE_NEW));
	FAILS(put(t, "packs/a", "two", STORE_NEW), ERR_EXISTS);
	assert_non_null(strstr(t->e.msg, "put packs/a"));
	assert_non_null(strstr(t->e.msg, t->s->url));
	holds(t, "packs/a", "one");
	OK(store_del(t->s, "packs/a", &t->e));
	OK(put(t, "packs/a", "two", STORE_NEW));
	holds(t, "packs/a", "two");
}

static int nobody(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	return 0;
}

static void success_leaves_no_error(void **state)
{
	struct t *t = *state;
	struct store_stat st;

	memset(&t->e, 0, sizeof t->e);
	OK(store_del(t->s, "never/there", &t->e));
	OK(store_put(t->s, "snapshots/a", span_str("1"), STORE_NEW, &t->e));
	OK(store_put(t->s, "snapshots/a", span_str("2"), 0, &t->e));
	OK(store_stat(t->s, "snapshots/a", &st, &t->e));
	OK(store_list(t->s, "nothing/", nobody, NULL, &t->e));
	OK(store_list(t->s, "", nobody, NULL, &t->e));
	OK(store_del(t->s, "snapshots/a", &t->e));
	OK(store_del(t->s, "snapshots/a", &t->e));
	OK(store_sync(t->s, &t->e));
	assert_int_equal(t->e.kind, ERR_NONE);
}

static void get_beyond_the_end_is_corrupt(void **state)
{
	struct t *t = *state;
	char b[8];

	OK(put(t, "index/a", "hello", 0));
	OK(store_get(t->s, "index/a", 5, b, 0, &t->e));
	FAILS(store_get(t->s, "index/a", 6, b, 0, &t->e), ERR_CORRUPT);
	FAILS(store_get(t->s, "index/a", 0, b, 6, &t->e), ERR_CORRUPT);
	FAILS(store_get(t->s, "index/a", 4, b, 2, &t->e), ERR_CORRUPT);
	FAILS(store_get(t->s, "index/a", UINT64_MAX, b, 2, &t->e), ERR_CORRUPT);
	FAILS(store_get(t->s, "index/a", INT64_MAX, b, 2, &t->e), ERR_CORRUPT);
}

static void absent_is_absent(void **state)
{
	struct t *t = *state;
	struct buf b = {0};

	is_absent(t, "nothing");
	is_absent(t, "packs/00/nothing");
	OK(put(t, "packs/00/x", "x", 0));
	is_absent(t, "packs/00/nothing");
	is_absent(t, "packs/00"); /* a folder, if there are such, is no object */
	FAILS(store_get_all(t->s, "nothing", 10, &b, &t->e), ERR_ABSENT);
	assert_int_equal(b.n, 0);
	buf_fini(&b);
}

static void get_all_refuses_more_than_allowed(void **state)
{
	struct t *t = *state;
	struct buf b = {0};

	OK(put(t, "a", "hello", 0));
	FAILS(store_get_all(t->s, "a", 4, &b, &t->e), ERR_CORRUPT);
	assert_int_equal(b.n, 0);
	buf_put(&b, "> ", 2);
	OK(store_get_all(t->s, "a", 5, &b, &t->e));
	assert_string_equal(buf_cstr(&b), "> hello");
	buf_fini(&b);
}

static void deleting_twice_is_one_deletion(void **state)
{
	struct t *t = *state;
	char c;

	OK(put(t, "packs/a", "one", 0));
	OK(store_get(t->s, "packs/a", 0, &c, 1, &t->e));
	OK(store_del(t->s, "packs/a", &t->e));
	is_absent(t, "packs/a");
	OK(store_del(t->s, "packs/a", &t->e));
	OK(store_del(t->s, "never/was", &t->e));
	OK(put(t, "packs/b", "two", 0));
	OK(store_del(t->s, "packs", &t->e));
	holds(t, "packs/b", "two");
	OK(store_sync(t->s, &t->e));
}

static void stat_tells_size_and_time(void **state)
{
	struct t *t = *state;
	struct store_stat a, b;

	OK(put(t, "x/a", "hello", 0));
	OK(store_stat(t->s, "x/a", &a, &t->e));
	assert_int_equal(a.size, 5);
	assert_true(a.mtime_ns > INT64_C(1500000000) * 1000000000);
	OK(put(t, "x/b", "", 0));
	OK(store_stat(t->s, "x/b", &b, &t->e));
	assert_int_equal(b.size, 0);
	assert_true(b.mtime_ns >= a.mtime_ns);
	/* All of it is told, whatever was there. */
	memset(&a, 0xff, sizeof a);
	OK(t->s->ops->stat(t->s, "x/a", &a, &t->e));
	assert_int_equal(a.class, STORE_CLASS_USUAL);
	assert_int_equal(a.class_ns, 0);
}

static void an_empty_object_is_there(void **state)
{
	struct t *t = *state;
	struct keys k = {0};

	OK(put(t, "marks/e", "", STORE_NEW));
	holds(t, "marks/e", "");
	FAILS(put(t, "marks/e", "", STORE_NEW), ERR_EXISTS);
	OK(store_list(t->s, "marks/", collect, &k, &t->e));
	assert_int_equal(count(&k, "marks/e"), 1);
	keys_fini(&k);
}

static uint8_t *pattern(size_t n, unsigned seed)
{
	uint8_t *p = mem_alloc(n);
	uint32_t x = seed * 2654435761u + 1;

	for (size_t i = 0; i < n; i++) {
		x = x * 1664525 + 1013904223;
		p[i] = (uint8_t)(x >> 24);
	}
	return p;
}

static void large_objects_come_back(void **state)
{
	struct t *t = *state;

	for (unsigned mib = 1; mib <= 8; mib *= 2) {
		size_t n = ((size_t)mib << 20) + mib - 1;
		uint8_t *p = pattern(n, mib), part[100];
		char *key = mem_printf("packs/%u", mib);
		struct buf b = {0};

		OK(store_put(t->s, key, span_of(p, n), STORE_NEW, &t->e));
		OK(store_get_all(t->s, key, n, &b, &t->e));
		assert_int_equal(b.n, n);
		assert_true(memcmp(b.p, p, n) == 0);
		OK(store_get(t->s, key, n - 100, part, 100, &t->e));
		assert_memory_equal(part, p + n - 100, 100);
		buf_fini(&b);
		free(key);
		free(p);
	}
}

static void keys_are_validated(void **state)
{
	static const char *const bad[] = {"", "/", "/a", "a/", "a//b", ".", "..", "a/..", "../a",
	    "a/../b", "a/./b", ".a", "a/.b", "a b", "a\tb", "a\nb", "a\\b", "a:b", "a*", "\xc3\xa4",
	    "a\x01", "tmp", "tmp/a"};
	static const char *const good[] = {"a", "a/b", "a/b/c/d", "A-Z_0.9", "a..b", "a.", "-", "_",
	    "tmp0", "a/tmp", "tm", "tmpfoo/a"};
	struct t *t = *state;
	struct store_stat st;
	struct store_upload *up;
	char c, longest[300];

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_false(store_key_valid(bad[i]));
		FAILS(put(t, bad[i], "x", 0), ERR_USAGE);
		FAILS(store_get(t->s, bad[i], 0, &c, 1, &t->e), ERR_USAGE);
		FAILS(store_stat(t->s, bad[i], &st, &t->e), ERR_USAGE);
		FAILS(store_del(t->s, bad[i], &t->e), ERR_USAGE);
		OK(store_begin(t->s, &up, &t->e));
		FAILS(store_commit(up, bad[i], 0, &t->e), ERR_USAGE);
	}
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_true(store_key_valid(good[i]));
	memset(longest, 'k', sizeof longest);
	longest[256] = '\0';
	FAILS(put(t, longest, "x", 0), ERR_USAGE);
	longest[255] = '\0';
	OK(put(t, longest, "x", 0));
	holds(t, longest, "x");
}

/* ---- list ---- */

static void list_visits_each_key_once(void **state)
{
	struct t *t = *state;
	struct keys k = {0};
	char key[64];

	OK(put(t, "config", "c", 0));
	for (int i = 0; i < 40; i++) {
		snprintf(key, sizeof key, "packs/%02x/%d", i % 7, i);
		OK(put(t, key, "p", 0));
	}
	OK(store_list(t->s, "", collect, &k, &t->e));
	assert_int_equal(k.n, 41);
	assert_int_equal(count(&k, "config"), 1);
	for (int i = 0; i < 40; i++) {
		snprintf(key, sizeof key, "packs/%02x/%d", i % 7, i);
		assert_int_equal(count(&k, key), 1);
	}
	keys_fini(&k);
}

static void list_keeps_to_its_prefix(void **state)
{
	struct t *t = *state;
	struct keys k = {0};

	OK(put(t, "a/1", "", 0));
	OK(put(t, "a/b/2", "", 0));
	OK(put(t, "ab/3", "", 0));
	OK(put(t, "a-b/4", "", 0));
	OK(put(t, "z", "", 0));
	OK(store_list(t->s, "a/", collect, &k, &t->e));
	assert_int_equal(k.n, 2);
	assert_int_equal(count(&k, "a/1") + count(&k, "a/b/2"), 2);
	keys_fini(&k);
	OK(store_list(t->s, "a/b/", collect, &k, &t->e));
	assert_int_equal(k.n, 1);
	keys_fini(&k);
	OK(store_list(t->s, "none/", collect, &k, &t->e));
	OK(store_list(t->s, "z/", collect, &k, &t->e));
	assert_int_equal(k.n, 0);
	FAILS(store_list(t->s, "a", collect, &k, &t->e), ERR_USAGE);
	FAILS(store_list(t->s, "/", collect, &k, &t->e), ERR_USAGE);
	FAILS(store_list(t->s, "../", collect, &k, &t->e), ERR_USAGE);
}

static int check_size(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	struct store_stat *got = arg;

	*got = *st;
	return 0;
}

static void list_tells_size_and_time(void **state)
{
	struct t *t = *state;
	struct store_stat listed = {0}, st;

	OK(put(t, "a/1", "hello", 0));
	OK(store_list(t->s, "a/", check_size, &listed, &t->e));
	OK(store_stat(t->s, "a/1", &st, &t->e));
	assert_int_equal(listed.size, 5);
	assert_int_equal(listed.mtime_ns, st.mtime_ns);
}

static int stop_at_second(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	return ++*(int *)arg == 2 ? err_set(e, ERR_BUSY, "enough") : 0;
}

static void a_visitor_s_error_ends_the_list(void **state)
{
	struct t *t = *state;
	int n = 0;

	OK(put(t, "a/1", "", 0));
	OK(put(t, "a/2", "", 0));
	OK(put(t, "a/3", "", 0));
	FAILS(store_list(t->s, "", stop_at_second, &n, &t->e), ERR_BUSY);
	assert_int_equal(n, 2);
}

static int delete_it(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	struct t *t = arg;

	return store_del(t->s, key, e) == 0 ? put(t, "other/new", "", 0) : -1;
}

static void a_visitor_may_put_and_delete(void **state)
{
	struct t *t = *state;
	char key[32];

	for (int i = 0; i < 30; i++) {
		snprintf(key, sizeof key, "a/%d/%d", i % 3, i);
		OK(put(t, key, "", 0));
	}
	OK(store_list(t->s, "a/", delete_it, t, &t->e));
	for (int i = 0; i < 30; i++) {
		snprintf(key, sizeof key, "a/%d/%d", i % 3, i);
		is_absent(t, key);
	}
	holds(t, "other/new", "");
}

/* ---- uploads ---- */

static struct store_upload *upload(struct t *t, const char *text)
{
	struct store_upload *up = NULL;

	OK(store_begin(t->s, &up, &t->e));
	for (const char *p = text; *p; p++)
		OK(store_append(up, span_of(p, 1), &t->e));
	return up;
}

static void a_committed_upload_is_an_object(void **state)
{
	struct t *t = *state;
	struct store_upload *a = upload(t, "hello"), *b = upload(t, "world");

	is_absent(t, "packs/a");
	OK(store_commit(b, "packs/b", STORE_NEW, &t->e));
	OK(store_commit(a, "packs/a", 0, &t->e));
	holds(t, "packs/a", "hello");
	holds(t, "packs/b", "world");
	FAILS(store_commit(upload(t, "other"), "packs/b", STORE_NEW, &t->e), ERR_EXISTS);
	holds(t, "packs/b", "world");
	OK(store_commit(upload(t, ""), "packs/c", STORE_NEW, &t->e));
	holds(t, "packs/c", "");
}

static void abort_leaves_nothing(void **state)
{
	struct t *t = *state;
	struct keys k = {0};

	store_abort(upload(t, "hello"));
	store_abort(upload(t, ""));
	store_abort(NULL);
	OK(store_sync(t->s, &t->e));
	OK(store_list(t->s, "", collect, &k, &t->e));
	assert_int_equal(k.n, 0);
}

static void a_large_upload_comes_back(void **state)
{
	enum { N = 5 << 20 };
	struct t *t = *state;
	struct store_upload *up;
	struct buf b = {0};
	uint8_t *p = pattern(N, 7);

	OK(store_begin(t->s, &up, &t->e));
	for (size_t off = 0; off < N;) {
		size_t n = N - off < 300001 ? N - off : 300001;

		OK(store_append(up, span_of(p + off, n), &t->e));
		off += n;
	}
	OK(store_commit(up, "packs/big", STORE_NEW | STORE_LAZY, &t->e));
	OK(store_sync(t->s, &t->e));
	OK(store_get_all(t->s, "packs/big", N, &b, &t->e));
	assert_int_equal(b.n, N);
	assert_true(memcmp(b.p, p, N) == 0);
	buf_fini(&b);
	free(p);
}

static void lazy_commits_are_there_after_sync(void **state)
{
	struct t *t = *state;
	char key[32];

	for (int i = 0; i < 20; i++) {
		snprintf(key, sizeof key, "packs/%02d/%d", i % 5, i);
		OK(store_commit(upload(t, key), key, STORE_LAZY, &t->e));
		if (driver->lazy_hides)
			is_absent(t, key);
		if (i % 2) {
			OK(store_sync(t->s, &t->e));
			holds(t, key, key);
		}
	}
	OK(store_sync(t->s, &t->e));
	OK(store_sync(t->s, &t->e));
	for (int i = 0; i < 20; i++) {
		snprintf(key, sizeof key, "packs/%02d/%d", i % 5, i);
		holds(t, key, key);
	}
	OK(put(t, "lazy/put", "x", STORE_LAZY | STORE_NEW));
	OK(store_sync(t->s, &t->e));
	holds(t, "lazy/put", "x");
}

/* A store that uploads meanwhile learns it as late as in sync, and tells it once. */
static void taken_now_or_in_sync(struct t *t, const char *data, const char *key, unsigned flags)
{
	if (store_commit(upload(t, data), key, flags, &t->e) == 0)
		FAILS(store_sync(t->s, &t->e), ERR_EXISTS);
	else
		assert_int_equal(t->e.kind, ERR_EXISTS);
}

static void lazy_commits_never_replace_new(void **state)
{
	struct t *t = *state;
	unsigned flags = STORE_LAZY | STORE_NEW;

	OK(put(t, "packs/a", "one", 0));
	taken_now_or_in_sync(t, "two", "packs/a", flags);
	OK(store_sync(t->s, &t->e));
	holds(t, "packs/a", "one");
	OK(store_commit(upload(t, "three"), "packs/b", flags, &t->e));
	taken_now_or_in_sync(t, "four", "packs/b", flags);
	OK(store_sync(t->s, &t->e));
	holds(t, "packs/b", "three");
}

static void a_name_taken_before_sync_is_told_once(void **state)
{
	struct t *t = *state;
	unsigned flags = STORE_LAZY | STORE_NEW;

	if (!driver->lazy_hides)
		return;
	OK(store_commit(upload(t, "lazy"), "packs/a", flags, &t->e));
	OK(store_commit(upload(t, "fine"), "packs/b", flags, &t->e));
	OK(put(t, "packs/a", "first", STORE_NEW));
	FAILS(store_sync(t->s, &t->e), ERR_EXISTS);
	assert_non_null(strstr(t->e.msg, "packs/a"));
	holds(t, "packs/a", "first");
	holds(t, "packs/b", "fine");
	OK(store_sync(t->s, &t->e));
}

static void what_was_not_synced_is_gone_after_close(void **state)
{
	struct t *t = *state;

	if (!driver->lazy_closes)
		return;
	OK(store_commit(upload(t, "lost"), "packs/a", STORE_LAZY, &t->e));
	reopen(t);
	OK(store_sync(t->s, &t->e));
	is_absent(t, "packs/a");
}

/* ---- threads: failures are counted, since cmocka's checks belong to its own thread ---- */

enum { THREADS = 6, ROUNDS = 40 };

struct crew {
	struct t *t;
	_Atomic int wrong, won, next;
	_Atomic bool stop;
	pthread_barrier_t start;
};

static void together(struct crew *c, void *(*f)(void *), int n)
{
	pthread_t th[THREADS];

	pthread_barrier_init(&c->start, NULL, (unsigned)n);
	for (int i = 0; i < n; i++)
		assert_int_equal(pthread_create(&th[i], NULL, f, c), 0);
	for (int i = 0; i < n; i++)
		pthread_join(th[i], NULL);
	pthread_barrier_destroy(&c->start);
	assert_int_equal(c->wrong, 0);
}

static void *put_and_get_own(void *arg)
{
	struct crew *c = arg;
	int me = atomic_fetch_add(&c->next, 1);
	struct store *s = c->t->s;
	char key[64], got[64];
	struct err e;

	pthread_barrier_wait(&c->start);
	for (int i = 0; i < ROUNDS; i++) {
		struct store_upload *up;

		snprintf(key, sizeof key, "packs/%02x/%d-%d", i % 16, me, i);
		if (i % 2) {
			c->wrong += store_put(s, key, span_str(key), STORE_NEW, &e) != 0;
		} else {
			c->wrong += store_begin(s, &up, &e) != 0;
			c->wrong += store_append(up, span_str(key), &e) != 0;
			c->wrong += store_commit(up, key, STORE_NEW | STORE_LAZY, &e) != 0;
			c->wrong += store_sync(s, &e) != 0;
		}
		c->wrong += store_get(s, key, 0, got, strlen(key), &e) != 0 ||
			    memcmp(got, key, strlen(key)) != 0;
	}
	return NULL;
}

static void threads_put_and_get_their_own(void **state)
{
	struct crew c = {.t = *state};

	together(&c, put_and_get_own, THREADS);
}

static void *put_same(void *arg)
{
	struct crew *c = arg;
	struct store *s = c->t->s;
	char key[64], text[64], got[64];
	int me = atomic_fetch_add(&c->next, 1);
	struct err e;

	for (int i = 0; i < ROUNDS; i++) {
		snprintf(key, sizeof key, "packs/%d/%d", i % 3, i);
		snprintf(text, sizeof text, "from %d", me);
		pthread_barrier_wait(&c->start);
		if (store_put(s, key, span_str(text), STORE_NEW, &e) == 0)
			c->won++;
		else
			c->wrong += e.kind != ERR_EXISTS;
		c->wrong += store_get(s, key, 0, got, 6, &e) != 0 || memcmp(got, "from ", 5) != 0;
	}
	return NULL;
}

static void one_of_many_puts_of_a_new_key_wins(void **state)
{
	struct crew c = {.t = *state};

	together(&c, put_same, THREADS);
	assert_int_equal(c.won, ROUNDS);
}

static void *come_and_go(void *arg)
{
	struct crew *c = arg;
	int me = atomic_fetch_add(&c->next, 1);
	struct err e;
	char key[64];

	for (int i = 0; !c->stop; i++) {
		snprintf(key, sizeof key, "packs/%02x/gone-%d-%d", i % 8, me, i % 50);
		c->wrong += store_put(c->t->s, key, span_str(key), 0, &e) != 0;
		c->wrong += store_del(c->t->s, key, &e) != 0;
	}
	return NULL;
}

static void list_is_exact_while_others_come_and_go(void **state)
{
	struct t *t = *state;
	struct crew c = {.t = t};
	pthread_t th[2];
	int wrong = 0;
	char key[64];

	for (int i = 0; i < 64; i++) {
		snprintf(key, sizeof key, "packs/%02x/stays-%d", i % 8, i);
		OK(put(t, key, "", 0));
	}
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&th[i], NULL, come_and_go, &c), 0);
	for (int round = 0; round < 20; round++) {
		struct keys k = {0};

		wrong += store_list(t->s, "packs/", collect, &k, &t->e) != 0;
		for (int i = 0; i < 64; i++) {
			snprintf(key, sizeof key, "packs/%02x/stays-%d", i % 8, i);
			wrong += count(&k, key) != 1;
		}
		keys_fini(&k);
	}
	c.stop = true;
	for (int i = 0; i < 2; i++)
		pthread_join(th[i], NULL);
	assert_int_equal(wrong, 0);
	assert_int_equal(c.wrong, 0);
}

static void *read_or_replace(void *arg)
{
	struct crew *c = arg;
	int me = atomic_fetch_add(&c->next, 1);
	struct store *s = c->t->s;
	struct err e;
	char got[4096];

	pthread_barrier_wait(&c->start);
	for (int i = 0; i < 4 * ROUNDS; i++) {
		char key[32], all[sizeof got];

		snprintf(key, sizeof key, "keys/%d", i % 40);
		memset(all, 'a' + me, sizeof all);
		if (me < 2) {
			c->wrong += store_put(s, key, span_of(all, sizeof all), 0, &e) != 0;
		} else if (store_get(s, key, 0, got, sizeof got, &e) == 0) {
			for (size_t j = 1; j < sizeof got; j++)
				c->wrong += got[j] != got[0];
		} else {
			c->wrong += e.kind != ERR_ABSENT;
		}
	}
	return NULL;
}

static void readers_see_whole_objects_while_they_are_replaced(void **state)
{
	struct crew c = {.t = *state};

	together(&c, read_or_replace, THREADS);
}

/* ---- What may be asleep (store_cold.h). */

static void what_cannot_sleep_says_so_and_what_can_is_awake(void **state)
{
	struct t *t = *state;
	struct store_thaw how = {STORE_STANDARD, 1};
	struct store_cold now;

	OK(put(t, "packs/00/a", "hello", 0));
	if (store_can_sleep(t->s)) {
		OK(store_cold_look(t->s, "packs/00/a", &now, &t->e));
		assert_int_equal(now.state, STORE_HOT);
		assert_int_equal(now.size, 5);
		OK(store_cold_thaw(t->s, "packs/00/a", &now, &how, &t->e)); /* nothing to do */
		FAILS(store_cold_look(t->s, "packs/00/b", &now, &t->e), ERR_ABSENT);
	} else {
		FAILS(store_cold_look(t->s, "packs/00/a", &now, &t->e), ERR_UNSUPPORTED);
		FAILS(store_cold_thaw(t->s, "packs/00/a", &now, &how, &t->e), ERR_UNSUPPORTED);
	}
	FAILS(store_cold_look(t->s, "../a", &now, &t->e), ERR_USAGE);
	holds(t, "packs/00/a", "hello");
}

static unsigned listed_class;

static int see_class(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	listed_class = st->class;
	assert_true(st->class_ns >= st->mtime_ns);
	return 0;
}

/* At a place whose packs/ is an archive. */
static void what_sleeps_is_told_listed_and_deleted_and_wakes(void **state)
{
	struct t *t = *state;
	struct store_thaw how = {STORE_STANDARD, 2};
	struct store_cold now;
	struct store_stat st;
	char c[5];

	OK(put(t, "meta/00/a", "hello", 0));
	holds(t, "meta/00/a", "hello");
	OK(put(t, "packs/00/a", "hello", STORE_NEW));
	FAILS(put(t, "packs/00/a", "again", STORE_NEW), ERR_EXISTS);
	FAILS(store_get(t->s, "packs/00/a", 0, c, 5, &t->e), ERR_COLD);
	OK(store_stat(t->s, "packs/00/a", &st, &t->e));
	assert_int_equal(st.size, 5);
	assert_true(store_class_info(st.class)->asleep);
	OK(store_list(t->s, "packs/", see_class, NULL, &t->e));
	assert_int_equal(listed_class, st.class);
	OK(store_cold_look(t->s, "packs/00/a", &now, &t->e));
	assert_int_equal(now.state, STORE_COLD);
	assert_int_equal(now.class, st.class);
	OK(store_cold_thaw(t->s, "packs/00/a", &now, &how, &t->e));
	OK(store_cold_thaw(t->s, "packs/00/a", &now, &how, &t->e)); /* it has been asked */
	for (int n = 0; n < 100000 && now.state != STORE_THAWED && now.state != STORE_HOT; n++)
		OK(store_cold_look(t->s, "packs/00/a", &now, &t->e));
	holds(t, "packs/00/a", "hello");
	OK(put(t, "packs/00/b", "gone", STORE_NEW));
	OK(store_del(t->s, "packs/00/b", &t->e));
	is_absent(t, "packs/00/b");
}

/* Of drivers whose uploads are objects in tmp/ until they get their names. */
static void what_cut_uploads_left_is_swept(void **state)
{
	static const char *const left[] = {
	    "tmp/0123456789abcdef", "tmp/fedcba9876543210", "tmp/0123456789abcdef.0000000024"};
	static const char other[] = "tmp/not-ours";
	struct t *t = *state;
	struct store *under = t->s;
	struct store_stat st;
	struct keys k = {0};
	uint64_t n;

	while (under->under)
		under = under->under;
	if (!under->leaves_uploads)
		return;
	for (int i = 0; i < 3; i++)
		OK(under->ops->put(under, left[i], span_str("x"), 0, &t->e));
	OK(under->ops->put(under, other, span_str("x"), 0, &t->e));
	OK(put(t, "a", "x", 0));
	OK(store_list(t->s, "", collect, &k, &t->e));
	assert_int_equal(k.n, 1);
	keys_fini(&k);
	OK(under->ops->stat(under, left[0], &st, &t->e));
	OK(store_uploads_sweep(t->s, st.mtime_ns - 60 * INT64_C(1000000000), &n, &t->e));
	assert_int_equal(n, 0);
	OK(store_uploads_sweep(t->s, st.mtime_ns + 60 * INT64_C(1000000000), &n, &t->e));
	assert_int_equal(n, 3);
	for (int i = 0; i < 3; i++)
		FAILS(under->ops->stat(under, left[i], &st, &t->e), ERR_ABSENT);
	OK(under->ops->stat(under, other, &st, &t->e));
	holds(t, "a", "x");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static const struct CMUnitTest tests[] = {
    T(get_finds_what_was_put),
    T(put_replaces_whole),
    T(put_repair_replaces_what_is_there_and_brings_nothing_back),
    T(put_new_never_replaces),
    T(success_leaves_no_error),
    T(get_beyond_the_end_is_corrupt),
    T(absent_is_absent),
    T(get_all_refuses_more_than_allowed),
    T(deleting_twice_is_one_deletion),
    T(stat_tells_size_and_time),
    T(an_empty_object_is_there),
    T(large_objects_come_back),
    T(keys_are_validated),
    T(list_visits_each_key_once),
    T(list_keeps_to_its_prefix),
    T(list_tells_size_and_time),
    T(a_visitor_s_error_ends_the_list),
    T(a_visitor_may_put_and_delete),
    T(a_committed_upload_is_an_object),
    T(abort_leaves_nothing),
    T(a_large_upload_comes_back),
    T(lazy_commits_are_there_after_sync),
    T(lazy_commits_never_replace_new),
    T(a_name_taken_before_sync_is_told_once),
    T(what_was_not_synced_is_gone_after_close),
    T(what_cut_uploads_left_is_swept),
    T(what_cannot_sleep_says_so_and_what_can_is_awake),
};

static const struct CMUnitTest cold_tests[] = {
    T(what_sleeps_is_told_listed_and_deleted_and_wakes),
};

static const struct CMUnitTest thread_tests[] = {
    T(threads_put_and_get_their_own),
    T(one_of_many_puts_of_a_new_key_wins),
    T(list_is_exact_while_others_come_and_go),
    T(readers_see_whole_objects_while_they_are_replaced),
};

int store_suite_run(const struct store_suite *d, const char *which)
{
	driver = d;
	if (which && strcmp(which, "cold") == 0)
		return cmocka_run_group_tests_name(d->name, cold_tests, NULL, NULL);
	if (which)
		return cmocka_run_group_tests_name(d->name, thread_tests, NULL, NULL);
	return cmocka_run_group_tests_name(d->name, tests, NULL, NULL);
}
