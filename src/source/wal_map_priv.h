/* wal_map_priv: a map's inside, for its own two files: what is added and asked, and what is written
 * and read. */
#ifndef HF_SOURCE_WAL_MAP_PRIV_H
#define HF_SOURCE_WAL_MAP_PRIV_H

#include "source/wal_map.h"

enum {
	MAP_CHUNK = 2048, /* blocks of one bitmap: 16 MiB of a file */
	MAP_WORDS = MAP_CHUNK / 64,
};

struct map_chunk {
	uint32_t first; /* block / MAP_CHUNK */
	uint64_t *bits; /* MAP_WORDS of them */
};

struct wal_map_file {
	struct wal_rel rel;       /* rel 0: the whole database; db 0 as well: the tablespace */
	uint32_t limit;           /* from here on everything; WAL_MAP_NONE: none */
	struct map_chunk *chunks; /* sorted */
	size_t nchunks, cap;
};

struct wal_map {
	struct wal_map_file **slots; /* by hash, open; a power of two of them, at most half full */
	size_t nslots, nfiles;
	size_t memory;
	uint64_t nblocks;
	struct wal_map_file *last; /* what was added to last */
};

/* A relation's entry, made if it is missing; NULL: too large. */
struct wal_map_file *wal_map_file_of(struct wal_map *m, struct wal_rel rel, struct err *e);
/* Blocks from..from + n - 1; those past the limit are known already. */
int wal_map_set(
    struct wal_map *m, struct wal_map_file *f, uint32_t from, uint32_t n, struct err *e);
/* Where the bitmap of blocks from first * MAP_CHUNK on is, or would be. */
size_t wal_map_chunk_at(const struct wal_map_file *f, uint32_t first);
/* All entries, sorted by relation; the caller frees the list. */
struct wal_map_file **wal_map_sorted(const struct wal_map *m);

#endif
