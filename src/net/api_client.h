/*
 * api_client: one request to our own daemon, over its local socket.
 *
 * An answer of any status is an answer: what a refusal says is asked with api_answer_check.
 *
 * Threads: any.
 */
#ifndef HF_NET_API_CLIENT_H
#define HF_NET_API_CLIENT_H

#include <jansson.h>

#include "base/err.h"

struct api_answer {
	int status;       /* of HTTP */
	unsigned retry_s; /* ask again after so many seconds; 0: that is not said */
	json_t *body;     /* NULL: it was no JSON */
	char *text;       /* what came, NUL behind it */
	size_t n;
};

/*
 * `path` is encoded, with its query: "/api/v1/systems/www/run".  `body` may be NULL.  The
 * whole of it, at most 64 MiB, has to come within `seconds` (0: 30).
 * ERR_UNREACHABLE: nobody listens at `socket`, or hung up; ERR_DENIED: it is not for this user;
 * ERR_TIMEOUT; ERR_FAILED: what came was no HTTP.
 */
int api_client_request(const char *socket, const char *method, const char *path, const json_t *body,
    unsigned seconds, struct api_answer *out, struct err *e);
void api_answer_fini(struct api_answer *a);

/* 0 for 2xx; else -1 with the kind, message and hint that the answer tells. */
int api_answer_check(const struct api_answer *a, struct err *e);

#endif
