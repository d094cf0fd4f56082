/* wire: see wire.h. */
#include "net/wire.h"

#include <stdio.h>

#include "os/os_library.h"

static struct wire wire;

static const struct os_symbol symbols[] = {
#define SYMBOL(name)                                                                               \
	{                                                                                          \
		"curl_" #name, offsetof(struct wire, name)                                         \
	}
    SYMBOL(global_init),
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
    {NULL},
};

static const char *begin(void)
{
	return wire.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? NULL : "it does not start";
}

static struct os_library library = {
    "libcurl.so.4", "libcurl4", symbols, &wire, OS_LIBRARY_INIT, .begin = begin};

const struct wire *wire_open(struct err *e)
{
	return os_library_open(&library, e) == 0 ? &wire : NULL;
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
