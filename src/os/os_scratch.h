/*
 * os_scratch: a folder for what is needed for a moment, and is gone afterwards, whatever happens:
 * what a process that was killed has left the next one removes.
 *
 * Threads: any.
 */
#ifndef HF_OS_OS_SCRATCH_H
#define HF_OS_OS_SCRATCH_H

#include "base/err.h"

/* A new one in `dir` (made if missing) that nobody else may read; new text, or NULL. */
char *os_scratch_new(const char *dir, const char *prefix, struct err *e);

/* Let its owner into every folder of it, whatever modes were given to them. */
int os_scratch_open(const char *path, struct err *e);

/* With all that is in it; links are not followed. */
int os_scratch_remove(const char *path, struct err *e);

#endif
