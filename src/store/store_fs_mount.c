/*
 * store_fs_mount: is the disk there that the repository is meant to be on?
 *
 * A folder to mount on is there when nothing is mounted, and a repository made
 * in it would fill the disk underneath.  So who says where the disk is mounted,
 * or which file is on it, is refused while that is not so.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/os.h"
#include "store/store_fs.h"
#include "store/store_options.h"

struct fs_options {
	const char *mount, *marker;
};

static const struct store_option options[] = {
    {"fs.mount", STORE_OPTION_TEXT, offsetof(struct fs_options, mount), NULL,
	"folder that must be a mount point, with the repository on what is mounted there"},
    {"fs.marker", STORE_OPTION_TEXT, offsetof(struct fs_options, marker), NULL,
	"file that must be there, on the repository's file system"},
};
enum { OPTIONS = sizeof options / sizeof *options };
const struct store_option_table store_fs_options = {options, OPTIONS, sizeof(struct fs_options)};

/* Of the path, or of the nearest folder above that is there. */
static int nearest(const char *path, struct stat *st, struct err *e)
{
	char *p = mem_printf("%s%s", *path == '/' ? "" : "./", path);
	int rc;

	while ((rc = os_fstatat(AT_FDCWD, p, st, 0)) == -1 && errno == ENOENT) {
		char *slash = strrchr(p, '/');

		if (slash == NULL || slash == p)
			break;
		*slash = '\0';
	}
	free(p);
	return rc == -1 ? err_sys(e, "%s", path) : 0;
}

static int missing(const char *what, const char *path, struct err *e)
{
	err_set(e, ERR_UNREACHABLE, "%s: %s", path, what);
	return err_hint(e, "mount the disk, then run this again; nothing was written");
}

static int same_device(const char *path, const struct stat *there, const char *what, struct err *e)
{
	struct stat st;

	if (nearest(path, &st, e) == -1)
		return -1;
	return st.st_dev == there->st_dev ? 0 : missing(what, path, e);
}

static int check_mount(const char *path, const char *mount, struct err *e)
{
	struct stat st;
	bool is = false;

	if (os_is_mount_point(mount, &is) == -1 || !is)
		return missing("nothing is mounted there", mount, e);
	if (os_fstatat(AT_FDCWD, mount, &st, 0) == -1)
		return err_sys(e, "%s", mount);
	return same_device(path, &st, "is not on what fs.mount names", e);
}

static int check_marker(const char *path, const char *marker, struct err *e)
{
	struct stat st;

	if (os_fstatat(AT_FDCWD, marker, &st, 0) == -1)
		return missing("fs.marker is not there: is its disk not mounted?", marker, e);
	return same_device(path, &st, "is not on the file system of fs.marker", e);
}

static int check(const char *path, const struct fs_options *o, struct err *e)
{
	if (o->mount && check_mount(path, o->mount, e) == -1)
		return -1;
	return o->marker ? check_marker(path, o->marker, e) : 0;
}

int store_fs_open_given(const char *path, bool create, const struct store_given *given,
    struct store **out, struct err *e)
{
	struct fs_options o = {0};

	*out = NULL;
	if (store_options_read(options, OPTIONS, given, &o, e) == -1 ||
	    store_options_known(options, OPTIONS, given, e) == -1 || check(path, &o, e) == -1)
		return -1;
	if (store_fs_open(path, create, out, e) == -1)
		return -1;
	/* The open folder stays on its file system, whatever is mounted or not from now on. */
	if (check(path, &o, e) == 0)
		return 0;
	store_close(*out);
	*out = NULL;
	return -1;
}
