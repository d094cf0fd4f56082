/*
 * prune_internal: what the files of op_prune share.
 *
 *   op_prune.c      the order of things (format.md 10)
 *   prune_plan.c    what is live, dead, waiting: a view of every pack
 *   prune_claim.c   whose a pack is that two domains name
 *   prune_repack.c  live frames of mostly dead packs are copied to new ones
 *   prune_cold.c    what cold storage would charge for stays as it is
 *   prune_show.c    a dry run, item by item
 *   prune_delete.c  indexes without the dead, then packs
 *   prune_logs.c    stretches of logs, by retention
 *   prune_settle.c  then marks: which stay as tombstones, which go
 */
#ifndef HF_ENGINE_PRUNE_INTERNAL_H
#define HF_ENGINE_PRUNE_INTERNAL_H

#include "engine/op_prune.h"
#include "engine/reach.h"
#include "repo/mark.h"
#include "repo/note.h"
#include "repo/repo_object.h"
#include "repo/snapshot.h"

/* One pack, by id: an index may name it twice, a crash may leave it unnamed. */
struct ppack {
	uint8_t type; /* FORMAT_PACK, FORMAT_META */
	bool present, indexed, marked, live, repack, doomed;
	bool held;              /* of a domain of which nothing is pruned */
	bool spared;            /* a mark of a later version names it: left alone */
	bool claimed, disputed; /* named by an index; by those of two domains */
	uint64_t domain;        /* whose it is */
	uint64_t size;
	int64_t stored_ns;
	unsigned class;                  /* of storage, since when, */
	int64_t class_ns;                /* and of what nothing needs: */
	int64_t paid_ns;                 /* kept until then, as it is paid for; 0: not so */
	uint64_t live_bytes, dead_bytes; /* of its frames, as stored */
	uint64_t dead_plain;             /* of dead blobs in live frames */
	uint32_t blobs, keys;            /* of its live frames; in its header */
};

struct prune {
	struct repo *repo;
	struct ctx *ctx;
	const struct prune_params *p;
	struct prune_result *out;
	struct reader *reader;
	struct mark_set marks;
	struct snapshot_list snapshots;
	struct note_list notes;
	struct reach *reach;
	uint64_t generation; /* of the index that reach and ordinals count by */
	struct idmap *packs; /* id -> struct ppack */
	uint64_t *held;      /* domains with snapshots that cannot be walked */
	size_t nheld;
	bool planned;   /* what follows is known of every pack */
	bool unread;    /* indexes may name packs that ours does not: late ones, unreadable ones */
	int64_t now_ns; /* the store's */
	int64_t grace_ns;
	int64_t began_ns; /* boot time */
};

/* Load marks, snapshots, what they reach, and every pack's state. */
int prune_plan(struct prune *pr, struct err *e);

/* Keep what is paid for until a later time anyway, unless its deletion may cost something. */
void prune_keep_paid(struct prune *pr);
/* May it be read, to write again what lives in it? */
bool prune_may_read(const struct prune *pr, const struct ppack *pk);

bool prune_holds(const struct prune *pr, uint64_t domain);

/* Will no index of ours name it any more?  It is deleted, or is not there, and nothing hopes for
 * it. */
bool prune_drops(const struct ppack *pk);

/* Whose a pack is that two domains' indexes name; what the other's says of it is nothing. */
int prune_settle_claims(struct prune *pr, struct err *e);
bool prune_is_its(const struct ppack *pk, uint64_t domain);

/* Choose packs to repack, and copy what lives in them. */
void prune_choose(struct prune *pr);
int prune_repack(struct prune *pr, struct err *e);

/* Tell all that would be done. */
int prune_show(struct prune *pr, struct err *e);

/* Delete, or show, what is needed of logs no more. */
int prune_logs(struct prune *pr, struct err *e);

/* Write indexes without doomed packs, delete old indexes, then the packs. */
int prune_delete_doomed(struct prune *pr, struct err *e);

/* After that: new marks for those whose packs went or live on, and the end of old ones. */
int prune_settle_marks(struct prune *pr, struct err *e);

#endif
