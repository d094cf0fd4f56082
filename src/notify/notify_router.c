/* notify_router: what comes in.  See notify_router.h; time is in notify_router_due.c. */
#include "notify/notify_router_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "crypto/crypto.h"
#include "notify/notify_text.h"

#define HOUR (3600 * CALENDAR_SECOND)

static const char *const names[] = {
    "notify.sent", "notify.failed", "notify.held", "notify.dropped"};

struct notify_router *notify_router_new(
    const struct notify_route *v, size_t n, notify_log_fn *log, void *arg)
{
	struct notify_router *r = mem_zalloc(sizeof *r);

	assert(n <= NOTIFY_CHANNELS_MAX);
	r->routes = v;
	r->n = n;
	r->channels = mem_zalloc((n + 1) * sizeof *r->channels);
	r->next = 1;
	r->log = log;
	r->log_arg = arg;
	return r;
}

void router_item_free(struct router_item *it)
{
	notify_text_free(it->m);
	free(it);
}

static void channel_fini(struct router_channel *c)
{
	while (c->nopen > 0)
		router_open_del(c, &c->open[c->nopen - 1]);
	for (size_t i = 0; i < c->nheld; i++)
		notify_text_free(c->held[i]);
	free(c->open);
	free(c->held);
}

void notify_router_free(struct notify_router *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->n; i++)
		channel_fini(&r->channels[i]);
	for (size_t i = 0; i < r->nline; i++)
		router_item_free(r->line[i]);
	free(r->line);
	free(r->channels);
	free(r);
}

size_t router_find(const struct notify_router *r, const char *channel)
{
	size_t i = 0;

	while (i < r->n && strcmp(r->routes[i].channel, channel) != 0)
		i++;
	return i;
}

void router_tell(struct notify_router *r, size_t channel, const struct notify_log *l)
{
	struct notify_log all = *l;

	if (r->log == NULL)
		return;
	all.name = names[l->outcome];
	all.channel = r->routes[channel].channel;
	all.text = l->text ? l->text : "";
	r->log(r->log_arg, &all);
}

/* ---- What is not over. */

struct router_open *router_open_get(struct router_channel *c, const char *key)
{
	for (size_t i = 0; i < c->nopen; i++)
		if (strcmp(c->open[i].key, key) == 0)
			return &c->open[i];
	return NULL;
}

void router_open_del(struct router_channel *c, struct router_open *o)
{
	size_t at = (size_t)(o - c->open);

	free(o->key);
	free(o->subject);
	free(o->system);
	memmove(o, o + 1, (c->nopen - at - 1) * sizeof *o);
	c->nopen--;
}

void router_open_put(
    struct router_channel *c, const char *key, const struct notify_message *m, int64_t now_ns)
{
	struct router_open *o = router_open_get(c, key);

	if (o != NULL)
		router_open_del(c, o);
	if (c->nopen == NOTIFY_OPEN_MAX)
		router_open_del(c, &c->open[0]);
	c->open = mem_realloc(c->open, (c->nopen + 1) * sizeof *c->open);
	c->open[c->nopen++] = (struct router_open){.key = mem_strdup(key),
	    .subject = notify_text_copy(m->subject, NOTIFY_SUBJECT_MAX, false),
	    .system = m->system ? notify_text_copy(m->system, 128, false) : NULL,
	    .severity = m->severity,
	    .told_ns = now_ns};
}

/* ---- Into the line. */

size_t router_waiting(const struct notify_router *r, size_t channel)
{
	size_t n = 0;

	for (size_t i = 0; i < r->nline; i++)
		n += r->line[i]->channel == channel;
	return n;
}

void router_enqueue(struct notify_router *r, size_t channel, const struct notify_message *m,
    uint64_t told, int64_t now_ns)
{
	struct router_item *it = mem_zalloc(sizeof *it);

	*it = (struct router_item){.number = r->next++,
	    .channel = channel,
	    .m = notify_text_message(m, NOTIFY_TEXT_MAX),
	    .not_before_ns = now_ns,
	    .told = told};
	r->line = mem_realloc(r->line, (r->nline + 1) * sizeof *r->line);
	r->line[r->nline++] = it;
	r->channels[channel].hour_count++;
}

bool router_capped(struct notify_router *r, size_t channel, int64_t now_ns)
{
	struct router_channel *c = &r->channels[channel];

	if (now_ns < c->hour_ns || now_ns - c->hour_ns >= HOUR) {
		c->hour_ns = now_ns;
		c->hour_count = 0;
	}
	return r->routes[channel].max_per_hour > 0 &&
	       c->hour_count >= r->routes[channel].max_per_hour;
}

static void hold(struct notify_router *r, size_t channel, const struct notify_message *m,
    const char *why, int64_t until_ns, int64_t now_ns)
{
	struct router_channel *c = &r->channels[channel];

	if (c->nheld == 0 || until_ns > c->release_ns)
		c->release_ns = until_ns;
	router_tell(r, channel,
	    &(struct notify_log){.outcome = NOTIFY_HELD,
		.at_ns = now_ns,
		.message = m,
		.again_ns = until_ns,
		.text = why});
	if (c->nheld == NOTIFY_HELD_MAX) {
		c->held_more++;
		return;
	}
	c->held = mem_realloc(c->held, (c->nheld + 1) * sizeof *c->held);
	c->held[c->nheld++] = notify_text_message(m, ROUTER_HELD_TEXT);
}

void router_admit(struct notify_router *r, size_t channel, const struct notify_message *m,
    uint64_t told, int64_t now_ns)
{
	const struct notify_route *route = &r->routes[channel];
	bool urgent = m->severity == NOTIFY_CRITICAL && !route->hold_critical;

	if (!urgent && notify_route_quiet(route, now_ns))
		hold(r, channel, m, "quiet hours", notify_route_quiet_end(route, now_ns), now_ns);
	else if (router_capped(r, channel, now_ns))
		hold(r, channel, m, "max_per_hour", r->channels[channel].hour_ns + HOUR, now_ns);
	else if (router_waiting(r, channel) >= NOTIFY_LINE_MAX)
		hold(r, channel, m, "too many wait", now_ns + 60 * CALENDAR_SECOND, now_ns);
	else
		router_enqueue(r, channel, m, told, now_ns);
}

/* ---- What a message is to a channel. */

static bool ends_something(const struct notify_message *m)
{
	return m->recovered || m->state == NOTIFY_SUCCEEDED;
}

static void tell_recovered(struct notify_router *r, size_t channel, struct router_open *o,
    const struct notify_message *m, uint64_t told, int64_t now_ns)
{
	struct notify_message back = *m;
	char *subject = mem_printf("Back to normal: %s", m->subject ? m->subject : o->subject);
	char *text = o->more ? mem_printf("%s\n\nSince it was last told it happened %u more %s.",
				   m->text ? m->text : "", o->more, o->more == 1 ? "time" : "times")
			     : NULL;

	back.subject = subject;
	back.recovered = true;
	if (text)
		back.text = text;
	router_admit(r, channel, &back, told, now_ns);
	router_open_del(&r->channels[channel], o);
	free(subject);
	free(text);
}

/* Counted, if the same was told a short while ago. */
static bool is_repeat(const struct notify_route *route, const struct router_open *o,
    const struct notify_message *m, int64_t now_ns)
{
	return o != NULL && now_ns >= o->told_ns && now_ns - o->told_ns < route->dedupe_ns &&
	       m->severity <= o->severity;
}

static bool told_to(const struct notify_router *r, size_t i, const struct notify_message *m,
    const struct router_open *o)
{
	if (r->routes[i].states || !ends_something(m))
		return notify_route_wants(&r->routes[i], m);
	if (o != NULL)
		return true;
	return !m->recovered && notify_route_wants(&r->routes[i], m);
}

static void push_one(struct notify_router *r, size_t i, const struct notify_message *m,
    const char *key, uint64_t told, int64_t now_ns)
{
	struct router_channel *c = &r->channels[i];
	struct router_open *o = router_open_get(c, key);

	if (r->routes[i].states) {
		if (router_waiting(r, i) < NOTIFY_LINE_MAX)
			router_enqueue(r, i, m, told, now_ns);
		else
			router_tell(r, i,
			    &(struct notify_log){.outcome = NOTIFY_DROPPED,
				.at_ns = now_ns,
				.message = m,
				.text = "too many wait"});
	} else if (ends_something(m)) {
		if (o != NULL)
			tell_recovered(r, i, o, m, told, now_ns);
		else
			router_admit(r, i, m, told, now_ns);
	} else if (is_repeat(&r->routes[i], o, m, now_ns)) {
		o->more++;
	} else {
		router_open_put(c, key, m, now_ns);
		router_admit(r, i, m, told, now_ns);
	}
}

void notify_router_push(struct notify_router *r, const struct notify_message *m, int64_t now_ns)
{
	struct notify_message own = *m;
	char *key = notify_text_key(m), id[33];
	uint8_t random[16];
	uint64_t told = 0;

	if (own.id == NULL || own.id[0] == '\0') {
		crypto_random(random, sizeof random);
		own.id = hex_encode(id, random, sizeof random);
	}
	for (size_t i = 0; i < r->n; i++)
		if (told_to(r, i, &own, router_open_get(&r->channels[i], key)))
			told |= UINT64_C(1) << i;
	for (size_t i = 0; i < r->n; i++)
		if (told >> i & 1)
			push_one(r, i, &own, key, told, now_ns);
	free(key);
}
