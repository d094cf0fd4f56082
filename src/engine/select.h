/*
 * select: which snapshots are meant (3-interface.md: SNAPSHOT).
 */
#ifndef HF_ENGINE_SELECT_H
#define HF_ENGINE_SELECT_H

#include "repo/repo.h"
#include "repo/snapshot.h"

struct select_filter { /* empty fields match everything */
	const char *host, *system;
	const char *const *paths; /* snapshot has every one of them */
	size_t npaths;
	const char *const *tags; /* snapshot has every one of them */
	size_t ntags;
	bool forgotten; /* also those forgotten but not yet pruned */
};

struct select_list {
	struct snapshot **v; /* by start time, oldest first; owned */
	size_t n;
	size_t damaged; /* objects that could not be read (told to the sink) */
};

/* Every snapshot that passes and is not void (void.h); damaged ones are counted, and told as
 * EVENT_OBJECT_DAMAGED. */
int select_all(struct repo *r, const struct select_filter *f, struct ctx *ctx,
    struct select_list *out, struct err *e);
void select_list_fini(struct select_list *l);

/*
 * Is it dated more than 5 minutes after the store's time of it?  Then it counts
 * for no rule, nor as latest; select_all and select_one tell of it.
 */
bool select_from_future(const struct snapshot *s);
/* Neither that, nor come after its signer was removed (repo/late.h). */
bool select_counts(const struct snapshot *s);
bool select_tell_late(struct repo *r, struct ctx *ctx, enum event_id as, const struct snapshot *s);
bool select_warn_future(struct ctx *ctx, const struct snapshot *s); /* if so, tell it */

/*
 * One snapshot from "ID", "latest", "latest:SYSTEM" or a time ("2026-11-21 09:41", RFC 3339...:
 * the newest not later: than the end of a day, minute or second that was named
 * as such), each perhaps with ":/PATH" behind.  `path` gets the path ("/" if
 * none; no '/' at its end), new text.  An id is looked for among all, forgotten
 * or filtered out; `f` (NULL: everything) is for the others.  ERR_USAGE if an id prefix fits
 * several, or if latest or a time leaves more than one group (`one_group`), with the list in the
 * hint; ERR_ABSENT if nothing fits.
 */
int select_one(struct repo *r, const char *spec, const struct select_filter *f, bool one_group,
    struct ctx *ctx, struct snapshot **out, char **path, struct err *e);

#endif
