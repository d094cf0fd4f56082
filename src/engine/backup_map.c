/* backup_map: see backup_map.h. */
#include "engine/backup_map.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "codec/crc32c.h"
#include "repo/log.h"
#include "source/pg_label.h"
#include "source/wal_dir.h"
#include "source/wal_reader.h"

enum { WAL_PAGE = 8192 };
#define FROM_LOG  (UINT64_C(4) << 20)
#define FROM_FILE (UINT64_C(1) << 20)

struct making {
	const struct snapshot_part *old;
	const struct backup_map_params *p;
	struct repo *repo;
	struct ctx *ctx;
	struct log_reader *log; /* opened when it is needed */
	struct wal_reader *reader;
	struct wal_map *map;
};

static int take_record(void *arg, const struct wal_record *r, struct err *e)
{
	struct making *m = arg;

	return r->lsn < m->old->log_start ? 0 : wal_map_add(m->map, r, e);
}

static int take_bytes(void *arg, struct span bytes, struct err *e)
{
	struct making *m = arg;

	if (ctx_check(m->ctx, e) == -1)
		return -1;
	return wal_reader_feed(m->reader, bytes, e);
}

static int from_repository(struct making *m, uint64_t at, uint64_t end, struct err *e)
{
	struct buf bytes = {0};
	int rc = 0;

	if (m->log == NULL && log_reader_open(m->repo, m->old->stream, &m->log, e) == -1)
		return -1;
	for (; at < end && rc == 0; at += bytes.n) {
		uint64_t n = end - at < FROM_LOG ? end - at : FROM_LOG, have = 0;

		rc = log_reader_get(m->log, m->p->timeline, at, at + n, &bytes, &have, e);
		if (rc == 0)
			rc = take_bytes(m, buf_span(&bytes), e);
	}
	buf_fini(&bytes);
	return rc;
}

/* From the server's own file as far as there is something in it: a switch leaves most of one empty.
 */
static int from_file(struct making *m, uint64_t at, uint64_t end, struct err *e)
{
	const struct backup_map_params *p = m->p;
	uint64_t n = FROM_FILE / 16;

	for (; at < end; n = FROM_FILE) {
		uint64_t stop = end - at < n ? end : at + n;

		if (wal_dir_read(p->wal, p->timeline, p->segment, at, stop, take_bytes, m, e) == -1)
			return -1;
		if (wal_reader_wants(m->reader) >= end) {
			wal_reader_pass(m->reader);
			return 0;
		}
		at = stop;
	}
	return 0;
}

/* From the page that the parent's log begins in, segment by segment. */
static int read_log(struct making *m, struct err *e)
{
	const struct backup_map_params *p = m->p;
	uint64_t at = m->old->log_start - m->old->log_start % WAL_PAGE;

	while (at < p->end) {
		uint64_t stop = (at / p->segment + 1) * p->segment;

		stop = stop < p->end ? stop : p->end;
		if (from_file(m, at, stop, e) == -1 &&
		    (e->kind != ERR_ABSENT ||
			from_repository(m, wal_reader_wants(m->reader), stop, e) == -1))
			return -1;
		at = stop;
	}
	return 0;
}

/* All that begins before the end was understood; what is cut off there begins after it. */
static int check_end(const struct making *m, struct err *e)
{
	uint64_t done = wal_reader_done(m->reader);
	char a[PG_LSN_TEXT], b[PG_LSN_TEXT];

	if (m->p->end <= m->old->log_start || done + WAL_PAGE > m->p->end)
		return 0;
	return err_set(e, ERR_CORRUPT, "the log can be read up to %s, not to %s",
	    pg_lsn_text(a, done), pg_lsn_text(b, m->p->end));
}

struct marking {
	uint32_t crc;
};

static int mark_bytes(void *arg, struct span bytes, struct err *e)
{
	struct marking *m = arg;

	m->crc = crc32c(m->crc, bytes.p, bytes.n);
	return 0;
}

int backup_map_mark(
    const struct backup_map_params *p, uint64_t start, uint64_t end, uint32_t *out, struct err *e)
{
	struct marking m = {0};
	uint64_t at = end - start > BACKUP_MAP_MARKED ? end - BACKUP_MAP_MARKED : start;

	while (at < end) {
		uint64_t stop = (at / p->segment + 1) * p->segment;

		stop = stop < end ? stop : end;
		if (wal_dir_read(p->wal, p->timeline, p->segment, at, stop, mark_bytes, &m, e) ==
		    -1)
			return -1;
		at = stop;
	}
	*out = m.crc;
	return 0;
}

static int check_mark(const struct making *m, const json_t *facts, struct err *e)
{
	const char *text = json_string_value(json_object_get(facts, "log_mark"));
	const struct snapshot_part *old = m->old;
	uint32_t mark;

	if (text == NULL)
		return err_set(e, ERR_ABSENT, "the parent has no mark of the log");
	if (backup_map_mark(m->p, old->log_start, old->log_end, &mark, e) == -1) {
		/* The server has let go of it since, if it is well past it: the repository has it,
		 * and its records and the server's follow one another.  Else it is behind. */
		return e->kind == ERR_ABSENT && m->p->end >= old->log_end + m->p->segment ? 0 : -1;
	}
	if (mark != (uint32_t)strtoul(text, NULL, 16))
		return err_set(
		    e, ERR_FAILED, "the server's log is not the one that the parent saw");
	return 0;
}

/* Is the parent of this very cluster, as it is now? */
static int check_parent(const struct making *m, const json_t *facts, struct err *e)
{
	const struct backup_map_params *p = m->p;
	const char *system = json_string_value(json_object_get(facts, "system_identifier"));
	char own[24];

	snprintf(own, sizeof own, "%llu", (unsigned long long)p->system);
	if (!m->old->has_log || system == NULL || strcmp(system, own) != 0)
		return err_set(e, ERR_ABSENT, "the parent is of another server");
	if (m->old->timeline != p->timeline)
		return err_set(e, ERR_ABSENT, "the server is on timeline %u, the parent on %u",
		    p->timeline, m->old->timeline);
	if (json_is_true(json_object_get(facts, "checksums")) != p->checksums)
		return err_set(e, ERR_ABSENT, "checksums of pages were turned on or off");
	if (p->block_size != WAL_PAGE)
		return err_set(e, ERR_UNSUPPORTED, "its pages have %u bytes", p->block_size);
	if (p->end < m->old->log_start)
		return err_set(e, ERR_ABSENT, "the server is behind the parent");
	return check_mark(m, facts, e);
}

static int make(struct making *m, struct err *e)
{
	struct wal_reader_params p = {
	    .start = m->old->log_start - m->old->log_start % WAL_PAGE,
	    .segment = m->p->segment,
	    .system = m->p->system,
	    .timeline = m->p->timeline,
	    .record = take_record,
	    .arg = m,
	};

	m->reader = wal_reader_new(&p, e);
	if (m->reader == NULL || read_log(m, e) == -1 || check_end(m, e) == -1)
		return -1;
	return 0;
}

struct wal_map *backup_map_make(struct repo *r, const struct snapshot_part *old,
    const struct backup_map_params *p, struct ctx *ctx, struct err *e)
{
	struct making m = {.old = old, .p = p, .repo = r, .ctx = ctx, .map = wal_map_new()};
	json_t *facts = old->facts ? json_loads(old->facts, 0, NULL) : NULL;
	int rc = check_parent(&m, json_object_get(facts, "postgresql"), e);

	if (rc == 0)
		rc = make(&m, e);
	json_decref(facts);
	wal_reader_free(m.reader);
	log_reader_close(m.log);
	if (rc == 0)
		return m.map;
	wal_map_free(m.map);
	return NULL;
}
