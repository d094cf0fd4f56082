/* pg_internal: what pg's files share. */
#ifndef HF_DB_PG_INTERNAL_H
#define HF_DB_PG_INTERNAL_H

#include "db/pg.h"
#include "db/pq.h"

enum pg_mode { PG_IDLE, PG_OUT, PG_IN, PG_BOTH };

struct pg {
	const struct pq *pq;
	PGconn *conn;
	struct ctx *ctx; /* or NULL */
	int patience_s;
	bool replication;
	enum pg_mode mode;
	bool ended;    /* the stream, by its server */
	char *message; /* of the stream, libpq's */
	char state[6];
};

int64_t pg_now(void);
/*
 * Until the socket can do one of `events` (poll's), or the moment `end`, or the wish to stop.
 * 1: it can; 0: the moment came; -1: ERR_CANCELLED.
 */
int pg_wait(struct pg *g, short events, int64_t end, struct err *e);

/* All that waits to be sent, sent. */
int pg_flush(struct pg *g, int64_t end, struct err *e);
/* The next result, or NULL when there are no more. */
int pg_result(struct pg *g, int64_t end, PGresult **out, struct err *e);
/* What the server says is wrong; r is cleared.  Returns -1. */
int pg_failed(struct pg *g, PGresult *r, struct err *e);
int pg_tell(struct pg *g, PGresult *r, pg_row *row, void *arg, struct err *e);
int pg_send(struct pg *g, const char *sql, int64_t end, struct err *e);
int64_t pg_end(const struct pg *g);

#endif
