/*
 * job_look: is there what should be backed up?
 *
 * A disk that is not mounted looks like an empty folder, and a backup of it like a success: that
 * is what these looks are for.
 */
#include "daemon/job_internal.h"

#include <errno.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/mem.h"
#include "os/os.h"

enum { DEPTH_MAX = 200, ROOM_LEAST = 64 << 20 };

static int is_there(const char *path, struct stat *st, struct err *e)
{
	if (os_fstatat(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	err_sys(e, "source %s", path);
	return err_hint(e, "is its disk mounted? A path that may be missing is no source");
}

/* Some file systems do not say in a listing what a name is. */
static bool is_folder(int dir, const struct dirent *en)
{
	struct stat st;

	if (en->d_type != DT_UNKNOWN)
		return en->d_type == DT_DIR;
	return os_fstatat(dir, en->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* Files below the folder, no more than are asked for; what cannot be read backup will tell. */
static uint64_t count_files(int dir, const char *name, uint64_t most, int depth)
{
	int fd = os_openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	DIR *d = fd == -1 ? NULL : fdopendir(fd);
	const struct dirent *en;
	uint64_t n = 0;

	if (d == NULL) {
		os_close(fd);
		return 0;
	}
	while (n < most && (en = readdir(d)) != NULL) {
		if (strcmp(en->d_name, ".") == 0 || strcmp(en->d_name, "..") == 0)
			continue;
		if (is_folder(dirfd(d), en) && depth < DEPTH_MAX)
			n += count_files(dirfd(d), en->d_name, most - n, depth + 1);
		else if (!is_folder(dirfd(d), en))
			n++;
	}
	closedir(d);
	return n;
}

/* So many are enough to know: what is excluded is counted, too. */
static int count_sources(struct job *j, uint64_t most, uint64_t *n, struct err *e)
{
	const struct world_system *s = j->p->system;

	*n = 0;
	for (size_t i = 0; i < s->sources.n; i++) {
		const struct world_source *src = (const struct world_source *)s->sources.v + i;

		for (size_t k = 0; k < src->files.paths.n; k++) {
			const char *path = src->files.paths.v[k];
			struct stat st;

			if (is_there(path, &st, e) == -1)
				return -1;
			if (!S_ISDIR(st.st_mode))
				++*n;
			else if (*n < most)
				*n += count_files(AT_FDCWD, path, most - *n, 0);
		}
	}
	return 0;
}

static int look_at_sources(struct job *j, struct err *e)
{
	const struct world_system *s = j->p->system;
	uint64_t half = j->p->last_files / 2, n;

	if (s->may_shrink || half == 0)
		half = 1;
	if (count_sources(j, half, &n, e) == -1)
		return -1;
	/* Of a server's files nobody knows how many there are before it is asked. */
	if (world_source_of(s, WORLD_POSTGRESQL) != NULL || world_source_of(s, WORLD_DUMP) != NULL)
		half = 0;
	if (n == 0 && !s->may_be_empty && world_source_of(s, WORLD_FILES) != NULL) {
		err_set(e, ERR_ABSENT, "%s holds no file", s->item.name);
		return err_hint(e, "is its disk mounted? If it may be empty: may_be_empty: yes");
	}
	if (n >= half || n == 0)
		return 0;
	err_set(e, ERR_ABSENT, "%s has %llu files, less than half of the %llu of its last backup",
	    s->item.name, (unsigned long long)n, (unsigned long long)j->p->last_files);
	return err_hint(e,
	    "is all of it mounted? If it is right: holdfast backup --system %s; "
	    "if it often shrinks: may_shrink: yes",
	    s->item.name);
}

/* Room for as much as the last one stored, and a little more. */
static int look_at_room(struct job *j, const struct world_repository *r, struct err *e)
{
	const char *path = strncmp(r->url, "fs:", 3) == 0 ? r->url + 3 : r->url;
	uint64_t need = j->p->last_stored + ROOM_LEAST, has;
	struct statvfs v;

	if (path[0] != '/' || statvfs(path, &v) == -1)
		return 0; /* not here, or the backup says why */
	has = (uint64_t)v.f_bavail * v.f_frsize;
	if (has >= need)
		return 0;
	err_set(e, ERR_NO_SPACE, "%s has %llu MiB left, and %llu may be needed", r->item.name,
	    (unsigned long long)(has >> 20), (unsigned long long)(need >> 20));
	return err_hint(e, "make room: holdfast -r %s prune, or keep less", r->item.name);
}

int job_look(struct job *j, struct err *e)
{
	const struct world_repository **to;
	size_t n, full = 0;
	struct err why;

	if (look_at_sources(j, e) == -1)
		return -1;
	to = mem_alloc((j->tier->destinations.n + 1) * sizeof(void *));
	n = world_written(j->p->world, j->tier, to);
	for (size_t i = 0; i < n; i++) {
		if (look_at_room(j, to[i], &why) == 0)
			continue;
		full++;
		*e = why;
		if (n > 1)
			job_warn(j, "look", &why);
	}
	free(to);
	return full == n ? -1 : 0;
}
