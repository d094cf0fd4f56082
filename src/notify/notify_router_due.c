/* notify_router_due: time passes; what is sent, and how that went.  See notify_router.h. */
#include "notify/notify_router_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/hex.h"
#include "base/mem.h"
#include "crypto/crypto.h"
#include "notify/notify_text.h"

#define DAY (24 * 3600 * CALENDAR_SECOND)

static char *new_id(char out[33])
{
	uint8_t random[16];

	crypto_random(random, sizeof random);
	return hex_encode(out, random, sizeof random);
}

/* ---- What is held is let go. */

static void digest_text(struct buf *b, const struct router_channel *c)
{
	char when[CALENDAR_TEXT];

	for (size_t i = 0; i < c->nheld; i++) {
		const struct notify_message *m = c->held[i];

		buf_printf(b, "%s  %s%s%s  %s\n", calendar_format_local(when, m->at_ns),
		    m->recovered ? "recovered" : notify_severity_name(m->severity),
		    m->system ? "  " : "", m->system ? m->system : "", m->subject);
	}
	if (c->held_more > 0)
		buf_printf(b, "and %llu more\n", (unsigned long long)c->held_more);
}

static void send_digest(struct notify_router *r, size_t channel, int64_t now_ns)
{
	struct router_channel *c = &r->channels[channel];
	struct notify_message m = {.event = "notify.digest", .severity = NOTIFY_INFO};
	char subject[64], id[33];
	struct buf text = {0};

	for (size_t i = 0; i < c->nheld; i++)
		if (c->held[i]->severity > m.severity)
			m.severity = c->held[i]->severity;
	digest_text(&text, c);
	snprintf(subject, sizeof subject, "%llu messages that were held back",
	    (unsigned long long)(c->nheld + c->held_more));
	m.id = new_id(id);
	m.host = c->held[0]->host;
	m.subject = subject;
	m.text = buf_cstr(&text);
	m.at_ns = now_ns;
	router_enqueue(r, channel, &m, UINT64_C(1) << channel, now_ns);
	buf_fini(&text);
}

static void release(struct notify_router *r, size_t channel, int64_t now_ns)
{
	const struct notify_route *route = &r->routes[channel];
	struct router_channel *c = &r->channels[channel];

	if (c->release_ns - now_ns > 9 * DAY) /* the clock was set back */
		c->release_ns = now_ns;
	if (c->nheld == 0 || now_ns < c->release_ns)
		return;
	if (notify_route_quiet(route, now_ns))
		c->release_ns = notify_route_quiet_end(route, now_ns);
	else if (router_capped(r, channel, now_ns))
		c->release_ns = c->hour_ns + 3600 * CALENDAR_SECOND;
	else if (router_waiting(r, channel) >= NOTIFY_LINE_MAX)
		c->release_ns = now_ns + 60 * CALENDAR_SECOND;
	if (now_ns < c->release_ns)
		return;
	if (c->nheld == 1 && c->held_more == 0)
		router_enqueue(r, channel, c->held[0], UINT64_C(1) << channel, now_ns);
	else
		send_digest(r, channel, now_ns);
	for (size_t i = 0; i < c->nheld; i++)
		notify_text_free(c->held[i]);
	c->nheld = 0;
	c->held_more = 0;
}

/* ---- What was counted is told. */

static void tell_more(
    struct notify_router *r, size_t channel, struct router_open *o, int64_t now_ns)
{
	char id[33], *subject = mem_printf(
			 "%u more %s: %s", o->more, o->more == 1 ? "time" : "times", o->subject);
	struct notify_message m = {.id = new_id(id),
	    .event = "notify.repeated",
	    .severity = o->severity,
	    .system = o->system,
	    .subject = subject,
	    .at_ns = now_ns};

	router_admit(r, channel, &m, UINT64_C(1) << channel, now_ns);
	free(subject);
}

static void count_over(struct notify_router *r, size_t channel, int64_t now_ns)
{
	int64_t period = r->routes[channel].dedupe_ns;
	struct router_channel *c = &r->channels[channel];

	for (size_t i = c->nopen; i-- > 0;) {
		struct router_open *o = &c->open[i];

		if (now_ns >= o->told_ns && now_ns - o->told_ns < period)
			continue;
		if (o->more > 0) {
			tell_more(r, channel, o, now_ns);
			o->more = 0;
			o->told_ns = now_ns;
		} else if (o->severity == NOTIFY_INFO) {
			router_open_del(c, o); /* nothing to recover from */
		}
	}
}

/* ---- A ping says "alive", once: what could not be sent says nothing later. */

static void beat(struct notify_router *r, size_t channel, int64_t now_ns)
{
	const struct notify_route *route = &r->routes[channel];
	struct router_channel *c = &r->channels[channel];
	char id[33];
	struct notify_message m = {.event = "daemon.alive",
	    .severity = NOTIFY_INFO,
	    .state = NOTIFY_SUCCEEDED,
	    .subject = "holdfast is alive",
	    .at_ns = now_ns};

	if (c->beat_ns - now_ns > route->every_ns)
		c->beat_ns = now_ns;
	if (route->every_ns == 0 || now_ns < c->beat_ns)
		return;
	c->beat_ns = now_ns + route->every_ns;
	m.id = new_id(id);
	if (router_waiting(r, channel) == 0)
		router_enqueue(r, channel, &m, UINT64_C(1) << channel, now_ns);
}

void router_tick(struct notify_router *r, int64_t now_ns)
{
	for (size_t i = 0; i < r->n; i++) {
		release(r, i, now_ns);
		count_over(r, i, now_ns);
		beat(r, i, now_ns);
	}
}

int64_t notify_router_next(const struct notify_router *r)
{
	int64_t next = INT64_MAX;
	uint64_t seen = 0; /* channels whose first in line was looked at */

#define SOONER(t)                                                                                  \
	do                                                                                         \
		if ((t) < next)                                                                    \
			next = (t);                                                                \
	while (0)
	for (size_t i = 0; i < r->nline; i++) {
		const struct router_item *it = r->line[i];

		if (!(seen >> it->channel & 1) && !it->under_way)
			SOONER(it->not_before_ns);
		seen |= UINT64_C(1) << it->channel;
	}
	for (size_t i = 0; i < r->n; i++) {
		const struct router_channel *c = &r->channels[i];

		if (c->nheld > 0)
			SOONER(c->release_ns);
		for (size_t k = 0; k < c->nopen; k++)
			if (c->open[k].more > 0)
				SOONER(c->open[k].told_ns + r->routes[i].dedupe_ns);
		if (r->routes[i].every_ns > 0)
			SOONER(c->beat_ns);
	}
#undef SOONER
	return next;
}

size_t notify_router_pending(const struct notify_router *r)
{
	size_t n = r->nline;

	for (size_t i = 0; i < r->n; i++)
		n += r->channels[i].nheld;
	return n;
}

/* ---- Sending. */

static struct notify_delivery *give(const struct notify_router *r, struct router_item *it)
{
	struct notify_delivery *d = mem_zalloc(sizeof *d);

	it->under_way = true;
	it->attempt++;
	d->number = it->number;
	d->channel = mem_strdup(r->routes[it->channel].channel);
	d->message = notify_text_message(it->m, NOTIFY_TEXT_MAX);
	d->attempt = it->attempt;
	d->result.done = it->done;
	return d;
}

struct notify_delivery *notify_router_take(struct notify_router *r, int64_t now_ns)
{
	uint64_t seen = 0;

	router_tick(r, now_ns);
	for (size_t i = 0; i < r->nline; i++) {
		struct router_item *it = r->line[i];
		bool first = !(seen >> it->channel & 1);

		seen |= UINT64_C(1) << it->channel;
		if (it->not_before_ns - now_ns > DAY) /* the clock was set back */
			it->not_before_ns = now_ns;
		if (first && !it->under_way && it->not_before_ns <= now_ns)
			return give(r, it);
	}
	return NULL;
}

static void delivery_free(struct notify_delivery *d)
{
	notify_text_free(d->message);
	free(d->channel);
	free(d);
}

/* Tell the fallback, if it was not told the same; its name, or NULL. */
static const char *fall_back(
    struct notify_router *r, const struct router_item *it, const char *why, int64_t now_ns)
{
	const char *name = r->routes[it->channel].fallback;
	size_t to = name ? router_find(r, name) : r->n;
	struct notify_message m = *it->m;
	char *text;

	if (to == r->n || it->told >> to & 1)
		return NULL;
	text = mem_printf("%s%s(%s could not be told: %s)", m.text, m.text[0] ? "\n\n" : "",
	    r->routes[it->channel].channel, why);
	m.text = text;
	router_admit(r, to, &m, it->told | UINT64_C(1) << to, now_ns);
	free(text);
	return name;
}

static void leave(struct notify_router *r, size_t at)
{
	router_item_free(r->line[at]);
	memmove(&r->line[at], &r->line[at + 1], (r->nline - at - 1) * sizeof *r->line);
	r->nline--;
}

static void failed(struct notify_router *r, size_t at, const struct notify_result *result,
    const struct err *e, int64_t now_ns)
{
	struct router_item *it = r->line[at];
	const struct notify_route *route = &r->routes[it->channel];
	unsigned tries = route->tries ? route->tries : NOTIFY_TRIES;
	int64_t wait = notify_route_backoff(it->attempt);
	struct notify_log l = {.outcome = NOTIFY_UNSENT,
	    .at_ns = now_ns,
	    .message = it->m,
	    .attempt = it->attempt,
	    .text = e->msg};

	it->under_way = false;
	it->done = result->done;
	if (err_info(e->kind)->retry && it->attempt < tries) {
		wait = result->retry_after_ns > wait ? result->retry_after_ns : wait;
		it->not_before_ns = l.again_ns = now_ns + (wait < DAY ? wait : DAY);
		router_tell(r, it->channel, &l);
		return;
	}
	l.instead = fall_back(r, it, e->msg, now_ns);
	router_tell(r, it->channel, &l);
	leave(r, at);
}

void notify_router_done(
    struct notify_router *r, struct notify_delivery *d, const struct err *e, int64_t now_ns)
{
	size_t at = 0;

	while (at < r->nline && r->line[at]->number != d->number)
		at++;
	if (at == r->nline) { /* its channel went when the configuration was read again */
		delivery_free(d);
		return;
	}
	if (e != NULL && e->kind == ERR_CANCELLED) {
		r->line[at]->under_way = false;
		r->line[at]->attempt--;
		r->line[at]->done = d->result.done;
	} else if (e != NULL) {
		failed(r, at, &d->result, e, now_ns);
	} else {
		router_tell(r, r->line[at]->channel,
		    &(struct notify_log){.outcome = NOTIFY_SENT,
			.at_ns = now_ns,
			.message = r->line[at]->m,
			.attempt = d->attempt,
			.text = d->result.note});
		leave(r, at);
	}
	delivery_free(d);
}
