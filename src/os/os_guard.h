/*
 * os_guard: two commands of which the second has to follow the first, whatever becomes of us.
 *
 * A process of its own runs both, so that neither Ctrl-C nor SIGKILL of ours keeps what was frozen
 * from being thawed: it waits at a pipe whose other end is ours, and its end, however it comes, is
 * the word to thaw.  Then `thaw` is run: also where `freeze` failed, took too long, or was broken
 * off, for it may have done half of its work; and a second and a third time if it fails.  So thaw
 * has to be harmless where nothing is frozen.  If the guard is killed and we are not, we thaw
 * ourselves; if the machine or both are lost, the note tells how (os_guard_note.h): it is not empty
 * from before the freeze until the thaw has succeeded, and is locked while somebody is at it.
 *
 * The commands are for /bin/sh; what they say goes to our standard error.
 *
 * Threads: a guard is one thread's at a time.
 */
#ifndef HF_OS_OS_GUARD_H
#define HF_OS_OS_GUARD_H

#include "base/ctx.h"
#include "base/err.h"

struct os_guard;

struct os_guard_params { /* all of it stays until the end */
	const char *freeze, *thaw;
	const char *const *env; /* NAME=VALUE, one line each, before our own; NULL: none */
	int64_t timeout_ns;     /* of each */
	const char *note;       /* a file, made if it is not there; stays, empty */
};

/*
 * Freeze.  ERR_BUSY: somebody is at it.  Else -1 means that it was thawed again; where that failed,
 * too, the text says so.  What an earlier run has left frozen is thawed first, as its note says:
 * *lost.
 */
int os_guard_begin(const struct os_guard_params *p, struct ctx *ctx, struct os_guard **out,
    bool *lost, struct err *e);

/* Thaw, and free it: -1 says why what was frozen may still be. */
int os_guard_end(struct os_guard *g, struct err *e);

/* What the note says is frozen still is thawed: *lost.  ERR_BUSY as above. */
int os_guard_thaw_left(const char *note, bool *lost, struct err *e);

/*
 * The same by a process of its own, for which nobody waits: the note is empty when it has
 * succeeded, and locked until it is over.
 */
int os_guard_thaw_apart(const char *note, struct err *e);

#endif
