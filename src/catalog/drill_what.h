/*
 * drill_what: what a drill was asked to rehearse, as the run's type keeps it in the catalog:
 *
 *     [LEVEL] [POINT] [from=DESTINATION] [to=MOMENT]
 *
 * separated by one blank, in that order; MOMENT is all the rest.  "comprehensive", "full",
 * "standard from=offsite to=2026-11-21 09:41:07+01".  None: NULL.
 *
 * Threads: any; values.
 */
#ifndef HF_CATALOG_DRILL_WHAT_H
#define HF_CATALOG_DRILL_WHAT_H

#include <stdbool.h>

/*
 * Points: the newest of a kind of snapshots, the newest, the oldest, or for "pitr" one within the
 * log that is another on another day.
 */
#define DRILL_WHAT_POINTS "full|incremental|differential|pitr|latest|oldest"

enum { DRILL_WHAT_MOMENT = 300 };

struct drill_what { /* "": not said */
	char level[16], point[16];
	char from[128];
	char to[DRILL_WHAT_MOMENT];
};

/* False: it is none, and out is empty. */
bool drill_what_parse(const char *text, struct drill_what *out);

/* New text; NULL: nothing is said. */
char *drill_what_text(const struct drill_what *w);

#endif
