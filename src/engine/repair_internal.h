/*
 * repair_internal: what the files of op_repair share.
 *
 *   op_repair.c        the order: parity, index, packs, snapshots
 *   repair_parity.c    what parity makes good is mended bit for bit
 *   repair_foreign.c   what config is too old for is left alone
 *   repair_index.c     packs that no index names are named, others dropped
 *   repair_notes.c     notes that nobody can read are removed
 *   repair_packs.c     what is readable in damaged packs is stored anew
 *   repair_snapshots.c snapshots without what is lost
 */
#ifndef HF_ENGINE_REPAIR_INTERNAL_H
#define HF_ENGINE_REPAIR_INTERNAL_H

#include "engine/damage.h"
#include "engine/op_repair.h"
#include "repo/reader.h"
#include "repo/repo_object.h"
#include "repo/snapshot.h"
#include "repo/tree.h"
#include "repo/writer.h"

/* What became of a tree. */
struct mended {
	struct id tree;
	bool known, lost; /* lost: the directory itself cannot be read */
};

struct repair {
	struct repo *repo;
	struct ctx *ctx;
	const struct repair_params *p;
	struct repair_result *out;
	struct damage *damage;
	struct reader *reader;
	struct writer *writer;
	struct writer_lane *lane;
	uint64_t domain;                /* the writer's */
	struct idmap *bad_packs;        /* id -> nothing */
	struct idmap *mended;           /* old tree -> struct mended */
	struct snapshot_list snapshots; /* listed before the index that they are judged by */
};

/* Make writer and lane ones of this domain; what another took is finished first. */
int repair_writer(struct repair *rp, uint64_t domain, struct err *e);
int repair_writer_end(struct repair *rp, struct err *e);

/*
 * Is config as new as what is there?  Refused where this machine has seen a
 * newer one; and of objects that it is too old for (ERR_FOREIGN), though read
 * anew, *n are told.  No writer is open.
 */
int repair_look_back(struct repair *rp, struct err *e);
int repair_foreign(struct repair *rp, uint64_t *n, struct err *e);
int repair_drop_foreign(struct repair *rp, uint64_t *n, struct err *e); /* asked for; *n are left */
int repair_refuse(uint64_t n, struct err *e); /* to judge anything by such a config; -1 */

/* Notes that are damaged or junk; and, where that is asked for, notes and marks of nobody's. */
int repair_notes(struct repair *rp, struct err *e);
int repair_drop_notes(struct repair *rp, struct err *e);
int repair_drop_marks(struct repair *rp, struct err *e);

int repair_parity(struct repair *rp, struct err *e);
int repair_index(struct repair *rp, struct err *e);
int repair_packs(struct repair *rp, struct err *e);
int repair_snapshots_load(struct repair *rp, struct err *e);
int repair_snapshots(struct repair *rp, struct err *e);

/*
 * Visit each snapshot that is there and does not load; `why` is ERR_CORRUPT, ERR_FOREIGN
 * or what ended the reading: visit returns -1 to end with `why` as it left it.
 */
typedef int repair_bad_visit(
    struct repair *rp, const struct id *id, const char *name, void *arg, struct err *why);
int repair_bad_snapshots(struct repair *rp, repair_bad_visit *visit, void *arg, struct err *e);

#endif
