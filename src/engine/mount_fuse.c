/* mount_fuse: see mount_fuse.h. */
#include "engine/mount_fuse.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct mount_fuse mount_fuse;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char problem[256]; /* "" once loaded */
static _Thread_local char said[256];

static void keep_log(enum fuse_log_level level, const char *fmt, va_list ap)
{
	if (level <= FUSE_LOG_WARNING)
		vsnprintf(said, sizeof said, fmt, ap);
	said[strcspn(said, "\n")] = '\0';
}

static void load(void)
{
	static const struct {
		const char *name;
		size_t at;
	} calls[] = {
#define X(name) {"fuse_" #name, offsetof(struct mount_fuse, name)},
	    MOUNT_FUSE_CALLS(X)
#undef X
	};
	void *lib = dlopen("libfuse3.so.3", RTLD_NOW | RTLD_LOCAL);

	if (lib == NULL) {
		snprintf(problem, sizeof problem, "%s", dlerror());
		return;
	}
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		void *call = dlsym(lib, calls[i].name);

		if (call == NULL) {
			snprintf(problem, sizeof problem, "libfuse3 lacks %s", calls[i].name);
			return;
		}
		memcpy((char *)&mount_fuse + calls[i].at, &call, sizeof call);
	}
	mount_fuse.set_log_func(keep_log);
}

int mount_fuse_load(struct err *e)
{
	pthread_once(&once, load);
	said[0] = '\0';
	if (problem[0] == '\0')
		return 0;
	err_set(e, ERR_UNSUPPORTED, "%s", problem);
	return err_hint(e, "install libfuse3 (Debian: libfuse3-3 and fuse3)");
}

const char *mount_fuse_said(void)
{
	return said;
}
