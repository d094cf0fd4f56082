/*
 * forget_log: which base backups a policy must not drop for what lies behind them in the log.
 *
 * A moment can be brought back by a base backup before it and an unbroken log between.  Where a
 * piece of the log is missing the way is broken: the moments behind the gap hang on the first base
 * backup that was made there, and not on one that the policy keeps before it.  It stays as long as
 * the log behind it is there, and some older backup of its group is kept.
 */
#ifndef HF_ENGINE_FORGET_LOG_H
#define HF_ENGINE_FORGET_LOG_H

#include "engine/op_forget.h"

/* The decisions of one group, the oldest first. */
int forget_log_spare(struct repo *r, struct forget_decision *d, size_t n, struct err *e);

#endif
