/* recover_instant: what `recover` does with --instant and --finish; used by cmd_recover.c alone. */
#ifndef HF_CLI_RECOVER_INSTANT_H
#define HF_CLI_RECOVER_INSTANT_H

#include "cli/cli.h"
#include "engine/op_recover.h"

/* cmd_recover.c */
void recover_say_step(void *arg, const struct recover_step *s);

/* What an earlier one left at the target: 1 to be gone on with, 0 nothing (any more), -1. */
int recover_instant_before(struct cli *c, const struct recover_params *p, struct err *e);

/* --finish; or --instant again, after who served it was killed. */
int recover_instant_go_on(struct cli *c, const struct recover_params *p, struct err *e);

/* Nobody waits any more: serve it to its end. */
int recover_instant_serve(struct cli *c, struct instant *in, const char *target, struct err *e);

#endif
