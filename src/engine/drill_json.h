/*
 * drill_json: what facts and records say, read with one look; what is not there is empty, or 0.
 *
 * Threads: any.
 */
#ifndef HF_ENGINE_DRILL_JSON_H
#define HF_ENGINE_DRILL_JSON_H

#include <jansson.h>

#include "engine/drill_internal.h"

const char *drill_text(const json_t *o, const char *name); /* borrowed */
double drill_number(const json_t *o, const char *name);

/* Of a list of objects the one of the same name (and schema); NULL: none. */
const json_t *drill_alike(const json_t *list, const json_t *like);

/* How many percent fewer are borne. */
double drill_may_shrink(const struct drill *d);

#endif
