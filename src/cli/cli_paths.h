/*
 * cli_paths: what is to be backed up: the words of the command line, the lines of files, what
 * a declared system consists of.
 *
 * Threads: the command's.
 */
#ifndef HF_CLI_CLI_PATHS_H
#define HF_CLI_CLI_PATHS_H

#include "cli/cli_out.h"

struct cli_paths {
	char **v;
	size_t n;
};

/* Into a zeroed struct, there to be freed in any case.  ERR_USAGE: there is nothing. */
int cli_paths_collect(struct cli *c, struct cli_paths *p, struct err *e);
void cli_paths_fini(struct cli_paths *p);

#endif
