/*
 * recover_plan: from a wish to a base backup and the stretch of the log that leads from it there.
 *
 * Threads: one owner.
 */
#ifndef HF_ENGINE_RECOVER_PLAN_H
#define HF_ENGINE_RECOVER_PLAN_H

#include <jansson.h>

#include "engine/op_recover.h"
#include "engine/recover_scan.h"
#include "engine/select.h"

/* A base backup as the plan sees it; texts live as long as its snapshot. */
struct recover_base {
	const struct snapshot *snapshot;
	const struct snapshot_part *part;
	uint32_t timeline;
	uint64_t start, end; /* of the log that it needs */
	int64_t start_ns, end_ns;
};

struct recover_plan {
	struct select_list list; /* all snapshots; owned */
	struct recover_base *bases;
	size_t nbases; /* usable ones, oldest first */
	const struct recover_base *base;
	char *path;    /* in the snapshot: "/" or "/PART" */
	json_t *facts; /* {"version": ...}; never NULL */
	int major;
	uint64_t segment;
	struct log_reader *reader;
	struct log_at *at;
	size_t nat;
	uint32_t timeline;
	struct recover_line line;
	struct recover_reach reach; /* cut behind what is needed */
	struct recover_target to;   /* what PostgreSQL is told */
	uint64_t log_end;           /* of the whole reach */
	bool gap;
	uint64_t gap_end;
	struct recover_mark kept, next, last;
	uint64_t stop; /* nothing that begins there or behind is replayed */
};

int recover_plan_make(struct repo *r, const struct recover_params *p, struct ctx *ctx,
    struct recover_plan *out, struct err *e);
void recover_plan_fini(struct recover_plan *pl);

/* recover_choose.c: the newest base whose end is before the target; NULL: none.  Pure. */
const struct recover_base *recover_choose(const struct recover_base *v, size_t n,
    const struct recover_line *line, const struct recover_target *to);

/* Texts and numbers of facts["postgresql"]; NULL, 0 where they are missing. */
const char *recover_fact_text(const json_t *facts, const char *name);
uint64_t recover_fact_number(const json_t *facts, const char *name);

#endif
