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

struct wire {
	CURL *(*easy_init)(void);
	void (*easy_cleanup)(CURL *);
	void (*easy_reset)(CURL *);
	CURLcode (*easy_setopt)(CURL *, CURLoption, ...);
	CURLcode (*easy_getinfo)(CURL *, CURLINFO, ...);
	CURLcode (*easy_perform)(CURL *);
	const char *(*easy_strerror)(CURLcode);
	struct curl_slist *(*slist_append)(struct curl_slist *, const char *);
	void (*slist_free_all)(struct curl_slist *);
};

/* NULL with ERR_UNSUPPORTED where the library is not installed. */
const struct wire *wire_open(struct err *e);

#endif
