/*
 * pg_sync: does each commit of a server wait until a standby of that name has its WAL?
 *
 * A server says so in synchronous_standby_names, and synchronous_commit says for whom it holds: as
 * the server, a database, a role or a session has it.  What a session or function sets for itself
 * is not seen from here.
 *
 * It holds only where nobody else can stand for that name: FIRST and ANY go on with others while it
 * is away, so that all who are named have to be needed.
 *
 * Threads: a connection is one thread's.
 */
#ifndef HF_DB_PG_SYNC_H
#define HF_DB_PG_SYNC_H

#include "db/pg.h"

enum pg_sync {
	PG_SYNC_WAITS,    /* each commit does */
	PG_SYNC_NOBODY,   /* synchronous_standby_names is empty */
	PG_SYNC_OTHERS,   /* others are named */
	PG_SYNC_OPTIONAL, /* it is named; others can stand for it */
	PG_SYNC_TWO,      /* two have connected by that name */
	PG_SYNC_LEVEL,    /* synchronous_commit lets some, or all, go on without */
	PG_SYNC_STANDBY,  /* the server is a standby: its primary's commits wait for nobody here */
	PG_SYNC_NONSENSE  /* this is no such list */
};

struct pg_sync_state {
	enum pg_sync how;
	char why[256]; /* what is wrong; "" where each commit waits */
	char fix[384]; /* what to type at the server */
};

/*
 * A value of synchronous_standby_names; names are as in PostgreSQL: without regard to case, maybe
 * in double quotes.  `better` (may be NULL) becomes a value by which each commit waits for
 * `application`, and for those that are named as well.
 */
enum pg_sync pg_sync_names(
    const char *names, const char *application, char *better, size_t better_size);

int pg_sync_look(struct pg *q, const char *application, struct pg_sync_state *out, struct err *e);

#endif
