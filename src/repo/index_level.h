/*
 * index_level: one level of the index cache: a file, made once, mapped,
 * never changed.  Which levels there are is index_cache's.
 *
 * The file (of this machine: native byte order, no part of format.md):
 * header and list of index object ids, with a keyed checksum of both; then
 * sections that each begin a block of 16 KiB: packs, slots, frames, sealed
 * keys, blobs in pack order, table of (first 4 bytes of id, ordinal) by id,
 * filter; then a keyed checksum of each block.
 *
 * Every read names a section, an element and a count, is checked against the
 * file's bounds, and verifies the blocks that it touches for the first time.
 * What fails is ERR_CORRUPT.  Ordinals here count from 0 in the level.
 *
 * A file that is cut short, or whose disk fails, while it is mapped ends the
 * program by SIGBUS.  Levels are never written again once they are named, so
 * only somebody else can do that; nothing is lost but the run, as by a power
 * cut, and the next one finds that the level is no level and makes it anew.
 * Reading it through system calls would cost every lookup several.
 *
 * Threads: an open level is const but for its bitmap of verified blocks,
 * which is atomic: any.  A builder has one owner.
 */
#ifndef HF_REPO_INDEX_LEVEL_H
#define HF_REPO_INDEX_LEVEL_H

#include <stdatomic.h>

#include "repo/index.h"
#include "repo/index_cache.h"

enum { INDEX_LEVEL_KEY = 32, INDEX_LEVEL_WINDOW = 64 << 10 };

struct index_level;

/* Takes fd.  Any file that is not a whole level of this key: ERR_CORRUPT. */
struct index_level *index_level_open(int fd, const uint8_t key[INDEX_LEVEL_KEY], struct err *e);
void index_level_close(struct index_level *l); /* NULL does nothing */

/* The index objects that it holds. */
size_t index_level_sources(const struct index_level *l);
const struct id *index_level_source(const struct index_level *l, size_t i);

uint32_t index_level_packs(const struct index_level *l);
uint32_t index_level_frames(const struct index_level *l);
uint64_t index_level_blobs(const struct index_level *l);

/*
 * Places of an id: start with *at = INDEX_LEVEL_FIRST.  1 and *blob, or 0
 * when there is no more, or -1.
 */
#define INDEX_LEVEL_FIRST UINT64_MAX
int index_level_next(
    const struct index_level *l, const struct id *id, uint64_t *at, uint32_t *blob, struct err *e);

/* Check every block now; otherwise each is when it is first touched. */
int index_level_verify(const struct index_level *l, struct err *e);

/* `place.domain` is set too, so that lookups can pass over another domain's. */
int index_level_place(
    const struct index_level *l, uint32_t blob, struct index_place *out, struct err *e);
/* The id and length of one blob. */
const struct pack_blob *index_level_blob(const struct index_level *l, uint32_t blob, struct err *e);
/*
 * Give back the memory of what was looked at; it is mapped again when needed.
 * How much there is since the last time, in windows of INDEX_LEVEL_WINDOW
 * bytes, is added up in a counter that several levels may share.
 */
void index_level_trim(const struct index_level *l);
void index_level_count(struct index_level *l, _Atomic uint32_t *windows_touched);
int index_level_pack(
    const struct index_level *l, uint32_t pack, struct index_cache_pack *out, struct err *e);
int index_level_pack_dir(const struct index_level *l, uint32_t pack, struct pack_dir *dir,
    struct index_pack *out, struct err *e);

/*
 * Building one from payloads of index objects, held in memory until written.
 * A bad payload is ERR_CORRUPT and the builder is of no more use.
 */
struct index_level_builder;
struct index_level_builder *index_level_builder_new(void);
void index_level_builder_free(struct index_level_builder *b); /* NULL does nothing */
int index_level_builder_add(struct index_level_builder *b, const struct id *source,
    const struct index_origin *origin, struct span payload, struct err *e);
int index_level_builder_write(
    struct index_level_builder *b, int fd, const uint8_t key[INDEX_LEVEL_KEY], struct err *e);

/*
 * The levels joined in order into fd: ordinals of the result are those of
 * the levels one after another.  Takes about 1.3 bytes of memory a blob.
 */
int index_level_merge(struct index_level *const *levels, size_t n, int fd,
    const uint8_t key[INDEX_LEVEL_KEY], struct err *e);

#endif
