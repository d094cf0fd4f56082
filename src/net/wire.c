/* wire: see wire.h. */
#include "net/wire.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>

static struct wire wire;
static char problem[256];

static const struct {
	const char *name;
	size_t at; /* of its pointer in struct wire */
} symbols[] = {
#define SYMBOL(name)                                                                               \
	{                                                                                          \
		"curl_" #name, offsetof(struct wire, name)                                         \
	}
    SYMBOL(easy_init),
    SYMBOL(easy_cleanup),
    SYMBOL(easy_reset),
    SYMBOL(easy_setopt),
    SYMBOL(easy_getinfo),
    SYMBOL(easy_perform),
    SYMBOL(easy_strerror),
    SYMBOL(slist_append),
    SYMBOL(slist_free_all),
    SYMBOL(multi_init),
    SYMBOL(multi_cleanup),
    SYMBOL(multi_add_handle),
    SYMBOL(multi_remove_handle),
    SYMBOL(multi_perform),
    SYMBOL(multi_poll),
    SYMBOL(multi_info_read),
#undef SYMBOL
};

static void load(void)
{
	CURLcode (*global_init)(long);
	void *lib = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);

	if (lib == NULL) {
		snprintf(problem, sizeof problem, "%s", dlerror());
		return;
	}
	*(void **)&global_init = dlsym(lib, "curl_global_init");
	for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
		void *f = dlsym(lib, symbols[i].name);

		if (f == NULL || global_init == NULL) {
			snprintf(problem, sizeof problem, "libcurl.so.4 lacks %s", symbols[i].name);
			return;
		}
		*(void **)((char *)&wire + symbols[i].at) = f;
	}
	if (global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		snprintf(problem, sizeof problem, "libcurl does not start");
}

const struct wire *wire_open(struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load);
	if (problem[0] == '\0')
		return &wire;
	err_set(e, ERR_UNSUPPORTED, "%s", problem);
	err_hint(e, "install the package libcurl4");
	return NULL;
}

size_t wire_send(char *out, size_t size, size_t n, void *body)
{
	struct wire_body *b = body;
	size_t left = b->data.n - b->sent, room = size * n;
	size_t k = left < room ? left : room;

	if (k > 0)
		memcpy(out, b->data.p + b->sent, k);
	b->sent += k;
	return k;
}

int wire_seek(void *body, curl_off_t offset, int origin)
{
	struct wire_body *b = body;

	if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > b->data.n)
		return CURL_SEEKFUNC_FAIL;
	b->sent = (size_t)offset;
	return CURL_SEEKFUNC_OK;
}
