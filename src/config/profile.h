/*
 * profile: named sets of defaults, profiles/NAME.yaml compiled into the program.
 *
 * A profile lies below the file that names it: `profile: phoenix`.  What any file says goes before
 * what it says, name by name.  It may hold keys that this version does nothing with yet (rows of
 * FIELD_LATER): they are marked, shown as such by config show, and bound to nothing.  In a file
 * of one's own they are refused as ever.
 *
 * Threads: read-only.
 */
#ifndef HF_CONFIG_PROFILE_H
#define HF_CONFIG_PROFILE_H

#include "config/node.h"

struct profile {
	const char *name, *place; /* "phoenix", "profile phoenix" */
	struct span text;
};

extern const struct profile profiles[]; /* name NULL ends them; made by embed.sh */

/*
 * Puts the profile that *tree names, if it does, below *tree.  ERR_USAGE, with the nearest name,
 * where there is none of that name: then *tree is as it was.
 */
int profile_apply(struct node **tree, struct err *e);

#endif
