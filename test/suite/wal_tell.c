/*
 * wal_tell: what the reader and the map say of a real server's log, as text, for
 * test/servers/with_wal.py to compare.
 *
 *     wal_tell records DIR TIMELINE SEGMENT START END      one line a record: position,
 * transaction, before, blocks wal_tell map     DIR TIMELINE SEGMENT START END      one line a fork:
 * tablespace database relation fork limit blocks wal_tell rate    DIR TIMELINE SEGMENT START END
 * how fast
 *
 * Positions are in bytes; the map is also written and read again on the way.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "source/pg_label.h"
#include "source/wal_dir.h"
#include "source/wal_map_priv.h"
#include "source/wal_reader.h"

struct tell {
	struct wal_reader *reader;
	struct wal_map *map; /* NULL: records are told */
	uint64_t start;
	size_t records;
};

static int tell(void *arg, const struct wal_record *r, struct err *e)
{
	struct tell *t = arg;
	char lsn[PG_LSN_TEXT], prev[PG_LSN_TEXT];

	if (r->lsn < t->start)
		return 0;
	t->records++;
	if (t->map)
		return wal_map_add(t->map, r, e);
	printf("%s %u %s", pg_lsn_text(lsn, r->lsn), r->xid, pg_lsn_text(prev, r->prev));
	for (size_t i = 0; i < r->nrefs; i++)
		printf(" %u/%u/%u:%u:%u", r->refs[i].rel.spc, r->refs[i].rel.db, r->refs[i].rel.rel,
		    r->refs[i].fork, r->refs[i].block);
	putchar('\n');
	return 0;
}

static int piece(void *arg, struct span bytes, struct err *e)
{
	struct tell *t = arg;

	return wal_reader_feed(t->reader, bytes, e);
}

static void tell_map(const struct wal_map *m)
{
	struct wal_map_file **v = wal_map_sorted(m);

	for (size_t i = 0; i < m->nfiles; i++) {
		const struct wal_map_file *f = v[i];

		printf("%u %u %u %" PRIu32, f->rel.spc, f->rel.db, f->rel.rel, f->limit);
		for (uint32_t b = 0; (b = wal_map_next(f, b)) < f->limit; b++)
			printf(" %u", b);
		putchar('\n');
	}
	free(v);
}

static struct wal_map *through_bytes(struct wal_map *m, struct err *e)
{
	struct buf b = {0};
	struct wal_map *again;

	wal_map_write(m, &b);
	again = wal_map_read(buf_span(&b), e);
	buf_fini(&b);
	wal_map_free(m);
	return again;
}

int main(int argc, char **argv)
{
	struct wal_reader_params p = {.record = tell};
	struct tell t = {.map = argc == 7 && strcmp(argv[1], "records") ? wal_map_new() : NULL};
	uint32_t timeline, segment;
	uint64_t at, end;
	struct timespec a, b;
	struct err e = {0};
	int rc = 0;

	if (argc != 7)
		return 125;
	timeline = (uint32_t)strtoul(argv[3], NULL, 10);
	segment = (uint32_t)strtoul(argv[4], NULL, 10);
	t.start = strtoull(argv[5], NULL, 10);
	end = strtoull(argv[6], NULL, 10);
	at = t.start - t.start % 8192;
	p.segment = segment;
	p.start = at;
	p.arg = &t;
	clock_gettime(CLOCK_MONOTONIC, &a);
	t.reader = wal_reader_new(&p, &e);
	for (uint64_t stop; rc == 0 && t.reader && at < end; at = stop) {
		stop = (at / segment + 1) * segment < end ? (at / segment + 1) * segment : end;
		rc = wal_dir_read(argv[2], timeline, segment, at, stop, piece, &t, &e);
	}
	clock_gettime(CLOCK_MONOTONIC, &b);
	if (rc == 0 && t.map)
		t.map = through_bytes(t.map, &e);
	if (rc == -1 || t.reader == NULL || (strcmp(argv[1], "records") && t.map == NULL)) {
		fprintf(stderr, "wal_tell: %s\n", e.msg);
		return 1;
	}
	if (strcmp(argv[1], "rate") == 0)
		printf("%.3f s, %zu records, %" PRIu64 " blocks\n",
		    (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9,
		    t.records, wal_map_blocks(t.map));
	else if (t.map)
		tell_map(t.map);
	wal_map_free(t.map);
	wal_reader_free(t.reader);
	return 0;
}
