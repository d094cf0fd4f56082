/*
 * world: what holdfast.yaml declares: repositories, tiers, systems.
 *
 * Plain structs, filled by the tables of world_table.c.  Files are read in this order,
 * what comes later goes before what came first, name by name: the file itself, then
 * *.yaml in the folder of its name (holdfast.yaml: holdfast.d) by their names, then
 * HOLDFAST_REPOSITORIES_<NAME>_URL, _PASSWORD and _KEY in the environment.  Below all of
 * them lies the profile that they name, if any.
 *
 * All or nothing: a world that was loaded has no unknown key, no wrong value and no name
 * that refers to nothing.
 *
 * Threads: read-only once loaded.
 */
#ifndef HF_CONFIG_WORLD_H
#define HF_CONFIG_WORLD_H

#include "config/field.h"
#include "config/world_drill.h"
#include "config/world_postgresql.h"
#include "config/world_server.h"

enum world_role { /* 0: not said */
	WORLD_PRIMARY = 1,
	WORLD_SECONDARY,
	WORLD_ARCHIVE,
	WORLD_OFFSITE,
};

enum world_encryption { WORLD_REQUIRED = 1, WORLD_OPTIONAL };

struct world_prune {
	char *every; /* for schedule_parse; NULL: by the object lock's period, or never by itself */
	char *timezone;
	struct calendar_duration jitter;
	struct field_windows only, never;
};

struct world_repository {
	struct field_item item; /* first */
	char *url, *location, *media, *family, *key, *password;
	int role, encryption;
	bool offline;               /* away but for the time of a backup */
	unsigned priority;          /* 0: not said; a lower one is asked first */
	struct field_texts options; /* what its store is told, as by -o */
	struct calendar_duration object_lock;
	struct calendar_rates limit_upload, limit_download;
	struct world_prune prune;
};

struct world_retention { /* 0: not said */
	unsigned last, hourly, daily, weekly, monthly, yearly;
	struct calendar_duration within;
	struct calendar_duration logs; /* of databases: to any moment of so long ago */
};

struct world_objective { /* RTO, RPO; 0: not said */
	struct calendar_duration target, acceptable;
};

enum world_strategy { WORLD_FULL = 1, WORLD_INCREMENTAL, WORLD_DIFFERENTIAL, WORLD_CONTINUOUS };

enum world_catch_up { WORLD_CATCH_UP_ONCE = 1, WORLD_CATCH_UP_SKIP };

struct world_schedule {
	char *full, *differential, *incremental; /* for schedule_parse */
	char *archive;                           /* of copies to archives */
	char *timezone;                          /* NULL: the machine's */
	struct calendar_duration jitter;
	struct field_windows only, never;
	int catch_up; /* what was missed while nobody ran; 0: once */
};

enum world_level { WORLD_STANDARD = 1, WORLD_COMPREHENSIVE };

struct world_verify {
	char *every; /* for schedule_parse; NULL: never by itself */
	int level;
	struct calendar_duration all_data_within; /* every byte is read once in so long */
};

struct world_tier {
	struct field_item item;
	/* Names of repositories (where none are said: all that residency allows); of locations. */
	struct field_texts destinations, residency;
	int encryption;
	struct world_retention retention;
	struct world_objective rto, rpo;
	double availability; /* percent; 0: not said */
	int strategy;
	unsigned priority; /* of its runs: higher first */
	struct world_schedule schedule;
	struct world_verify verify;
	struct world_tier_drill drill;
	struct field_items monitors; /* struct world_monitor: world_monitor.h */
};

enum world_on_error { WORLD_FAIL = 1, WORLD_WARN, WORLD_IGNORE };

struct world_hook {
	struct field_item item;
	char *run; /* for /bin/sh -c */
	struct calendar_duration timeout;
	struct field_texts environment; /* NAME=VALUE */
	int on_error;                   /* 0: fail */
};

struct world_hooks { /* each a list of struct world_hook */
	struct field_items before, after, on_failure;
};

struct world_freeze {
	bool btrfs;                       /* a read-only snapshot of each subvolume */
	char *freeze, *thaw;              /* for /bin/sh -c */
	struct calendar_duration timeout; /* of each of both */
	struct field_texts read;          /* PATH=PLACE: where what was frozen is found */
};

struct world_files {
	struct field_texts paths, exclude;
	struct world_freeze freeze;
	bool exclude_caches, one_file_system;
};

/* Of postgresql: its files, or dumps of its databases. */
enum world_kind { WORLD_FILES = 1, WORLD_POSTGRESQL, WORLD_DUMP };

struct world_source {
	struct field_item item;
	char *part; /* what it is called in a snapshot; left out: by its kind */
	struct world_files files;
	struct world_postgresql postgresql;
	int kind; /* enum world_kind: which of both it is */
};

struct world_system {
	struct field_item item;
	char *tier;
	char *node; /* the host that backs it up, by its name; NULL: any that has this declared */
	struct field_items sources; /* struct world_source */
	struct field_texts depends_on;
	struct world_schedule schedule; /* goes before the tier's where it says anything */
	struct field_items monitors;    /* each before the tier's of its name */
	struct field_items checks;      /* struct world_drill_check */
	struct world_hooks hooks;
	unsigned priority; /* 0: the tier's */
	bool paused;       /* declared, but nothing is begun by itself */
	bool may_be_empty, may_shrink;
};

enum world_ionice { WORLD_IDLE = 1, WORLD_BEST_EFFORT };

struct world_jobs { /* of the daemon; 0: not said */
	unsigned parallel, per_repository;
	char *nice;                       /* -20 to 19 */
	int ionice;                       /* enum world_ionice */
	struct calendar_duration timeout; /* of one run */
};

/* profiles/NAME.yaml (profile.h). */
#define WORLD_PROFILES "edu|enterprise|mem8|phoenix|pothos"

struct world {
	int profile; /* its place in WORLD_PROFILES; 0: none */
	struct field_items repositories, tiers, systems;
	char *catalog;             /* see world_catalog */
	struct field_items notify; /* struct world_channel: world_notify.h */
	struct world_jobs jobs;
	struct world_drill drill;
	struct world_server server;
	struct node *tree; /* what it was bound from, for config show */
	char **files;      /* read, in this order */
	size_t nfiles;
};

extern const struct field_table world_table;

/*
 * Load `path`; NULL: ~/.config/holdfast/holdfast.yaml or else /etc/holdfast/holdfast.yaml,
 * and *out is NULL if there is neither.
 * `env` may be NULL: then nothing is taken from the environment.  `all`, if not NULL, gets every
 * mistake of what could be read; e has the first.
 */
int world_load(const char *path, char *(*env)(const char *), struct mistakes *all,
    struct world **out, struct err *e);
void world_free(struct world *w); /* NULL does nothing */

/* One text as if it were the file: for fuzzing and tests. */
int world_of_text(struct span text, const char *name, struct world **out, struct err *e);

/* By name, or NULL. */
const struct world_repository *world_repository(const struct world *w, const char *name);
const struct world_tier *world_tier(const struct world *w, const char *name);
const struct world_system *world_system(const struct world *w, const char *name);
const struct world_repository *world_repository_at(const struct world *w, size_t i);
const struct world_system *world_system_at(const struct world *w, size_t i);
const struct world_source *world_source_at(const struct world_system *s, size_t i);
/* Its first source that is of the kind, or NULL. */
const struct world_source *world_source_of(const struct world_system *s, enum world_kind kind);

/*
 * Where the catalog is, for catalog_open (new text): HOLDFAST_CATALOG of `env`, or what is declared
 * (a path, a postgresql:// URL, or a reference to where one stands), or else catalog.db in the
 * state folder, which is made.  w and env may be NULL.
 */
int world_catalog(const struct world *w, char *(*env)(const char *), char **url, struct err *e);

/* "primary", ...; "" for 0. */
const char *world_role_name(int role);

/*
 * The tier's repositories in the order in which they are asked: primary ones first, then
 * by priority (those without one last), then as they stand.  `out` has room for all.
 */
void world_destinations(
    const struct world *w, const struct world_tier *t, const struct world_repository **out);

/*
 * Those of them that each backup writes, and archives, which are filled by copies of what is there.
 * Archives alone are written as others are.  `out` has room for all; returns how many.
 */
size_t world_written(
    const struct world *w, const struct world_tier *t, const struct world_repository **out);
size_t world_archives(
    const struct world *w, const struct world_tier *t, const struct world_repository **out);

/* Is the tier's data allowed where this repository is?  A tier without residency allows all. */
bool world_may_reside(const struct world_tier *t, const struct world_repository *r);

#endif
