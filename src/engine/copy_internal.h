/*
 * copy_internal: what the files of a copy share.
 *
 *   op_copy.c       which snapshots, one after another; their new objects
 *   copy_pair.c     what an earlier copy tells of the next: nothing in common is read
 *   copy_content.c  content that is missing, read frame by frame by several workers
 *   copy_tree.c     directories, written again with the ids that things have now
 *   copy_rechunk.c  content cut anew
 *   copy_logs.c     logs that its databases need
 *   copy_follow.c   forgetting what the source forgot
 *
 * Whatever is left out by copy_pair.c and copy_content.c is found missing by copy_tree.c, which
 * reads it itself: these two only make it fast.  All that a new snapshot reaches was looked up,
 * or stored, by the writer that commits it: so a prune on the other side cannot take it away
 * meanwhile (format.md 10).
 */
#ifndef HF_ENGINE_COPY_INTERNAL_H
#define HF_ENGINE_COPY_INTERNAL_H

#include "engine/copy_map.h"
#include "engine/op_copy.h"
#include "repo/log.h"
#include "repo/reader.h"
#include "repo/tree.h"
#include "repo/writer.h"

enum { COPY_TREES_MAX = 128 << 10 }; /* remembered: 16 MiB or so */

struct copying {
	struct repo *from, *to;
	const struct copy_params *p;
	struct ctx *ctx;
	struct copy_result *out;
	unsigned workers;

	struct reader *reader, *there; /* of `from`; of `to` */
	struct copy_map *map;          /* content of `from` as it is called in `to` */
	struct content_writer *content;
	struct chunker chunker;
	struct buf cut;         /* content not cut yet */
	_Atomic bool to_failed; /* what went wrong is of `to`: see copy_to */
	bool same;              /* content of the present snapshot has the same ids in `to` */

	struct log_writer *logs; /* of `to`, once something is put; NULL */

	/* As long as one writer lasts: */
	struct writer *writer;
	struct writer_lane *lane;
	struct idmap *trees;    /* of `from`: struct id, of which all is looked up or stored */
	struct index_near near; /* lookups of the present thread */

	struct select_list all, have; /* every snapshot of `from`; of `to`, in our domain */
	struct idmap *origins;        /* of those that are there: struct id, the copy */
};

/*
 * What became of something that was asked of `to`, passed on.  Its errors are nobody's damage in
 * `from`, and end the copying.
 */
int copy_to(struct copying *c, int rc, struct err *e);
/* As a tree_put callback; arg is the struct copying. */
int copy_put(void *arg, enum format_purpose kind, struct span blob, struct id *id, struct err *e);

/* Remember a tree that is complete in `to`. */
void copy_know_tree(struct copying *c, const struct id *from, const struct id *to);

/*
 * What a copy of an older snapshot of the same group has and this writer may rely on.  Damage
 * on either side only means that less is known.
 */
int copy_pair(struct copying *c, const struct snapshot *s, struct err *e);

/* Read and store content that the snapshot needs; what cannot be read is left to copy_tree. */
int copy_content(struct copying *c, const struct snapshot *s, struct err *e);

/* One blob of content: looked up, or stored. */
int copy_blob(struct copying *c, const struct id *id, struct id *to, struct err *e);

/* A directory and all below it. */
int copy_tree(struct copying *c, const struct id *tree, struct id *to, struct err *e);

/*
 * The logs that its parts need, and what came after: s is the copy, whose parts name their logs in
 * `from` before and in `to` afterwards.  The second: of one that was copied before, what is new.
 */
int copy_logs(struct copying *c, struct snapshot *s, struct err *e);
int copy_logs_again(struct copying *c, const struct snapshot *s, struct err *e);

/* A file's content, cut anew, into c->content. */
int copy_rechunk(struct copying *c, const struct tree_ref *ref, struct err *e);

#endif
