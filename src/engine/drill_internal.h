/* drill_internal: what the files of a drill share. */
#ifndef HF_ENGINE_DRILL_INTERNAL_H
#define HF_ENGINE_DRILL_INTERNAL_H

#include <pthread.h>

#include "engine/drill_room.h"
#include "engine/op_drill.h"
#include "os/os_isolate.h"

struct pg_server;

enum { DRILL_STEPS = 8, DRILL_NOTE = 300 };

struct drill_step {
	const char *name;
	int64_t began_ns;
	double seconds;
	bool failed, open;
	char note[DRILL_NOTE];
};

struct drill {
	struct repo *repo;
	const struct drill_params *p;
	const struct snapshot *snapshot; /* that is recovered: p's, or else `chosen` */
	struct snapshot *chosen;
	struct ctx *ctx;
	struct clock *clock;
	struct drill_score score;
	struct drill_room room;
	struct os_isolate *isolate;
	struct drill_step steps[DRILL_STEPS];
	size_t nsteps;
	int64_t began_ns, began_mono, step_mono;
	bool broken; /* it does not come back: what follows cannot be tried */
	char *data;  /* where it was restored to */

	uint64_t files, dirs, bytes, log_bytes; /* that came back */
	uint64_t memory_peak;
	double verify_s;   /* of the restore, for reading back: no part of the recovery time */
	json_t *isolation; /* what was had of it: texts */
	json_t *facts;     /* what was found; of a database as pg_facts.h has it */
	json_t *recovery;  /* of a database: target, actual, ...; or NULL */
	int64_t point_ns;  /* what was reached; 0: the snapshot's time */
	const struct snapshot_part *database; /* NULL: files alone */
	struct pg_server *server;
	double start_s;       /* of the server, to the end of recovery */
	uint64_t reached_lsn; /* by its server's word; 0: not known */
	unsigned estimated;   /* tables whose rows nobody counted here */
	const char *differs;  /* why it may hold others than the facts' rows; NULL: it must not */

	pthread_t watch; /* ends it after its time */
	bool watched;
	pthread_mutex_t lock;
	pthread_cond_t over;
	bool is_over, late;
};

/* Steps, one at a time; what has failed is `broken`. */
void drill_step(struct drill *d, const char *name);
void drill_note(struct drill *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void drill_step_end(struct drill *d, bool failed);

/*
 * What an error says of the backup: true if it is broken; false if only the drill could not be
 * done (no room, nobody answers or not in time, interrupted, written by a newer program).
 */
bool drill_is_finding(const struct err *e);

/* drill_files.c: into the room, and back again from the disk.  -1: it could not be tried. */
int drill_restore(struct drill *d, struct err *e);
void drill_compare_files(struct drill *d);

/* drill_pg.c: recovery, its server, its facts. */
int drill_recover(struct drill *d, struct err *e);
int drill_start(struct drill *d, struct err *e);
int drill_compare_pg(struct drill *d, struct err *e);
void drill_compare_databases(struct drill *d, const json_t *was, const json_t *is);
void drill_pg_stop(struct drill *d);
/* One value; -1 with what went wrong. */
int drill_pg_ask(struct drill *d, const struct drill_check *k, char **out, struct err *e);

/* drill_less.c: is it notably less than what was proven before? */
void drill_compare_before(struct drill *d);

/* drill_check.c */
int drill_checks(struct drill *d, struct err *e);

/* drill_record.c */
void drill_judge(struct drill *d, struct drill_result *out);

#endif
