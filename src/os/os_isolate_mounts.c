/* os_isolate_mounts: see os_isolate_internal.h; only what may be called after fork. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/os.h"
#include "os/os_isolate_internal.h"

enum { PATH = 4096 };

static struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};

static bool is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return strncmp(path, dir, n) == 0 && path[n] == '/';
}

/* The way to the folder through what lies over the place where it was. */
static int make_way(const char *folder)
{
	char path[PATH];

	for (const char *p = strchr(folder + 1, '/');; p = strchr(p + 1, '/')) {
		size_t n = p ? (size_t)(p - folder) : strlen(folder);

		if (n >= sizeof path) {
			errno = ENAMETOOLONG;
			return -1;
		}
		snprintf(path, sizeof path, "%.*s", (int)n, folder);
		if (mkdir(path, 0755) == -1 && errno != EEXIST)
			return -1;
		if (p == NULL)
			return 0;
	}
}

/* An empty folder lies over each of them; ours is put back if it was in one. */
static int hide_sockets(const char *folder, int own)
{
	const int flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
	bool there[ISOLATE_HIDDEN];
	int rc = 0;

	for (int k = 0; rc == 0 && k < ISOLATE_HIDDEN; k++) {
		there[k] = access(os_isolate_hidden[k], F_OK) == 0;
		if (there[k])
			rc = mount(
			    "tmpfs", os_isolate_hidden[k], "tmpfs", flags, "mode=0755,size=256k");
		if (rc == 0 && is_below(folder, os_isolate_hidden[k]))
			rc = make_way(folder);
	}
	if (rc == 0)
		rc = move_mount(own, "", AT_FDCWD, folder, MOVE_MOUNT_F_EMPTY_PATH);
	for (int k = 0; rc == 0 && k < ISOLATE_HIDDEN; k++)
		if (there[k])
			rc = mount_setattr(
			    AT_FDCWD, os_isolate_hidden[k], 0, &read_only, sizeof read_only);
	return rc;
}

/*
 * Everything read-only but the folder; a /proc of its own processes; shared memory of its own; no
 * folder where the machine's sockets are.
 */
int os_isolate_mounts(const struct os_isolate *i)
{
	int own, rc;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1)
		return -1;
	if ((i->spaces & CLONE_NEWPID) &&
	    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == -1 &&
	    !i->user_space)
		return -1;
	if (i->folder == NULL)
		return 0;
	/* As it is now: what makes all the rest read-only comes after. */
	own = open_tree(AT_FDCWD, i->folder, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (own == -1 ||
	    mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &read_only, sizeof read_only) == -1)
		rc = -1;
	else
		rc = hide_sockets(i->folder, own);
	os_close(own);
	if (rc == -1)
		return -1;
	if (access("/dev/shm", F_OK) == 0 &&
	    mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") == -1)
		return -1;
	return 0;
}
