/*
 * cli_thaw: what a restore has to have thawed, before anything is paid: as a table, or an item
 * of JSON.
 *
 * Threads: the command's.
 */
#ifndef HF_CLI_CLI_THAW_H
#define HF_CLI_CLI_THAW_H

#include "cli/cli.h"
#include "engine/thaw.h"

/* From --thaw, --thaw-days, --thaw-price, --thaw-poll and --no-wait.  ERR_USAGE. */
int thaw_options(struct cli *c, struct thaw_params *out, struct err *e);

#endif
