/*
 * op_verify: the judgement of one system's newest snapshot in one repository.
 *
 * It looks at what that snapshot needs, not at the repository: a thousand systems in one repository
 * cost a thousand small verifications, not a thousand checks.  Only the reading of data is of the
 * repository as a whole (read_budget.h): each verification takes its turn at what is due, whoever's
 * it is; damage found in what this snapshot does not need is told, and is not this one's failure.
 *
 * Standard: integrity, encryption, completeness.  Comprehensive adds a sample restored and
 * compared, consistency, and how long a whole restore would take.  What is asserted, and what
 * each costs, is verify_rule.h's table.
 *
 * The call fails only where it could not judge; a system without a snapshot is judged: failed.
 *
 * Threads: one owner of the repository; it starts its own.
 */
#ifndef HF_ENGINE_OP_VERIFY_H
#define HF_ENGINE_OP_VERIFY_H

#include "engine/verify_rule.h"
#include "repo/repo.h"

struct verify_params {
	const char *system;
	enum verify_level level;
	const char *const *paths; /* that are declared; none: not judged */
	size_t npaths;
	struct { /* the newest that our own record knows of here; start_ns 0: none */
		struct id id;
		int64_t start_ns;
		const char *why; /* none is known, though one should be; NULL: none need be */
	} known;
	bool may_be_empty; /* an archive that no copy has filled yet: not judged */
	/* Seconds; 0: not promised.  Where no acceptable is said the target is. */
	int64_t rpo_target_s, rpo_acceptable_s, rto_target_s, rto_acceptable_s;
	int64_t all_data_within_s; /* 0: no data are read, but for read_data */
	int64_t every_s;           /* how often it is verified; 0: a day */
	bool read_data;            /* all packs that the snapshot needs */
	const char *scratch;       /* where a folder for the sample is made; NULL: no sample */
	uint64_t seed;             /* of the sample; 0: by snapshot and day */
	uint64_t sample_bytes;     /* at most */
	unsigned jobs;
};

struct verify_result {
	struct verify_answer answers[VERIFY_IDS];
	struct verify_score score;
	bool empty;                  /* may_be_empty, and so it is: nothing was judged */
	bool has_snapshot, is_named; /* is_named: one of that name is there, if none that counts */
	struct id snapshot;
	int64_t start_ns;
	uint64_t files, dirs, bytes; /* as they were found in it */

	uint64_t packs;                  /* that it needs */
	uint64_t packs_read, bytes_read; /* of the whole repository, this time */
	uint64_t packs_asleep;           /* were to be read, but sleep in cold storage */
	uint64_t repository_packs;       /* all, where a budget is kept; */
	uint64_t repository_read;        /* of these read and found sound within the time */
	uint64_t damaged_elsewhere;      /* packs that this snapshot does not need */

	uint64_t seed, sample_files, sample_bytes; /* restored and compared */
	double restore_bytes_per_s;                /* 0: not measured */
	double restore_seconds;                    /* of all of it, estimated */
	double seconds;
};

int op_verify(struct repo *r, const struct verify_params *p, struct ctx *ctx,
    struct verify_result *out, struct err *e);

#endif
