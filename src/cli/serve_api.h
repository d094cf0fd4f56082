/*
 * serve_api: the daemon as the API's host: what it asks for, and what only the daemon knows.
 *
 * Threads: started and stopped by the loop's; what the API calls comes from its own.
 */
#ifndef HF_CLI_SERVE_API_H
#define HF_CLI_SERVE_API_H

#include "base/ctx.h"
#include "base/err.h"
#include "catalog/catalog.h"

struct daemon;
struct serve_api;

int serve_api_start(struct daemon *d, const char *catalog, const char *state_dir, struct ctx *ctx,
    struct serve_api **out, struct err *e);
void serve_api_stop(struct serve_api *s); /* NULL does nothing */

/* Events are in the catalog that were not; how far a run is. */
void serve_api_news(struct serve_api *s);
void serve_api_progress(struct serve_api *s, const struct run *r, const char *json);

#endif
