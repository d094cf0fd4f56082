/*
 * drill_moment: a moment within the stored log of a database, for a drill: another on another day,
 * the same all day long.
 *
 * Threads: one owner of the repository.
 */
#ifndef HF_ENGINE_DRILL_MOMENT_H
#define HF_ENGINE_DRILL_MOMENT_H

#include "engine/recover_target.h"
#include "repo/repo.h"

/*
 * The n-th wish for that system's moment of that day, from `from_us` to before `to_us`; pure.  All
 * of a stretch is as likely.
 */
int64_t drill_moment_of(
    const char *system, int64_t day, unsigned n, int64_t from_us, int64_t to_us);

/* Of one part: from when on its log goes on to where it ends, and its last commit; 0: none. */
struct drill_moment_stretch {
	int64_t from_us, last_us;
	bool first; /* it goes on from the first of its base backups */
};

/* What all parts have, the last excluded; why not: they have nothing, a constant; NULL: they have.
 */
const char *drill_moment_common(
    const struct drill_moment_stretch *v, size_t n, int64_t *from_us, int64_t *to_us);

/*
 * Between the end of the first base backup that can be recovered and the last commit, as `--to`
 * takes it; of several parts one that all of them have.  *why says why there is none, a
 * constant, or is NULL.  ERR_ABSENT: no base backup, or
 * none of some moments can be reached (the log has gaps).
 */
int drill_moment_find(struct repo *r, const char *system, const char *const *parts, size_t nparts,
    int64_t now_ns, struct ctx *ctx, char out[RECOVER_TARGET_TEXT], const char **why,
    struct err *e);

#endif
