/*
 * run_logs: the execution logs below a state directory, log/run-ID.log, and how many are kept.
 *
 * Ids are a catalog's, which other daemons may share: those here have gaps, and what is kept is
 * counted rather than computed from an id.
 */
#ifndef HF_DAEMON_RUN_LOGS_H
#define HF_DAEMON_RUN_LOGS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { RUN_LOGS_KEPT = 5000 };

/* Where the log of a run lies; its folder is made.  NULL: *e says why.  Free it. */
char *run_log_path(const char *state_dir, int64_t run, struct err *e);

/* Remove all but the newest so many (by id); what is not named as a log is left alone. */
int run_logs_trim(const char *state_dir, size_t keep, struct err *e);

#endif
