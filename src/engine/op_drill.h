/*
 * op_drill: a recovery rehearsed, and what it proves.
 *
 *   prepare   which recovery point, is there room, a place apart from the machine
 *   restore   into a folder of its own: files, or a database's data directory and its log
 *   start     of a database: its real server, isolated, to the end of recovery (of several sources
 *             of PostgreSQL each is restored, started and compared, one after the other)
 *   compare   with what the backup recorded of it, and with what was proven before
 *   checks    that the system declares (comprehensive)
 *   teardown  whatever happened
 *
 * The recovery time is that of prepare, restore and start: until it could be used again.  What
 * comes after only proves it.
 *
 * The call fails where it could not be tried (no room, no such user, the repository is away):
 * that proves nothing against the backup.  A recovery that was tried and did not succeed is an
 * outcome: verdict "failed".
 *
 * Threads: one owner of the repository.
 */
#ifndef HF_ENGINE_OP_DRILL_H
#define HF_ENGINE_OP_DRILL_H

#include <jansson.h>

#include "engine/drill_score.h"
#include "os/os_cgroup.h"
#include "repo/repo.h"
#include "repo/snapshot.h"

enum drill_check_kind { DRILL_SQL = 1, DRILL_COMMAND, DRILL_FILE };

struct drill_check {
	enum drill_check_kind kind;
	const char *what;     /* the query, the command, the path */
	const char *part;     /* of a query, where there are several; NULL: that has the database */
	const char *database; /* of a query; NULL: "postgres", or the only one that there is */
	const char *min, *max, *expect, *sha256; /* NULL: not said */
	uint64_t min_size;
	int64_t timeout_s; /* 0: 60 */
	bool optional;
};

struct drill_objective { /* seconds; 0: not promised */
	int64_t target, acceptable;
};

/* Where the programs are of the server that this part is of. */
struct drill_programs {
	const char *part, *bin;
};

struct drill_params {
	const char *system;
	const char *repository;          /* what it is called */
	const struct snapshot *snapshot; /* borrowed */
	bool is_newest;                  /* it is the newest: its age is how much would be lost */
	bool is_oldest;
	const char *asked;     /* the kind of point that was wished: drill_what.h; NULL: none */
	const char *to;        /* of a database: the point, as for recover; NULL: the end */
	const char *no_moment; /* why a moment in its log, which was asked for, is not; or NULL */
	enum drill_level level;
	bool keep;
	const char *directory; /* where rooms are made */
	const char *user;      /* NULL: who drills; a server's is never root */
	struct os_cgroup_limits limits;
	uint64_t disk; /* a drill that needs more is not begun; 0: what is there */
	int64_t timeout_s;
	const struct drill_check *checks;
	size_t nchecks;
	const struct drill_programs *programs; /* of parts that are not named: found by version */
	size_t nprograms;
	struct drill_objective rto, rpo;
	double may_shrink; /* percent */
	const char *state; /* the folder whose records say what was proven; NULL: none */
	unsigned jobs;
};

enum drill_verdict {
	DRILL_PASSED = 1,
	DRILL_MISSED /* an objective, but it works */,
	DRILL_FAILED
};
const char *drill_verdict_name(enum drill_verdict v); /* "passed" */

struct drill_result {
	enum drill_verdict verdict;
	double score;
	char reason[700]; /* why it failed, or what was missed; "" */
	json_t *record;   /* owned by the caller: doc/drill.md */
};

int op_drill(struct repo *r, const struct drill_params *p, struct ctx *ctx,
    struct drill_result *out, struct err *e);

/*
 * How long a recovery of so much would take, from what a drill measured: the parts that do not
 * depend on size as they were, the others by their rates.  0: the record tells no rate,
 * or bytes is 0: not known.
 */
double drill_predict(const json_t *record, uint64_t bytes, uint64_t log_bytes);

#endif
