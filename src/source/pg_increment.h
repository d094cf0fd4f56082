/*
 * pg_increment: a relation's file as an incremental base backup of PostgreSQL 17 and later sends
 * it: as INCREMENTAL.NAME, the blocks that changed since an earlier backup, and how long the file
 * is. What else is in it, that backup has; past its end are zeroes.
 *
 * It comes over a wire: counts, numbers of blocks and the length are checked against each other.
 *
 * Threads: any.
 */
#ifndef HF_SOURCE_PG_INCREMENT_H
#define HF_SOURCE_PG_INCREMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "source/wal_map.h"

#define PG_INCREMENT "INCREMENTAL."

struct pg_increment {
	uint32_t n, *blocks; /* of this file, rising; owned */
	uint64_t data;       /* where the first of them stands in what was sent */
	uint32_t length;     /* in blocks: what is from here on and was not sent is zeroes */
	uint64_t size;       /* of the file that it makes */
};

/* How many bytes of its beginning are needed, of which the first 12 are these; 0: it is none. */
enum { PG_INCREMENT_HEAD = 12 };
size_t pg_increment_head(const uint8_t first[PG_INCREMENT_HEAD], uint32_t relation);

/*
 * `head` is as long as pg_increment_head says, `sent` the length of all that was sent, `relation`
 * the blocks of a whole file.  ERR_CORRUPT.
 */
int pg_increment_parse(
    struct span head, uint64_t sent, uint32_t relation, struct pg_increment *out, struct err *e);
void pg_increment_fini(struct pg_increment *x);

/* The same of the `sent` bytes that stand in a file from `at` on. */
int pg_increment_read(
    int fd, uint64_t at, uint64_t sent, uint32_t relation, struct pg_increment *out, struct err *e);

/* Which of its blocks this one is, or -1: the earlier backup has it. */
int64_t pg_increment_at(const struct pg_increment *x, uint32_t block);

/*
 * Into the map what of the file `path` differs from the earlier backup: of an increment, read as
 * above, its blocks, of another relation's file all of it.
 */
int pg_increment_note(int fd, uint64_t at, uint64_t sent, const char *path, uint32_t relation,
    struct wal_map *map, struct err *e);

#endif
