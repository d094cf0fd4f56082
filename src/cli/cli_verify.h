/*
 * cli_verify: a verification's outcome as JSON, and that as text: a job hears of it from the
 * process that did it, and shows the same.
 *
 * Threads: any; no state.
 */
#ifndef HF_CLI_CLI_VERIFY_H
#define HF_CLI_CLI_VERIFY_H

#include <jansson.h>

#include "catalog/catalog.h"
#include "cli/cli.h"
#include "engine/op_verify.h"

const char *verify_level_name(enum verify_level level);

/* New; `repository` is its name in the configuration, or its URL. */
json_t *verify_json(
    const char *repository, const struct verify_params *p, const struct verify_result *r);

/* Is this what verify_json made? */
bool verify_is(const json_t *o);
void verify_show(struct cli *c, const json_t *o);

/* Its numbers into the catalog: verify.score, verify.restore_seconds, ... */
int verify_measure(struct catalog *cat, const json_t *o, int64_t at_ns, struct err *e);

#endif
