/*
 * pg_increment: see pg_increment.h.  What is sent: a magic number, how many blocks follow, the
 * length in blocks below which all others are as they were; the numbers of those that follow;
 * zeroes up to a page's end, if any follow; the blocks.  All numbers have 32 bits.
 */
#include "source/pg_increment.h"

#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "base/mem.h"
#include "os/os.h"
#include "source/pg_page.h"
#include "source/wal_place.h"

#define MAGIC 0xd3ae1f0du

static int corrupt(const char *what, struct err *e)
{
	return err_set(e, ERR_CORRUPT, "what changed in a file: %s", what);
}

size_t pg_increment_head(const uint8_t first[PG_INCREMENT_HEAD], uint32_t relation)
{
	struct cursor c = cursor_of(span_of(first, PG_INCREMENT_HEAD));
	uint32_t magic = cursor_u32(&c), n = cursor_u32(&c);

	return magic == MAGIC && n <= relation ? PG_INCREMENT_HEAD + (size_t)n * sizeof n : 0;
}

/* Each behind the one before it, and none behind the file's end. */
static int take_blocks(struct cursor *c, uint32_t relation, struct pg_increment *out, struct err *e)
{
	uint64_t next = 0;

	out->blocks = mem_alloc(out->n * sizeof *out->blocks + 1);
	for (uint32_t i = 0; i < out->n; i++) {
		out->blocks[i] = cursor_u32(c);
		if (out->blocks[i] < next || out->blocks[i] >= relation)
			return corrupt("its blocks are in no order", e);
		next = (uint64_t)out->blocks[i] + 1;
	}
	out->size = (next > out->length ? next : out->length) * PG_PAGE;
	return 0;
}

int pg_increment_parse(
    struct span head, uint64_t sent, uint32_t relation, struct pg_increment *out, struct err *e)
{
	struct cursor c = cursor_of(head);

	*out = (struct pg_increment){0};
	if (head.n < PG_INCREMENT_HEAD || pg_increment_head(head.p, relation) != head.n)
		return corrupt("it does not begin as one", e);
	cursor_u32(&c);
	out->n = cursor_u32(&c);
	out->length = cursor_u32(&c);
	out->data = out->n ? (head.n + PG_PAGE - 1) / PG_PAGE * PG_PAGE : head.n;
	if (out->length > relation || sent != out->data + (uint64_t)out->n * PG_PAGE)
		return corrupt("its length is another", e);
	if (take_blocks(&c, relation, out, e) == -1) {
		pg_increment_fini(out);
		return -1;
	}
	return 0;
}

void pg_increment_fini(struct pg_increment *x)
{
	free(x->blocks);
	*x = (struct pg_increment){0};
}

int pg_increment_read(
    int fd, uint64_t at, uint64_t sent, uint32_t relation, struct pg_increment *out, struct err *e)
{
	uint8_t first[PG_INCREMENT_HEAD], *head;
	size_t n;
	int rc;

	*out = (struct pg_increment){0};
	if (os_pread_full(fd, first, sizeof first, (off_t)at) != sizeof first ||
	    (n = pg_increment_head(first, relation)) == 0)
		return corrupt("it does not begin as one", e);
	head = mem_alloc(n);
	rc = os_pread_full(fd, head, n, (off_t)at) == (ssize_t)n
		 ? pg_increment_parse(span_of(head, n), sent, relation, out, e)
		 : corrupt("its length is another", e);
	free(head);
	return rc;
}

int64_t pg_increment_at(const struct pg_increment *x, uint32_t block)
{
	size_t lo = 0, hi = x->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (x->blocks[mid] < block)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < x->n && x->blocks[lo] == block ? (int64_t)lo : -1;
}

/* ---- The map. */

int pg_increment_note(int fd, uint64_t at, uint64_t sent, const char *path, uint32_t relation,
    struct wal_map *map, struct err *e)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	bool part = strncmp(name, PG_INCREMENT, strlen(PG_INCREMENT)) == 0, placed;
	char *folder = mem_strndup(path, slash ? (size_t)(slash - path) : 0);
	struct wal_rel rel;
	struct pg_increment x;
	uint32_t segment;
	uint64_t pages;
	int rc;

	placed = wal_place_of(folder, part ? name + strlen(PG_INCREMENT) : name, &rel, &segment);
	free(folder);
	if (!placed)
		return 0;
	pages = (sent + PG_PAGE - 1) / PG_PAGE;
	if (!part) /* no more than it has: there are many small ones */
		return wal_map_note(
		    map, rel, segment * relation, pages < relation ? (uint32_t)pages : relation, e);
	rc = pg_increment_read(fd, at, sent, relation, &x, e);
	for (uint32_t i = 0; rc == 0 && i < x.n; i++)
		rc = wal_map_note(map, rel, segment * relation + x.blocks[i], 1, e);
	/* Cut off and grown again: the earlier backup may have had other blocks there. */
	if (rc == 0 && x.size > (uint64_t)x.length * PG_PAGE)
		rc = wal_map_note(map, rel, segment * relation + x.length,
		    (uint32_t)(x.size / PG_PAGE) - x.length, e);
	pg_increment_fini(&x);
	return rc == 0 ? 0 : err_wrap(e, "%s", path);
}
