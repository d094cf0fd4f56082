/*
 * op_prune: free what no snapshot reaches, in two phases, without locks
 * (format.md 10).
 */
#ifndef HF_ENGINE_OP_PRUNE_H
#define HF_ENGINE_OP_PRUNE_H

#include "engine/locks.h"
#include "repo/repo.h"
#include "repo/repo_object.h"

/* What a dry run tells of one object. */
enum prune_action {
	PRUNE_SNAPSHOT, /* forgotten and due: removed */
	PRUNE_DELETE,
	PRUNE_MARK,   /* nothing needs it: marked now, deleted when due */
	PRUNE_WAIT,   /* nothing needs it, but it is not due */
	PRUNE_UNMARK, /* in use again */
	PRUNE_KEEP,   /* nothing needs it, but its time in cold storage is paid for */
	PRUNE_REPACK, /* what lives in it is copied, then it goes */
};

struct prune_item {
	enum prune_action action;
	char object[REPO_NAME_MAX];
	char why[256];
	uint64_t size;
	int64_t since_ns, due_ns; /* marked or forgotten since (0: not), due when */
	double dead;              /* of a repacked one: percent unused */
};

const char *prune_action_name(enum prune_action a); /* "delete"... */

struct prune_params {
	bool dry_run;
	bool exclusive;    /* nobody else uses the repository: grace 0 */
	bool repack;       /* split frames too (full holders) */
	bool pay_for_cold; /* delete before a class's minimum time, read what costs to be read */
	double max_unused; /* percent of dead bytes tolerated in kept packs; < 0: 5 */
	/* How long logs of systems are kept, where that is declared; of others by backups alone. */
	const struct prune_log_rule {
		const char *system;
		int64_t keep_ns;
	} * logs;
	size_t nlogs;
	/* Of a dry run, each object that something would be done with, snapshots first; may be
	 * NULL. */
	int (*item)(void *arg, const struct prune_item *item, struct err *e);
	void *item_arg;
};

struct prune_result {
	uint64_t snapshots_kept, snapshots_removed;
	uint64_t snapshots_void; /* among the removed, mostly: see void.h */
	uint64_t packs_kept, packs_marked, packs_deleted, packs_unmarked, packs_repacked;
	uint64_t bytes_marked, bytes_deleted, bytes_repacked;
	uint64_t bytes_live, bytes_dead;          /* stored bytes of frames */
	uint64_t logs_deleted, log_bytes_deleted; /* stretches */
	uint64_t waiting;      /* packs that nothing needs, whose grace is not over */
	uint64_t passed_over;  /* objects that nobody can make sense of */
	uint64_t domains_held; /* nothing of them is pruned: a snapshot cannot be walked */
	uint64_t paid_packs, paid_bytes; /* kept, as they are paid for */
	int64_t paid_until_ns;           /* the first of them; 0 none */
	double paid_fee;                 /* for deleting them now, in US dollars, about */
	struct locks_result locks;
	size_t rules;    /* of the bucket's life cycle, put as the store's options ask; 0: none */
	int64_t next_ns; /* store time from when a prune goes on with them; 0 none */
	double seconds;
};

int op_prune(struct repo *r, const struct prune_params *p, struct ctx *ctx,
    struct prune_result *out, struct err *e);

#endif
