/*
 * repair_internal: what the files of op_repair share.
 *
 *   op_repair.c        the order: parity, index, packs, snapshots
 *   repair_parity.c    what parity makes good is mended bit for bit
 *   repair_index.c     packs that no index names are named, others dropped
 *   repair_packs.c     what is readable in damaged packs is stored anew
 *   repair_snapshots.c snapshots without what is lost
 */
#ifndef HF_ENGINE_REPAIR_INTERNAL_H
#define HF_ENGINE_REPAIR_INTERNAL_H

#include "engine/damage.h"
#include "engine/op_repair.h"
#include "repo/reader.h"
#include "repo/repo_object.h"
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
	uint64_t domain;         /* the writer's */
	struct idmap *bad_packs; /* id -> nothing */
	struct idmap *mended;    /* old tree -> struct mended */
};

/* Make writer and lane ones of this domain; what another took is finished first. */
int repair_writer(struct repair *rp, uint64_t domain, struct err *e);
int repair_writer_end(struct repair *rp, struct err *e);

int repair_parity(struct repair *rp, struct err *e);
int repair_index(struct repair *rp, struct err *e);
int repair_packs(struct repair *rp, struct err *e);
int repair_snapshots(struct repair *rp, struct err *e);

#endif
