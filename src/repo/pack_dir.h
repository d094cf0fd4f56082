/*
 * pack_dir: the list of frames and blobs of one pack, as it stands in the
 * pack's own directory and in index objects (format.md 5, 6).
 *
 * Invariants of a decoded one: kinds 1 to 3, known codecs, lengths within
 * format.h's limits, sum of a frame's blobs = its plain length, at least one
 * blob a frame; a pack's frames fit into FORMAT_PACK_MAX.
 *
 * Threads: one owner.
 */
#ifndef HF_REPO_PACK_DIR_H
#define HF_REPO_PACK_DIR_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/cursor.h"
#include "base/err.h"
#include "base/id.h"

struct pack_blob {
	struct id id;
	uint32_t len;
};

struct pack_frame {
	uint8_t kind; /* PURPOSE_CONTENT, _NAMES, _REFS */
	uint8_t slot; /* of the pack's data keys */
	uint8_t codec;
	uint32_t stored; /* bytes in the pack, box included */
	uint32_t plain;
	uint32_t first; /* index of its first blob in `blobs` */
	uint32_t nblobs;
};

struct pack_dir { /* zeroed is empty; fini frees, reset keeps memory */
	struct pack_frame *frames;
	size_t nframes, frames_cap;
	struct pack_blob *blobs;
	size_t nblobs, blobs_cap;
};

void pack_dir_fini(struct pack_dir *d);
void pack_dir_reset(struct pack_dir *d);

/* A frame with its blobs; frame->first is set here. */
void pack_dir_add(
    struct pack_dir *d, const struct pack_frame *frame, const struct pack_blob *blobs);

/* "varint number of frames; per frame ..." appended to out. */
void pack_dir_encode(const struct pack_dir *d, struct buf *out);

/* The same frames of the same blobs?  (Slots may differ.) */
bool pack_dir_equal(const struct pack_dir *a, const struct pack_dir *b);

/* d is reset first.  Bad bytes: ERR_CORRUPT. */
int pack_dir_decode(struct cursor *c, struct pack_dir *d, struct err *e);

#endif
