/* api_mhd: see api_mhd.h. */
#include "api/api_mhd.h"

#include "os/os_library.h"

static struct api_mhd mhd;

static const struct os_symbol symbols[] = {
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
    {NULL},
};

static struct os_library library = {
    "libmicrohttpd.so.12", "libmicrohttpd12", symbols, &mhd, OS_LIBRARY_INIT};

const struct api_mhd *api_mhd_open(struct err *e)
{
	return os_library_open(&library, e) == 0 ? &mhd : NULL;
}
