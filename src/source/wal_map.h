/*
 * wal_map: which blocks of which relations a stretch of PostgreSQL's log changes.
 *
 * From it an incremental backup knows, without reading the database, which blocks may differ from
 * what the backup at the stretch's beginning holds.  It may name more than what differs, never
 * less:
 *
 *   a block that any record names        it
 *   a file created, dropped (commit,
 *   abort, also of prepared ones)        the whole file
 *   a file cut to n blocks               everything from n on: what is there again later may be
 *                                        blocks that no record names (zeros)
 *   a database created in any way,
 *   dropped, moved                       all files of it in that tablespace
 *   a tablespace created, dropped        all files in it
 *   wal_level = minimal                  no map: files are then written without a record
 *   a record that is not understood,
 *   too many blocks                      no map
 *
 * This holds for main forks, and the map has no others.  What no record tells, the reader of the
 * files must look at on the disk: blocks past the end that the earlier backup saw; the free space
 * map (never logged whole); the visibility map (records that clear its bits do not name its
 * blocks); the init forks; and everything that is no relation's file (pg_xact and the like,
 * pg_filenode.map, configuration).  Hints that PostgreSQL sets without a record (neither checksums
 * nor wal_log_hints) may be those of the earlier backup: they are found again, as on every standby.
 *
 * Threads: one owner; any number of readers of one that nobody writes to.
 */
#ifndef HF_SOURCE_WAL_MAP_H
#define HF_SOURCE_WAL_MAP_H

#include "base/buf.h"
#include "source/wal_record.h"

enum {
	WAL_MAP_MEMORY = 64 << 20, /* bytes; for at least 500 million blocks of big tables, 4 TiB */
	WAL_MAP_VERSION = 1,       /* of wal_map_write */
};

struct wal_map;
struct wal_map_file; /* what is known of one relation's main fork */

struct wal_map *wal_map_new(void);
void wal_map_free(struct wal_map *m); /* NULL does nothing */

/* Add what a record changes.  -1: there is no map (ERR_UNSUPPORTED: why), and m is of no use any
 * more. */
int wal_map_add(struct wal_map *m, const struct wal_record *r, struct err *e);
/* Add blocks that another has told of: n of them from that one on. */
int wal_map_note(struct wal_map *m, struct wal_rel rel, uint32_t from, uint32_t n, struct err *e);
/* Add another map, as if its log came after m's.  -1: too large. */
int wal_map_merge(struct wal_map *m, const struct wal_map *later, struct err *e);

/*
 * What is known of a relation; NULL: nothing of it has changed.  A whole database or tablespace
 * that is new gives one of which everything has.
 */
const struct wal_map_file *wal_map_find(const struct wal_map *m, struct wal_rel rel);
/* The first block from `from` on that may have changed; WAL_MAP_NONE: none.  All from the limit on
 * have. */
#define WAL_MAP_NONE UINT32_MAX
uint32_t wal_map_next(const struct wal_map_file *f, uint32_t from);

uint64_t wal_map_blocks(const struct wal_map *m); /* named one by one */
size_t wal_map_files(const struct wal_map *m);

/* As bytes: the same map gives the same bytes.  Read refuses what write cannot have written
 * (ERR_CORRUPT). */
void wal_map_write(const struct wal_map *m, struct buf *out);
struct wal_map *wal_map_read(struct span bytes, struct err *e);

#endif
