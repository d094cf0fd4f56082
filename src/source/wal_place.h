/*
 * wal_place: which relation a file of a data directory is, as records of the log name it.
 *
 * Threads: any.
 */
#ifndef HF_SOURCE_WAL_PLACE_H
#define HF_SOURCE_WAL_PLACE_H

#include <stdbool.h>

#include "source/wal_record.h"

/*
 * "base/5", "16384.1": relation 16384 of database 5 in the default tablespace, its segment 1.  The
 * folder is below the data directory; a tablespace's is pg_tblspc/OID/PG_.../DATABASE.  False: it
 * is not a relation's main fork.
 */
bool wal_place_of(const char *folder, const char *name, struct wal_rel *rel, uint32_t *segment);

#endif
