/*
 * notify_http: what the drivers over HTTP share: one POST, and what its answer means.
 *
 * Threads: any.
 */
#ifndef HF_NOTIFY_NOTIFY_HTTP_H
#define HF_NOTIFY_NOTIFY_HTTP_H

#include <jansson.h>

#include "net/http.h"
#include "notify/notify.h"

/*
 * https://..., or http://...; with `secret` (a password or token goes there) http: only to this
 * machine itself.  ERR_USAGE begins with `what`, and never repeats the URL: some are secrets.
 */
int notify_http_url_good(const char *url, const char *what, bool secret, struct err *e);

/* "authorization: ..." of the channel's token, or user and password; nothing without them. */
void notify_http_login(struct http_headers *h, const struct notify_channel *c);

/* May a user stand without a password?  ERR_USAGE. */
int notify_http_login_good(const struct notify_channel *c, struct err *e);

/*
 * POST; 0 with the answer's body (at most 64 KiB) appended to `answer` (may be NULL) if its
 * status is 2xx.  The headers are the caller's.
 */
int notify_http_post(const struct notify_channel *c, const char *url, const struct http_headers *h,
    struct span body, struct notify_result *r, struct ctx *ctx, struct buf *answer, struct err *e);

/* The same with JSON, which is taken. */
int notify_http_post_json(const struct notify_channel *c, const char *url, struct http_headers *h,
    json_t *body, struct notify_result *r, struct ctx *ctx, struct buf *answer, struct err *e);

#endif
