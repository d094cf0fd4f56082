/*
 * drill_memory: of all records of drills what drill_look asks for, so that who looks often at many
 * systems reads each once.
 *
 * Threads: one owner.
 */
#ifndef HF_CATALOG_DRILL_MEMORY_H
#define HF_CATALOG_DRILL_MEMORY_H

#include "catalog/drill_look.h"

struct drill_memory;

struct drill_memory *drill_memory_new(void);
void drill_memory_free(struct drill_memory *m); /* NULL does nothing */

/*
 * In one pass what the state folder's records say; nothing is read where none came or went since.
 * One that is not believed is looked at again each time: the chain may name it meanwhile.
 */
int drill_memory_read(struct drill_memory *m, const char *state, int64_t now_s, struct err *e);

/* Those of one system, the newest first, to drill_look_record. */
void drill_memory_tell(const struct drill_memory *m, const char *system, struct drill_look *l);

#endif
