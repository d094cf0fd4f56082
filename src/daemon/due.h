/*
 * due: of all that a system's schedule says, what is to be begun now.
 *
 * The daemon asks now and then, with the moment up to which all was settled before.  Of several
 * backups that became due since then the fullest is run, once, as what was due last of its kind:
 * what was missed is made good by one, not by all.  What is due for longer than DUE_LATE_S is a
 * catch-up; where the schedule says to skip those, they are passed over.
 *
 * Threads: any; no state.
 */
#ifndef HF_DAEMON_DUE_H
#define HF_DAEMON_DUE_H

#include "config/world_times.h"

enum { DUE_LATE_S = 600 };

struct due {
	enum times_what what;
	int64_t due_s, start_s; /* it may begin then: jitter, windows */
	bool late;
};

/* What became due after settled_s, by now; false: nothing. */
bool due_backup(const struct world_times *t, int64_t settled_s, int64_t now_s, struct due *out);
bool due_verify(const struct world_times *t, int64_t settled_s, int64_t now_s, struct due *out);
/* The same of one of the others. */
bool due_what(const struct world_times *t, enum times_what what, int64_t settled_s, int64_t now_s,
    struct due *out);

/* When something will be, after now; INT64_MAX: never. */
int64_t due_next(const struct world_times *t, int64_t now_s);

#endif
