/*
 * os_guard_note: what the note of a freeze says (os_guard.h): how to thaw, so that whoever finds it
 * can, though the configuration has changed since.
 *
 *     holdfast-freeze TIMEOUT LENGTH      nanoseconds; bytes of all that follows this line
 *     NAME=VALUE                          of the command's environment, a line each
 *                                         an empty line
 *     COMMAND                             for /bin/sh
 *
 * Threads: one owner.
 */
#ifndef HF_OS_OS_GUARD_NOTE_H
#define HF_OS_OS_GUARD_NOTE_H

#include "os/os_guard.h"

struct guard_note {
	struct os_guard_params p; /* thaw, env, timeout_ns; thaw NULL: it does not say how */
	char *text;
	const char **env;
};

int guard_note_write(int fd, const struct os_guard_params *p, struct err *e);

/* -1: it is not ours, or cannot be read.  One that is not whole is from before any freeze. */
int guard_note_read(int fd, struct guard_note *out, struct err *e);
void guard_note_fini(struct guard_note *n);

#endif
