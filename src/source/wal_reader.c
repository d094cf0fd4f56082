/* wal_reader: pages off, records together. */
#include "source/wal_reader.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/cursor.h"
#include "base/mem.h"
#include "source/pg_label.h"

enum {
	PAGE_HEAD = 24,
	PAGE_HEAD_LONG = 40,
	PAGE_CONTINUES = 0x01, /* begins with the rest of a record */
	PAGE_LONG = 0x02,
	PAGE_GIVEN_UP =
	    0x08, /* a record was begun before and is not continued: the server had died */
	PAGE_FLAGS = 0x0f,
	ALIGN = 8,
	LENGTH = 4, /* of a record: its first bytes */
};

struct wal_reader {
	struct wal_reader_params p;
	uint64_t at;      /* position of the next byte */
	uint64_t done;    /* wal_reader_done */
	uint64_t last;    /* the last record's position */
	uint64_t skip_to; /* below this nothing is looked at: after a switch */
	uint32_t over;    /* bytes of a record begun before the start */
	uint32_t total;   /* the pending record's length; 0: none */
	bool begun;       /* a page was read */
	int version;
	uint8_t head[PAGE_HEAD_LONG];
	size_t nhead;
	struct buf pending; /* first bytes of a record that goes on */
	struct wal_record record;
};

static int bad_at(uint64_t lsn, struct err *e, const char *what)
{
	char text[PG_LSN_TEXT];

	return err_set(e, ERR_CORRUPT, "log at %s: %s", pg_lsn_text(text, lsn), what);
}

static bool power_between(uint32_t v, uint32_t min, uint32_t max)
{
	return v >= min && v <= max && (v & (v - 1)) == 0;
}

struct wal_reader *wal_reader_new(const struct wal_reader_params *p, struct err *e)
{
	uint32_t page = p->page ? p->page : 8192;
	struct wal_reader *r;

	if (!power_between(p->segment, 1 << 20, 1 << 30) ||
	    !power_between(page, 1 << 10, 1 << 16) || p->start % page) {
		err_set(e, ERR_UNSUPPORTED,
		    "no log of PostgreSQL has segments of %u bytes and pages of %u", p->segment,
		    page);
		return NULL;
	}
	r = mem_zalloc(sizeof *r);
	r->p = *p;
	r->p.page = page;
	r->at = r->done = p->start;
	return r;
}

static int version_of(uint16_t magic)
{
	static const struct {
		uint16_t magic;
		int version;
	} all[] = {
	    {0xd106, 13}, {0xd10d, 14}, {0xd110, 15}, {0xd113, 16}, {0xd116, 17}, {0xd118, 18}};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (all[i].magic == magic)
			return all[i].version;
	return 0;
}

/* What only a segment's first page says. */
static int check_long(struct wal_reader *r, struct cursor *c, uint64_t lsn, struct err *e)
{
	uint64_t system = cursor_u64(c);
	uint32_t segment = cursor_u32(c), page = cursor_u32(c);

	if (r->p.system && system != r->p.system)
		return bad_at(lsn, e, "another server wrote it");
	if (segment != r->p.segment || page != r->p.page)
		return bad_at(lsn, e, "its sizes of segment and page are others");
	return 0;
}

/* A page that goes on with a record must go on with the one that is open, and the other way round.
 */
static int check_rest(
    struct wal_reader *r, uint16_t flags, uint32_t rest, uint64_t lsn, struct err *e)
{
	bool open = r->total || r->over;
	uint32_t want = r->total ? r->total - (uint32_t)r->pending.n : r->over;

	if (!(flags & PAGE_CONTINUES)) {
		if (open && !(flags & PAGE_GIVEN_UP) && r->begun)
			return bad_at(lsn, e, "a record is not continued");
		r->total = r->over = 0;
		buf_reset(&r->pending);
		return 0;
	}
	if (!r->begun)
		r->over = rest;
	else if (!open || rest != want)
		return bad_at(lsn, e, "it goes on with a record that did not begin");
	return 0;
}

static int take_page(struct wal_reader *r, struct err *e)
{
	struct cursor c = cursor_of(span_of(r->head, r->nhead));
	uint64_t lsn = r->at - r->nhead, where;
	uint16_t magic = cursor_u16(&c), flags = cursor_u16(&c);
	uint32_t timeline = cursor_u32(&c), rest;
	int version = version_of(magic);
	char text[PG_LSN_TEXT];

	where = cursor_u64(&c);
	rest = cursor_u32(&c);
	cursor_u32(&c);
	if (!version)
		return err_set(e, magic >> 8 == 0xd1 ? ERR_UNSUPPORTED : ERR_CORRUPT,
		    "log at %s: not a page of a log of PostgreSQL 13 to 17 (magic %04x)",
		    pg_lsn_text(text, lsn), magic);
	if (where != lsn || (flags & ~PAGE_FLAGS) || (r->version && version != r->version))
		return bad_at(lsn, e, "not the page that belongs here");
	if (!timeline || (r->p.timeline && timeline > r->p.timeline))
		return bad_at(lsn, e, "a page of another timeline");
	if (!(flags & PAGE_LONG) != (lsn % r->p.segment != 0))
		return bad_at(lsn, e, "a segment's first page alone has a long head");
	if ((flags & PAGE_LONG) && check_long(r, &c, lsn, e) == -1)
		return -1;
	if (check_rest(r, flags, rest, lsn, e) == -1)
		return -1;
	r->version = version;
	r->begun = true;
	return 0;
}

/* A whole record: called back for, and what it means for the reading. */
static int take_record(struct wal_reader *r, struct span bytes, uint64_t lsn, struct err *e)
{
	char text[PG_LSN_TEXT];
	struct wal_record *record = &r->record;

	record->lsn = lsn;
	record->end = (r->at + ALIGN - 1) & ~(uint64_t)(ALIGN - 1);
	record->version = r->version;
	if (wal_record_parse(bytes, record, e) == -1)
		return err_wrap(e, "log at %s", pg_lsn_text(text, lsn));
	if (r->last && record->prev != r->last)
		return bad_at(lsn, e, "it does not follow the record before");
	r->last = lsn;
	if (record->rmgr == WAL_RMGR_XLOG && (record->info & WAL_INFO_MASK) == WAL_XLOG_SWITCH) {
		r->skip_to = (lsn / r->p.segment + 1) * r->p.segment;
		if (r->at > r->skip_to) /* it ran across the border itself: never so */
			return bad_at(lsn, e, "a switch that crosses segments");
		record->end = r->skip_to;
	}
	if (r->p.record(r->p.arg, record, e) == -1)
		return -1;
	r->done = record->end;
	return 0;
}

static int check_length(uint32_t total, uint64_t lsn, struct err *e)
{
	if (total < WAL_RECORD_HEAD)
		return bad_at(lsn, e, "no record where one must begin");
	if (total > WAL_RECORD_MAX)
		return bad_at(lsn, e, "a record too long to be read");
	return 0;
}

/* The record that begins at s, a place aligned to 8 within a page; *used: bytes of it that s has.
 */
static int begin_record(struct wal_reader *r, struct span s, size_t *used, struct err *e)
{
	struct cursor c = cursor_of(s);
	uint32_t total = s.n < LENGTH ? LENGTH : cursor_u32(&c); /* a piece may end in it */
	uint64_t lsn = r->at;

	if (s.n >= LENGTH && check_length(total, lsn, e) == -1)
		return -1;
	*used = total < s.n ? total : s.n;
	r->at += *used;
	if (s.n >= LENGTH && *used == total)
		return take_record(r, span_of(s.p, total), lsn, e);
	r->total = total;
	r->done = lsn;
	buf_put(&r->pending, s.p, *used);
	return 0;
}

/* More bytes of the pending record. */
static int go_on(struct wal_reader *r, struct span s, size_t *used, struct err *e)
{
	size_t want = r->total - r->pending.n;
	int rc = 0;

	*used = want < s.n ? want : s.n;
	r->at += *used;
	buf_put(&r->pending, s.p, *used);
	if (r->pending.n < r->total)
		return 0;
	if (r->total == LENGTH) { /* only now it is known */
		struct cursor c = cursor_of(buf_span(&r->pending));

		r->total = cursor_u32(&c);
		rc = check_length(r->total, r->done, e);
	} else {
		r->total = 0;
		rc = take_record(r, buf_span(&r->pending), r->done, e);
		buf_reset(&r->pending);
	}
	return rc;
}

static void pass(struct wal_reader *r, uint64_t n, size_t most, size_t *used)
{
	*used = n < most ? (size_t)n : most;
	r->at += *used;
}

/* What comes next at r->at, from the bytes that are left of its page; *used of them. */
static int step(struct wal_reader *r, struct span s, size_t *used, struct err *e)
{
	size_t in_page = r->at % r->p.page, head;

	if (r->at < r->skip_to) {
		pass(r, r->skip_to - r->at, s.n, used);
		return 0;
	}
	if (in_page == 0)
		r->nhead = 0;
	head = (r->at - in_page) % r->p.segment ? PAGE_HEAD : PAGE_HEAD_LONG;
	if (in_page < head) {
		pass(r, head - in_page, s.n, used);
		memcpy(r->head + r->nhead, s.p, *used);
		r->nhead += *used;
		return r->nhead == head ? take_page(r, e) : 0;
	}
	if (r->over) {
		pass(r, r->over, s.n, used);
		r->over -= (uint32_t)*used;
		return 0;
	}
	if (r->total)
		return go_on(r, s, used, e);
	if (r->at % ALIGN) {
		pass(r, ALIGN - r->at % ALIGN, s.n, used);
		return 0;
	}
	return begin_record(r, s, used, e);
}

int wal_reader_feed(struct wal_reader *r, struct span bytes, struct err *e)
{
	while (bytes.n) {
		size_t page = r->p.page - r->at % r->p.page, used = 0;

		if (step(r, span_of(bytes.p, page < bytes.n ? page : bytes.n), &used, e) == -1)
			return -1;
		bytes = span_of(bytes.p + used, bytes.n - used);
	}
	return 0;
}

uint64_t wal_reader_wants(const struct wal_reader *r)
{
	return r->at < r->skip_to ? r->skip_to : r->at;
}

void wal_reader_pass(struct wal_reader *r)
{
	r->at = wal_reader_wants(r);
}

uint64_t wal_reader_done(const struct wal_reader *r)
{
	return r->done;
}

int wal_reader_version(const struct wal_reader *r)
{
	return r->version;
}

void wal_reader_free(struct wal_reader *r)
{
	if (r == NULL)
		return;
	buf_fini(&r->pending);
	free(r);
}
