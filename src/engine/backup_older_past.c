/*
 * backup_older_past: is a server's past that of the parent?  One that was put back to an image of
 * its disk goes on at the same places in another way, and nothing else tells.  See backup_older.h.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "codec/crc32c.h"
#include "db/pg_wal_stream.h"
#include "engine/backup_map.h"
#include "engine/backup_older.h"
#include "source/pg_label.h"

#define WAIT_NS INT64_C(30000000000)

/* WAL [at, end), from the stream that begins at `at`. */
static int mark_of(struct pg *g, uint64_t at, uint64_t end, uint32_t *out, struct err *e)
{
	uint32_t crc = 0;

	while (at < end) {
		struct pg_wal_message m;
		enum pg_copied got;
		struct span bytes;

		if (pg_copy_read(g, WAIT_NS, &got, &bytes, e) == -1)
			return -1;
		/* What it has not it says where the stream ends. */
		if (got == PG_END && pg_copy_end(g, NULL, NULL, NULL, e) == -1)
			return -1;
		if (got != PG_MESSAGE)
			return err_set(e, ERR_FAILED, "the server does not send its WAL");
		if (pg_wal_message_read(bytes, &m, e) == -1) {
			if (e->kind != ERR_LATER)
				return -1;
			continue;
		}
		if (m.kind != PG_WAL_DATA && m.end < end)
			return err_set(e, ERR_FAILED, "the server is behind the parent");
		if (m.kind != PG_WAL_DATA)
			continue;
		if (m.start != at)
			return err_set(e, ERR_CORRUPT, "the server's WAL has a gap");
		if (m.data.n > end - at)
			m.data.n = (size_t)(end - at);
		crc = crc32c(crc, m.data.p, m.data.n);
		at += m.data.n;
	}
	*out = crc;
	return 0;
}

static int mark_there(const struct snapshot_part *part, struct pg *g, uint32_t *out, struct err *e)
{
	uint64_t start = part->log_start, end = part->log_end, from;
	uint32_t next;
	int rc;

	if (end - start > BACKUP_MAP_MARKED)
		start = end - BACKUP_MAP_MARKED;
	rc = pg_wal_stream_begin(g, NULL, start, part->timeline, e);
	if (rc == 0)
		rc = mark_of(g, start, end, out, e);
	if (rc == 0) {
		struct err ignored;

		pg_wal_stream_end(g, &next, &from, &ignored);
	}
	return rc;
}

/*
 * The server lets go of WAL long before its account of what that changed, of which each piece ends
 * at a checkpoint.  One that was put back to an image from while the parent was made had one when
 * it came up, before the parent's end; so one piece has to hold the parent's backup whole.
 */
static int has_piece(const struct snapshot_part *part, struct pg *g, struct err *e)
{
	char start[PG_LSN_TEXT], end[PG_LSN_TEXT], tli[12], *there;
	struct db_value v[3];
	bool yes;

	snprintf(tli, sizeof tli, "%u", (unsigned)part->timeline);
	v[0] = db_text(tli);
	v[1] = db_text(pg_lsn_text(start, part->log_start));
	v[2] = db_text(pg_lsn_text(end, part->log_end));
	if (pg_text(g,
		"select 1 from pg_available_wal_summaries() where tli::text = $1::text and "
		"start_lsn = $2::pg_lsn and end_lsn > $3::pg_lsn limit 1",
		v, 3, &there, e) == -1)
		return -1;
	yes = there != NULL;
	free(there);
	if (yes)
		return 0;
	err_set(e, ERR_ABSENT,
	    "the server has no longer the WAL of the parent's end, and a checkpoint lies in it");
	return err_hint(e, "wal_keep_size keeps it longer");
}

int backup_older_same_past(
    const struct snapshot_part *part, struct pg *g, struct pg *line, struct err *e)
{
	json_t *all = part->facts ? json_loads(part->facts, 0, NULL) : NULL;
	const char *text = json_string_value(
	    json_object_get(json_object_get(all, "postgresql"), "log_mark"));
	uint32_t mark = text ? (uint32_t)strtoul(text, NULL, 16) : 0, now;
	bool marked = text != NULL;

	json_decref(all);
	if (!marked)
		return err_set(e, ERR_ABSENT, "the parent has no mark of the log");
	if (mark_there(part, line, &now, e) == -1)
		return e->kind == ERR_ABSENT ? has_piece(part, g, e) : -1;
	if (now != mark)
		return err_set(
		    e, ERR_FAILED, "the server's log is not the one that the parent saw");
	return 0;
}
