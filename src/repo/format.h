/*
 * format: the numbers of doc/format.md, in one place.  No code.
 */
#ifndef HF_REPO_FORMAT_H
#define HF_REPO_FORMAT_H

enum {
	FORMAT_VERSION = 1,
	FORMAT_UID = 16,    /* repository, holder, domain and data-key ids */
	FORMAT_HEADER = 12, /* of an envelope, before the data keys */
	FORMAT_SEALED_KEY = 132,
	FORMAT_BOX = 48,      /* what a box adds */
	FORMAT_BOX_HEAD = 32, /* of that, before what is sealed */
	FORMAT_TRAILER = 64,
	FORMAT_KEYS_MAX = 255, /* data keys in one object */

	FORMAT_BLOB_MAX = 8 << 20, /* also a frame's plaintext */
	FORMAT_PACK_MAX = 80 << 20,
	FORMAT_PACK_MIN = 16 << 20, /* writers close between these two */
	FORMAT_PACK_FULL = 64 << 20,
	FORMAT_FRAME_AIM = 4 << 20,
	FORMAT_FRAME_TREES = 1 << 20, /* names and refs, which are read one at a time */
	FORMAT_FRAME_OWN = 1 << 20,   /* a blob of this size is its own frame */
	FORMAT_PACK_BLOBS_MAX = 1 << 20,
	FORMAT_PACK_BLOBS_AIM = 1 << 15, /* writers close with so many */
	FORMAT_SMALL_MAX = 256 << 20,    /* index, snapshot, note, mark, key objects */
	FORMAT_LIST_INLINE = 1024,       /* content ids in a leaf */
	FORMAT_LIST_DEPTH = 8,

	FORMAT_PLACE = 37,             /* of a log: stream, timeline, start, end, kind */
	FORMAT_LOG_CUT = 2 << 20,      /* a log's blobs end at multiples of this from its start */
	FORMAT_LOG_STRETCH = 32 << 20, /* what is longer becomes several */
	FORMAT_LOG_HISTORY_MAX = 1 << 20,
};

enum format_type {
	FORMAT_INDEX = 1,
	FORMAT_SNAPSHOT,
	FORMAT_NOTE,
	FORMAT_MARK,
	FORMAT_KEY,
	FORMAT_PACK,
	FORMAT_META,
	FORMAT_LOG = 10, /* 8 is parity, 9 a kit */
};

enum format_purpose { /* the first three are also a frame's kind */
	PURPOSE_CONTENT = 1,
	PURPOSE_NAMES,
	PURPOSE_REFS,
	PURPOSE_DIRECTORY,
	PURPOSE_TRAILER,
	PURPOSE_INDEX,
	PURPOSE_HEAD,
	PURPOSE_FACTS,
	PURPOSE_NOTE,
	PURPOSE_MARK,
	PURPOSE_SIGNATURE,
	PURPOSE_KEY,
	PURPOSE_EPOCH,
};

#endif
