/*
 * api_survey: how every system stands now: what is declared (the host) beside what was done (the
 * catalog).  `status` and the metrics are made from it.
 *
 * Threads: one owner.
 */
#ifndef HF_API_API_SURVEY_H
#define HF_API_API_SURVEY_H

#include "api/api.h"
#include "catalog/catalog.h"

struct survey_system {
	char *name, *tier, *node;
	bool declared, rpo_missed;
	const char *state;                               /* "ok", "late", "failing", "never" */
	int64_t rpo_ns, verify_ns, next_ns;              /* -1, -1, 0: not said */
	int64_t rpo_age_ns, verify_age_ns, drill_age_ns; /* -1: no success yet */
	unsigned running, queued;
	struct api_receiver receiver; /* state NULL: there is none; texts are ours */
	struct run_latest backup;     /* zeroed: none yet; of all_latest */
};

struct survey_repository {
	char *name, *role, *location, *media;
	int64_t newest_ns; /* end of its newest complete snapshot; 0: none is known */
};

struct survey_queue {
	char *name;
	unsigned running, queued;
};

struct survey_health {
	bool ready;
	const char *why, *version; /* why may be NULL */
	int64_t started_ns, pid;
};

struct api_survey {
	int64_t now_ns;
	struct survey_system *systems; /* by name */
	size_t nsystems;
	struct survey_repository *repositories; /* as they are declared */
	size_t nrepositories;
	struct run_latest *latest; /* by system and kind */
	size_t nlatest;
	struct survey_queue *queues; /* with something in them */
	size_t nqueues;
	unsigned running, queued;
	unsigned missed; /* systems whose RPO is */
};

/* host->systems may be NULL: then there are those of which something is recorded. */
int api_survey_make(struct catalog *c, const struct api_host *host, int64_t now_ns,
    struct api_survey *out, struct err *e);
void api_survey_fini(struct api_survey *s);

/*
 * "repositories", "systems", "running", "queued" and "missed", as /status has them; new.  fields:
 * of each system (shape_json_of).
 */
json_t *api_survey_json(const struct api_survey *s, uint64_t fields);

/* By name, or NULL. */
const struct survey_system *api_survey_find(const struct api_survey *s, const char *name);

#endif
