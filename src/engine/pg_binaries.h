/*
 * pg_binaries: the PostgreSQL programs that fit a data directory.
 *
 * Threads: any.
 */
#ifndef HF_ENGINE_PG_BINARIES_H
#define HF_ENGINE_PG_BINARIES_H

#include "base/ctx.h"
#include "base/err.h"
#include "source/pg_label.h"

/* The first line of PG_VERSION: 15, or 906 for 9.6. */
int pg_version_of(const char *data, int *major, struct err *e);

/*
 * The folder with `postgres` of that version; new text, or NULL: ERR_UNSUPPORTED, with where was
 * looked.  wanted: this folder and no other, or NULL: HOLDFAST_POSTGRESQL_BIN (folders, with
 * colons), where distributions and the PostgreSQL project's packages have them, PATH.
 */
char *pg_binaries_find(int major, const char *wanted, struct err *e);

/* The newest that are here, of 13 on. */
char *pg_binaries_any(const char *wanted, struct err *e);

/* What pg_controldata says of a data directory that no server runs on. */
struct pg_control {
	char state[64]; /* "in production", "shut down", ... */
	uint64_t system_identifier;
	uint32_t timeline;   /* of the latest checkpoint */
	uint64_t checkpoint; /* where that is */
	uint64_t redo;
	uint64_t minimum_recovery; /* 0: none */
	uint64_t segment_size, block_size;
	unsigned max_connections, max_worker_processes, max_wal_senders, max_prepared, max_locks;
	bool checksums;
};

int pg_control_read(
    const char *bin, const char *data, struct ctx *ctx, struct pg_control *out, struct err *e);

#endif
