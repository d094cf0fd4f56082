/* pg: see pg.h.  Connecting and asking; streams are in pg_copy.c. */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "db/pg_internal.h"

enum {
	OLDEST = 130000,
	VALUES = 32,
	LOOK_MS = 100, /* how often the wish to stop is looked at */
	PATIENCE_S = 60,
	TEXT = 0,
	BYTES = 1,
	OID_BYTEA = 17,
	OID_TEXT = 25
};
#define SECOND 1000000000LL

int64_t pg_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec * SECOND + t.tv_nsec;
}

int64_t pg_end(const struct pg *g)
{
	return pg_now() + g->patience_s * SECOND;
}

int pg_wait(struct pg *g, short events, int64_t end, struct err *e)
{
	struct pollfd p = {.fd = g->pq->socket(g->conn), .events = events};

	for (;;) {
		int64_t left = (end - pg_now()) / 1000000;
		int n;

		if (g->ctx != NULL && ctx_check(g->ctx, e) == -1)
			return -1;
		n = poll(&p, 1, left <= 0 ? 0 : left > LOOK_MS ? LOOK_MS : (int)left + 1);
		if (n > 0)
			return 1;
		if (left <= 0)
			return 0;
	}
}

/* Theirs are whole lines, some with more lines after. */
static int first_line(const char *text)
{
	return (int)strcspn(text, "\n");
}

/* ---- Errors. */

static enum err_kind kind_of(const char *state)
{
	static const struct {
		const char *state;
		enum err_kind kind;
	} kinds[] = {
	    {"42704", ERR_ABSENT}, /* no such object: a slot */
	    {"42710", ERR_EXISTS},
	    {"58P01", ERR_ABSENT}, /* no such file: a segment of WAL that is gone */
	    {"55006", ERR_BUSY},   /* somebody is at it: a slot */
	    {"55000", ERR_FAILED},
	    {"25", ERR_FAILED},
	    {"22", ERR_FAILED},
	    {"23", ERR_FAILED},
	};

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strncmp(state, kinds[i].state, strlen(kinds[i].state)) == 0)
			return kinds[i].kind;
	return pq_kind(state);
}

int pg_failed(struct pg *g, PGresult *r, struct err *e)
{
	const char *state = r ? g->pq->resultErrorField(r, PG_DIAG_SQLSTATE) : NULL;
	const char *why = r ? g->pq->resultErrorField(r, PG_DIAG_MESSAGE_PRIMARY) : NULL;
	const char *hint = r ? g->pq->resultErrorField(r, PG_DIAG_MESSAGE_HINT) : NULL;
	bool lost = g->pq->status(g->conn) != CONNECTION_OK;

	snprintf(g->state, sizeof g->state, "%s", state ? state : "");
	if (why == NULL)
		why = g->pq->errorMessage(g->conn);
	if (why[0] == '\0')
		why = "the server gave no answer";
	err_set(e,
	    state  ? kind_of(state)
	    : lost ? ERR_UNREACHABLE
		   : ERR_FAILED,
	    "%.*s", first_line(why), why);
	if (lost && e->kind == ERR_FAILED)
		e->kind = ERR_UNREACHABLE;
	if (hint != NULL)
		err_hint(e, "%.*s", first_line(hint), hint);
	g->pq->clear(r);
	return -1;
}

/* What is asked for is of no use any more: the server is not to go on with it. */
static int gave_up(struct pg *g, struct err *e)
{
	char ignored[256];
	PGcancel *c = g->pq->getCancel(g->conn);

	if (c != NULL && g->pq->status(g->conn) == CONNECTION_OK)
		g->pq->cancel(c, ignored, sizeof ignored);
	g->pq->freeCancel(c);
	return -1;
}

static int too_late(struct pg *g, struct err *e)
{
	err_set(e, ERR_TIMEOUT, "the server did not answer within %d s", g->patience_s);
	return gave_up(g, e);
}

/* ---- Connecting. */

static void hear_nothing(void *arg, const char *message)
{
}

/* The code in "... FATAL:  28P01: password authentication failed": new text without it. */
static char *without_state(const char *said, char state[6])
{
	for (const char *p = said; (p = strstr(p, ": ")) != NULL; p++) {
		const char *code = p + 2 + strspn(p + 2, " ");

		if (strspn(code, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 &&
		    strcspn(code, "0123456789") < 5 && /* "FATAL" is none */
		    strncmp(code + 5, ": ", 2) == 0) {
			snprintf(state, 6, "%.5s", code);
			return mem_printf(
			    "%.*s%.*s", (int)(code - said), said, first_line(code + 7), code + 7);
		}
	}
	state[0] = '\0';
	return mem_printf("%.*s", first_line(said), said);
}

static int how_to_get_in(const char *state, struct err *e)
{
	if (strncmp(state, "28000", 5) == 0 && strstr(e->msg, "does not exist") != NULL)
		return err_hint(e,
		    "make the role: doc/postgresql.md has its lines; or name another "
		    "in user:");
	if (strncmp(state, "28000", 5) == 0)
		return err_hint(e, "pg_hba.conf lets in who may: doc/postgresql.md has its lines");
	if (strncmp(state, "42501", 5) == 0)
		return err_hint(e, "alter role ... replication: doc/postgresql.md has its lines");
	if (strncmp(state, "3D000", 5) == 0)
		return err_hint(e, "database: names one that is there; left out it is postgres");
	if (strncmp(state, "53300", 5) == 0)
		return err_hint(
		    e, "max_connections, or superuser_reserved_connections, leaves none");
	if (e->kind == ERR_DENIED)
		return err_hint(e, "a password comes from the configuration, ~/.pgpass or "
				   "PGPASSWORD");
	if (e->kind == ERR_UNREACHABLE)
		return err_hint(e, "does the server run, and listen there?");
	return -1;
}

static int refused(struct pg *g, struct err *e)
{
	char *why = without_state(g->pq->errorMessage(g->conn), g->state);
	enum err_kind kind = g->state[0] ? kind_of(g->state) : ERR_UNREACHABLE;

	if (kind == ERR_UNREACHABLE && g->pq->connectionNeedsPassword(g->conn))
		kind = ERR_DENIED;
	err_set(e, kind, "%s", why);
	free(why);
	return how_to_get_in(g->state, e);
}

static int connect_poll(struct pg *g, int timeout_s, struct err *e)
{
	int64_t end = pg_now() + timeout_s * SECOND;
	PostgresPollingStatusType s = PGRES_POLLING_WRITING;

	while (s != PGRES_POLLING_OK) {
		int n = pg_wait(g, s == PGRES_POLLING_READING ? POLLIN : POLLOUT, end, e);

		if (n == -1)
			return -1;
		if (n == 0)
			return err_set(
			    e, ERR_TIMEOUT, "no connection to the server within %d s", timeout_s);
		s = g->pq->connectPoll(g->conn);
		if (s == PGRES_POLLING_FAILED)
			return refused(g, e);
	}
	g->pq->setErrorVerbosity(g->conn, PQERRORS_DEFAULT);
	if (g->pq->setnonblocking(g->conn, 1) == -1)
		return pg_failed(g, NULL, e);
	if (g->pq->serverVersion(g->conn) < OLDEST) {
		err_set(e, ERR_UNSUPPORTED, "PostgreSQL %d is too old: 13 is needed",
		    g->pq->serverVersion(g->conn) / 10000);
		return -1;
	}
	return 0;
}

static int start(
    struct pg *g, const struct pg_target *t, bool replication, int timeout_s, struct err *e)
{
	const char *names[] = {"host", "port", "user", "password", "dbname", "sslmode",
	    "sslrootcert", "application_name", "replication", "client_encoding", "keepalives_idle",
	    "keepalives_interval", "keepalives_count", "tcp_user_timeout", "options", NULL};
	const char *values[] = {t->host, t->port, t->user, t->password,
	    t->database ? t->database : "postgres", t->sslmode, t->sslrootcert,
	    t->application ? t->application : "holdfast", replication ? "true" : NULL, "UTF8", "30",
	    "10", "3", "60000",
	    replication ? NULL : "-c jit=off -c search_path=pg_catalog -c DateStyle=ISO", NULL};

	g->conn = g->pq->connectStartParams(names, values, 0);
	if (g->conn == NULL)
		return err_set(e, ERR_FAILED, "libpq has no memory");
	g->pq->setNoticeProcessor(g->conn, hear_nothing, NULL);
	if (g->pq->status(g->conn) == CONNECTION_BAD)
		return refused(g, e);
	/* The only way to learn why: the code stands in the message then. */
	g->pq->setErrorVerbosity(g->conn, PQERRORS_VERBOSE);
	return connect_poll(g, timeout_s, e);
}

/* However that is said, in whichever language: settings have one name. */
static bool is_full(const struct pg *g, const struct err *e)
{
	return strcmp(g->state, "53300") == 0 && strstr(e->msg, "max_wal_senders") == NULL;
}

int pg_open_full(const struct pg_target *t, bool replication, int timeout_s, struct ctx *ctx,
    struct pg **out, bool *full, struct err *e)
{
	const struct pq *pq = pq_open(e);
	struct pg *g;

	*out = NULL;
	*full = false;
	if (pq == NULL)
		return -1;
	g = mem_zalloc(sizeof *g);
	g->pq = pq;
	g->ctx = ctx;
	g->replication = replication;
	g->patience_s = timeout_s > PATIENCE_S ? timeout_s : PATIENCE_S;
	if (start(g, t, replication, timeout_s, e) == -1) {
		*full = is_full(g, e);
		pg_close(g);
		return -1;
	}
	*out = g;
	return 0;
}

int pg_open_for(const struct pg_target *t, bool replication, int timeout_s, struct ctx *ctx,
    struct pg **out, struct err *e)
{
	bool ignored;

	return pg_open_full(t, replication, timeout_s, ctx, out, &ignored, e);
}

int pg_open(
    const struct pg_target *t, bool replication, int timeout_s, struct pg **out, struct err *e)
{
	return pg_open_for(t, replication, timeout_s, NULL, out, e);
}

void pg_close(struct pg *g)
{
	if (g == NULL)
		return;
	if (g->message != NULL)
		g->pq->freemem(g->message);
	g->pq->finish(g->conn);
	free(g);
}

int pg_patience(struct pg *g, int seconds)
{
	int was = g->patience_s;

	g->patience_s = seconds;
	return was;
}

int pg_version(const struct pg *g)
{
	return g->pq->serverVersion(g->conn);
}

const char *pg_state(const struct pg *g)
{
	return g->state;
}

const char *pg_parameter(const struct pg *g, const char *name)
{
	return g->pq->parameterStatus(g->conn, name);
}

int pg_socket(const struct pg *g)
{
	return g->pq->socket(g->conn);
}

/* ---- Asking. */

int pg_flush(struct pg *g, int64_t end, struct err *e)
{
	for (;;) {
		int n = g->pq->flush(g->conn), can;

		if (n == 0)
			return 0;
		if (n == -1)
			return pg_failed(g, NULL, e);
		can = pg_wait(g, POLLIN | POLLOUT, end, e);
		if (can == -1)
			return gave_up(g, e);
		if (can == 0)
			return too_late(g, e);
		/* A server that waits for us to read does not read. */
		if (g->pq->consumeInput(g->conn) == 0)
			return pg_failed(g, NULL, e);
	}
}

int pg_result(struct pg *g, int64_t end, PGresult **out, struct err *e)
{
	while (g->pq->isBusy(g->conn)) {
		int n = pg_wait(g, POLLIN, end, e);

		if (n == -1)
			return gave_up(g, e);
		if (n == 0)
			return too_late(g, e);
		if (g->pq->consumeInput(g->conn) == 0)
			return pg_failed(g, NULL, e);
	}
	*out = g->pq->getResult(g->conn);
	return 0;
}

int pg_tell(struct pg *g, PGresult *r, pg_row *row, void *arg, struct err *e)
{
	int fields = g->pq->nfields(r), rows = g->pq->ntuples(r);
	const char *v[VALUES];

	if (row == NULL)
		return 0;
	if (fields > VALUES)
		return err_set(e, ERR_FAILED, "an answer of more than %d columns", VALUES);
	for (int i = 0; i < rows; i++) {
		for (int k = 0; k < fields; k++)
			v[k] = g->pq->getisnull(r, i, k) ? NULL : g->pq->getvalue(r, i, k);
		if (row(arg, v, (size_t)fields, e) == -1)
			return -1;
	}
	return 0;
}

int pg_send(struct pg *g, const char *sql, int64_t end, struct err *e)
{
	g->state[0] = '\0';
	if (g->mode != PG_IDLE)
		return err_set(e, ERR_BUG, "a question while something is copied");
	if (g->pq->sendQuery(g->conn, sql) == 0)
		return pg_failed(g, NULL, e);
	return pg_flush(g, end, e);
}

static int send_values(
    struct pg *g, const char *sql, const struct db_value *v, size_t n, int64_t end, struct err *e)
{
	char *texts[VALUES] = {NULL};
	const char *values[VALUES] = {NULL};
	int lengths[VALUES] = {0}, formats[VALUES] = {0}, sent;
	Oid types[VALUES] = {0};

	if (n > VALUES)
		return err_set(e, ERR_BUG, "more than %d values", VALUES);
	for (size_t i = 0; i < n; i++) {
		bool bytes = v[i].type == DB_BLOB;

		/* Types are what the statement takes; those of texts too. */
		types[i] = bytes ? OID_BYTEA : 0;
		formats[i] = bytes ? BYTES : TEXT;
		lengths[i] = (int)v[i].s.n;
		if (v[i].type == DB_INT)
			texts[i] = mem_printf("%" PRId64, v[i].i);
		else if (v[i].type == DB_REAL)
			texts[i] = mem_printf("%.17g", v[i].d);
		else if (v[i].type == DB_TEXT)
			texts[i] = mem_printf("%.*s", (int)v[i].s.n, (const char *)v[i].s.p);
		values[i] = bytes ? (const char *)v[i].s.p : texts[i];
	}
	sent = g->pq->sendQueryParams(g->conn, sql, (int)n, types, values, lengths, formats, TEXT);
	for (size_t i = 0; i < n; i++)
		free(texts[i]);
	return sent ? pg_flush(g, end, e) : pg_failed(g, NULL, e);
}

/* All results are read, also after one that failed: else nothing more can be asked. */
static int results(struct pg *g, pg_row *row, void *arg, int64_t end, struct err *e)
{
	struct err later;
	PGresult *r;
	int rc = 0;

	for (;;) {
		ExecStatusType status;

		if (pg_result(g, end, &r, rc == 0 ? e : &later) == -1)
			return -1;
		if (r == NULL)
			return rc;
		status = g->pq->resultStatus(r);
		if (status == PGRES_TUPLES_OK && rc == 0)
			rc = pg_tell(g, r, row, arg, e);
		if (status == PGRES_COPY_OUT || status == PGRES_COPY_IN ||
		    status == PGRES_COPY_BOTH) {
			g->pq->clear(r);
			return err_set(e, ERR_BUG, "a question that copies");
		}
		if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK ||
		    status == PGRES_EMPTY_QUERY || rc == -1)
			g->pq->clear(r);
		else
			rc = pg_failed(g, r, e);
	}
}

int pg_query(struct pg *g, const char *sql, const struct db_value *v, size_t n, pg_row *row,
    void *arg, struct err *e)
{
	int64_t end = pg_end(g);
	int rc = n == 0 ? pg_send(g, sql, end, e) : 0;

	if (n > 0) {
		g->state[0] = '\0';
		rc = g->replication || g->mode != PG_IDLE
			 ? err_set(e, ERR_BUG, "values where none are taken")
			 : send_values(g, sql, v, n, end, e);
	}
	if (rc == 0)
		rc = results(g, row, arg, end, e);
	return rc == 0 ? 0 : err_wrap(e, "%.60s", sql);
}

struct first {
	char *text;
	bool had;
};

static int take_first(void *arg, const char *const *v, size_t n, struct err *e)
{
	struct first *f = arg;

	if (!f->had && n > 0 && v[0] != NULL)
		f->text = mem_strdup(v[0]);
	f->had = true;
	return 0;
}

int pg_text(
    struct pg *g, const char *sql, const struct db_value *v, size_t n, char **out, struct err *e)
{
	struct first f = {NULL};

	*out = NULL;
	if (pg_query(g, sql, v, n, take_first, &f, e) == -1) {
		free(f.text);
		return -1;
	}
	*out = f.text;
	return 0;
}
