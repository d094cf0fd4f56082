/* api_mhd: see api_mhd.h. */
#include "api/api_mhd.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>

static struct api_mhd mhd;
static char problem[256];

static const struct {
	const char *name;
	size_t at; /* of its pointer in struct api_mhd */
} symbols[] = {
#define SYMBOL(name)                                                                               \
	{                                                                                          \
		"MHD_" #name, offsetof(struct api_mhd, name)                                       \
	}
    SYMBOL(start_daemon),
    SYMBOL(quiesce_daemon),
    SYMBOL(stop_daemon),
    SYMBOL(lookup_connection_value),
    SYMBOL(get_connection_info),
    SYMBOL(create_response_from_buffer),
    SYMBOL(create_response_from_callback),
    SYMBOL(add_response_header),
    SYMBOL(queue_response),
    SYMBOL(destroy_response),
    SYMBOL(suspend_connection),
    SYMBOL(resume_connection),
#undef SYMBOL
};

static void load(void)
{
	void *lib = dlopen("libmicrohttpd.so.12", RTLD_NOW | RTLD_LOCAL);

	if (lib == NULL) {
		snprintf(problem, sizeof problem, "%s", dlerror());
		return;
	}
	for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
		void *f = dlsym(lib, symbols[i].name);

		if (f == NULL) {
			snprintf(problem, sizeof problem, "libmicrohttpd.so.12 lacks %s",
			    symbols[i].name);
			return;
		}
		*(void **)((char *)&mhd + symbols[i].at) = f;
	}
}

const struct api_mhd *api_mhd_open(struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load);
	if (problem[0] == '\0')
		return &mhd;
	err_set(e, ERR_UNSUPPORTED, "%s", problem);
	err_hint(e, "install the package libmicrohttpd12");
	return NULL;
}
