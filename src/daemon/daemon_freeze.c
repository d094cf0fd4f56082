/*
 * daemon_freeze: what may be frozen still is thawed, or told.
 *
 * Each freeze by commands has a note in freeze/ of the state folder (os/os_guard.h): one with
 * something in it and without a lock is of a freeze whose thaw failed, or was lost with its run.
 * It is thawed at once, as the note says, by a process of its own, also where its system is
 * declared no more.  If that fails, too, it is told, once; the next run of that system thaws first.
 */
#include "daemon/daemon_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/os.h"
#include "os/os_guard.h"

enum { DONE_MAX = 256 };

enum step { TRIED, TOLD };

/* By inode and time: a thaw that fails anew is told anew. */
static bool was_done(struct daemon *d, const struct stat *st, enum step step)
{
	uint64_t id = st->st_ino * UINT64_C(0x9e3779b97f4a7c15) +
		      (uint64_t)st->st_mtim.tv_sec * 1000003 + (uint64_t)st->st_mtim.tv_nsec;

	id = id * 2 + step;
	for (size_t i = 0; i < d->nthaws; i++)
		if (d->thaws[i] == id)
			return true;
	if (d->nthaws == DONE_MAX)
		d->nthaws = 0;
	d->thaws = mem_realloc(d->thaws, DONE_MAX * sizeof *d->thaws);
	d->thaws[d->nthaws++] = id;
	return false;
}

/* Has it something in it, and nobody at it? */
static bool is_left(int dir, const char *name, struct stat *st)
{
	int fd = os_openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	bool busy = true, left;
	struct err e;

	left = fd != -1 && os_fstat(fd, st) == 0 && S_ISREG(st->st_mode) && st->st_size > 0 &&
	       os_lock(fd, false, &busy, &e) == 0 && !busy;
	os_close(fd);
	return left;
}

static void look(struct daemon *d, const char *path, int dir, const char *name)
{
	const char *dot = strrchr(name, '.');
	char *system = mem_strndup(name, dot ? (size_t)(dot - name) : strlen(name));
	char *note = mem_printf("%s/%s", path, name);
	struct stat st;
	struct err e;

	if (!is_left(dir, name, &st))
		goto out;
	if (!was_done(d, &st, TRIED) && os_guard_thaw_apart(note, &e) == 0)
		daemon_tell(d, "thaw.late", EVENT_WARN, system, 0,
		    "its source was frozen still: the thaw failed, or was lost with its run; it is "
		    "run again now");
	else if (!was_done(d, &st, TOLD))
		daemon_tell(d, "thaw.failed", EVENT_ERROR, system, 0,
		    "its source may be frozen still: the thaw failed, or was lost with its run; "
		    "the "
		    "next run tries it first. Thawed by hand, remove %s",
		    note);
out:
	free(system);
	free(note);
}

void daemon_watch_thaws(struct daemon *d)
{
	char *path = mem_printf("%s/freeze", d->p->state_dir);
	int fd = os_open(path, O_RDONLY | O_DIRECTORY, 0);
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	const struct dirent *en;

	if (dir == NULL)
		os_close(fd);
	while (dir != NULL && (en = readdir(dir)) != NULL)
		if (en->d_name[0] != '.')
			look(d, path, dirfd(dir), en->d_name);
	if (dir != NULL)
		closedir(dir);
	free(path);
}
