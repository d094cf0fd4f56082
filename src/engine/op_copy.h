/*
 * op_copy: snapshots from one repository into another, which has other keys.
 *
 * A copy keeps its snapshot's times, host, user, system, paths, tags, excludes, statistics and
 * errors, is signed by the key in use, and says what it is a copy of (format.md 8, `original`):
 * so the same is not copied twice, and a copy of a copy names the first one.  Pins, holds and
 * what is in the trash are not copied.
 *
 * Content keeps its cuts, unless `rechunk`; each blob is named and sealed anew by the keys of
 * `to`.  Frames of a repository of the same family (repo/family.h) are not compressed again.
 * What is there is not stored again, and what a snapshot that was copied before has in common
 * with one to be copied is not even read.  A run that is cut short loses nothing that is in a
 * finished index; the next one reads the rest.
 *
 * Threads: one owner; it starts workers of its own.
 */
#ifndef HF_ENGINE_OP_COPY_H
#define HF_ENGINE_OP_COPY_H

#include "codec/codec.h"
#include "engine/select.h"
#include "repo/chunker.h"

enum copy_outcome {
	COPY_DONE,   /* with dry_run: it would be */
	COPY_THERE,  /* it was copied before, or is itself in `to` */
	COPY_FAILED, /* what it needs is damaged: nothing of it became a snapshot */
};

struct copy_item {
	const struct snapshot *from;
	enum copy_outcome outcome;
	const struct id *to; /* the copy; NULL where there is none (yet) */
	const char *why;     /* of a failure, else "" */
};

struct copy_params {
	struct select_filter filter; /* which snapshots of `from` */
	const struct snapshot *const *named;
	size_t nnamed; /* if any: just these */
	bool dry_run;  /* everything but storing */
	bool rechunk;  /* cut content anew, as `to` does it */
	enum chunker_kind chunker;
	enum codec_id codec;
	int level;
	unsigned jobs; /* 0: one a processor, at most 4 */
	int (*item)(void *arg, const struct copy_item *it, struct err *e); /* may be NULL */
	void *item_arg;
};

struct copy_result {
	uint64_t copied, there, failed;
	uint64_t unreadable;  /* snapshot objects of `from` that cannot be read: who knows what */
	uint64_t blobs_read;  /* of content */
	uint64_t bytes_read;  /* their plaintext */
	uint64_t frames_kept; /* moved without compressing them again */
	uint64_t added_bytes; /* new in `to`, before compression */
	uint64_t stored_bytes, object_bytes;
	double seconds;
};

int op_copy(struct repo *from, struct repo *to, const struct copy_params *p, struct ctx *ctx,
    struct copy_result *out, struct err *e);

/*
 * After a copy: forget in `to` the copies of snapshots that `from` has no more, or only in its
 * trash.  Never what is pinned or held in `to`, nor what `from` did not make.  Unless `force`:
 * nothing at all where `from` was set back, emptied or cannot be read whole, and nothing of a
 * group that would be left empty; then it ends with ERR_INCOMPLETE.
 */
struct copy_follow_params {
	struct select_filter filter; /* only copies that it fits */
	bool dry_run, force;
	int64_t delay_ns; /* in the trash */
	int (*item)(void *arg, const struct snapshot *copy, bool kept, struct err *e);
	void *item_arg;
};
struct copy_follow_result {
	uint64_t forgotten, refused; /* refused: pinned or held */
	uint64_t groups_held;        /* would have lost their last copy */
};
int op_copy_follow(struct repo *from, struct repo *to, const struct copy_follow_params *p,
    struct ctx *ctx, struct copy_follow_result *out, struct err *e);

#endif
