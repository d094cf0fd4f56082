/* drill_room: see drill_room.h. */
#include "engine/drill_room.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "crypto/crypto.h"
#include "os/os.h"

enum { FOLDER = O_RDONLY | O_DIRECTORY | O_NOFOLLOW, TRIES = 50, TRY_NS = 20000000, PATH = 4096 };

static const char prefix[] = "drill-";

/* ---- Removing. */

static int remove_at(int dir, const char *name, struct err *e);

static int empty(int fd, struct err *e)
{
	int copy = os_openat(fd, ".", FOLDER, 0), rc = 0;
	DIR *d = copy == -1 ? NULL : fdopendir(copy);
	struct dirent *de;

	if (d == NULL) {
		err_sys(e, "look into a folder");
		os_close(copy);
		return -1;
	}
	while (rc == 0 && (de = readdir(d)) != NULL)
		if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0)
			rc = remove_at(fd, de->d_name, e);
	closedir(d);
	return rc;
}

static int remove_at(int dir, const char *name, struct err *e)
{
	int fd, rc = 0;

	if (os_unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM && errno != EACCES)
		return err_sys(e, "remove %s", name);
	fd = os_openat(dir, name, FOLDER, 0);
	if (fd == -1 && errno == EACCES && fchmodat(dir, name, 0700, 0) == 0)
		fd = os_openat(dir, name, FOLDER, 0);
	if (fd == -1)
		return err_sys(e, "remove %s", name);
	(void)!fchmod(fd, 0700);
	rc = empty(fd, e);
	os_close(fd);
	if (rc == 0 && os_unlinkat(dir, name, AT_REMOVEDIR) == -1 && errno != ENOENT)
		rc = err_sys(e, "remove %s", name);
	return rc;
}

/* ---- What still runs in it. */

static bool is_in(pid_t pid, const char *what, const char *path)
{
	char link[64], at[PATH];
	size_t n = strlen(path);
	ssize_t len;

	snprintf(link, sizeof link, "/proc/%d/%s", (int)pid, what);
	len = readlink(link, at, sizeof at - 1);
	return len >= (ssize_t)n && memcmp(at, path, n) == 0 &&
	       ((size_t)len == n || at[n] == '/' || at[n] == ' ');
}

/* How many there were. */
static unsigned end_all(const char *path)
{
	DIR *d = opendir("/proc");
	struct dirent *de;
	unsigned found = 0;

	while (d != NULL && (de = readdir(d)) != NULL) {
		long pid = strtol(de->d_name, NULL, 10);

		if (pid <= 1 || pid == getpid() || !is_in((pid_t)pid, "cwd", path))
			continue;
		found++;
		kill((pid_t)pid, SIGKILL);
	}
	if (d != NULL)
		closedir(d);
	return found;
}

static void wait_some(void)
{
	nanosleep(&(struct timespec){.tv_nsec = TRY_NS}, NULL);
}

static int clear(int base, const char *path, const char *name, struct err *e)
{
	int rc;

	for (int i = 0; i < TRIES && end_all(path) > 0; i++)
		wait_some();
	for (int i = 0;; i++) { /* one that is just ending may write a last file */
		rc = remove_at(base, name, e);
		if (rc == 0 || e->sys != ENOTEMPTY || i == TRIES)
			return rc;
		wait_some();
	}
}

static void sweep(struct drill_room *r, struct ctx *ctx)
{
	int copy = os_openat(r->base_fd, ".", FOLDER, 0);
	DIR *d = copy == -1 ? NULL : fdopendir(copy);
	struct dirent *de;

	while (d != NULL && (de = readdir(d)) != NULL) {
		int fd = strncmp(de->d_name, prefix, sizeof prefix - 1) == 0
			     ? os_openat(r->base_fd, de->d_name, FOLDER, 0)
			     : -1;
		char *path = mem_printf("%s/%s", r->base, de->d_name);
		bool busy = true;
		struct err e;

		if (fd != -1 && os_lock(fd, false, &busy, &e) == 0 && !busy) {
			if (clear(r->base_fd, path, de->d_name, &e) == 0)
				r->swept++;
			else
				event_emit(ctx, EVENT_WARNING, span_str(path),
				    "a killed drill's folder stays: %s", e.msg);
		}
		os_close(fd);
		free(path);
	}
	if (d != NULL)
		closedir(d);
	else
		os_close(copy);
}

/* ---- A room. */

static int open_base(struct drill_room *r, const char *base, struct err *e)
{
	struct stat st;

	if (os_mkdirs(base, 0711, e) == -1)
		return -1;
	r->base = os_real_path(base);
	r->base_fd = r->base ? os_open(r->base, FOLDER, 0) : -1;
	if (r->base_fd == -1 || os_fstat(r->base_fd, &st) == -1)
		return err_sys(e, "%s", base);
	if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH))) {
		err_set(e, ERR_DENIED, "%s: others could put things there", r->base);
		return err_hint(
		    e, "drill.directory has to be a folder that only who drills writes");
	}
	return 0;
}

static int make(struct drill_room *r, struct err *e)
{
	uint8_t random[4];
	bool busy = false;

	crypto_random(random, sizeof random);
	r->name = mem_printf("%s%d-%02x%02x%02x%02x", prefix, (int)getpid(), random[0], random[1],
	    random[2], random[3]);
	r->path = mem_printf("%s/%s", r->base, r->name);
	if (os_mkdirat(r->base_fd, r->name, 0711) == -1)
		return err_sys(e, "make %s", r->path);
	r->fd = os_openat(r->base_fd, r->name, FOLDER, 0);
	if (r->fd == -1 || fchmod(r->fd, 0711) == -1)
		return err_sys(e, "%s", r->path);
	return os_lock(r->fd, true, &busy, e);
}

int drill_room_open(struct drill_room *r, const char *base, struct ctx *ctx, struct err *e)
{
	int lock, rc = -1;
	bool busy;

	*r = (struct drill_room){.base_fd = -1, .fd = -1};
	if (open_base(r, base, e) == -1)
		return err_wrap(e, "the drills' folder");
	/* One that was just made and is not locked yet is nobody's to remove. */
	lock = os_openat(r->base_fd, ".", FOLDER, 0);
	if (lock == -1)
		err_sys(e, "%s", r->base);
	else if (os_lock(lock, true, &busy, e) == 0) {
		sweep(r, ctx);
		rc = make(r, e);
	}
	os_close(lock);
	return rc == 0 ? 0 : err_wrap(e, "the drills' folder");
}

int drill_room_folder(
    const struct drill_room *r, const char *name, mode_t mode, uid_t uid, gid_t gid, struct err *e)
{
	int fd, rc = 0;

	if (os_mkdirat(r->fd, name, mode) == -1)
		return err_sys(e, "make %s/%s", r->path, name);
	fd = os_openat(r->fd, name, FOLDER, 0);
	if (fd == -1 || fchmod(fd, mode) == -1 || (geteuid() == 0 && fchown(fd, uid, gid) == -1))
		rc = err_sys(e, "%s/%s", r->path, name);
	os_close(fd);
	return rc;
}

uint64_t drill_room_space(const struct drill_room *r)
{
	uint64_t left = 0, all;

	return os_space(r->path, &left, &all) == 0 ? left : 0;
}

int drill_room_keep(struct drill_room *r, struct err *e)
{
	char *name = mem_printf("kept-%s", r->name);

	if (os_renameat(r->base_fd, r->name, r->base_fd, name) == -1) {
		err_sys(e, "keep %s", r->path);
		free(name);
		return -1;
	}
	free(r->name);
	free(r->path);
	r->name = name;
	r->path = mem_printf("%s/%s", r->base, r->name);
	os_close(r->fd);
	r->fd = -1;
	return 0;
}

int drill_room_close(struct drill_room *r, struct err *e)
{
	int rc = 0;

	if (r->fd != -1)
		rc = clear(r->base_fd, r->path, r->name, e);
	os_close(r->fd);
	r->fd = -1;
	return rc;
}

void drill_room_fini(struct drill_room *r)
{
	os_close(r->fd);
	os_close(r->base_fd);
	free(r->base);
	free(r->name);
	free(r->path);
	*r = (struct drill_room){.base_fd = -1, .fd = -1};
}
