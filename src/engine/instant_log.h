/*
 * instant_log: what who serves an instant recovery has to say once nobody waits for him any more:
 * TARGET.holdfast/log, a line for each, with its time.  What it held before is log.1 once it has
 * grown to INSTANT_LOG_MOST; both go with all that is beside the target.
 *
 * Threads: any.
 */
#ifndef HF_ENGINE_INSTANT_LOG_H
#define HF_ENGINE_INSTANT_LOG_H

#include "base/buf.h"
#include "base/ctx.h"

enum { INSTANT_LOG_MOST = 256 << 10 };

struct instant_log;

/* NULL where it cannot be written: nothing is worth failing for it. */
struct instant_log *instant_log_open(const char *target, struct clock *wall);
/* The same as last is told again only after a minute.  NULL does nothing. */
void instant_log_put(struct instant_log *l, const struct event *ev);
void instant_log_close(struct instant_log *l); /* NULL does nothing */

/* What was added since `at` (0: the last few lines), appended; none where there is no log. */
void instant_log_read(const char *target, uint64_t *at, struct buf *out);

#endif
