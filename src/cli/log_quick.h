/*
 * log_quick: `log push` and `log get` as PostgreSQL calls them, once for each file of its log,
 * where nothing is needed but to ask: the daemon to store the file, or the one who reads ahead for
 * what is there already.  Options, configuration and all else a run begins with are left alone.
 *
 * Threads: the first.
 */
#ifndef HF_CLI_LOG_QUICK_H
#define HF_CLI_LOG_QUICK_H

#include <stdbool.h>

#include "base/err.h"

/* Was it that, and is it done?  Else the run goes on as any other. */
bool log_quick(int argc, char *const *argv);

/* The daemon was asked, and refused: -1 with why.  0: it was not. */
int log_quick_refused(struct err *e);

#endif
