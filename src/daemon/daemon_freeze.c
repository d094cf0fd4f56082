/*
 * daemon_freeze: what may be frozen still is told.
 *
 * Each freeze by commands has a note in freeze/ of the state folder (os/os_guard.h): one with
 * something in it and without a lock is of a freeze whose thaw failed, or was lost with its run.
 * It is told once, however it came to that; the next run of that system thaws first.
 */
#include "daemon/daemon_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/os.h"

enum { TOLD_MAX = 64 };

/* By inode and time: a thaw that fails anew is told anew. */
static bool was_told(struct daemon *d, const struct stat *st)
{
	uint64_t id = st->st_ino * UINT64_C(0x9e3779b97f4a7c15) +
		      (uint64_t)st->st_mtim.tv_sec * 1000003 + (uint64_t)st->st_mtim.tv_nsec;

	for (size_t i = 0; i < d->nthaws; i++)
		if (d->thaws[i] == id)
			return true;
	if (d->nthaws == TOLD_MAX)
		d->nthaws = 0;
	d->thaws = mem_realloc(d->thaws, TOLD_MAX * sizeof *d->thaws);
	d->thaws[d->nthaws++] = id;
	return false;
}

static void look(struct daemon *d, int dir, const char *name)
{
	int fd = os_openat(dir, name, O_RDONLY | O_NOFOLLOW, 0);
	const char *dot = strrchr(name, '.');
	char *system = mem_strndup(name, dot ? (size_t)(dot - name) : strlen(name));
	struct stat st;
	struct err e;
	bool busy;

	if (fd != -1 && os_fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
	    os_lock(fd, false, &busy, &e) == 0 && !busy && !was_told(d, &st))
		daemon_tell(d, "thaw.failed", EVENT_ERROR, system, 0,
		    "its source may be frozen still: the thaw failed, or was lost with its run; "
		    "the "
		    "next run tries it first");
	os_close(fd);
	free(system);
}

void daemon_watch_thaws(struct daemon *d)
{
	char *path = mem_printf("%s/freeze", d->p->state_dir);
	int fd = os_open(path, O_RDONLY | O_DIRECTORY, 0);
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	const struct dirent *en;

	free(path);
	if (dir == NULL) {
		os_close(fd);
		return;
	}
	while ((en = readdir(dir)) != NULL)
		if (en->d_name[0] != '.')
			look(d, dirfd(dir), en->d_name);
	closedir(dir);
}
