/*
 * cli_drill: a drill's record shown: as text, and its numbers into the catalog.
 *
 * Threads: any; no state.
 */
#ifndef HF_CLI_CLI_DRILL_H
#define HF_CLI_CLI_DRILL_H

#include <jansson.h>

#include "catalog/catalog.h"
#include "cli/cli.h"

/* Of --point: "full", ..., in the order of DRILL_WHAT_POINTS; NULL: 0. */
enum { POINT_PITR = 4, POINT_LATEST, POINT_OLDEST };
const char *drill_point_name(int point);

/* As --json has it, for an item: the record without its signature; new. */
json_t *drill_item(const json_t *record);
bool drill_is(const json_t *item);
void drill_show(struct cli *c, const json_t *record);

/* drill.score, drill.rto_seconds, drill.rpo_seconds, drill.predicted_rto_seconds. */
int drill_measure(struct catalog *cat, const json_t *record, int64_t at_ns, struct err *e);

#endif
