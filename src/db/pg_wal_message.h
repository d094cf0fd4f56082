/*
 * pg_wal_message: what a PostgreSQL server sends while it streams WAL, and what it is answered;
 * its positions and history files as text.  Pure: outside bytes in, values out.
 *
 * The messages are those of "Streaming Replication Protocol" in PostgreSQL's manual: after
 * START_REPLICATION each piece of the copy is
 *
 *     w  start (8 bytes), end of the server's WAL (8), its clock (8), WAL
 *     k  end of the server's WAL (8), its clock (8), answer at once (1)
 *
 * all big-endian; clocks count microseconds since 2000.  Messages of other letters, that a later
 * server may send, are ERR_LATER; those that are cut or make no sense are ERR_CORRUPT.
 *
 * Threads: any.
 */
#ifndef HF_DB_PG_WAL_MESSAGE_H
#define HF_DB_PG_WAL_MESSAGE_H

#include "base/buf.h"
#include "base/err.h"

enum { PG_WAL_DATA_MAX = 4 << 20, PG_WAL_STATUS = 34, PG_WAL_HISTORY_MAX = 1 << 20 };

enum pg_wal_kind { PG_WAL_DATA, PG_WAL_ALIVE };

struct pg_wal_message {
	enum pg_wal_kind kind;
	uint64_t start;   /* of data */
	uint64_t end;     /* of what the server has */
	int64_t sent_ns;  /* since 1970, by the server's clock */
	bool answer;      /* it wants to hear from us now */
	struct span data; /* borrowed from the message */
};

int pg_wal_message_read(struct span m, struct pg_wal_message *out, struct err *e);

/* Appends PG_WAL_STATUS bytes: received up to, durable up to, applied up to. */
void pg_wal_message_status(struct buf *out, uint64_t written, uint64_t flushed, uint64_t applied,
    int64_t now_ns, bool answer);

/* "16/B374D848"; ERR_CORRUPT for all else. */
int pg_wal_lsn_read(const char *text, uint64_t *out, struct err *e);
enum { PG_WAL_LSN_TEXT = 18 };
const char *pg_wal_lsn(uint64_t lsn, char out[PG_WAL_LSN_TEXT]);

/* One line of a timeline's history file: where a timeline before it ended. */
struct pg_wal_switch {
	uint32_t timeline;
	uint64_t at;
};

/*
 * Of a history file: the timelines before it, oldest first; numbers rise.  New memory, NULL where
 * there are none.
 */
int pg_wal_history_read(
    struct span text, uint32_t timeline, struct pg_wal_switch **out, size_t *n, struct err *e);

#endif
