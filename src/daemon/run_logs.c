/* run_logs: see run_logs.h. */
#include "daemon/run_logs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/os.h"

char *run_log_path(const char *state_dir, int64_t run, struct err *e)
{
	char *dir = mem_printf("%s/log", state_dir), *path = NULL;

	if (os_mkdirs(dir, 0700, e) == 0)
		path = mem_printf("%s/run-%" PRId64 ".log", dir, run);
	free(dir);
	return path;
}

/* The run that a name of this folder is the log of; 0: none. */
static int64_t run_of(const char *name)
{
	char again[64];
	int64_t id;

	if (strncmp(name, "run-", 4) != 0)
		return 0;
	id = strtoll(name + 4, NULL, 10);
	snprintf(again, sizeof again, "run-%" PRId64 ".log", id);
	return id > 0 && strcmp(again, name) == 0 ? id : 0;
}

static int by_id(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static size_t list(DIR *d, int64_t **out)
{
	int64_t *v = NULL;
	size_t n = 0, room = 0;
	struct dirent *de;

	while ((de = readdir(d)) != NULL) {
		int64_t id = run_of(de->d_name);

		if (id == 0)
			continue;
		if (n == room) {
			room = room ? 2 * room : 256;
			v = mem_realloc(v, room * sizeof *v);
		}
		v[n++] = id;
	}
	*out = v;
	return n;
}

int run_logs_trim(const char *state_dir, size_t keep, struct err *e)
{
	char *path = mem_printf("%s/log", state_dir), name[64];
	DIR *d = opendir(path);
	int64_t *ids = NULL;
	size_t n;
	int rc = 0;

	if (d == NULL) {
		rc = errno == ENOENT ? 0 : err_sys(e, "%s", path);
		free(path);
		return rc;
	}
	n = list(d, &ids);
	if (n > keep)
		qsort(ids, n, sizeof *ids, by_id);
	for (size_t i = 0; rc == 0 && i + keep < n; i++) {
		snprintf(name, sizeof name, "run-%" PRId64 ".log", ids[i]);
		if (os_unlinkat(dirfd(d), name, 0) == -1 && errno != ENOENT)
			rc = err_sys(e, "%s/%s", path, name);
	}
	closedir(d);
	free(ids);
	free(path);
	return rc;
}
