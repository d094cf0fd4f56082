/*
 * log_follow: `log follow [SYSTEM]`: the receiver of a system's WAL, in this process.
 *
 * Its tier's first destination (or --repo) is where WAL has to be durable; the others get what is
 * there by copies.  With --json each event is one line, as the daemon takes them.
 *
 * Threads: the command's.
 */
#ifndef HF_CLI_LOG_FOLLOW_H
#define HF_CLI_LOG_FOLLOW_H

#include "cli/cli.h"

int log_follow(struct cli *c, const char *system, struct err *e);

#endif
