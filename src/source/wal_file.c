/* wal_file: see wal_file.h. */
#include "source/wal_file.h"

#include <stdio.h>
#include <string.h>

#include "base/cursor.h"

enum { HEAD_SHORT = 20, LONG_HEAD = 2, PAGE_MIN = 1024, PAGE_MAX = 65536 };

static bool take_hex(const char **s, uint32_t *out)
{
	*out = 0;
	for (int i = 0; i < 8; i++, (*s)++) {
		char c = **s;

		if (c >= '0' && c <= '9')
			*out = *out << 4 | (uint32_t)(c - '0');
		else if (c >= 'A' && c <= 'F')
			*out = *out << 4 | (uint32_t)(c - 'A' + 10);
		else
			return false;
	}
	return true;
}

static bool parse(const char *s, struct wal_file *f)
{
	uint32_t ignored;

	memset(f, 0, sizeof *f);
	if (!take_hex(&s, &f->timeline) || f->timeline == 0)
		return false;
	if (strcmp(s, ".history") == 0) {
		f->kind = WAL_FILE_HISTORY;
		return true;
	}
	if (!take_hex(&s, &f->log) || !take_hex(&s, &f->segment))
		return false;
	f->kind = *s == '\0' ? WAL_FILE_SEGMENT : WAL_FILE_PARTIAL;
	if (*s == '\0' || strcmp(s, ".partial") == 0)
		return true;
	f->kind = WAL_FILE_BACKUP;
	if (*s != '.')
		return false;
	s++;
	return take_hex(&s, &ignored) && strcmp(s, ".backup") == 0;
}

int wal_file_parse(const char *name, struct wal_file *out, struct err *e)
{
	if (parse(name, out))
		return 0;
	err_set(e, ERR_USAGE, "'%.80s' is no file of PostgreSQL's log", name);
	return err_hint(e, "like 000000010000000000000042, or 00000002.history");
}

static bool is_size(uint32_t n, uint32_t least, uint32_t most)
{
	return n >= least && n <= most && (n & (n - 1)) == 0;
}

bool wal_file_start(const struct wal_file *f, uint32_t size, uint64_t *out)
{
	if (!is_size(size, WAL_FILE_MIN, WAL_FILE_MAX) || f->segment >= (UINT64_C(1) << 32) / size)
		return false;
	*out = (uint64_t)f->log << 32 | (uint64_t)f->segment * size;
	return true;
}

const char *wal_file_name(char out[WAL_FILE_NAME], uint32_t timeline, uint64_t at, uint32_t size)
{
	snprintf(out, WAL_FILE_NAME, "%08X%08X%08X", timeline, (unsigned)(at >> 32),
	    (unsigned)((at & UINT32_MAX) / size));
	return out;
}

int wal_file_head(struct span first, struct wal_file_head *out, struct err *e)
{
	struct cursor c = cursor_of(first);
	uint16_t magic = cursor_u16(&c), info = cursor_u16(&c);

	out->timeline = cursor_u32(&c);
	out->start = cursor_u64(&c);
	cursor_u64(&c); /* what goes on from the page before, and padding */
	out->system = cursor_u64(&c);
	out->size = cursor_u32(&c);
	out->page = cursor_u32(&c);
	/* 0xD0xx and 0xD1xx are all of them since version 8; which one is for who reads records. */
	if (c.bad || (magic >> 8 != 0xd0 && magic >> 8 != 0xd1) || !(info & LONG_HEAD) ||
	    out->timeline == 0 || !is_size(out->size, WAL_FILE_MIN, WAL_FILE_MAX) ||
	    !is_size(out->page, PAGE_MIN, PAGE_MAX) || out->start % out->size != 0)
		return err_set(e, ERR_CORRUPT, "does not begin as a segment of PostgreSQL's log");
	return 0;
}

int wal_file_fits(
    const struct wal_file *f, const struct wal_file_head *h, uint64_t bytes, struct err *e)
{
	uint64_t start;

	if (h->size != bytes)
		return err_set(e, ERR_CORRUPT, "has %llu bytes, and says it has %u",
		    (unsigned long long)bytes, h->size);
	if (!wal_file_start(f, h->size, &start) || start != h->start)
		return err_set(e, ERR_CORRUPT,
		    "says that it begins at %X/%X, which its name does not",
		    (unsigned)(h->start >> 32), (unsigned)h->start);
	if (h->timeline > f->timeline)
		return err_set(
		    e, ERR_CORRUPT, "is of timeline %u, later than its name's", h->timeline);
	return 0;
}

static bool all_zero(const uint8_t *p, size_t n)
{
	return p[0] == 0 && memcmp(p, p + 1, n - 1) == 0;
}

int wal_file_pages(
    struct span bytes, uint64_t start, uint32_t page, uint32_t timeline, struct err *e)
{
	if (!is_size(page, PAGE_MIN, PAGE_MAX) || start % page != 0)
		return err_set(
		    e, ERR_BUG, "pages of %u bytes at %llX", page, (unsigned long long)start);
	for (size_t at = 0; at + HEAD_SHORT <= bytes.n; at += page) {
		struct cursor c = cursor_of(span_of(bytes.p + at, HEAD_SHORT));
		uint16_t magic = cursor_u16(&c);
		uint32_t line;
		uint64_t where;

		if (all_zero(bytes.p + at, HEAD_SHORT))
			continue;
		cursor_u16(&c);
		line = cursor_u32(&c);
		where = cursor_u64(&c);
		if ((magic >> 8 != 0xd0 && magic >> 8 != 0xd1) || where != start + at ||
		    line == 0 || line > timeline)
			return err_set(e, ERR_CORRUPT, "the page at %X/%X is not that page",
			    (unsigned)((start + at) >> 32), (unsigned)(start + at));
	}
	return 0;
}
