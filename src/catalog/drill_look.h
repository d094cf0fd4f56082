/*
 * drill_look: what the runs of one system and the records of its drills tell of its recovery
 * points: which there are, and when each was proven, and tried.
 *
 * Points are the newest full, incremental and differential backup, a moment within a log that is
 * received, the newest and the oldest of all, and one from each place.  One drill may prove
 * several.
 *
 * Threads: one owner; no state but its own.
 */
#ifndef HF_CATALOG_DRILL_LOOK_H
#define HF_CATALOG_DRILL_LOOK_H

#include "base/span.h"
#include "catalog/catalog.h"
#include "catalog/drill_plan.h"

enum { DRILL_LOOK_PLACES = 16, DRILL_LOOK_POINTS = 6 + DRILL_LOOK_PLACES };

struct drill_look {
	struct drill_point v[DRILL_LOOK_POINTS]; /* its kind is set, and what was found out */
	bool there[DRILL_LOOK_POINTS];
	size_t n;
	unsigned backups;
	uint64_t bytes;   /* of the newest; 0: not known */
	json_t *measured; /* of a drill that did not fail; or NULL */
	double spent_s;   /* by drills of the last day */
	int64_t now_s;
	/* Its own. */
	struct drill_look_run *runs; /* drills */
	size_t nruns;
	char from[DRILL_LOOK_PLACES][140];   /* "from=offsite" */
	int64_t made_s[DRILL_LOOK_POINTS];   /* when a run that said it made that kind ended */
	int64_t absent_s[DRILL_LOOK_POINTS]; /* when a drill looked for that kind, and found none */
};

void drill_look_init(struct drill_look *l, int64_t now_s);
void drill_look_fini(struct drill_look *l);

/* A place that snapshots of it are in, by its name. */
void drill_look_place(struct drill_look *l, const char *name);

/* Runs of backups, the newest first: for run_list. */
int drill_look_backup(void *look, const struct run *r, struct err *e);

/* Runs of drills, before the records: one that left none is known by its run alone. */
int drill_look_drill(void *look, const struct run *r, struct err *e);

/* Records of drills, the newest first, after the runs: for evidence_drill_list. */
int drill_look_record(void *look, json_t *record, struct span line, struct err *e);

/* All were told.  log: there is one between its backups. */
void drill_look_end(struct drill_look *l, bool log);

#endif
