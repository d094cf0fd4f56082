/*
 * pg_wal_stream: the replication protocol's commands for streaming WAL.
 *
 * All of them are asked on a connection for replication (pg_open), which may not be in a stream;
 * from pg_wal_stream_begin to pg_wal_stream_end it is.  Answers of the server are outside input:
 * what makes no sense is ERR_CORRUPT.  Slots' names are letters a-z, digits and '_', at most 63.
 *
 * Threads: a connection is one thread's.
 */
#ifndef HF_DB_PG_WAL_STREAM_H
#define HF_DB_PG_WAL_STREAM_H

#include "db/pg.h"
#include "db/pg_wal_message.h"

struct pg_wal_system {
	char id[24]; /* decimal */
	uint32_t timeline;
	uint64_t flushed; /* end of what the server has on its disk */
	uint64_t segment; /* bytes of one: a power of two, 1 MiB to 1 GiB */
};

int pg_wal_stream_identify(struct pg *g, struct pg_wal_system *out, struct err *e);

/* Content of a timeline's history file, appended; ERR_ABSENT there is none (timeline 1). */
int pg_wal_stream_history(struct pg *g, uint32_t timeline, struct buf *out, struct err *e);

bool pg_wal_slot_name_ok(const char *slot);
/* Made, with WAL kept from now on; *made is false where it is there already. */
int pg_wal_slot_make(struct pg *g, const char *slot, bool *made, struct err *e);
int pg_wal_slot_drop(struct pg *g, const char *slot, struct err *e);

struct pg_wal_slot {
	bool known;       /* the server can be asked so (15 and later) */
	bool there;       /* it is a slot, for physical replication */
	bool reserved;    /* it keeps WAL, from... */
	uint64_t restart; /* ...here on */
	uint32_t timeline;
};

int pg_wal_slot_look(struct pg *g, const char *slot, struct pg_wal_slot *out, struct err *e);

/* What a connection for questions knows of it, on every version. */
struct pg_wal_held {
	bool there, active, lost; /* lost: WAL that it should keep is gone */
	bool reserved;
	uint64_t restart, bytes; /* that it makes the server keep */
	int64_t left;            /* bytes until max_slot_wal_keep_size; -1: no limit */
};

int pg_wal_slot_held(struct pg *q, const char *slot, struct pg_wal_held *out, struct err *e);

/* From there on; slot may be NULL.  ERR_ABSENT: the server does not have it any more. */
int pg_wal_stream_begin(
    struct pg *g, const char *slot, uint64_t from, uint32_t timeline, struct err *e);

/*
 * Our side ends.  *next is 0, or the timeline that follows after one that has ended, which is
 * then streamed from *from on.
 */
int pg_wal_stream_end(struct pg *g, uint32_t *next, uint64_t *from, struct err *e);

#endif
