/*
 * hold: a system whose backups and retention wait for a person, and why: an integrity monitor saw
 * what it should not (block_on_mismatch).
 *
 * Threads: as the catalog.
 */
#ifndef HF_CATALOG_HOLD_H
#define HF_CATALOG_HOLD_H

#include "catalog/catalog.h"

/* Hold it for this reason too; the first that is not yet released is the one that is told. */
int hold_put(struct catalog *c, const char *system, const char *why, struct err *e);
/* *why: new text; NULL: it is not held. */
int hold_get(struct catalog *c, const char *system, char **why, struct err *e);
int hold_end(struct catalog *c, const char *system, struct err *e);

#endif
