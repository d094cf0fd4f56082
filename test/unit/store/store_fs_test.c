/* What only a directory store promises: its files, and strangers' ones. */
#include <errno.h>
#include <time.h>

#include "store_dir.h"

struct t {
	char *dir;
	struct store *s;
	struct err e;
};

static int setup(void **state)
{
	struct t *t = mem_zalloc(sizeof *t);

	t->dir = dir_make();
	OK(store_fs_open(t->dir, false, &t->s, &t->e), &t->e);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct t *t = *state;

	store_close(t->s);
	dir_remove(t->dir);
	free(t);
	return 0;
}

static int count_keys(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	++*(int *)arg;
	return 0;
}

static int keys(struct t *t)
{
	int n = 0;

	OK(store_list(t->s, "", count_keys, &n, &t->e), &t->e);
	return n;
}

static void put(struct t *t, const char *key, const char *text)
{
	OK(store_put(t->s, key, span_str(text), STORE_NEW, &t->e), &t->e);
}

static void only_the_owner_sees_anything(void **state)
{
	struct t *t = *state;
	char *path = mem_printf("%s/packs/ab/x", t->dir);
	struct stat st;

	put(t, "packs/ab/x", "x");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 077, 0);
	assert_int_equal(st.st_nlink, 1);
	*strrchr(path, '/') = '\0';
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	free(path);
}

static void list_skips_what_is_not_ours(void **state)
{
	struct t *t = *state;
	char *link = mem_printf("%s/link", t->dir), *odd = mem_printf("%s/lost+found", t->dir);

	put(t, "config", "c");
	put(t, "packs/a", "a");
	OK(store_put(t->s, "lazy", span_str(""), STORE_LAZY, &t->e), &t->e);
	dir_write(t->dir, ".hidden", "");
	dir_write(t->dir, "packs/.nfs0001", "");
	dir_write(t->dir, "tmp/stranger", "");
	dir_write(t->dir, "spaced name", "");
	assert_int_equal(symlink("config", link), 0);
	assert_int_equal(mkdir(odd, 0700), 0);
	dir_write(t->dir, "lost+found/x", "");
	assert_int_equal(keys(t), 2);
	free(link);
	free(odd);
}

static void a_link_is_not_followed(void **state)
{
	struct t *t = *state;
	char *link = mem_printf("%s/keys/link", t->dir);
	struct store_stat st;
	char c;

	put(t, "keys/real", "x");
	assert_int_equal(symlink("/etc/passwd", link), 0);
	assert_int_equal(store_get(t->s, "keys/link", 0, &c, 1, &t->e), -1);
	FAILS(store_stat(t->s, "keys/link", &st, &t->e), ERR_ABSENT, &t->e);
	free(link);
}

static void a_deletion_by_others_is_seen(void **state)
{
	struct t *t = *state;
	struct store *other;
	char got[3];

	put(t, "packs/a", "one");
	OK(store_get(t->s, "packs/a", 0, got, 3, &t->e), &t->e);
	OK(store_fs_open(t->dir, false, &other, &t->e), &t->e);
	OK(store_put(other, "packs/a", span_str("two"), 0, &t->e), &t->e);
	OK(store_get(t->s, "packs/a", 0, got, 3, &t->e), &t->e);
	assert_memory_equal(got, "two", 3);
	OK(store_del(other, "packs/a", &t->e), &t->e);
	FAILS(store_get(t->s, "packs/a", 0, got, 3, &t->e), ERR_ABSENT, &t->e);
	store_close(other);
}

static void reading_keeps_few_files_open(void **state)
{
	struct t *t = *state;
	int before = open_fds();
	char key[32], c;

	for (int i = 0; i < 100; i++) {
		snprintf(key, sizeof key, "packs/%d", i);
		put(t, key, "x");
		OK(store_get(t->s, key, 0, &c, 1, &t->e), &t->e);
	}
	assert_true(open_fds() - before <= 16);
	for (int i = 0; i < 100; i++) {
		snprintf(key, sizeof key, "packs/%d", i);
		OK(store_del(t->s, key, &t->e), &t->e);
	}
	assert_int_equal(open_fds(), before);
}

static void many_lazy_commits_keep_few_files_open(void **state)
{
	struct t *t = *state;
	int before = open_fds();
	char key[32];

	for (int i = 0; i < 300; i++) {
		snprintf(key, sizeof key, "packs/%02x/%d", i % 16, i);
		OK(store_put(t->s, key, span_str("x"), STORE_LAZY, &t->e), &t->e);
	}
	assert_true(open_fds() - before <= 256);
	OK(store_sync(t->s, &t->e), &t->e);
	assert_int_equal(open_fds(), before);
	assert_int_equal(keys(t), 300);
	assert_int_equal(dir_count(t->dir, "tmp"), 0);
}

static void folders_removed_meanwhile_are_made_again(void **state)
{
	struct t *t = *state;
	char *packs = mem_printf("%s/packs", t->dir), *tmp = mem_printf("%s/tmp", t->dir),
	     *ab = mem_printf("%s/packs/ab", t->dir);

	put(t, "packs/ab/x", "x");
	OK(store_del(t->s, "packs/ab/x", &t->e), &t->e);
	assert_int_equal(rmdir(ab), 0);
	assert_int_equal(rmdir(packs), 0);
	assert_int_equal(rmdir(tmp), 0);
	put(t, "packs/ab/x", "x");
	assert_int_equal(whole_or_absent(t->s, "packs/ab/x", "x"), 1);
	OK(store_sync(t->s, &t->e), &t->e);
	free(packs);
	free(tmp);
	free(ab);
}

static void a_removed_root_is_not_an_absent_object(void **state)
{
	struct t *t = *state;
	struct store_stat st;
	char c;
	int n = 0;

	assert_int_equal(rmdir(t->dir), 0);
	FAILS(store_get(t->s, "a/b", 0, &c, 1, &t->e), ERR_FAILED, &t->e);
	FAILS(store_stat(t->s, "a", &st, &t->e), ERR_FAILED, &t->e);
	FAILS(store_list(t->s, "a/", count_keys, &n, &t->e), ERR_FAILED, &t->e);
	FAILS(store_put(t->s, "a/b", span_str("x"), 0, &t->e), ERR_FAILED, &t->e);
	FAILS(store_del(t->s, "a/b", &t->e), ERR_FAILED, &t->e);
	assert_non_null(strstr(t->e.msg, "removed"));
	assert_true(t->e.hint[0] != '\0');
}

static void an_object_in_the_way_of_a_folder_is_no_absence(void **state)
{
	struct t *t = *state;

	put(t, "a", "x");
	FAILS(store_put(t->s, "a/b", span_str("x"), 0, &t->e), ERR_FAILED, &t->e);
	FAILS(store_put(t->s, "a/b/c", span_str("x"), STORE_NEW, &t->e), ERR_FAILED, &t->e);
	assert_int_equal(dir_count(t->dir, "tmp"), 0);
}

/* Suspended before an object gets its name, for an hour; as its time has it. */
static bool suspend;

int __real_os_linkat(int dir, const char *from, int dir2, const char *to);
int __real_os_renameat(int dir, const char *from, int dir2, const char *to);
int __wrap_os_linkat(int dir, const char *from, int dir2, const char *to);
int __wrap_os_renameat(int dir, const char *from, int dir2, const char *to);

static void hour_passes(int dir, const char *name)
{
	struct timespec then[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = time(NULL) - 3600}};

	if (suspend)
		assert_int_equal(utimensat(dir, name, then, 0), 0);
}

int __wrap_os_linkat(int dir, const char *from, int dir2, const char *to)
{
	hour_passes(dir, from);
	return __real_os_linkat(dir, from, dir2, to);
}

int __wrap_os_renameat(int dir, const char *from, int dir2, const char *to)
{
	hour_passes(dir, from);
	return __real_os_renameat(dir, from, dir2, to);
}

static void an_object_is_as_old_as_its_name(void **state)
{
	struct t *t = *state;
	struct store_stat st;

	suspend = true;
	OK(store_put(t->s, "linked", span_str("x"), STORE_NEW, &t->e), &t->e);
	OK(store_put(t->s, "renamed", span_str("x"), 0, &t->e), &t->e);
	suspend = false;
	OK(store_stat(t->s, "linked", &st, &t->e), &t->e);
	assert_true(st.mtime_ns / 1000000000 > time(NULL) - 60);
	OK(store_stat(t->s, "renamed", &st, &t->e), &t->e);
	assert_true(st.mtime_ns / 1000000000 > time(NULL) - 60);
}

static void sweep_takes_old_temporary_files_of_others(void **state)
{
	struct t *t = *state;
	struct store *wrapped;
	struct store_upload *up;
	char *old = mem_printf("%s/tmp/.tmp-1-0-0123456789abcdef", t->dir);
	struct timespec then[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
	uint64_t n = 7;

	OK(store_tmp_sweep(t->s, 0, &n, &t->e), &t->e);
	assert_int_equal(n, 0);
	OK(store_begin(t->s, &up, &t->e), &t->e);
	dir_write(t->dir, "tmp/.tmp-1-0-0123456789abcdef", "old");
	dir_write(t->dir, "tmp/.tmp-1-1-0123456789abcdef", "young");
	dir_write(t->dir, "tmp/stranger", "");
	assert_int_equal(utimensat(AT_FDCWD, old, then, 0), 0);
	wrapped = store_retry_new(t->s, NULL);
	OK(store_tmp_sweep(wrapped, INT64_C(3600) * 1000000000, &n, &t->e), &t->e);
	assert_int_equal(n, 1);
	assert_int_equal(dir_count(t->dir, "tmp"), 3);
	OK(store_tmp_sweep(wrapped, -INT64_C(3600) * 1000000000, &n, &t->e), &t->e);
	assert_int_equal(n, 1);
	OK(store_commit(up, "a", STORE_NEW, &t->e), &t->e);
	t->s = wrapped;
	free(old);
}

static void sweep_of_other_drivers_does_nothing(void **state)
{
	struct store *s;
	struct err e;
	uint64_t n = 7;

	OK(store_open("mem:sweep", true, NULL, &s, &e), &e);
	OK(store_tmp_sweep(s, 0, &n, &e), &e);
	assert_int_equal(n, 0);
	store_close(s);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(only_the_owner_sees_anything),
	    T(list_skips_what_is_not_ours),
	    T(a_link_is_not_followed),
	    T(a_deletion_by_others_is_seen),
	    T(reading_keeps_few_files_open),
	    T(many_lazy_commits_keep_few_files_open),
	    T(folders_removed_meanwhile_are_made_again),
	    T(a_removed_root_is_not_an_absent_object),
	    T(an_object_in_the_way_of_a_folder_is_no_absence),
	    T(an_object_is_as_old_as_its_name),
	    T(sweep_takes_old_temporary_files_of_others),
	    cmocka_unit_test(sweep_of_other_drivers_does_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
