/*
 * pg_stream: a base backup over the replication protocol, into a folder of ours: for servers whose
 * files cannot be read here.
 *
 * The folder holds the data directory as it came, tablespaces at pg_tblspc/OID, and in pg_wal the
 * WAL that it needs.  Every file is as the server's manifest says, by size and checksum, or it is
 * ERR_CORRUPT.  What is there is to be removed by the caller, also after a failure.
 *
 * Threads: one.
 */
#ifndef HF_SOURCE_PG_STREAM_H
#define HF_SOURCE_PG_STREAM_H

#include "db/pg.h"

struct pg_streamed {
	uint64_t start, stop;
	uint32_t timeline;
	uint64_t bytes;
};

/* `dir` is there and empty. */
int pg_stream_fetch(const struct pg_target *t, const char *dir, struct ctx *ctx,
    struct pg_streamed *out, struct err *e);

#endif
