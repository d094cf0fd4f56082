/*
 * db_postgres: a database of PostgreSQL's; see db.h.  Values go and come in binary.
 */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "db/db_driver.h"
#include "db/pq.h"
#include "db/pq_sql.h"

enum { VALUES = 128 }; /* of a statement or an answer */

/* Numbers that PostgreSQL gives its types; they never change. */
enum {
	OID_BOOL = 16,
	OID_BYTEA = 17,
	OID_NAME = 19,
	OID_INT8 = 20,
	OID_INT2 = 21,
	OID_INT4 = 23,
	OID_TEXT = 25,
	OID_FLOAT4 = 700,
	OID_FLOAT8 = 701,
	OID_VARCHAR = 1043,
	OID_VOID = 2278
};

struct server {
	struct db db; /* first */
	const struct pq *pq;
	PGconn *conn; /* NULL: there is none, or it is lost */
	char *url;
	bool in_transaction;
	int64_t changed;
};

static int no_more(struct server *d)
{
	d->pq->finish(d->conn);
	d->conn = NULL;
	return -1;
}

/* Theirs are whole lines, some with more lines after. */
static size_t first_line(const char *text)
{
	return strcspn(text, "\n");
}

/* A statement of ours failed; what is lost is let go. */
static int failed(struct server *d, const char *sql, PGresult *r, struct err *e)
{
	const char *state = r ? d->pq->resultErrorField(r, PG_DIAG_SQLSTATE) : NULL;
	const char *why = r ? d->pq->resultErrorField(r, PG_DIAG_MESSAGE_PRIMARY) : NULL;
	bool lost = d->pq->status(d->conn) != CONNECTION_OK;

	if (why == NULL)
		why = d->pq->errorMessage(d->conn);
	err_set(e, lost ? ERR_UNREACHABLE : pq_kind(state), "%.60s: %.*s", sql,
	    (int)first_line(why), why);
	d->pq->clear(r);
	if (lost)
		no_more(d);
	return e->kind == ERR_BUSY ? err_hint(e, "another program writes for long; try again later")
				   : -1;
}

static int simple(struct server *d, const char *sql, struct err *e)
{
	PGresult *r = d->pq->exec(d->conn, sql);
	ExecStatusType status = d->pq->resultStatus(r);

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		return failed(d, sql, r, e);
	d->pq->clear(r);
	return 0;
}

static void hear_nothing(void *arg, const char *message)
{
}

static int refused(struct server *d, struct err *e)
{
	const char *why = d->pq->errorMessage(d->conn);
	bool denied = d->pq->connectionNeedsPassword(d->conn) ||
		      d->pq->connectionUsedPassword(d->conn);

	err_set(e, denied ? ERR_DENIED : ERR_UNREACHABLE, "%.*s", (int)first_line(why), why);
	if (denied)
		err_hint(e, "a password comes from ~/.pgpass, PGPASSWORD or the URL");
	return no_more(d);
}

/* What the URL says goes before these: it stands after them. */
static int connect_to(struct server *d, struct err *e)
{
	const char *names[] = {"connect_timeout", "fallback_application_name", "client_encoding",
	    "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout",
	    "dbname", NULL};
	const char *values[] = {"10", "holdfast", "UTF8", "30", "10", "3", "60000", d->url, NULL};

	d->conn = d->pq->connectdbParams(names, values, 1);
	if (d->conn == NULL)
		return err_set(e, ERR_FAILED, "libpq has no memory");
	if (d->pq->status(d->conn) != CONNECTION_OK)
		return refused(d, e);
	d->pq->setNoticeProcessor(d->conn, hear_nothing, NULL);
	if (d->pq->serverVersion(d->conn) < 120000) {
		err_set(e, ERR_UNSUPPORTED, "PostgreSQL %d is too old: 12 is needed",
		    d->pq->serverVersion(d->conn) / 10000);
		return no_more(d);
	}
	/* Each wait has an end, also that of others for a transaction of ours. */
	if (simple(d,
		"SET lock_timeout = '10s'; SET statement_timeout = '120s'; "
		"SET idle_in_transaction_session_timeout = '300s'; "
		"SET jit = off", /* it takes longer than what we ask */
		e) == -1)
		return d->conn ? no_more(d) : -1;
	return 0;
}

/* A connection, anew where the last one was lost. */
static int alive(struct server *d, struct err *e)
{
	if (d->conn != NULL)
		return 0;
	if (d->in_transaction)
		return err_set(e, ERR_UNREACHABLE, "the connection was lost in a transaction");
	return connect_to(d, e);
}

static void server_close(struct db *db)
{
	struct server *d = (struct server *)db;

	no_more(d); /* what is not committed is undone by that */
	free(d->url);
	free(d);
}

int db_open_postgres(const char *url, struct db **out, struct err *e)
{
	const struct pq *pq = pq_open(e);
	struct server *d;

	if (pq == NULL)
		return -1;
	d = mem_zalloc(sizeof *d);
	d->db.ops = &db_postgres_ops;
	d->pq = pq;
	d->url = mem_strdup(url);
	if (connect_to(d, e) == -1) {
		server_close(&d->db);
		return -1;
	}
	*out = &d->db;
	return 0;
}

/* What is bound, as libpq wants it. */
struct bound {
	Oid types[VALUES];
	const char *values[VALUES];
	int lengths[VALUES], formats[VALUES];
	uint64_t numbers[VALUES]; /* where whole ones and others are put together */
};

static void bind(struct bound *b, size_t i, const struct db_value *v)
{
	static const Oid types[] = {[DB_NULL] = 0,
	    [DB_INT] = OID_INT8,
	    [DB_REAL] = OID_FLOAT8,
	    [DB_TEXT] = OID_TEXT,
	    [DB_BLOB] = OID_BYTEA};

	b->types[i] = types[v->type];
	b->formats[i] = 1;
	b->values[i] = NULL;
	b->lengths[i] = 0;
	if (v->type == DB_NULL)
		return;
	if (v->type == DB_INT || v->type == DB_REAL) {
		memcpy(&b->numbers[i], v->type == DB_INT ? (const void *)&v->i : &v->d, 8);
		b->numbers[i] = htobe64(b->numbers[i]);
		b->values[i] = (const char *)&b->numbers[i];
		b->lengths[i] = 8;
		return;
	}
	b->values[i] = v->s.n ? (const char *)v->s.p : "";
	b->lengths[i] = (int)v->s.n;
}

static uint64_t big_endian(const char *p, int n)
{
	uint64_t v = 0;

	for (int i = 0; i < n; i++)
		v = v << 8 | (uint8_t)p[i];
	return v;
}

static int value(Oid type, const char *p, int n, struct db_value *out, struct err *e)
{
	uint64_t u = n <= 8 ? big_endian(p, n) : 0;
	uint32_t w = (uint32_t)u;
	float f;

	*out = db_null();
	switch (type) {
	case OID_BOOL:
	case OID_INT8:
		*out = db_int((int64_t)u);
		return 0;
	case OID_INT4:
		*out = db_int((int32_t)u);
		return 0;
	case OID_INT2:
		*out = db_int((int16_t)u);
		return 0;
	case OID_FLOAT8:
		out->type = DB_REAL;
		memcpy(&out->d, &u, 8);
		return 0;
	case OID_FLOAT4:
		memcpy(&f, &w, 4);
		*out = db_real(f);
		return 0;
	case OID_TEXT:
	case OID_VARCHAR:
	case OID_NAME:
		*out = (struct db_value){.type = DB_TEXT, .s = span_of(p, (size_t)n)};
		return 0;
	case OID_BYTEA:
		*out = db_blob(span_of(p, (size_t)n));
		return 0;
	case OID_VOID:
		return 0;
	default:
		return err_set(e, ERR_BUG, "an answer of type %u, which is none of ours", type);
	}
}

static int tell(struct server *d, PGresult *r, db_row *row, void *arg, struct err *e)
{
	int fields = d->pq->nfields(r), rows = d->pq->ntuples(r);
	struct db_value v[VALUES];

	if (fields > VALUES)
		return err_set(e, ERR_BUG, "more than %d columns", VALUES);
	for (int i = 0; i < rows; i++) {
		for (int k = 0; k < fields; k++) {
			v[k] = db_null();
			if (!d->pq->getisnull(r, i, k) &&
			    value(d->pq->ftype(r, k), d->pq->getvalue(r, i, k),
				d->pq->getlength(r, i, k), &v[k], e) == -1)
				return -1;
		}
		if (row(arg, v, (size_t)fields, e) == -1)
			return -1;
	}
	return 0;
}

static int server_run(struct db *db, const char *sql, const struct db_value *v, size_t n,
    db_row *row, void *arg, struct err *e)
{
	struct server *d = (struct server *)db;
	struct bound b;
	struct buf theirs = {0};
	ExecStatusType status;
	PGresult *r;
	int rc = 0;

	if (n > VALUES)
		return err_set(e, ERR_BUG, "%.60s: more than %d values", sql, VALUES);
	if (alive(d, e) == -1)
		return -1;
	for (size_t i = 0; i < n; i++)
		bind(&b, i, &v[i]);
	pq_sql(&theirs, sql);
	r = d->pq->execParams(
	    d->conn, (const char *)theirs.p, (int)n, b.types, b.values, b.lengths, b.formats, 1);
	buf_fini(&theirs);
	status = d->pq->resultStatus(r);
	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		return failed(d, sql, r, e);
	d->changed = strtoll(d->pq->cmdTuples(r), NULL, 10);
	if (row != NULL && status == PGRES_TUPLES_OK)
		rc = tell(d, r, row, arg, e);
	d->pq->clear(r);
	return rc;
}

static int server_script(struct db *db, const char *sql, struct err *e)
{
	struct server *d = (struct server *)db;
	struct buf theirs = {0};
	int rc;

	if (alive(d, e) == -1)
		return -1;
	pq_sql(&theirs, sql);
	rc = simple(d, (const char *)theirs.p, e);
	buf_fini(&theirs);
	return rc;
}

static int server_begin(struct db *db, struct err *e)
{
	struct server *d = (struct server *)db;

	if (alive(d, e) == -1 || simple(d, "BEGIN", e) == -1)
		return -1;
	d->in_transaction = true;
	return 0;
}

static void server_rollback(struct db *db)
{
	struct server *d = (struct server *)db;
	struct err ignored;

	if (d->in_transaction && d->conn != NULL)
		simple(d, "ROLLBACK", &ignored);
	d->in_transaction = false;
}

static int server_commit(struct db *db, struct err *e)
{
	struct server *d = (struct server *)db;

	if (alive(d, e) == -1 || simple(d, "COMMIT", e) == -1) {
		server_rollback(db);
		return -1;
	}
	d->in_transaction = false;
	return 0;
}

static int64_t server_changed(const struct db *db)
{
	return ((const struct server *)db)->changed;
}

const struct db_ops db_postgres_ops = {
    .server = true,
    .close = server_close,
    .run = server_run,
    .script = server_script,
    .begin = server_begin,
    .commit = server_commit,
    .rollback = server_rollback,
    .changed = server_changed,
};
