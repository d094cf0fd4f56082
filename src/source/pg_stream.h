/*
 * pg_stream: a base backup over the replication protocol, into a folder of ours: for servers whose
 * files cannot be read here.
 *
 * The folder holds the data directory as it came, tablespaces at pg_tblspc/OID, and in pg_wal the
 * WAL that it needs; but for the files of relations, which are many and mostly small: they lie one
 * behind another in a file without a name.  Every file is as the server's manifest says, by size
 * and checksum, or it is ERR_CORRUPT.  What is there is to be removed by the caller, also after a
 * failure.
 *
 * An incremental one (PostgreSQL 17 and later, which keep account of what their WAL changes) has
 * only what changed since the backup of a manifest, as pg_increment.h says.
 *
 * Threads: one.
 */
#ifndef HF_SOURCE_PG_STREAM_H
#define HF_SOURCE_PG_STREAM_H

#include "db/pg.h"
#include "source/pg_manifest.h"
#include "source/wal_map.h"

struct pg_stream_params {
	struct pg *g;         /* for replication, and idle; of no more use than to be closed */
	const char *dir;      /* there and empty */
	struct span manifest; /* empty: all of it is to come */
	uint32_t relation;    /* blocks of a whole segment of a relation */
};

struct pg_streamed {
	uint64_t start, stop;
	uint32_t timeline;
	uint64_t bytes;
	/* The caller's, by pg_streamed_fini: */
	struct wal_map *map;      /* of an incremental one: what differs */
	struct pg_manifest files; /* by path */
	int spool;                /* open, with those that are spooled; -1: none */
};

int pg_stream_fetch(const struct pg_stream_params *p, struct pg_streamed *out, struct err *e);
void pg_streamed_fini(struct pg_streamed *s);

#endif
