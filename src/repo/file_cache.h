/*
 * file_cache: what the last backup of a group saw, so that unchanged files
 * need not be opened.  Local, keyed, never trusted over the repository: the
 * caller looks every id up before it reuses it.
 *
 * A file of records in walk order, one for each slice of a directory.  A record
 * holds a keyed hash of where it belongs, and for each entry in order of name the
 * keyed fingerprint of its facts and the ids of its content (a subdirectory's: its
 * tree).  No names, no content.  Each record has a checksum; a table at the end
 * finds records by that hash.  Reading is by pread of one record at a time, so
 * memory does not grow with the tree.
 *
 * Writing goes to a temporary file beside, which replaces the old one at
 * commit; a crash of the process leaves the old one.  It is not fsynced: of
 * one that a power failure tore, checksums let through only what is whole.
 *
 * Threads: a reader or writer belongs to one thread at a time.
 */
#ifndef HF_REPO_FILE_CACHE_H
#define HF_REPO_FILE_CACHE_H

#include "base/err.h"
#include "base/id.h"
#include "base/span.h"

enum { FILE_CACHE_FP = 16, FILE_CACHE_EXTRA = 1 << 20 };

struct file_cache_entry {
	uint8_t fp[FILE_CACHE_FP]; /* all zero: matches nothing */
	bool racy;                 /* touched just before it was read: read it again */
	uint8_t tag;               /* as in refs: 0 none, 1 dir, 2 content, 3 list */
	uint8_t depth;             /* tag 3 */
	uint32_t nids;             /* 1 for tags 1 and 3 */
	const struct id *ids;      /* borrowed; unaligned memory is fine (bytes) */
	struct span extra;         /* bytes of the caller, at most FILE_CACHE_EXTRA; borrowed */
};

struct file_cache_dir {
	uint8_t key[FILE_CACHE_FP]; /* keyed hash of its path, and where in it the slice begins */
	struct file_cache_entry *entries;
	size_t n, cap;
};

/* Facts that the owner keeps with the cache. */
struct file_cache_head {
	struct id snapshot; /* the one it was made with */
	int64_t time_ns;    /* of that snapshot's start */
};

struct file_cache;
struct file_cache_writer;

/* NULL with ERR_ABSENT if there is none or it is damaged (both only cost time). */
struct file_cache *file_cache_open(const char *path, struct err *e);
void file_cache_close(struct file_cache *c);
const struct file_cache_head *file_cache_head(const struct file_cache *c);

/*
 * The record of this key, or NULL if there is none or it is damaged.  It
 * lives until the next call.  Cheapest in the order in which it was written.
 */
const struct file_cache_dir *file_cache_get(struct file_cache *c, const uint8_t key[FILE_CACHE_FP]);

struct file_cache_writer *file_cache_create(const char *path, struct err *e);
int file_cache_put(struct file_cache_writer *w, const struct file_cache_dir *d, struct err *e);
int file_cache_commit(struct file_cache_writer *w, const struct file_cache_head *head,
    struct err *e);                                 /* frees w either way */
void file_cache_abort(struct file_cache_writer *w); /* NULL does nothing */

#endif
