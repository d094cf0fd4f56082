/* notify_router_internal: what the router's files share. */
#ifndef HF_NOTIFY_NOTIFY_ROUTER_INTERNAL_H
#define HF_NOTIFY_NOTIFY_ROUTER_INTERNAL_H

#include "notify/notify_router.h"

/* Something that a channel was told and that is not known to be over. */
struct router_open {
	char *key, *subject, *system;
	enum notify_severity severity;
	int64_t told_ns;
	unsigned more; /* times since */
};

/* One waits in line for a channel. */
struct router_item {
	uint64_t number;
	size_t channel;
	struct notify_message *m;
	unsigned attempt; /* that were begun */
	int64_t not_before_ns;
	bool under_way;
	uint32_t done; /* notify_result */
	uint64_t told; /* bit of each channel that was or will be told the same */
};

/* What is known of a channel beyond its route. */
struct router_channel {
	struct router_open *open; /* the oldest first */
	size_t nopen;
	struct notify_message **held;
	size_t nheld;
	uint64_t held_more; /* beyond NOTIFY_HELD_MAX */
	int64_t release_ns; /* when what is held may go */
	int64_t hour_ns;    /* since then so many were let through */
	unsigned hour_count;
	int64_t beat_ns; /* the next "alive" */
};

struct notify_router {
	const struct notify_route *routes;
	struct router_channel *channels; /* beside them */
	size_t n;
	struct router_item **line; /* of all channels, in order */
	size_t nline;
	uint64_t next; /* number */
	notify_log_fn *log;
	void *log_arg;
};

enum { ROUTER_HELD_TEXT = 2000 };

/* A copy of m with that subject and text waits for the channel. */
void router_enqueue(struct notify_router *r, size_t channel, const struct notify_message *m,
    uint64_t told, int64_t now_ns);
/* Into the line, or held: quiet hours, caps. */
void router_admit(struct notify_router *r, size_t channel, const struct notify_message *m,
    uint64_t told, int64_t now_ns);
bool router_capped(struct notify_router *r, size_t channel, int64_t now_ns);
size_t router_waiting(const struct notify_router *r, size_t channel);
size_t router_find(const struct notify_router *r, const char *channel); /* r->n: none */
void router_tell(struct notify_router *r, size_t channel, const struct notify_log *l);

void router_open_put(
    struct router_channel *c, const char *key, const struct notify_message *m, int64_t now_ns);
struct router_open *router_open_get(struct router_channel *c, const char *key);
void router_open_del(struct router_channel *c, struct router_open *o);
void router_item_free(struct router_item *it);

/* Time passes: what is held is let go, what was counted is told, pings say "alive". */
void router_tick(struct notify_router *r, int64_t now_ns);

#endif
