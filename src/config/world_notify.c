/* world_notify: see world_notify.h.  What is wrong is found in world_check_notify.c. */
#include "config/world_notify.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/secret_ref.h"
#include "config/world_times.h"
#include "crypto/secret.h"
#include "os/os.h"

#define MONTH (30 * 86400 * CALENDAR_SECOND)

size_t world_channels(const struct world *w)
{
	return w->notify.n;
}

const struct world_channel *world_channel_at(const struct world *w, size_t i)
{
	return (const struct world_channel *)w->notify.v + i;
}

const struct world_channel *world_channel(const struct world *w, const char *name)
{
	for (size_t i = 0; i < w->notify.n; i++)
		if (strcmp(world_channel_at(w, i)->item.name, name) == 0)
			return world_channel_at(w, i);
	return NULL;
}

static const struct node *node_of(const struct world *w, const struct world_channel *c)
{
	return node_get(node_get(w->tree, "notify"), c->item.name);
}

static size_t way_of(const struct world *w, const struct world_channel *c)
{
	size_t i = 0;

	while (i < WORLD_WAYS && node_get(node_of(w, c), notify_ops_at(i)->name) == NULL)
		i++;
	return i;
}

const struct notify_ops *world_channel_ops(const struct world *w, const struct world_channel *c)
{
	return notify_ops_at(way_of(w, c));
}

/* ---- Routes. */

static int64_t length(const struct calendar_duration *d)
{
	return d->ns + d->months * MONTH;
}

static void fill_route(const struct world *w, const struct world_channel *c, struct notify_route *r)
{
	const struct node *n = node_of(w, c);
	size_t way = way_of(w, c);

	*r = (struct notify_route){
	    .channel = c->item.name,
	    .states = notify_ops_at(way)->states,
	    .least = (enum notify_severity)c->severity,
	    .on = (const char *const *)c->on.v,
	    .non = c->on.n,
	    .systems = (const char *const *)c->systems.v,
	    .nsystems = c->systems.n,
	    .quiet = c->quiet_hours.v,
	    .nquiet = c->quiet_hours.n,
	    .hold_critical = c->hold_critical,
	    .dedupe_ns = node_get(n, "dedupe") ? length(&c->dedupe)
					       : WORLD_DEDUPE_S * CALENDAR_SECOND,
	    .max_per_hour = node_get(n, "max_per_hour") ? c->max_per_hour : WORLD_MAX_PER_HOUR,
	    .tries = c->tries,
	    .fallback = c->fallback,
	    .every_ns = length(&c->way[way].every),
	};
}

int world_routes_new(const struct world *w, struct world_routes **out, struct err *e)
{
	struct world_routes *r = mem_zalloc(sizeof *r);

	*out = NULL;
	r->n = w->notify.n;
	r->v = mem_zalloc((r->n + 1) * sizeof *r->v);
	r->zones = mem_zalloc((r->n + 1) * sizeof *r->zones);
	for (size_t i = 0; i < r->n; i++) {
		const struct world_channel *c = world_channel_at(w, i);

		fill_route(w, c, &r->v[i]);
		if (c->quiet_hours.n == 0)
			continue;
		if (world_zone(c->timezone, &r->zones[i], e) == -1) {
			world_routes_free(r);
			return err_wrap(e, "notify: %s: timezone", c->item.name);
		}
		r->v[i].zone = r->zones[i];
	}
	*out = r;
	return 0;
}

void world_routes_free(struct world_routes *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->n; i++)
		zone_free(r->zones[i]);
	free(r->zones);
	free(r->v);
	free(r);
}

/* ---- A channel with its secrets. */

enum { SECRETS = 6 };

struct world_notifier {
	struct notify_channel channel;
	char *secrets[SECRETS]; /* in locked memory */
	size_t n;
	char *from;
};

/* Its first line, in place of the reference. */
static int resolve(struct world_notifier *n, const char **value, const char *what, struct err *e)
{
	char *s;
	size_t len;
	struct err no;

	if (*value == NULL || secret_ref_check(*value, &no) == -1)
		return 0; /* a URL that is none */
	if (secret_ref_read(*value, &s, &len, e) == -1)
		return err_wrap(e, "%s", what);
	n->secrets[n->n++] = s;
	s[len < SECRET_REF_MAX ? len : SECRET_REF_MAX - 1] = '\0';
	s[strcspn(s, "\r\n")] = '\0';
	if (s[0] == '\0')
		return err_set(e, ERR_USAGE, "%s: %s: it is empty", what, *value);
	*value = s;
	return 0;
}

static const char *ca_file(const struct world_way *way)
{
	const char *env = getenv("HOLDFAST_CA_FILE");

	return way->ca_file ? way->ca_file : env && env[0] ? env : NULL;
}

static int fill_notifier(struct world_notifier *n, const struct world_way *way, struct err *e)
{
	struct notify_channel *c = &n->channel;
	const char *url = c->ops == &notify_email   ? "smtp"
			  : c->ops == &notify_slack ? "webhook"
						    : "url";

	c->url = way->url;
	c->start_url = way->start;
	c->fail_url = way->fail;
	c->user = way->user;
	c->password = way->password;
	c->token = way->token;
	c->secret = way->secret;
	c->to = (const char *const *)way->to.v;
	c->nto = way->to.n;
	c->plain = way->tls == WORLD_MAIL_TLS_OPTIONAL;
	c->ca_file = ca_file(way);
	c->timeout_ns = length(&way->timeout);
	if (way->from == NULL)
		n->from = mem_printf("holdfast@%s", os_host());
	c->from = way->from ? way->from : n->from;
	return resolve(n, &c->url, url, e) == 0 && resolve(n, &c->start_url, "start", e) == 0 &&
		       resolve(n, &c->fail_url, "fail", e) == 0 &&
		       resolve(n, &c->password, "password", e) == 0 &&
		       resolve(n, &c->token, "token", e) == 0 &&
		       resolve(n, &c->secret, "secret", e) == 0 && notify_check(c, e) == 0
		   ? 0
		   : -1;
}

int world_notifier_new(const struct world *w, const struct world_channel *c,
    struct world_notifier **out, struct err *e)
{
	struct world_notifier *n = mem_zalloc(sizeof *n);

	*out = NULL;
	n->channel.name = c->item.name;
	n->channel.ops = world_channel_ops(w, c);
	if (fill_notifier(n, &c->way[way_of(w, c)], e) == -1) {
		world_notifier_free(n);
		return -1;
	}
	*out = n;
	return 0;
}

void world_notifier_free(struct world_notifier *n)
{
	if (n == NULL)
		return;
	for (size_t i = 0; i < n->n; i++)
		secret_free(n->secrets[i]);
	free(n->from);
	free(n);
}

const struct notify_channel *world_notifier_channel(const struct world_notifier *n)
{
	return &n->channel;
}
