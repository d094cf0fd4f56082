/* world_check_notify: what tables cannot say of `notify`: references, contradictions, circles. */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "config/secret_ref.h"
#include "config/world_load.h"
#include "config/world_notify.h"
#include "config/world_times.h"
#include "notify/notify_router.h"

#define YEAR (366 * 86400 * CALENDAR_SECOND)

static struct node_at place(const struct world *w, const struct world_channel *c, const char *key)
{
	struct node_at at = world_place(w, "notify", c->item.name, key);

	return at.line ? at : c->item.at;
}

static bool has(const struct world *w, const struct world_channel *c, const char *key)
{
	return node_get(node_get(node_get(w->tree, "notify"), c->item.name), key) != NULL;
}

/* An error without a place gets one. */
static int at_place(struct node_at at, struct err *e)
{
	struct err why = *e;

	node_fail(at, e, "%s", why.msg);
	return why.hint[0] ? err_hint(e, "%s", why.hint) : -1;
}

/* ---- The way. */

static int check_one_way(const struct world *w, const struct world_channel *c, struct err *e)
{
	const char *first = NULL;

	for (size_t i = 0; i < WORLD_WAYS; i++) {
		const char *name = notify_ops_at(i)->name;

		if (!has(w, c, name))
			continue;
		if (first != NULL) {
			node_fail(place(w, c, name), e, "%s is told in two ways, %s and %s",
			    c->item.name, first, name);
			return err_hint(e, "make two channels of it");
		}
		first = name;
	}
	if (first != NULL)
		return 0;
	node_fail(c->item.at, e, "%s: how is it told?", c->item.name);
	return err_hint(e, "there can be: email, slack, webhook, sms, ntfy, ping");
}

/* In place of what a reference will say: something that is well formed. */
static const char *unread(const char *value, const char *instead)
{
	struct err no;

	return value && secret_ref_check(value, &no) == 0 ? instead : value;
}

static struct notify_channel as_channel(const struct notify_ops *ops, const struct world_way *way)
{
	const char *url = ops == &notify_email ? "smtps://reference" : "https://reference/x";

	return (struct notify_channel){.ops = ops,
	    .url = unread(way->url, url),
	    .start_url = unread(way->start, url),
	    .fail_url = unread(way->fail, url),
	    .user = way->user,
	    .password = way->password ? "0123456789abcdef" : NULL,
	    .token = way->token ? "0123456789abcdef" : NULL,
	    .secret = way->secret ? "0123456789abcdef" : NULL,
	    .from = way->from ? way->from : "holdfast@localhost",
	    .to = (const char *const *)way->to.v,
	    .nto = way->to.n,
	    .plain = way->tls == WORLD_MAIL_TLS_OPTIONAL};
}

/* The driver's own words begin with the key that they are about. */
static struct node_at place_in_way(
    const struct world *w, const struct world_channel *c, const char *way, const char *msg)
{
	const struct node *n = node_get(node_get(node_get(w->tree, "notify"), c->item.name), way);
	char key[16];
	const struct node *k;

	snprintf(key, sizeof key, "%.*s", (int)strcspn(msg, ": "), msg);
	k = node_get(n, key);
	return k ? k->at : n->at;
}

static int check_way(const struct world *w, const struct world_channel *c, struct err *e)
{
	const struct notify_ops *ops = world_channel_ops(w, c);
	const struct world_way *way = NULL;
	struct notify_channel it;

	for (size_t i = 0; i < WORLD_WAYS; i++)
		if (notify_ops_at(i) == ops)
			way = &c->way[i];
	it = as_channel(ops, way);
	if (notify_check(&it, e) == -1)
		return at_place(place_in_way(w, c, ops->name, e->msg), e);
	if (way->timeout.months || way->timeout.ns > 600 * CALENDAR_SECOND ||
	    (way->timeout.ns > 0 && way->timeout.ns < CALENDAR_SECOND)) {
		node_fail(place_in_way(w, c, ops->name, "timeout"), e,
		    "timeout: a try takes from 1s to 10m");
		return -1;
	}
	if (way->ca_file && way->ca_file[0] != '/')
		return node_fail(place_in_way(w, c, ops->name, "ca_file"), e,
		    "ca_file: '%.200s' is not an absolute path", way->ca_file);
	return 0;
}

/* ---- The route. */

static int check_ping(const struct world *w, const struct world_channel *c, struct err *e)
{
	static const char *const others[] = {"severity", "on", "quiet_hours", "timezone",
	    "hold_critical", "dedupe", "max_per_hour", "fallback"};
	const struct world_way *way = &c->way[WORLD_WAYS - 1];

	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (has(w, c, others[i])) {
			node_fail(place(w, c, others[i]), e, "a ping has no '%s'", others[i]);
			return err_hint(e, "it is told of every run that begins, succeeds or "
					   "fails, and raises the alarm itself");
		}
	if (way->every.ns == 0 && way->every.months == 0)
		return 0;
	if (way->every.months || way->every.ns < 10 * CALENDAR_SECOND)
		return node_fail(
		    place_in_way(w, c, "ping", "every"), e, "every: from 10s, and not in months");
	if (c->systems.n > 0) {
		node_fail(place(w, c, "systems"), e,
		    "a ping that says 'alive' (every) says nothing of systems");
		return err_hint(e, "leave out systems, or every");
	}
	return 0;
}

static int check_glob(const char *glob, const char *chars, struct node_at at, struct err *e)
{
	const char *open = strchr(glob, '[');

	if (glob[strspn(glob, chars)] != '\0' || strlen(glob) > 64 ||
	    (open != NULL && strchr(open, ']') == NULL)) {
		node_fail(at, e, "'%.64s' is no name and no pattern", glob);
		return err_hint(e, "letters, digits, '.', '_', '-', and * ? [...]");
	}
	return 0;
}

static int check_globs(const struct world *w, const struct world_channel *c, struct err *e)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789._-*?[]!";

	if (c->on.n > NOTIFY_GLOBS_MAX || c->systems.n > NOTIFY_GLOBS_MAX)
		return node_fail(place(w, c, c->on.n > NOTIFY_GLOBS_MAX ? "on" : "systems"), e,
		    "more than %d patterns", NOTIFY_GLOBS_MAX);
	for (size_t i = 0; i < c->on.n; i++)
		if (check_glob(c->on.v[i], chars, c->on.at[i], e) == -1)
			return -1;
	for (size_t i = 0; i < c->systems.n; i++) {
		const char *glob = c->systems.v[i];
		size_t k = 0;

		if (check_glob(glob, chars, c->systems.at[i], e) == -1)
			return -1;
		while (k < w->systems.n && fnmatch(glob, world_system_at(w, k)->item.name, 0) != 0)
			k++;
		if (k < w->systems.n)
			continue;
		if (strpbrk(glob, "*?[") == NULL)
			return world_no_such(c->systems.at[i], "system", glob, &w->systems,
			    sizeof(struct world_system), e);
		return node_fail(c->systems.at[i], e, "no system's name is like '%.64s'", glob);
	}
	return 0;
}

static int check_quiet(const struct world *w, const struct world_channel *c, struct err *e)
{
	struct notify_route r = {.quiet = c->quiet_hours.v, .nquiet = c->quiet_hours.n};
	struct zone *zone = NULL;
	int64_t end;

	if (c->quiet_hours.n == 0) {
		const char *lone = c->timezone ? "timezone" : "hold_critical";

		if (!c->timezone && !c->hold_critical)
			return 0;
		return node_fail(place(w, c, lone), e, "%s: there are no quiet_hours", lone);
	}
	if (world_zone(c->timezone, &zone, e) == -1)
		return at_place(place(w, c, c->timezone ? "timezone" : "quiet_hours"), e);
	r.zone = zone;
	end = notify_route_quiet_end(&r, 0);
	if (notify_route_quiet(&r, end)) {
		zone_free(zone);
		node_fail(place(w, c, "quiet_hours"), e, "quiet_hours: they never end");
		return err_hint(e, "leave the channel out, or leave it an hour");
	}
	zone_free(zone);
	return 0;
}

static int check_numbers(const struct world *w, const struct world_channel *c, struct err *e)
{
	if (c->dedupe.months > 12 || c->dedupe.ns > YEAR)
		return node_fail(place(w, c, "dedupe"), e, "dedupe: at most a year");
	if (has(w, c, "tries") && (c->tries < 1 || c->tries > 50)) {
		node_fail(place(w, c, "tries"), e, "tries: from 1 to 50");
		return err_hint(e, "8 take an hour, 50 a day");
	}
	return 0;
}

static int check_fallback(const struct world *w, const struct world_channel *c, struct err *e)
{
	const struct world_channel *to = c->fallback ? world_channel(w, c->fallback) : NULL;
	size_t steps = 0;

	if (c->fallback == NULL)
		return 0;
	if (to == NULL)
		return world_no_such(place(w, c, "fallback"), "channel", c->fallback, &w->notify,
		    sizeof(struct world_channel), e);
	if (to == c)
		return node_fail(
		    place(w, c, "fallback"), e, "%s is its own fallback", c->item.name);
	if (has(w, to, "ping")) {
		node_fail(place(w, c, "fallback"), e, "a ping tells nobody what happened");
		return err_hint(e, "take a channel that people read");
	}
	for (; to != NULL && to != c && steps <= w->notify.n; steps++)
		to = to->fallback ? world_channel(w, to->fallback) : NULL;
	if (to != c)
		return 0;
	node_fail(place(w, c, "fallback"), e, "the fallbacks of %s lead back to it", c->item.name);
	return err_hint(e, "the last one in the line has none");
}

static int check_channel(const struct world *w, const struct world_channel *c, struct err *e)
{
	if (check_one_way(w, c, e) == -1 || check_way(w, c, e) == -1)
		return -1;
	if (has(w, c, "ping") && check_ping(w, c, e) == -1)
		return -1;
	return check_globs(w, c, e) == 0 && check_quiet(w, c, e) == 0 &&
		       check_numbers(w, c, e) == 0 && check_fallback(w, c, e) == 0
		   ? 0
		   : -1;
}

void world_check_notify(const struct world *w, struct mistakes *m)
{
	struct err e;

	if (w->notify.n > NOTIFY_CHANNELS_MAX) {
		node_fail(node_get(w->tree, "notify")->at, &e, "notify: more than %d channels",
		    NOTIFY_CHANNELS_MAX);
		mistakes_add(m, &e);
		return;
	}
	for (size_t i = 0; i < w->notify.n; i++)
		if (check_channel(w, world_channel_at(w, i), &e) == -1)
			mistakes_add(m, &e);
}
