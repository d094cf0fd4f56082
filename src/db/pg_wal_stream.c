/* pg_wal_stream: see pg_wal_stream.h. */
#include "db/pg_wal_stream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { SLOT_MAX = 63 };

/* ---- Numbers as the server writes them. */

static int read_number(const char *text, uint64_t max, uint64_t *out, struct err *e)
{
	char *end;

	if (text == NULL || text[0] < '0' || text[0] > '9')
		return err_set(e, ERR_CORRUPT, "'%.40s' is no number", text ? text : "");
	errno = 0;
	*out = strtoull(text, &end, 10);
	if (errno != 0 || *end != '\0' || *out > max)
		return err_set(e, ERR_CORRUPT, "'%.40s' is no such number", text);
	return 0;
}

static int read_timeline(const char *text, uint32_t *out, struct err *e)
{
	uint64_t v = 0;

	if (read_number(text, UINT32_MAX, &v, e) == -1)
		return err_wrap(e, "a timeline");
	*out = (uint32_t)v;
	return 0;
}

static int read_lsn(const char *text, uint64_t *out, struct err *e)
{
	return text ? pg_wal_lsn_read(text, out, e)
		    : err_set(e, ERR_CORRUPT, "a position of WAL is missing");
}

/* "16MB", "1GB". */
static int read_size(const char *text, uint64_t *out, struct err *e)
{
	static const char *const units[] = {"B", "kB", "MB", "GB"};
	char *end;

	if (text == NULL || text[0] < '0' || text[0] > '9')
		return err_set(e, ERR_CORRUPT, "'%.40s' is no size", text ? text : "");
	*out = strtoull(text, &end, 10);
	for (unsigned i = 0; i < 4; i++)
		if (strcmp(end, units[i]) == 0 && *out <= UINT32_MAX) {
			*out <<= 10 * i;
			return 0;
		}
	return err_set(e, ERR_CORRUPT, "'%.40s' is no size", text);
}

/* ---- What the server is. */

static int take_system(void *arg, const char *const *v, size_t n, struct err *e)
{
	struct pg_wal_system *s = arg;

	if (n < 3 || v[0] == NULL || strlen(v[0]) >= sizeof s->id)
		return err_set(e, ERR_CORRUPT, "the server does not say what it is");
	snprintf(s->id, sizeof s->id, "%s", v[0]);
	return read_timeline(v[1], &s->timeline, e) == -1 || read_lsn(v[2], &s->flushed, e) == -1
		   ? -1
		   : 0;
}

int pg_wal_stream_identify(struct pg *g, struct pg_wal_system *out, struct err *e)
{
	char *size;
	int rc;

	memset(out, 0, sizeof *out);
	if (pg_query(g, "IDENTIFY_SYSTEM", NULL, 0, take_system, out, e) == -1)
		return -1;
	if (out->id[0] == '\0' || out->timeline == 0)
		return err_set(e, ERR_CORRUPT, "the server does not say what it is");
	if (pg_text(g, "SHOW wal_segment_size", NULL, 0, &size, e) == -1)
		return -1;
	rc = read_size(size, &out->segment, e);
	if (rc == 0 && (out->segment < 1 << 20 || out->segment > 1 << 30 ||
			   (out->segment & (out->segment - 1)) != 0))
		rc = err_set(e, ERR_CORRUPT, "segments of WAL of '%.20s' cannot be", size);
	free(size);
	return rc;
}

static int take_history(void *arg, const char *const *v, size_t n, struct err *e)
{
	if (n < 2 || v[1] == NULL || strlen(v[1]) > PG_WAL_HISTORY_MAX)
		return err_set(e, ERR_CORRUPT, "this is no history file");
	buf_put(arg, v[1], strlen(v[1]));
	return 0;
}

int pg_wal_stream_history(struct pg *g, uint32_t timeline, struct buf *out, struct err *e)
{
	char sql[64];

	snprintf(sql, sizeof sql, "TIMELINE_HISTORY %u", (unsigned)timeline);
	return pg_query(g, sql, NULL, 0, take_history, out, e);
}

/* ---- Slots. */

bool pg_wal_slot_name_ok(const char *slot)
{
	size_t n = strlen(slot);

	return n > 0 && n <= SLOT_MAX && strspn(slot, "abcdefghijklmnopqrstuvwxyz0123456789_") == n;
}

static int slot_check(const char *slot, struct err *e)
{
	return pg_wal_slot_name_ok(slot)
		   ? 0
		   : err_set(e, ERR_USAGE,
			 "'%.80s' is no name of a slot: letters a-z, digits and _, at most 63",
			 slot);
}

int pg_wal_slot_make(struct pg *g, const char *slot, bool *made, struct err *e)
{
	char sql[128 + SLOT_MAX];

	*made = false;
	if (slot_check(slot, e) == -1)
		return -1;
	snprintf(sql, sizeof sql, "CREATE_REPLICATION_SLOT %s PHYSICAL RESERVE_WAL", slot);
	if (pg_query(g, sql, NULL, 0, NULL, NULL, e) == 0) {
		*made = true;
		return 0;
	}
	if (e->kind != ERR_EXISTS)
		return -1;
	err_clear(e);
	return 0;
}

int pg_wal_slot_drop(struct pg *g, const char *slot, struct err *e)
{
	char sql[128 + SLOT_MAX];

	if (slot_check(slot, e) == -1)
		return -1;
	snprintf(sql, sizeof sql, "DROP_REPLICATION_SLOT %s", slot);
	return pg_query(g, sql, NULL, 0, NULL, NULL, e);
}

/* slot_type, restart_lsn, restart_tli; all null: there is none */
static int take_slot(void *arg, const char *const *v, size_t n, struct err *e)
{
	struct pg_wal_slot *s = arg;

	if (n < 3 || v[0] == NULL)
		return 0;
	s->there = strcmp(v[0], "physical") == 0;
	if (v[1] == NULL)
		return 0;
	s->reserved = true;
	if (read_lsn(v[1], &s->restart, e) == -1)
		return -1;
	return v[2] ? read_timeline(v[2], &s->timeline, e) : 0;
}

int pg_wal_slot_look(struct pg *g, const char *slot, struct pg_wal_slot *out, struct err *e)
{
	char sql[128 + SLOT_MAX];

	memset(out, 0, sizeof *out);
	if (slot_check(slot, e) == -1)
		return -1;
	if (pg_version(g) < 150000)
		return 0;
	out->known = true;
	snprintf(sql, sizeof sql, "READ_REPLICATION_SLOT %s", slot);
	return pg_query(g, sql, NULL, 0, take_slot, out, e);
}

static int take_held(void *arg, const char *const *v, size_t n, struct err *e)
{
	struct pg_wal_held *h = arg;
	uint64_t left = 0;

	if (n < 5)
		return err_set(e, ERR_CORRUPT, "the server's view of slots has no such columns");
	h->there = true;
	h->active = v[0] != NULL && strcmp(v[0], "t") == 0;
	h->lost = v[1] != NULL && strcmp(v[1], "lost") == 0;
	h->left = -1;
	if (v[2] != NULL) {
		h->reserved = true;
		if (read_lsn(v[2], &h->restart, e) == -1)
			return -1;
	}
	/* Behind what a standby has replayed it is negative: nothing is kept. */
	if (v[3] != NULL && v[3][0] != '-' && read_number(v[3], INT64_MAX, &h->bytes, e) == -1)
		return -1;
	if (v[4] == NULL)
		return 0;
	if (v[4][0] != '-' && read_number(v[4], INT64_MAX, &left, e) == -1)
		return -1;
	h->left = (int64_t)left;
	return 0;
}

int pg_wal_slot_held(struct pg *q, const char *slot, struct pg_wal_held *out, struct err *e)
{
	struct db_value v = db_text(slot);

	memset(out, 0, sizeof *out);
	return pg_query(q,
	    "SELECT active, wal_status, restart_lsn, "
	    "pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() "
	    "ELSE pg_current_wal_lsn() END, restart_lsn)::bigint, safe_wal_size "
	    "FROM pg_replication_slots WHERE slot_name = $1 AND slot_type = 'physical'",
	    &v, 1, take_held, out, e);
}

/* ---- Streams. */

int pg_wal_stream_begin(
    struct pg *g, const char *slot, uint64_t from, uint32_t timeline, struct err *e)
{
	char sql[192 + SLOT_MAX], lsn[PG_WAL_LSN_TEXT];

	if (slot != NULL && slot_check(slot, e) == -1)
		return -1;
	snprintf(sql, sizeof sql, "START_REPLICATION %s%s PHYSICAL %s TIMELINE %u",
	    slot ? "SLOT " : "", slot ? slot : "", pg_wal_lsn(from, lsn), (unsigned)timeline);
	return pg_copy_begin(g, sql, NULL, NULL, e);
}

struct next {
	uint32_t timeline;
	uint64_t from;
};

static int take_next(void *arg, const char *const *v, size_t n, struct err *e)
{
	struct next *x = arg;

	if (n < 2)
		return err_set(e, ERR_CORRUPT, "the end of a timeline without what follows it");
	return read_timeline(v[0], &x->timeline, e) == -1 || read_lsn(v[1], &x->from, e) == -1 ? -1
											       : 0;
}

int pg_wal_stream_end(struct pg *g, uint32_t *next, uint64_t *from, struct err *e)
{
	struct next x = {0};
	int rc = pg_copy_end(g, take_next, &x, NULL, e);

	*next = x.timeline;
	*from = x.from;
	return rc;
}
