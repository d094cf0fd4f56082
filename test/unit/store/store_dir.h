/* A temporary folder for tests of directory stores, and what is left in it. */
#ifndef HF_TEST_STORE_DIR_H
#define HF_TEST_STORE_DIR_H

#include <dirent.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "os/os.h"
#include "store/store_drivers.h"

#define OK(call, e)          check_ok((call), (e), #call, __LINE__)
#define FAILS(call, want, e) check_fails((call), (want), (e), #call, __LINE__)

static inline void check_ok(int rc, const struct err *e, const char *what, int line)
{
	if (rc != 0)
		fail_msg("line %d: %s: %s", line, what, e->msg);
}

static inline void check_fails(
    int rc, enum err_kind kind, const struct err *e, const char *what, int line)
{
	if (rc == 0)
		fail_msg("line %d: %s succeeded", line, what);
	if (e->kind != kind)
		fail_msg(
		    "line %d: %s: wrong kind %s: %s", line, what, err_info(e->kind)->name, e->msg);
}

static inline char *dir_make(void)
{
	const char *tmp = getenv("TMPDIR");
	char *dir = mem_printf("%s/hf-store-XXXXXX", tmp && *tmp ? tmp : "/tmp");

	assert_non_null(mkdtemp(dir));
	return dir;
}

static inline int dir_remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	return remove(path);
}

static inline void dir_remove(char *dir)
{
	nftw(dir, dir_remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(dir);
}

/* Entries of a folder but . and ..; 0 if there is none. */
static inline int dir_count(const char *root, const char *sub)
{
	char *path = mem_printf("%s/%s", root, sub);
	DIR *d = opendir(path);
	int n = 0;

	free(path);
	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return d ? n - 2 : 0;
}

static inline int open_fds(void)
{
	return dir_count("/proc/self", "fd");
}

static inline void dir_write(const char *root, const char *name, const char *text)
{
	char *path = mem_printf("%s/%s", root, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	free(path);
}

/* 1 if the object is there and holds text, 0 if it is absent; else fails. */
static inline int whole_or_absent(struct store *s, const char *key, const char *text)
{
	struct buf b = {0};
	struct err e;
	int rc = store_get_all(s, key, 1 << 20, &b, &e);

	if (rc == -1) {
		if (e.kind != ERR_ABSENT)
			fail_msg("%s", e.msg);
		return 0;
	}
	if (!span_eq(buf_span(&b), span_str(text)))
		fail_msg("%s holds something else", key);
	buf_fini(&b);
	return 1;
}

#endif
