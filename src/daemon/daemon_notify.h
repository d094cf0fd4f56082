/*
 * daemon_notify: what happens is told to the channels that are declared (notify_router.h).
 *
 * The loop's thread owns the router; workers send, for a server may take half a minute.  What is
 * pending is kept in the catalog after each step, and each try is an event there: notify.sent,
 * notify.failed, notify.held, notify.dropped.  Secrets are read anew for each message.
 *
 * Threads: all functions the loop's.
 */
#ifndef HF_DAEMON_DAEMON_NOTIFY_H
#define HF_DAEMON_DAEMON_NOTIFY_H

#include "base/ctx.h"

struct daemon;
struct daemon_notify;

/* What was pending is taken up again; d is borrowed.  Never NULL. */
struct daemon_notify *daemon_notify_new(struct daemon *d);
/* Up to five seconds for what is under way; the rest waits for the next one. */
void daemon_notify_free(struct daemon_notify *n); /* NULL does nothing */

/* The configuration is another: with a mistake in it the old one stays.  NULL does nothing. */
void daemon_notify_load(struct daemon_notify *n);

/* Something happened, with the names of daemon_tell.  NULL does nothing. */
void daemon_notify_told(struct daemon_notify *n, const char *event, enum event_level level,
    const char *system, int64_t run, const char *text);

/* Now and then: what is due is handed to the workers, what they did is noted. */
void daemon_notify_tick(struct daemon_notify *n);

#endif
