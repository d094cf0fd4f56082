/* os_subvolume: see os_subvolume.h. */
#include "os/os_subvolume.h"

#include <errno.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "os/os.h"

int os_subvolume_is(int fd, bool *is, struct err *e)
{
	struct statfs fs;
	struct stat st;

	if (fstatfs(fd, &fs) == -1 || os_fstat(fd, &st) == -1)
		return err_sys(e, "stat");
	if (fs.f_type != BTRFS_SUPER_MAGIC)
		return err_set(e, ERR_UNSUPPORTED, "it is not on btrfs");
	*is = st.st_ino == BTRFS_FIRST_FREE_OBJECTID;
	return 0;
}

int os_subvolume_is_readonly(int fd, bool *readonly, struct err *e)
{
	uint64_t flags = 0;

	if (ioctl(fd, BTRFS_IOC_SUBVOL_GETFLAGS, &flags) == -1)
		return err_sys(e, "look at btrfs subvolume");
	*readonly = (flags & BTRFS_SUBVOL_RDONLY) != 0;
	return 0;
}

static int set_name(struct btrfs_ioctl_vol_args_v2 *a, const char *name, struct err *e)
{
	if (strlen(name) >= sizeof a->name)
		return err_set(e, ERR_USAGE, "'%s' is too long for a subvolume", name);
	strcpy(a->name, name);
	return 0;
}

int os_subvolume_snapshot(int from, int dir, const char *name, struct err *e)
{
	struct btrfs_ioctl_vol_args_v2 a = {.fd = from, .flags = BTRFS_SUBVOL_RDONLY};

	if (set_name(&a, name, e) == -1)
		return -1;
	if (ioctl(dir, BTRFS_IOC_SNAP_CREATE_V2, &a) == 0)
		return 0;
	err_sys(e, "make btrfs snapshot %s", name);
	return errno == EPERM ? err_hint(e, "only root, or the subvolume's owner, may") : -1;
}

int os_subvolume_delete(int dir, const char *name, struct err *e)
{
	struct btrfs_ioctl_vol_args a = {0};

	if (strlen(name) >= sizeof a.name)
		return err_set(e, ERR_USAGE, "'%s' is too long for a subvolume", name);
	strcpy(a.name, name);
	if (ioctl(dir, BTRFS_IOC_SNAP_DESTROY, &a) == 0)
		return 0;
	return err_sys(e, "delete btrfs snapshot %s", name);
}

/* Where in the subvolume one of its folders is, and the subvolume's own name in it. */
static int path_of(int fd, const struct btrfs_ioctl_get_subvol_rootref_args *refs, int i, char *out,
    size_t size, struct err *e)
{
	struct btrfs_ioctl_ino_lookup_user_args a = {
	    .dirid = refs->rootref[i].dirid, .treeid = refs->rootref[i].treeid};

	if (ioctl(fd, BTRFS_IOC_INO_LOOKUP_USER, &a) == -1)
		return err_sys(e, "look up btrfs subvolume %llu", (unsigned long long)a.treeid);
	a.name[sizeof a.name - 1] = '\0';
	a.path[sizeof a.path - 1] = '\0';
	snprintf(out, size, "%s%s", a.path, a.name); /* the path ends with a slash, or is empty */
	return 0;
}

int os_subvolume_each(int fd, os_subvolume_row *each, void *arg, struct err *e)
{
	struct btrfs_ioctl_get_subvol_rootref_args refs = {0};
	char path[BTRFS_INO_LOOKUP_USER_PATH_MAX + BTRFS_VOL_NAME_MAX + 1];
	bool more = true;

	while (more) {
		more = false;
		if (ioctl(fd, BTRFS_IOC_GET_SUBVOL_ROOTREF, &refs) == -1) {
			more = errno == EOVERFLOW;
			if (!more)
				return err_sys(e, "list btrfs subvolumes");
		}
		for (int i = 0; i < refs.num_items; i++) {
			struct err why;

			if (path_of(fd, &refs, i, path, sizeof path, &why) == -1) {
				if (why.kind == ERR_DENIED || why.kind == ERR_ABSENT)
					continue;
				*e = why;
				return -1;
			}
			if (each(arg, path, e) == -1)
				return -1;
		}
	}
	return 0;
}
