/*
 * cli_freeze: the declared sources of a system stand still while they are backed up.
 *
 * Threads: one owner.
 */
#ifndef HF_CLI_CLI_FREEZE_H
#define HF_CLI_CLI_FREEZE_H

#include "cli/cli.h"
#include "source/freeze.h"

struct cli_freeze {
	struct cli_frozen *v; /* one a source that says how */
	size_t n;
	struct source_place *places; /* of all */
	size_t nplaces;
};

/* Without a declared system nothing is done.  -1: nothing is frozen any more. */
int cli_freeze_begin(struct cli *c, struct cli_freeze *out, struct err *e);

/* All of them, the last first; each that fails is told, the first as ERR_INCOMPLETE in *e. */
int cli_freeze_end(struct cli *c, struct cli_freeze *f, struct err *e);

#endif
