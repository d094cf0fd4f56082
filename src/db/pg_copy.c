/* pg_copy: streams of a connection (pg.h). */
#include <poll.h>
#include <string.h>

#include "db/pg_internal.h"

static enum pg_mode mode_of(ExecStatusType s)
{
	return s == PGRES_COPY_OUT    ? PG_OUT
	       : s == PGRES_COPY_IN   ? PG_IN
	       : s == PGRES_COPY_BOTH ? PG_BOTH
				      : PG_IDLE;
}

/* Results until a stream begins (mode says so) or there are no more. */
static int until_stream(struct pg *g, pg_row *row, void *arg, struct err *e)
{
	struct err later;
	PGresult *r;
	int rc = 0;

	g->mode = PG_IDLE;
	g->ended = false;
	for (;;) {
		ExecStatusType s;

		if (pg_result(g, pg_end(g), &r, rc == 0 ? e : &later) == -1)
			return -1;
		if (r == NULL)
			return rc;
		s = g->pq->resultStatus(r);
		g->mode = mode_of(s);
		if (s == PGRES_TUPLES_OK && rc == 0)
			rc = pg_tell(g, r, row, arg, e);
		if (g->mode != PG_IDLE || s == PGRES_TUPLES_OK || s == PGRES_COMMAND_OK || rc == -1)
			g->pq->clear(r);
		else
			rc = pg_failed(g, r, e);
		if (g->mode != PG_IDLE)
			return rc;
	}
}

int pg_copy_begin(struct pg *g, const char *sql, pg_row *row, void *arg, struct err *e)
{
	if (pg_send(g, sql, pg_end(g), e) == -1 || until_stream(g, row, arg, e) == -1)
		return err_wrap(e, "%.60s", sql);
	if (g->mode == PG_IDLE)
		return err_set(e, ERR_FAILED, "%.60s: the answer holds no stream", sql);
	return 0;
}

static void let_go(struct pg *g)
{
	if (g->message != NULL)
		g->pq->freemem(g->message);
	g->message = NULL;
}

int pg_copy_read(
    struct pg *g, int64_t wait_ns, enum pg_copied *got, struct span *out, struct err *e)
{
	int64_t end = pg_now() + wait_ns;

	let_go(g);
	*out = (struct span){0};
	if (g->ended || (g->mode != PG_OUT && g->mode != PG_BOTH)) {
		*got = PG_END;
		return 0;
	}
	for (;;) {
		int n = g->pq->getCopyData(g->conn, &g->message, 1), can;

		if (n > 0) {
			*out = span_of(g->message, (size_t)n);
			*got = PG_MESSAGE;
			return 0;
		}
		if (n == -2)
			return pg_failed(g, NULL, e);
		if (n == -1) {
			g->ended = true;
			*got = PG_END;
			return 0;
		}
		can = pg_wait(g, POLLIN, end, e);
		if (can == -1)
			return -1;
		if (can == 0) {
			*got = PG_NOTHING;
			return 0;
		}
		if (g->pq->consumeInput(g->conn) == 0)
			return pg_failed(g, NULL, e);
	}
}

int pg_copy_write(struct pg *g, struct span message, struct err *e)
{
	int64_t end = pg_end(g);
	int n;

	if (g->mode != PG_IN && g->mode != PG_BOTH)
		return err_set(e, ERR_BUG, "nothing is copied to the server");
	while ((n = g->pq->putCopyData(g->conn, (const char *)message.p, (int)message.n)) == 0)
		if (pg_flush(g, end, e) == -1)
			return -1;
	return n == -1 ? pg_failed(g, NULL, e) : pg_flush(g, end, e);
}

/* To the end of what the server sends, which may be much that was on its way. */
static int drain(struct pg *g, struct err *e)
{
	int64_t end = pg_end(g);
	enum pg_copied got = g->ended ? PG_END : PG_MESSAGE;
	struct span ignored;

	while (got != PG_END) {
		if (pg_copy_read(g, end - pg_now(), &got, &ignored, e) == -1)
			return -1;
		if (got == PG_NOTHING || pg_now() > end)
			return err_set(e, ERR_TIMEOUT, "the server goes on sending");
	}
	return 0;
}

int pg_copy_end(struct pg *g, pg_row *row, void *arg, bool *more, struct err *e)
{
	int n = 1;

	if (more != NULL)
		*more = false;
	if (g->mode == PG_IN || g->mode == PG_BOTH) {
		while ((n = g->pq->putCopyEnd(g->conn, NULL)) == 0)
			if (pg_flush(g, pg_end(g), e) == -1)
				return -1;
		if (n == 1 && pg_flush(g, pg_end(g), e) == -1)
			return -1;
		if (n == -1 && g->pq->status(g->conn) != CONNECTION_OK)
			return pg_failed(g, NULL, e);
	}
	if (g->mode != PG_IN && drain(g, e) == -1)
		return -1;
	let_go(g);
	if (until_stream(g, row, arg, e) == -1)
		return -1;
	if (more != NULL)
		*more = g->mode != PG_IDLE;
	else if (g->mode != PG_IDLE)
		return err_set(e, ERR_FAILED, "a stream that was not expected");
	return 0;
}
