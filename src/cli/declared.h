/*
 * declared: the configuration as `status` and the API show it.
 *
 * Threads: any, while the world stays.
 */
#ifndef HF_CLI_DECLARED_H
#define HF_CLI_DECLARED_H

#include "api/api.h"
#include "config/world_times.h"

/* By name; else an error of that kind, with the nearest as a hint. */
const struct world_system *declared_system(
    const struct world *w, const char *name, enum err_kind kind, struct err *e);

/* Is it what a run of that kind can be of: a system, or for a prune a repository? */
int declared_for(
    const struct world *w, const char *name, const char *kind, enum err_kind error, struct err *e);

/* When a system is due; NULL for one whose times cannot be had. */
typedef const struct world_times *declared_times(void *arg, const struct world_system *s);

/* The time between the next two moments of it; 0: there are none. */
int64_t declared_every_ns(const struct world_times *t, enum times_what what, int64_t now_s);

/* For api_host: systems by name, repositories in their order. */
int declared_systems(const struct world *w, declared_times *times, void *arg, int64_t now_ns,
    api_system_row *each, void *to, struct err *e);
int declared_repositories(const struct world *w, api_repository_row *each, void *to, struct err *e);

/* What a repository is on, where nothing is said. */
const char *declared_media(const struct world_repository *r);

#endif
