/*
 * cli_monitor: a system's integrity monitors, looked at here; accepting what they have seen; and
 * what of them is to be told to who asks why.
 *
 * The daemon begins this as a process; then it tells what comes of it, by the lines of JSON.
 *
 * Threads: one.
 */
#ifndef HF_CLI_CLI_MONITOR_H
#define HF_CLI_CLI_MONITOR_H

#include <jansson.h>

#include "catalog/catalog.h"
#include "cli/cli.h"

/* --monitor: those that are named, or "all".  ERR_DAMAGE_FOUND: one differs. */
int monitor_look(struct cli *c, const char *system, struct err *e);

/* --accept: what each has seen is right, and the system is held no more. */
int monitor_take(struct cli *c, const char *system, struct err *e);

/* For who asks why: sentences into a list.  What monitors lack; what holds it, and was told. */
struct world;
struct world_system;
void monitor_why_declared(const struct world *w, const struct world_system *s, json_t *list);
int monitor_why_recorded(struct catalog *cat, const char *system, json_t *list, struct err *e);

#endif
