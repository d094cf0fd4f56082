/* drill_internal: what the files of a drill share. */
#ifndef HF_ENGINE_DRILL_INTERNAL_H
#define HF_ENGINE_DRILL_INTERNAL_H

#include <pthread.h>

#include "engine/drill_room.h"
#include "engine/op_drill.h"
#include "os/os_isolate.h"

struct pg_server;

enum { DRILL_NOTE = 300 };

struct drill_step {
	const char *name;
	int64_t began_ns;
	double seconds;
	bool failed, open;
	char note[DRILL_NOTE];
};

/* A server of PostgreSQL's: a part of the snapshot, with a folder and a socket of its own. */
struct drill_source {
	const struct snapshot_part *part;
	const struct snapshot *snapshot; /* its base: the drill's, or else `chosen` */
	struct snapshot *chosen;
	struct pg_server *server;
	json_t *recovery;         /* target, reached, ...; or NULL */
	json_t *facts;            /* what it holds now, as pg_facts.h has it; or NULL */
	struct drill_score score; /* of it alone, where there are several */
	uint64_t bytes, log_bytes;
	double restore_s, start_s; /* start: of the server, to the end of recovery */
	int64_t point_ns;          /* what was reached; 0: the snapshot's time */
	uint64_t reached_lsn;      /* by its server's word; 0: not known */
	unsigned estimated;        /* tables whose rows nobody counted here */
	const char *differs; /* why it may hold others than the facts' rows; NULL: it must not */
};

struct drill {
	struct repo *repo;
	const struct drill_params *p;
	const struct snapshot *snapshot; /* p's: of its files; each source has its base */
	struct ctx *ctx;
	struct clock *clock;
	struct drill_score score;
	struct drill_room room;
	struct os_isolate *isolate;
	_Atomic(const char *) step; /* the one that runs, for the watch; NULL: none yet */
	struct drill_step *steps;
	size_t nsteps;
	int64_t began_ns, began_mono, step_mono;
	bool broken; /* it does not come back: what follows cannot be tried */
	char *data;  /* where it was restored to */

	uint64_t files, dirs, bytes, log_bytes; /* that came back */
	uint64_t memory_peak;
	double verify_s;   /* of the restore, for reading back: no part of the recovery time */
	json_t *isolation; /* what was had of it: texts */
	json_t *before;    /* what it is held against: a record; or NULL */
	json_t *facts;     /* what was found: "files", and "postgresql" or "sources" */
	struct drill_source *sources; /* none: files alone */
	size_t nsources;
	struct drill_source *at; /* the one that is at its turn; NULL without any */

	pthread_t watch; /* ends it after its time */
	bool watched;
	pthread_mutex_t lock;
	pthread_cond_t over;
	bool is_over, late;
	char late_at[DRILL_NOTE]; /* how far it had come then */
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
int drill_restore_files(struct drill *d, bool *any, struct err *e);
/* Ends the step that restores: rc and e are what it came to. */
int drill_restore_end(struct drill *d, int rc, bool files, struct err *e);
void drill_compare_files(struct drill *d);

/* drill_sources.c: which there are; one after the other, where there are several. */
void drill_sources_find(struct drill *d);
void drill_sources_fini(struct drill *d);
bool drill_is_source(const struct drill *d, const struct snapshot_part *part);
int drill_sources_rehearse(struct drill *d, struct err *e);
/* What the record says of each; new. */
json_t *drill_sources_json(const struct drill *d);
/* What is held of all of them though it was judged of some only, is so no more. */
void drill_sources_take_back(struct drill *d);
/* The oldest moment that one of them came back to; 0: not all did. */
int64_t drill_sources_point(const struct drill *d);
/* The one that a query is for; NULL: there is none, or none that runs. */
struct drill_source *drill_source_for(const struct drill *d, const struct drill_check *k);

/* drill_pg.c: recovery of d->at, its server. */
int drill_recover(struct drill *d, struct err *e);
int drill_start(struct drill *d, struct err *e);
void drill_pg_stop(struct drill *d); /* all of them */
/* One value; -1 with what went wrong. */
int drill_pg_ask(struct drill *d, const struct drill_check *k, char **out, struct err *e);

/* drill_facts.c: what d->at holds. */
json_t *drill_facts_of(const struct snapshot_part *part); /* new, or NULL */
int drill_compare_pg(struct drill *d, struct err *e);
void drill_compare_databases(struct drill *d, const json_t *was, const json_t *is);

/* drill_before.c: what was proven of it at this point or an older one. */
void drill_before_find(struct drill *d);
/* One record: is it better to be held against than what there is?  The newest comes first. */
void drill_before_take(struct drill *d, json_t *record);

/* drill_less.c: is it notably less than what was proven before? */
void drill_compare_before(struct drill *d);

/* drill_check.c */
int drill_checks(struct drill *d, struct err *e);

/* drill_fit.c: what a line of evidence has no room for is left out, and that is said. */
void drill_fit(json_t *record);

/* drill_record.c */
int64_t drill_point(const struct drill *d); /* what it came back to */
void drill_judge(struct drill *d, struct drill_result *out);

#endif
