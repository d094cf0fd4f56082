/* mount_fuse: see mount_fuse.h. */
#include "engine/mount_fuse.h"

#include <stdio.h>
#include <string.h>

#include "os/os_library.h"

struct mount_fuse mount_fuse;

static _Thread_local char said[256];

static void keep_log(enum fuse_log_level level, const char *fmt, va_list ap)
{
	if (level <= FUSE_LOG_WARNING)
		vsnprintf(said, sizeof said, fmt, ap);
	said[strcspn(said, "\n")] = '\0';
}

static const char *begin(void)
{
	mount_fuse.set_log_func(keep_log);
	return NULL;
}

static const struct os_symbol calls[] = {
#define X(name) {"fuse_" #name, offsetof(struct mount_fuse, name)},
    MOUNT_FUSE_CALLS(X)
#undef X
	{"fuse_new_31", offsetof(struct mount_fuse, new_31)},
    {NULL},
};
static struct os_library library = {
    "libfuse3.so.3", "libfuse3-3, and fuse3", calls, &mount_fuse, OS_LIBRARY_INIT, .begin = begin};

int mount_fuse_load(struct err *e)
{
	said[0] = '\0';
	return os_library_open(&library, e);
}

const char *mount_fuse_said(void)
{
	return said;
}
