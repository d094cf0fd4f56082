/*
 * pg_layout: what stands where in a data directory of PostgreSQL's, and what of it is backed up.
 *
 * Paths are below the data directory, "base/5/1259"; "" is itself.  What lies in a tablespace is
 * below pg_tblspc/OID, as if its folder lay there.
 *
 * Threads: any.
 */
#ifndef HF_SOURCE_PG_LAYOUT_H
#define HF_SOURCE_PG_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "source/source.h"

enum pg_take {
	PG_TAKE,    /* as it is */
	PG_EMPTY,   /* a folder without what is in it */
	PG_LEAVE,   /* made anew by a server that starts */
	PG_LATE,    /* known or read once all else is: labels, pg_control */
	PG_FOLLOWED /* a link that stands for the folder it leads to */
};

/* Of a name in a folder (its path).  `major`: of the server, 15. */
enum pg_take pg_layout_take(const char *folder, const char *name, int major);

/* Does the folder hold the relations of a database, or global/? */
bool pg_layout_has_relations(const char *folder);

/*
 * A relation's file: its pages have checksums (where the cluster has).  *segment: which gibibyte of
 * it this is, from 0.
 */
bool pg_layout_relation(const char *folder, const char *name, uint32_t *segment);

/* Of sorted names in such a folder, those of unlogged relations but for their _init forks go. */
void pg_layout_drop_unlogged(struct source_names *names);

#endif
