/*
 * cli_schedule: what will run, and why something did not: for the commands and for the API.
 *
 * Threads: any.
 */
#ifndef HF_CLI_CLI_SCHEDULE_H
#define HF_CLI_CLI_SCHEDULE_H

#include <jansson.h>

#include "catalog/catalog.h"
#include "config/world_times.h"

struct coming {
	const struct world_system *system;         /* NULL: a repository's */
	const struct world_repository *repository; /* NULL: a system's */
	struct world_times *times;
	enum times_what what;
	int64_t due_s, start_s;
	bool any;
};
typedef int coming_row(void *arg, const struct coming *x, struct err *e);

struct coming_query {
	const char *const *systems; /* or repositories; none: all that are not paused */
	size_t nsystems;
	int64_t after_s, until_s; /* after the one, before the other */
	size_t most;
};

/* In the order in which they are due.  ERR_USAGE: there is no such system. */
int coming_list(const struct world *w, const struct coming_query *q, coming_row *each, void *arg,
    struct err *e);
json_t *coming_json(const struct coming *x);

/*
 * Sentences, added to a list: of what is declared, and of what the catalog knows: two, so that
 * nobody who waits for a catalog holds a configuration that is to be replaced.
 * ERR_USAGE: it is not declared.
 */
int why_declared(const struct world *w, const char *system, bool daemon_lives, int64_t now_ns,
    json_t *list, struct err *e);
int why_recorded(
    struct catalog *c, const char *system, int64_t now_ns, json_t *list, struct err *e);

#endif
