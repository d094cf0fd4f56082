/*
 * os_environ: the environment of a program that is started.
 *
 * Threads: any, as long as none changes our own environment.
 */
#ifndef HF_OS_ENVIRON_H
#define HF_OS_ENVIRON_H

#include <stdbool.h>

/*
 * What is given ("NAME=value", ended by NULL; NULL: nothing), then ours but for names that are
 * given and those that `without` (NULL: none) says yes to; it gets "NAME=value".  New, to be freed;
 * the texts stay whose they are.
 */
char **os_environ(const char *const *more, bool (*without)(const char *variable));

#endif
