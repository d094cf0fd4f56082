/*
 * wal_reader: PostgreSQL's write-ahead log (13 to 17) from bytes, as its records.
 *
 * The log is pages with a head each (20 bytes, 24 with their padding; 40 on a segment's first page:
 * who wrote it, sizes of segment and page); records run across pages and segments.  The reader is
 * given bytes in order, in pieces of any length, from a page's beginning on, and calls back for
 * every record that begins in them; what runs into the first page from before is passed over.
 * Nothing is taken on trust: position, version and flags of each page, length, check and
 * predecessor of each record.  What follows a switch to the next segment is not looked at.
 *
 *     r = wal_reader_new(&params);
 *     while (…)
 *             if (wal_reader_feed(r, bytes, &e) == -1) …   // ERR_CORRUPT, with the position
 *     wal_reader_done(r);                                  // everything before was called back for
 *     wal_reader_free(r);
 *
 * Memory: the longest record, at most WAL_RECORD_MAX and never more than was fed.
 *
 * Threads: one owner.
 */
#ifndef HF_SOURCE_WAL_READER_H
#define HF_SOURCE_WAL_READER_H

#include "source/wal_record.h"

struct wal_reader_params {
	uint64_t start;    /* position of the first byte: a page's beginning */
	uint32_t segment;  /* bytes; a power of two, 1 MiB to 1 GiB */
	uint32_t page;     /* 0: 8192 */
	uint64_t system;   /* 0: any; else what segments' first pages must name */
	uint32_t timeline; /* 0: any; else the last that pages may name */
	int (*record)(
	    void *arg, const struct wal_record *r, struct err *e); /* -1 ends the reading */
	void *arg;
};

struct wal_reader;

/* NULL, ERR_UNSUPPORTED: sizes that PostgreSQL does not have, or start is no page's beginning. */
struct wal_reader *wal_reader_new(const struct wal_reader_params *p, struct err *e);
int wal_reader_feed(struct wal_reader *r, struct span bytes, struct err *e);
/*
 * Where the next byte that is looked at is: past the end of what was fed after a switch to the next
 * segment.  wal_reader_pass spares reading what lies before it.
 */
uint64_t wal_reader_wants(const struct wal_reader *r);
void wal_reader_pass(struct wal_reader *r);
/* All records that begin before this were called back for; the next one begins here, or after
 * padding and a head. */
uint64_t wal_reader_done(const struct wal_reader *r);
/* PostgreSQL's major version, 13 to 18; 0 before the first page was read. */
int wal_reader_version(const struct wal_reader *r);
void wal_reader_free(struct wal_reader *r); /* NULL does nothing */

#endif
