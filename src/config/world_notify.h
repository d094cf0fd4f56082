/*
 * world_notify: who is told when something happens: the section `notify`, and what the router and
 * the drivers (notify/) are made of from it.
 *
 *     notify:
 *       team: { slack: { webhook: file:/etc/holdfast/slack.url }, fallback: boss }
 *       boss: { email: { smtp: "smtps://mail.example.com", to: boss@example.com }, severity:
 * critical }
 *
 * A channel has one way and its route.  Secrets are references, read when a notifier is made; a URL
 * may be one too, where it tells who it is.
 *
 * Threads: read-only once made.
 */
#ifndef HF_CONFIG_WORLD_NOTIFY_H
#define HF_CONFIG_WORLD_NOTIFY_H

#include "config/world.h"
#include "notify/notify_route.h"

enum { WORLD_WAYS = 6 }; /* notify_ops_at */

enum world_mail_tls { WORLD_MAIL_TLS_REQUIRED = 1, WORLD_MAIL_TLS_OPTIONAL };

struct world_way { /* of each only what its table names */
	char *url, *start, *fail, *user, *from, *ca_file;
	char *password, *token, *secret; /* references */
	struct field_texts to;
	int tls;
	struct calendar_duration timeout, every;
};

struct world_channel {
	struct field_item item;
	struct world_way way[WORLD_WAYS]; /* by driver; one was given */
	int severity;                     /* enum notify_severity; 0: warning */
	struct field_texts on, systems;
	struct field_windows quiet_hours;
	char *timezone, *fallback;
	bool hold_critical;
	struct calendar_duration dedupe;
	unsigned max_per_hour, tries;
};

/* For what was left out. */
enum { WORLD_DEDUPE_S = 3600, WORLD_MAX_PER_HOUR = 60 };

size_t world_channels(const struct world *w);
const struct world_channel *world_channel_at(const struct world *w, size_t i);
const struct world_channel *world_channel(const struct world *w, const char *name); /* or NULL */
/* Which driver tells it. */
const struct notify_ops *world_channel_ops(const struct world *w, const struct world_channel *c);

/* All channels' routes, for notify_router_new; the world is borrowed.  ERR_USAGE: a zone. */
struct world_routes {
	struct notify_route *v;
	size_t n;
	struct zone **zones; /* n of them, some NULL */
};
int world_routes_new(const struct world *w, struct world_routes **out, struct err *e);
void world_routes_free(struct world_routes *r); /* NULL does nothing */

/* A channel with its secrets, for notify_deliver; the world is borrowed.  ERR_USAGE, ERR_ABSENT,
 * ...
 */
struct world_notifier;
int world_notifier_new(const struct world *w, const struct world_channel *c,
    struct world_notifier **out, struct err *e);
void world_notifier_free(struct world_notifier *n); /* NULL does nothing */
const struct notify_channel *world_notifier_channel(const struct world_notifier *n);

#endif
