/* wal_record: heads of blocks, and the ends of transactions. */
#include "source/wal_record.h"

#include "base/cursor.h"
#include "codec/crc32c.h"

enum {
	CRC_AT = 20,
	ID_SHORT = 255,
	ID_LONG = 254,
	ID_ORIGIN = 253,
	ID_TOP_XID = 252,
	REF_FORK = 0x0f,
	REF_IMAGE = 0x10,
	REF_DATA = 0x20,
	REF_SAME = 0x80,
	IMAGE_HOLE = 0x01,
	IMAGE_COMPRESSED_14 = 0x02, /* up to 14 */
	IMAGE_COMPRESSED_15 = 0x1c, /* from 15 on: pglz, lz4, zstd */
};

struct parse {
	struct cursor c;
	struct wal_record *r;
	uint64_t data; /* bytes that the heads so far have announced */
	uint32_t main;
	int last_id;
	bool has_rel, has_main;
};

static void parse_image(struct parse *p)
{
	bool old = p->r->version < 15;
	uint16_t length = cursor_u16(&p->c);
	uint8_t info;

	cursor_u16(&p->c); /* where the hole begins */
	info = cursor_u8(&p->c);
	if ((info & IMAGE_HOLE) && (info & (old ? IMAGE_COMPRESSED_14 : IMAGE_COMPRESSED_15)))
		cursor_u16(&p->c); /* its length: else what is missing from a page */
	p->data += length;
}

static void parse_ref(struct parse *p, uint8_t id)
{
	uint8_t flags = cursor_u8(&p->c);
	uint16_t length = cursor_u16(&p->c);
	struct wal_ref *ref;

	if ((int)id <= p->last_id || p->r->nrefs == WAL_RECORD_REFS ||
	    (flags & REF_FORK) >= WAL_FORKS || (!(flags & REF_DATA) && length)) {
		p->c.bad = true;
		return;
	}
	p->last_id = id;
	p->data += length;
	if (flags & REF_IMAGE)
		parse_image(p);
	ref = &p->r->refs[p->r->nrefs];
	if (!(flags & REF_SAME)) {
		ref->rel.spc = cursor_u32(&p->c);
		ref->rel.db = cursor_u32(&p->c);
		ref->rel.rel = cursor_u32(&p->c);
	} else if (p->r->nrefs) {
		ref->rel = p->r->refs[p->r->nrefs - 1].rel;
	} else {
		p->c.bad = true;
	}
	ref->fork = flags & REF_FORK;
	ref->block = cursor_u32(&p->c);
	p->r->nrefs++;
}

/* One head; the main data's is the last. */
static void parse_head(struct parse *p)
{
	uint8_t id = cursor_u8(&p->c);

	switch (id) {
	case ID_SHORT:
	case ID_LONG:
		p->main = id == ID_SHORT ? cursor_u8(&p->c) : cursor_u32(&p->c);
		p->data += p->main;
		p->has_main = true;
		break;
	case ID_ORIGIN:
		cursor_u16(&p->c);
		break;
	case ID_TOP_XID:
		cursor_u32(&p->c);
		break;
	default:
		if (id >= WAL_RECORD_REFS)
			p->c.bad = true;
		else
			parse_ref(p, id);
	}
}

int wal_record_parse(struct span bytes, struct wal_record *out, struct err *e)
{
	struct parse p = {.c = cursor_of(bytes), .r = out, .last_id = -1};
	uint32_t total = cursor_u32(&p.c), crc;

	out->xid = cursor_u32(&p.c);
	out->prev = cursor_u64(&p.c);
	out->info = cursor_u8(&p.c);
	out->rmgr = cursor_u8(&p.c);
	cursor_u16(&p.c);
	crc = cursor_u32(&p.c);
	out->nrefs = 0;
	out->size = total;
	if (p.c.bad || total != bytes.n)
		return err_set(e, ERR_CORRUPT, "not a record of the log");
	if (crc32c(crc32c(0, bytes.p + WAL_RECORD_HEAD, bytes.n - WAL_RECORD_HEAD), bytes.p,
		CRC_AT) != crc)
		return err_set(e, ERR_CORRUPT, "its checksum does not match");
	while (!p.c.bad && !p.has_main && cursor_left(&p.c) > p.data)
		parse_head(&p);
	if (p.c.bad || cursor_left(&p.c) != p.data)
		return err_set(e, ERR_CORRUPT, "its parts do not add up to its length");
	out->main = span_of(bytes.p + bytes.n - p.main, p.main);
	return 0;
}

/* Which further parts the end of a transaction has, in the order in which they stand. */
enum {
	HAS_PARTS = 0x80, /* in info */
	PART_DATABASE = 1 << 0,
	PART_CHILDREN = 1 << 1,
	PART_RELS = 1 << 2,
	PART_INVALS = 1 << 3,
	PART_TWO_PHASE = 1 << 4,
	PART_STATS = 1 << 8, /* stands after the relations */
};

static struct span parts_of(struct cursor *c, size_t each, size_t *n)
{
	uint32_t count = cursor_u32(c);

	if (count > cursor_left(c) / each)
		c->bad = true;
	*n = c->bad ? 0 : count;
	return cursor_bytes(c, *n * each);
}

static void xact_parts(struct cursor *c, int version, struct wal_xact *out)
{
	uint32_t parts = cursor_u32(c);
	size_t n;

	if (parts & PART_DATABASE)
		cursor_bytes(c, 8);
	if (parts & PART_CHILDREN)
		parts_of(c, 4, &n);
	if (parts & PART_RELS)
		out->rels = parts_of(c, 12, &out->nrels);
	if (parts & PART_STATS)
		parts_of(c, version < 18 ? 12 : 16, &n);
	if (parts & PART_INVALS)
		parts_of(c, 16, &n);
	if (parts & PART_TWO_PHASE)
		out->xid = cursor_u32(c);
}

int wal_xact_of(const struct wal_record *r, struct wal_xact *out, struct err *e)
{
	struct cursor c = cursor_of(r->main);
	uint8_t what = r->info & WAL_XACT_MASK;

	if (r->rmgr != WAL_RMGR_XACT)
		return 0;
	if (what != WAL_XACT_COMMIT && what != WAL_XACT_ABORT && what != WAL_XACT_COMMIT_PREPARED &&
	    what != WAL_XACT_ABORT_PREPARED)
		return 0;
	*out = (struct wal_xact){
	    .commit = what == WAL_XACT_COMMIT || what == WAL_XACT_COMMIT_PREPARED,
	    .xid = r->xid,
	    .time = (int64_t)cursor_u64(&c),
	};
	if (r->info & HAS_PARTS)
		xact_parts(&c, r->version, out);
	return c.bad ? err_set(e, ERR_CORRUPT, "the end of transaction %u is cut short", r->xid)
		     : 1;
}

struct wal_rel wal_xact_rel(const struct wal_xact *x, size_t i)
{
	struct cursor c = cursor_of(span_of(x->rels.p + i * 12, 12));
	struct wal_rel rel;

	rel.spc = cursor_u32(&c);
	rel.db = cursor_u32(&c);
	rel.rel = cursor_u32(&c);
	return rel;
}
