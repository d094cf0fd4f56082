/*
 * wal_map_io: a map as bytes: version, count of files, then each: tablespace, database, relation,
 * limit + 1 (0: none), count of runs, each run as the gap before it and its length, as
 * varints.
 */
#include "base/cursor.h"
#include "source/wal_map_priv.h"

#include <stdlib.h>

/* The end of the run of blocks that begins at b, at most at the limit. */
static uint32_t run_end(const struct wal_map_file *f, uint32_t b)
{
	uint64_t end = b;

	for (size_t i = wal_map_chunk_at(f, b / MAP_CHUNK); i < f->nchunks; i++) {
		const struct map_chunk *c = &f->chunks[i];
		uint64_t begin = (uint64_t)c->first * MAP_CHUNK;

		if (begin > end)
			break;
		for (; end < begin + MAP_CHUNK; end = (end | 63) + 1) {
			uint64_t gaps = ~c->bits[end % MAP_CHUNK / 64] >> end % 64;

			if (gaps)
				return (uint32_t)(end + (uint64_t)__builtin_ctzll(gaps));
		}
	}
	return end < f->limit ? (uint32_t)end : f->limit;
}

static void write_file(const struct wal_map_file *f, struct buf *out)
{
	struct buf runs = {0};
	uint32_t b = 0, end = 0;
	size_t n = 0;

	while ((b = wal_map_next(f, end)) < f->limit) {
		buf_put_varint(&runs, b - end);
		end = run_end(f, b);
		buf_put_varint(&runs, end - b);
		n++;
	}
	buf_put_varint(out, f->rel.spc);
	buf_put_varint(out, f->rel.db);
	buf_put_varint(out, f->rel.rel);
	buf_put_varint(out, f->limit == WAL_MAP_NONE ? 0 : (uint64_t)f->limit + 1);
	buf_put_varint(out, n);
	buf_put_span(out, buf_span(&runs));
	buf_fini(&runs);
}

void wal_map_write(const struct wal_map *m, struct buf *out)
{
	struct wal_map_file **v = wal_map_sorted(m);

	buf_put_u8(out, WAL_MAP_VERSION);
	buf_put_varint(out, m->nfiles);
	for (size_t i = 0; i < m->nfiles; i++)
		write_file(v[i], out);
	free(v);
}

static uint32_t varint32(struct cursor *c)
{
	uint64_t v = cursor_varint(c);

	if (v > UINT32_MAX)
		c->bad = true;
	return (uint32_t)v;
}

static int read_runs(struct wal_map *m, struct wal_map_file *f, struct cursor *c, struct err *e)
{
	size_t n = cursor_count(c, 2, SIZE_MAX);
	uint64_t at = 0;

	for (size_t i = 0; i < n && !c->bad; i++) {
		uint64_t begin = at + varint32(c), len = varint32(c);

		if (c->bad || len == 0 || (i > 0 && begin == at) || begin + len > f->limit) {
			c->bad = true;
			break;
		}
		if (wal_map_set(m, f, (uint32_t)begin, (uint32_t)len, e) == -1)
			return -1;
		at = begin + len;
	}
	return 0;
}

static int read_file(struct wal_map *m, struct cursor *c, struct err *e)
{
	struct wal_rel rel;
	struct wal_map_file *f;
	size_t before = m->nfiles;
	uint64_t limit;

	rel.spc = varint32(c);
	rel.db = varint32(c);
	rel.rel = varint32(c);
	limit = cursor_varint(c);
	if (c->bad || limit > WAL_MAP_NONE || (!rel.rel && limit != 1)) {
		c->bad = true;
		return 0;
	}
	f = wal_map_file_of(m, rel, e);
	if (f == NULL)
		return -1;
	if (m->nfiles == before)
		c->bad = true;
	f->limit = limit ? (uint32_t)(limit - 1) : WAL_MAP_NONE;
	return read_runs(m, f, c, e);
}

struct wal_map *wal_map_read(struct span bytes, struct err *e)
{
	struct cursor c = cursor_of(bytes);
	struct wal_map *m = wal_map_new();
	bool known = cursor_u8(&c) == WAL_MAP_VERSION;
	size_t n = known ? cursor_count(&c, 5, SIZE_MAX) : 0;
	int rc = 0;

	for (size_t i = 0; i < n && !c.bad && rc == 0; i++)
		rc = read_file(m, &c, e);
	if (rc == 0 && (!known || !cursor_done(&c)))
		rc = err_set(e, ERR_CORRUPT, "not a list of changed blocks");
	if (rc == 0)
		return m;
	wal_map_free(m);
	return NULL;
}
