/*
 * writer: one run that adds to a repository.
 *
 * Lanes, one for each worker thread, take blobs: hash, look up, and, if new,
 * gather into frames, compress, seal and append to the open pack.  There is
 * no queue and no allocation per blob; at most two packs are open, one for
 * content and one for trees.  Finished packs are made durable together,
 * before the index that names them (I1), which is written every 60 s, 1 GiB or
 * 65,536 blobs.
 *
 *     writer_begin; lanes: writer_add..., writer_lane_flush;
 *     writer_finish; writer_commit (the snapshot); writer_free
 *
 * Marked packs count as absent (format.md 10).
 *
 * Threads: a lane belongs to one thread; has from any; the rest by one, when
 * no lane is at work.
 */
#ifndef HF_REPO_WRITER_H
#define HF_REPO_WRITER_H

#include "codec/codec.h"
#include "repo/chunker.h"
#include "repo/format.h"
#include "repo/index_cache.h"
#include "repo/repo.h"
#include "repo/snapshot.h"

struct writer;
struct writer_lane;

struct writer_params {
	enum codec_id codec;
	int level;           /* of the codec, or CODEC_AUTO */
	bool dry_run;        /* everything but storing */
	uint64_t domain;     /* tag: whose blobs these are; 0: the key's own */
	unsigned lanes;      /* at work together: many gather smaller frames; 0: few */
	int64_t patience_ns; /* of several repositories: lanes wait for one so long; 0: 30 s */
};

struct writer_stats {
	_Atomic uint64_t blobs, added_bytes; /* new, plaintext */
	_Atomic uint64_t content_added;      /* of those, content */
	_Atomic uint64_t content_stored;     /* its frames as stored */
	_Atomic uint64_t stored_bytes;       /* frames as stored */
	_Atomic uint64_t object_bytes;       /* every object written */
	_Atomic uint64_t resumed_bytes;      /* of content read, there from an unfinished run */
};

int writer_begin(struct repo *r, const struct writer_params *p, struct writer **out, struct err *e);
void writer_free(struct writer *w); /* aborts what is open; NULL does nothing */
struct writer_stats *writer_stats(struct writer *w);

/*
 * Count what an unfinished run left, and leave word for the next: `journal` is
 * a local file of this kind of run.  Once, before any lane; without it
 * resumed_bytes stays 0.
 */
void writer_resume(struct writer *w, const char *journal);

/* Most of what comes is stored already: what is not is compressed harder.  Before any lane. */
void writer_increment(struct writer *w);
/*
 * What comes from now on are pages of a database: they are folded (codec/pages.h) where all who
 * read the repository know that, and then hold little that only the slower levels find
 * (bench/NOTES.md), so that the quick one serves.  While no lane is at work; or of one lane alone,
 * for blobs that were read from frames of pages.
 */
void writer_pages(struct writer *w, bool pages);
void writer_lane_pages(struct writer_lane *l, bool pages);

/*
 * Several repositories of one family: what the lanes of `w` are given is hashed and
 * compressed once, and sealed for each that lacks it.  `peer` has no lanes of its own.
 * After writer_finish and writer_commit of each the peers are freed, then `w`.
 * Before any lane; ERR_UNSUPPORTED if they do not share ids and cuts.
 */
enum writer_loss {
	WRITER_WHOLE,
	WRITER_FAILED, /* it could not be stored */
	WRITER_BEHIND  /* given up: the others would have had to wait */
};
enum { WRITER_SET_MAX = 16 };
int writer_follow(struct writer *w, struct writer *peer, struct err *e);

/* Was one of several given up, and why?  (Alone, a failure is told at once.) */
enum writer_loss writer_lost(struct writer *w, struct err *why);

struct writer_lane *writer_lane_new(struct writer *w);
void writer_lane_free(struct writer_lane *l);

/* Add a blob of a kind; *added tells whether it was new (may be NULL). */
int writer_add(struct writer_lane *l, enum format_purpose kind, struct span blob, struct id *id,
    bool *added, struct err *e);

/*
 * Add a frame of another repository of the same family (family.h), whose blobs have the same
 * ids here and were checked: sealed anew, but compressed as it comes.  `plain` is what `packed`
 * is by `codec`.  Where some of its blobs are there already the others go one by one.
 */
struct pack_blob;
int writer_add_frame(struct writer_lane *l, enum format_purpose kind, const struct pack_blob *blobs,
    size_t n, struct span plain, uint8_t codec, struct span packed, struct err *e);

/* As a tree_put callback; arg is the lane. */
int writer_tree_put(
    void *arg, enum format_purpose kind, struct span blob, struct id *id, struct err *e);

/* Seal what the lane has gathered. */
int writer_lane_flush(struct writer_lane *l, struct err *e);

/*
 * Is this blob in the repository (each of several) or in this run?  1, 0, -1; counts as relied on.
 * `near` helps who asks in about the order of storing: see index_cache_find_near; or NULL.
 */
int writer_has(struct writer *w, const struct id *id, struct index_near *near, struct err *e);

/*
 * Copy a sealed frame from elsewhere, unchanged (prune).  A pack's header
 * names the keys of its frames, so the keys that are to come are given
 * before, FORMAT_KEYS_MAX at most; another key closes the pack.
 */
void writer_copy_keys(struct writer *w, const uint8_t *sealed_keys, size_t n);
struct pack_frame;
int writer_copy_frame(struct writer *w, const struct pack_frame *frame,
    const struct pack_blob *blobs, const uint8_t *sealed_key, struct span box, struct err *e);

/* Close packs, make all durable, write the index. */
int writer_finish(struct writer *w, struct err *e);

/*
 * Put the snapshot (id, sequence and the like are filled in here), then make
 * sure that nothing it relies on was pruned meanwhile.
 */
int writer_commit(struct writer *w, struct snapshot *s, struct err *e);

/* A chunker with the repository's parameters. */
void writer_chunker(struct repo *r, enum chunker_kind kind, struct chunker *out);
/* The same, but finer: for what comes again and again with small changes.  A power of two. */
void writer_chunker_fine(struct repo *r, uint32_t avg, struct chunker *out);

/* 16 bytes keyed by the id key: fingerprints and groups. */
void writer_fingerprint(struct repo *r, struct span s, uint8_t out[16]);

#endif
