/*
 * notify_router: who is told what, when, and what to do when that fails.  No I/O, no clock of its
 * own, no threads: whoever owns it says what time it is, and workers send.
 *
 *     r = notify_router_new(routes, n, log, arg);
 *     notify_router_load(r, text, &e);               what was pending when the last one ended
 *
 *     notify_router_push(r, &message, now);          something happened
 *     while ((d = notify_router_take(r, now))) {     ...what is to be sent now
 *             a worker: failed = notify_deliver(channel named d->channel, d->message, &d->result,
 *                                            ctx, &e) == -1;
 *             notify_router_done(r, d, failed ? &e : NULL, now);
 *     }
 *     sleep until notify_router_next(r), or until something happens or a worker is done
 *
 *     text = notify_router_save(r);                  after each step that changed something
 *
 * For each channel, in this order:
 *   - notify_route_wants says whether it is told at all.  A message that ends something
 *     (`recovered`, or a run that succeeded) goes to whoever was told the beginning of it under
 *     the same key, whatever else he wants, as "back to normal".
 *   - What has a key that was told less than dedupe_ns ago is counted; when the time is over "N
 *     more times" is told.  A higher severity is told at once.
 *   - In its quiet hours, and beyond max_per_hour, it is held: when they end all that was held is
 *     one message, a digest.  Critical ones pass the quiet hours, not the cap.
 *   - What is left waits in line: a channel gets one at a time, in order.  A try that failed and
 *     may be repeated is, later and later (Retry-After is heeded); one that is in vain, or was
 *     the last, goes to the fallback, unless that one was told the same thing.
 *   - Pings skip keys, quiet hours and caps.
 *
 * What is under way when the state is saved is sent again after a restart, with the same id: a
 * message may come twice, none is lost but what `log` calls dropped or failed for good.
 * Everything is bounded (below); a clock that jumps delays nothing longer than a day.
 *
 * Threads: one owner; a delivery that was taken is its worker's until it is done.
 */
#ifndef HF_NOTIFY_NOTIFY_ROUTER_H
#define HF_NOTIFY_NOTIFY_ROUTER_H

#include "notify/notify_route.h"

enum {
	NOTIFY_CHANNELS_MAX = 64,
	NOTIFY_LINE_MAX = 200, /* waiting for a channel; more are held for a digest */
	NOTIFY_HELD_MAX = 200, /* held for a channel; more are only counted */
	NOTIFY_OPEN_MAX = 500, /* keys remembered for a channel; then the oldest goes */
};

enum notify_outcome { NOTIFY_SENT, NOTIFY_UNSENT, NOTIFY_HELD, NOTIFY_DROPPED };

/* One line of the delivery log; all of it is borrowed. */
struct notify_log {
	enum notify_outcome outcome;
	const char *name; /* "notify.sent", "notify.failed", "notify.held", "notify.dropped" */
	int64_t at_ns;
	const char *channel;
	const struct notify_message *message;
	unsigned attempt;    /* from 1; 0: it was not tried */
	int64_t again_ns;    /* of a failed one: it is tried again then; 0: never */
	const char *text;    /* why, or what is worth knowing; "" */
	const char *instead; /* of one that failed for good: the fallback that is told; or NULL */
};
typedef void notify_log_fn(void *arg, const struct notify_log *l);

struct notify_router;

/*
 * Routes are borrowed until free; at most NOTIFY_CHANNELS_MAX, names are unique, fallbacks are
 * names of theirs without a circle.  `log` may be NULL.
 */
struct notify_router *notify_router_new(
    const struct notify_route *v, size_t n, notify_log_fn *log, void *arg);
void notify_router_free(struct notify_router *r); /* NULL does nothing */

/* The message is copied; without an id it gets one. */
void notify_router_push(struct notify_router *r, const struct notify_message *m, int64_t now_ns);

struct notify_delivery {
	uint64_t number; /* the router's */
	char *channel;
	struct notify_message *message;
	unsigned attempt; /* from 1 */
	struct notify_result result;
};

/* What is to be sent now, or NULL. */
struct notify_delivery *notify_router_take(struct notify_router *r, int64_t now_ns);
/* How it went; e NULL: sent.  ERR_CANCELLED: it waits as before.  d is freed. */
void notify_router_done(
    struct notify_router *r, struct notify_delivery *d, const struct err *e, int64_t now_ns);

/* When take may have something, if nothing else happens; INT64_MAX: never. */
int64_t notify_router_next(const struct notify_router *r);
size_t notify_router_pending(const struct notify_router *r); /* in line, held, under way */

/* New text (JSON). */
char *notify_router_save(const struct notify_router *r);
/*
 * Into one that is new.  What is for channels that are no more is dropped.  ERR_CORRUPT: it is no
 * such text, and nothing was taken from it; ERR_LATER: a newer version's.
 */
int notify_router_load(struct notify_router *r, const char *text, struct err *e);

#endif
