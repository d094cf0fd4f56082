/* world_load: what the files of config/world share. */
#ifndef HF_CONFIG_WORLD_LOAD_H
#define HF_CONFIG_WORLD_LOAD_H

#include "config/world.h"

/* Tiers that name no destinations get all repositories where their data may be. */
void world_imply_destinations(struct world *w);

/* Of which kind each source is, and its part's name (world_postgresql.c). */
void world_imply_sources(struct world *w);
/* Is the system's source of exactly one kind, and is what it says of a server right? */
int world_check_source(
    const struct world *w, const struct world_system *s, size_t i, struct err *e);

/* Tiers with archives that do not say when they are filled. */
void world_imply_archive(struct world *w);
bool world_has_archives(const struct world *w, const struct world_tier *t);

/* Why a tier is left without any, if that is a mistake: -1. */
int world_check_no_destinations(const struct world *w, const struct world_tier *t, struct err *e);

/* Names that refer to nothing, and contradictions. */
void world_check(const struct world *w, struct mistakes *m);

/* The same for what is due when (world_check_times.c). */
void world_check_times(const struct world *w, struct mistakes *m);
/* And for where the catalog is (world_catalog.c). */
void world_check_catalog(const struct world *w, struct mistakes *m);

/* The same for what is monitored (world_monitor.c). */
void world_check_monitors(const struct world *w, struct mistakes *m);

/* The same for who is notified (world_check_notify.c). */
void world_check_notify(const struct world *w, struct mistakes *m);

/* Drills, and what is asked in them (world_drill.c). */
int world_check_drill(const struct world *w, struct err *e);
int world_check_tier_drill(const struct world *w, const struct world_tier *t, struct err *e);
int world_check_drill_checks(const struct world_system *s, struct err *e);

/* How a source stands still (world_freeze.c). */
int world_check_freeze(const struct world_source *src, struct err *e);

/* Where a key of a section's item stands, "tiers.gold.rpo": as far as it is there. */
struct node_at world_place(
    const struct world *w, const char *section, const char *name, const char *key);

/* "there is no WHAT 'WORD'", with the nearest that there is.  Returns -1. */
int world_no_such(struct node_at at, const char *what, const char *word,
    const struct field_items *items, size_t size, struct err *e);

#endif
