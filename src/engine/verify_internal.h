/*
 * verify_internal: what the files of op_verify share.
 *
 *   op_verify.c       which snapshot, what its facts say, the score
 *   verify_packs.c    what it needs: trees, packs, keys, seals
 *   verify_data.c     reading packs within the budget
 *   verify_walk.c     all its entries: counts, sizes, hard links, the sample's choice
 *   verify_sample.c   the sample restored and compared, and how long all of it would take
 */
#ifndef HF_ENGINE_VERIFY_INTERNAL_H
#define HF_ENGINE_VERIFY_INTERNAL_H

#include "base/entry.h"
#include "engine/op_verify.h"
#include "engine/reach.h"
#include "repo/snapshot.h"

/* From this size on a file's restore costs by its bytes, below it by being one. */
enum { VERIFY_LARGE = 256 << 10, VERIFY_SMALL_FILES = 64, VERIFY_LARGE_FILES = 8 };

struct verify_pick { /* a file of the sample */
	char *path;
	uint64_t size;
};

struct verify_picks {
	struct verify_pick v[VERIFY_SMALL_FILES];
	size_t n, most;
	uint64_t met; /* candidates so far */
};

struct verifying {
	struct repo *repo;
	const struct verify_params *p;
	struct ctx *ctx;
	struct verify_result *out;
	const struct snapshot *snapshot;
	struct reader *reader;
	struct reach *reach; /* all that it needs */
	bool *needed, *bad;  /* by pack ordinal; a pack that several indexes name has several */
	uint32_t npacks;
	int64_t now_ns;

	/* Of the walk. */
	struct verify_picks small, large;
	uint64_t small_files, large_files, large_bytes; /* of all, for the estimate */
	uint64_t random;
};

/* An assertion is judged; of several failures the first is told. */
void verify_pass(struct verifying *v, enum verify_id id);
void verify_fail(struct verifying *v, enum verify_id id, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* It cannot be judged, for this reason; one that was judged stays. */
void verify_leave(struct verifying *v, enum verify_id id, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Passed, unless it failed or was left. */
void verify_settle(struct verifying *v, enum verify_id id);

/* Each -1 where it could not look. */
int verify_packs(struct verifying *v, struct err *e);
int verify_data(struct verifying *v, struct err *e);
int verify_walk(struct verifying *v, struct err *e);
int verify_sample(struct verifying *v, struct err *e);
void verify_picks_fini(struct verify_picks *p);

/* The same numbers for the same seed, everywhere. */
uint64_t verify_random(uint64_t *state);

#endif
