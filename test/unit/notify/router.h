/* router: what the tests of the router share: a log, a clock that is a number, messages. */
#ifndef HF_TEST_NOTIFY_ROUTER_H
#define HF_TEST_NOTIFY_ROUTER_H

#include "unit/unit.h"

#include "base/buf.h"
#include "notify/notify_router.h"

#define S   INT64_C(1000000000)
#define MIN (60 * S)
#define H   (3600 * S)
#define T0  (INT64_C(1795208400) * S) /* friday, 2026-11-20 21:00 UTC */

/* One line an outcome: "sent team run.failed\n". */
static inline void log_to_buf(void *arg, const struct notify_log *l)
{
	buf_printf(arg, "%s %s %s%s%s%s\n", l->name + 7, l->channel, l->message->event,
	    l->again_ns && l->outcome == NOTIFY_UNSENT ? " again" : "",
	    l->instead ? " instead " : "", l->instead ? l->instead : "");
}

static inline struct notify_message message(const char *event, enum notify_severity s)
{
	return (struct notify_message){.event = event,
	    .severity = s,
	    .system = "www",
	    .host = "h",
	    .subject = event,
	    .text = "why",
	    .key = "k"};
}

static inline void push(struct notify_router *r, struct notify_message m, int64_t now)
{
	m.at_ns = now;
	notify_router_push(r, &m, now);
}

/* Everything that is due goes well; "CHANNEL: SUBJECT\n" of each into out. */
static inline void send_all(struct notify_router *r, int64_t now, struct buf *out)
{
	struct notify_delivery *d;

	while ((d = notify_router_take(r, now)) != NULL) {
		buf_printf(out, "%s: %s\n", d->channel, d->message->subject);
		notify_router_done(r, d, NULL, now);
	}
}

/* What went out since the last time. */
static inline void sent(struct notify_router *r, int64_t now, const char *expected)
{
	struct buf b = {0};

	send_all(r, now, &b);
	assert_string_equal(buf_cstr(&b), expected);
	buf_fini(&b);
}

/* The first that is due fails so. */
static inline void fails(
    struct notify_router *r, int64_t now, enum err_kind kind, int64_t retry_after)
{
	struct notify_delivery *d = notify_router_take(r, now);
	struct err e;

	assert_non_null(d);
	err_set(&e, kind, "because");
	d->result.retry_after_ns = retry_after;
	notify_router_done(r, d, &e, now);
}

#endif
