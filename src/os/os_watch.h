/*
 * os_watch: does something change below some paths?
 *
 * By inotify, a watch a directory: any user may.  What changed is not told, only that something
 * did: whoever asks looks himself.  Names that `leave_out` knows are not watched, and their changes
 * not told.  Directories that come are watched as well; what came in them before they were is
 * told by their coming.  What is written through a mapping is told when the last who has it lets
 * go; what another host writes to a network file system, never.
 *
 * Threads: a watch is one thread's at a time.
 */
#ifndef HF_OS_OS_WATCH_H
#define HF_OS_OS_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct os_watch;

struct os_watch_params {          /* all of it stays until the end */
	const char *const *paths; /* absolute; files or directories */
	size_t npaths;
	bool (*leave_out)(void *arg, const char *path, bool is_dir); /* may be NULL */
	void *arg;
	int stop; /* a descriptor: it is over as soon as there is something to read; -1: none */
};

enum os_watch_seen {
	OS_WATCH_QUIET,   /* so long */
	OS_WATCH_CHANGED, /* perhaps more than can be said: the kernel's queue ran over */
	OS_WATCH_LOST,    /* a path itself went away, or was replaced: open it anew */
	OS_WATCH_STOPPED,
};

/*
 * ERR_ABSENT: a path is not there.  ERR_NO_SPACE: there are more directories than the user may
 * watch.  ERR_CANCELLED: stop.
 */
int os_watch_open(const struct os_watch_params *p, struct os_watch **out, struct err *e);
void os_watch_close(struct os_watch *w);         /* NULL does nothing */
size_t os_watch_count(const struct os_watch *w); /* directories */

/* Wait until something is seen, or for so many ms; -1: for ever. */
int os_watch_wait(struct os_watch *w, int ms, enum os_watch_seen *seen, struct err *e);

#endif
