/*
 * reader: blobs by id, through frames; one for each thread.
 *
 * Every frame is authenticated and every blob's id recomputed (I4).  Where a
 * copy is damaged or its pack gone, other copies are tried, and the index is
 * loaded again once, for a prune may have moved it; more often by a reader that
 * keeps up.  What cannot be had is ERR_CORRUPT with the object's name and the
 * place.
 *
 * Threads: a reader belongs to one thread; any number at once.
 */
#ifndef HF_REPO_READER_H
#define HF_REPO_READER_H

#include "repo/index_cache.h"
#include "repo/repo.h"

struct reader;

struct reader *reader_new(struct repo *r);
void reader_free(struct reader *rd); /* NULL does nothing */

/*
 * Look only where index objects of this domain say (a tag; 0, as at first, is
 * anywhere): set a snapshot's before its blobs are asked for, so that a lie in
 * another domain's index is not even seen.
 */
void reader_set_domain(struct reader *rd, uint64_t domain);
uint64_t reader_domain(const struct reader *rd);

/*
 * It lives long, and what others do to the repository meanwhile is to be seen: what is missing or
 * damaged is looked for in what index/ lists by then, again and again, though not for each blob
 * (repo_internal.h).  Not for who keeps ordinals of packs.
 */
void reader_keep_up(struct reader *rd);

/* One blob; `kind` 0 takes any.  The span lives until the next call. */
int reader_blob(struct reader *rd, enum format_purpose kind, const struct id *id, struct span *out,
    struct err *e);

/* The same as a tree_get callback (arg is the reader). */
int reader_tree_get(
    void *arg, enum format_purpose kind, const struct id *id, struct span *out, struct err *e);

/* The pack of a place. */
int reader_pack(
    struct reader *rd, const struct index_place *at, struct index_cache_pack *out, struct err *e);

/* Where a blob is (the first place).  1, 0 absent everywhere, -1. */
int reader_find(struct reader *rd, const struct id *id, struct index_place *out, struct err *e);

/*
 * The same, but of several places it may be any: what follows the last find
 * is tried first, which for content in order is nearly always right.
 */
int reader_find_near(
    struct reader *rd, const struct id *id, struct index_place *out, struct err *e);

/*
 * Fetch, authenticate and decompress the frame of a place into out (reset
 * first), past the reader's own cache.  Blobs are not checked: see reader_check.
 */
int reader_frame(struct reader *rd, const struct index_place *at, struct buf *out, struct err *e);

/*
 * Fetch n stored bytes of a pack from where the frame of a place begins: those of the frames
 * that reader_frame will be asked for next.  If it fails they are fetched one by one.
 */
void reader_ahead(
    struct reader *rd, const struct index_place *first, uint64_t n, struct err *ignored);

/* Give back buffers of more than `keep` bytes; spans that were handed out are gone. */
void reader_shrink(struct reader *rd, size_t keep);

/* Open and decompress a frame whose box is at hand, into out (reset first). */
int reader_unseal(struct reader *rd, const struct pack_frame *f, const uint8_t *sealed_key,
    struct span box, struct buf *out, struct err *e);

/* What the frame opened last was as compressed; lives until the next call. */
struct span reader_packed(const struct reader *rd);

/* Is this the blob of that kind and id, by the id key of a domain we know? */
bool reader_check(
    struct reader *rd, enum format_purpose kind, struct span blob, const struct id *id);

#endif
