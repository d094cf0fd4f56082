/*
 * follow_mirror: what is stored in the first destination is put into the others, too.
 *
 * Whole segments and histories only, one after another, by a thread of its own: nobody waits for
 * it.  They stay in the spool meanwhile; those that a destination does not take while the spool is
 * half full are let go, told once, and are `holdfast copy`'s then.
 *
 * Threads: add, taken and give_up by one, beside its own.
 */
#ifndef HF_ENGINE_FOLLOW_MIRROR_H
#define HF_ENGINE_FOLLOW_MIRROR_H

#include "engine/follow_queue.h"
#include "engine/follow_spool.h"
#include "engine/op_log_follow.h"

enum { FOLLOW_OTHERS = 16 };

struct follow_mirror;

/* NULL, which all of the others take, where there is nobody else. */
int follow_mirror_start(const struct follow_params *p, const struct follow_spool *spool,
    struct follow_mirror **out, struct err *e);
void follow_mirror_stop(struct follow_mirror *m);

/* That one is stored in the first. */
void follow_mirror_add(struct follow_mirror *m, const struct follow_job *j);
/* One that need not stay in the spool any more: forgotten here.  False: there is none. */
bool follow_mirror_taken(struct follow_mirror *m, struct follow_job *out);
/* The oldest one, or all, are not waited for any longer. */
void follow_mirror_give_up(struct follow_mirror *m, bool all);

#endif
