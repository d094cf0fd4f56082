/*
 * pg_session: a base backup of a running server, from its begin to its end, on one connection.
 *
 * While it lasts the server keeps the WAL from where the backup begins (a temporary slot, where one
 * can be had).  A session that is closed before it was stopped is no backup, and leaves nothing
 * behind at the server.
 *
 * Threads: one at a time.
 */
#ifndef HF_SOURCE_PG_SESSION_H
#define HF_SOURCE_PG_SESSION_H

#include "db/pg.h"
#include "source/pg_label.h"

struct pg_session {
	struct pg *g;
	/* Of the server, known once it is open. */
	int version; /* 150018 */
	char *version_text;
	bool standby, checksums, superuser;
	uint64_t system, segment_size; /* bytes of a segment of WAL */
	uint32_t timeline;             /* once it is started: the one in which the backup begins */
	uint32_t block_size, relation; /* relation: blocks of a whole segment of one */
	char *data_directory;          /* NULL: this role is not told */
	char *port;
	int pid;    /* of the server's process for us */
	bool local; /* by a Unix socket */
	bool slot;  /* WAL is kept for us: who starts the backup says so */
	/* Of the backup. */
	bool started, stopped;
	uint64_t start, stop;
	struct pg_label label;
};

int pg_session_open(
    const struct pg_target *t, struct ctx *ctx, struct pg_session *s, struct err *e);
/* The same in two steps. */
int pg_session_connect(
    const struct pg_target *t, struct ctx *ctx, struct pg_session *s, struct err *e);
int pg_session_ask(struct pg_session *s, struct err *e);
void pg_session_close(struct pg_session *s); /* also one that was not opened */

/*
 * WAL from the returned position on stays with the server for as long as this connection to it is
 * open; 0: it is not kept.
 */
uint64_t pg_session_keep(struct pg *g);
/* A fast checkpoint, and from now on files may be read. */
int pg_session_start(struct pg_session *s, const char *label, struct err *e);
/* Where the server's WAL ends now: of a standby, what it has received. */
int pg_session_written(struct pg_session *s, uint64_t *lsn, struct err *e);
/*
 * New texts; *map is NULL without tablespaces.  A server that went on to another timeline meanwhile
 * is ERR_FAILED: its WAL is in two.
 */
int pg_session_stop(struct pg_session *s, char **label, char **map, struct err *e);

/* Are its pages as we know them?  ERR_UNSUPPORTED. */
int pg_session_has_pages(const struct pg_session *s, struct err *e);

/*
 * Is `data` (absolute) the data directory of this very server, and can we read it?  0; else
 * ERR_DENIED, ERR_ABSENT or ERR_UNSUPPORTED say why not.
 */
int pg_session_is_here(const struct pg_session *s, const char *data, struct err *e);

#endif
