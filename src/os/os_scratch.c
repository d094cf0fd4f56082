/* os_scratch: see os_scratch.h. */
#include "os/os_scratch.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/os.h"
#include "os/os_child.h"

enum { FOLDERS_OPEN = 16 };

static _Thread_local bool let_in_one; /* nftw takes no argument for its callback */

static int let_in(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)ftw;
	if ((type != FTW_D && type != FTW_DNR) || (st->st_mode & S_IRWXU) == S_IRWXU)
		return 0;
	let_in_one = true;
	return chmod(path, S_IRWXU);
}

int os_scratch_open(const char *path, struct err *e)
{
	/* One that could not be looked into can be the next time. */
	do {
		let_in_one = false;
		if (nftw(path, let_in, FOLDERS_OPEN, FTW_PHYS) == -1)
			return err_sys(e, "%s", path);
	} while (let_in_one);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

int os_scratch_remove(const char *path, struct err *e)
{
	if (os_scratch_open(path, e) == -1 ||
	    nftw(path, remove_one, FOLDERS_OPEN, FTW_PHYS | FTW_DEPTH) == -1)
		return err_sys(e, "remove %s", path);
	return 0;
}

/* "PREFIX-PID-XXXXXX" of a process that is no more. */
static bool is_left(const char *name, const char *prefix)
{
	size_t n = strlen(prefix);
	char *end;
	int64_t pid;

	if (strncmp(name, prefix, n) != 0 || name[n] != '-')
		return false;
	pid = strtoll(name + n + 1, &end, 10);
	return pid > 1 && *end == '-' && !os_process_lives(pid, INT64_MAX);
}

static void sweep(const char *dir, const char *prefix)
{
	DIR *d = opendir(dir);
	struct dirent *de;
	struct err ignored;

	while (d != NULL && (de = readdir(d)) != NULL)
		if (is_left(de->d_name, prefix)) {
			char *path = mem_printf("%s/%s", dir, de->d_name);

			(void)!os_scratch_remove(path, &ignored);
			free(path);
		}
	if (d != NULL)
		closedir(d);
}

char *os_scratch_new(const char *dir, const char *prefix, struct err *e)
{
	char *path;

	if (os_mkdirs(dir, 0700, e) == -1)
		return NULL;
	sweep(dir, prefix);
	path = mem_printf("%s/%s-%d-XXXXXX", dir, prefix, (int)getpid());
	if (mkdtemp(path) != NULL)
		return path;
	err_sys(e, "make a folder in %s", dir);
	free(path);
	return NULL;
}
