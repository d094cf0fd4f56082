/*
 * wire: libcurl, opened when somebody first needs it; who works on local
 * folders alone does not pay 1.3 ms for it at every start.
 *
 * The members are libcurl's functions of these names.
 *
 * Threads: any.
 */
#ifndef HF_NET_WIRE_H
#define HF_NET_WIRE_H

#define CURL_DISABLE_TYPECHECK /* it wants the functions themselves */
#include <curl/curl.h>

#include "base/err.h"
#include "base/span.h"

struct wire {
	CURLcode (*global_init)(long); /* done by wire_open */
	CURL *(*easy_init)(void);
	void (*easy_cleanup)(CURL *);
	void (*easy_reset)(CURL *);
	CURLcode (*easy_setopt)(CURL *, CURLoption, ...);
	CURLcode (*easy_getinfo)(CURL *, CURLINFO, ...);
	CURLcode (*easy_perform)(CURL *);
	const char *(*easy_strerror)(CURLcode);
	struct curl_slist *(*slist_append)(struct curl_slist *, const char *);
	void (*slist_free_all)(struct curl_slist *);
	CURLM *(*multi_init)(void);
	CURLMcode (*multi_cleanup)(CURLM *);
	CURLMcode (*multi_add_handle)(CURLM *, CURL *);
	CURLMcode (*multi_remove_handle)(CURLM *, CURL *);
	CURLMcode (*multi_perform)(CURLM *, int *);
	CURLMcode (*multi_poll)(CURLM *, struct curl_waitfd *, unsigned, int, int *);
	CURLMsg *(*multi_info_read)(CURLM *, int *);
};

/* Bytes on their way out, and libcurl's read and seek functions of them. */
struct wire_body {
	struct span data;
	size_t sent;
};
size_t wire_send(char *out, size_t size, size_t n, void *body);
int wire_seek(void *body, curl_off_t offset, int origin);

/* NULL with ERR_UNSUPPORTED where the library is not installed. */
const struct wire *wire_open(struct err *e);

#endif
