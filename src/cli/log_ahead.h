/*
 * log_ahead: files of the log that were read ahead, in a folder beside where they are wanted.
 *
 * Who reads ahead holds a lock there, and says in `next` what it fetches just now; what is there
 * without the lock being held is of somebody who died, or of another recovery, and not believed.
 *
 * Threads: any.
 */
#ifndef HF_CLI_LOG_AHEAD_H
#define HF_CLI_LOG_AHEAD_H

#include <stdbool.h>

#define LOG_AHEAD_FOLDER ".holdfast-ahead"

/* Rename it to dest, waited for where it comes just now.  False: it is not among them. */
bool log_ahead_take(const char *name, const char *dest);

#endif
