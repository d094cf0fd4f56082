/*
 * sigv4: AWS Signature Version 4 for requests with headers, as AWS documents
 * it ("Create a signed AWS API request").
 *
 * Signed are host and every header whose name begins with x-amz-.
 *
 * Threads: any.
 */
#ifndef HF_NET_SIGV4_H
#define HF_NET_SIGV4_H

#include "net/http.h"

struct sigv4_key {
	const char *access, *secret;
	const char *token; /* of a session; NULL: none */
};

struct sigv4_request {
	const char *method, *host;
	const char *path;    /* encoded, with the '/' in front */
	const char *query;   /* as url_query makes it */
	const char *payload; /* its SHA-256 in hex, or "UNSIGNED-PAYLOAD" */
	const char *region, *service;
	int64_t now_ns;
};

/* Adds x-amz-date, x-amz-content-sha256, x-amz-security-token and authorization. */
void sigv4_sign(const struct sigv4_key *k, const struct sigv4_request *r, struct http_headers *h);

#endif
