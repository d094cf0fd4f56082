/*
 * cli_record: a command that is typed where a configuration is found is a run in its catalog, as
 * one that the daemon begins; a step of such a run is not, for that one is recorded.
 *
 * The catalog is no part of the work: where it cannot be written the work is done, that is said,
 * and the exit status is 3.
 *
 * Threads: the command's.
 */
#ifndef HF_CLI_CLI_RECORD_H
#define HF_CLI_CLI_RECORD_H

#include "cli/cli.h"

/* Before the command's work; and after it, whatever came of it.  Returns rc, or -1. */
void record_begin(struct cli *c);
int record_end(struct cli *c, int rc, struct err *e);

#endif
