/*
 * backup_pg_logs: the WAL that a base backup needs, from the server's own folder into the log of a
 * repository, so that the backup is recovered with nothing else.
 *
 * Threads: any.
 */
#ifndef HF_ENGINE_BACKUP_PG_LOGS_H
#define HF_ENGINE_BACKUP_PG_LOGS_H

#include "repo/log.h"

struct backup_pg_wal {
	const char *data; /* the data directory; its pg_wal is read */
	const char *system, *part;
	uint32_t timeline;
	uint64_t start, stop, segment_size;
	bool whole; /* the last segment is done with: a primary changes it when a backup ends */
	bool slot;  /* the server keeps it for us */
};

/* Durable when it returns 0.  `stream` is where it went. */
int backup_pg_logs_put(const struct backup_pg_wal *w, struct repo *r, uint8_t stream[LOG_STREAM],
    struct ctx *ctx, struct err *e);

#endif
