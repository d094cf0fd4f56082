/*
 * pg: a connection to a PostgreSQL server that is backed up, for questions and for its replication
 * protocol.  (db.h is for a database of our own.)
 *
 * Every wait has an end: that of pg_open's timeout, or what pg_patience says, or a deadline of the
 * call; and ends within a fifth of a second once `ctx` is cancelled.  A question that is given up
 * is also cancelled at the server.  After ERR_TIMEOUT, ERR_CANCELLED and ERR_UNREACHABLE a
 * connection is of no more use than to be closed.
 *
 * What comes from the server is bytes of others: texts are of any length and, in databases of
 * encoding SQL_ASCII, of any bytes.
 *
 * Errors: ERR_UNREACHABLE nobody answers, or the connection was lost; ERR_DENIED the password, its
 * pg_hba.conf or a missing right; ERR_TIMEOUT; ERR_CANCELLED; ERR_ABSENT no such database, slot or
 * segment of WAL; ERR_EXISTS; ERR_BUSY too many connections, a slot that another uses;
 * ERR_UNSUPPORTED a server before 13, or no libpq here.  pg_state tells which one in the server's
 * own codes.
 *
 * Threads: a connection is one thread's at a time.
 */
#ifndef HF_DB_PG_H
#define HF_DB_PG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ctx.h"
#include "db/db.h"

/* Borrowed texts; NULL is what libpq takes by itself. */
struct pg_target {
	const char *host; /* a name, an address, or the folder of a socket */
	const char *port;
	const char *user;
	const char *password; /* NULL: ~/.pgpass, PGPASSWORD */
	const char *database; /* NULL: "postgres" */
	const char *sslmode, *sslrootcert;
	const char *application; /* NULL: "holdfast" */
};

struct pg;

/* For questions in the database, or for commands of replication (pg_hba.conf: replication). */
int pg_open(
    const struct pg_target *t, bool replication, int timeout_s, struct pg **out, struct err *e);
/* The same, given up when ctx (may be NULL) is cancelled, which also holds for all that follows. */
int pg_open_for(const struct pg_target *t, bool replication, int timeout_s, struct ctx *ctx,
    struct pg **out, struct err *e);
/*
 * The same; *full: the server, the database or the role has no connection left for it, so that one
 * more closed is one for this.  Not so where those that replicate are too many (max_wal_senders).
 */
int pg_open_full(const struct pg_target *t, bool replication, int timeout_s, struct ctx *ctx,
    struct pg **out, bool *full, struct err *e);
void pg_close(struct pg *g); /* NULL does nothing */

/* How long each answer may take from now on, in seconds; how long it could until now. */
int pg_patience(struct pg *g, int seconds);

int pg_version(const struct pg *g);       /* 150018 */
const char *pg_state(const struct pg *g); /* code of the last error, "42704", or "" */
/* As the server says it of itself when it is connected to: "in_hot_standby"; or NULL. */
const char *pg_parameter(const struct pg *g, const char *name);

/*
 * One statement with $1, $2, ... and its answer, each value as text, NULL where it is null;
 * borrowed until `row` returns.  -1 of `row` ends it with that error.  row may be NULL.  On a
 * connection for replication there are no values (n is 0), and several answers may come: rows of
 * all of them.
 */
typedef int pg_row(void *arg, const char *const *v, size_t n, struct err *e);
int pg_query(struct pg *g, const char *sql, const struct db_value *v, size_t n, pg_row *row,
    void *arg, struct err *e);

/* The first value of the first row: new text, or NULL where there is no row or it is null. */
int pg_text(
    struct pg *g, const char *sql, const struct db_value *v, size_t n, char **out, struct err *e);

/* ---- Copying: what COPY, START_REPLICATION and BASE_BACKUP stream. */

/*
 * Send it, tell the rows that come before the stream, and stand at its beginning.
 * ERR_FAILED if the answer holds none.
 */
int pg_copy_begin(struct pg *g, const char *sql, pg_row *row, void *arg, struct err *e);

enum pg_copied { PG_MESSAGE, PG_NOTHING /* until the deadline */, PG_END };

/*
 * The next message, borrowed until the next call.  Waits at most wait_ns: 0 looks only whether one
 * is there.  PG_NOTHING is no error: whoever expects more says when it is one.
 */
int pg_copy_read(
    struct pg *g, int64_t wait_ns, enum pg_copied *got, struct span *out, struct err *e);

/* To the server, in a stream of both directions (START_REPLICATION) or COPY FROM; sent when it
 * returns. */
int pg_copy_write(struct pg *g, struct span message, struct err *e);

/*
 * Our side ends; what the server still sends is passed over, and the rows of its last answers are
 * told.  Where the server has ended it with an error this says which: ERR_ABSENT for WAL that is
 * gone.  After PG_END it may be called again for BASE_BACKUP's next stream: *more says that there
 * is one, and that this stands at its beginning.  more may be NULL.
 */
int pg_copy_end(struct pg *g, pg_row *row, void *arg, bool *more, struct err *e);

/* For poll: readable when something came; -1 once it is lost. */
int pg_socket(const struct pg *g);

#endif
