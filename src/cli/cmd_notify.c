/* notify: the channels that are declared, and whether each of them works. */
#include "cli/cli_out.h"

#include <stdlib.h>

#include "base/hex.h"
#include "base/mem.h"
#include "config/world_notify.h"
#include "crypto/crypto.h"
#include "os/os.h"

/* ---- list */

static const struct world_way *way_of(const struct world_channel *ch, const struct notify_ops *ops)
{
	size_t i = 0;

	while (notify_ops_at(i) != ops)
		i++;
	return &ch->way[i];
}

static void put_texts(struct buf *b, const struct field_texts *t)
{
	for (size_t i = 0; i < t->n; i++)
		buf_printf(b, "%s%s", i ? ", " : "", t->v[i]);
}

/* Recipients, or the host alone: the rest of many a URL is as good as a password. */
static void put_where(struct buf *b, const struct world_way *way)
{
	const char *url = way->url, *host = url ? strstr(url, "://") : NULL;

	if (way->to.n > 0)
		put_texts(b, &way->to);
	else if (host != NULL)
		buf_printf(
		    b, "%.*s", (int)(host - url + 3 + (ptrdiff_t)strcspn(host + 3, "/?#")), url);
	else if (url != NULL)
		buf_printf(b, "%s", url); /* a reference */
}

static void put_what(struct buf *b, const struct world_channel *ch, const struct notify_route *r)
{
	if (r->every_ns > 0)
		buf_printf(b, "that the daemon is alive");
	else if (r->states)
		buf_printf(b, "every run");
	else
		buf_printf(b, "%s%s", notify_severity_name(r->least ? r->least : NOTIFY_WARNING),
		    r->least == NOTIFY_CRITICAL ? "" : " and worse");
	if (ch->on.n > 0) {
		buf_printf(b, ", on ");
		put_texts(b, &ch->on);
	}
	if (ch->systems.n > 0) {
		buf_printf(b, ", of ");
		put_texts(b, &ch->systems);
	}
	if (r->nquiet > 0)
		buf_printf(b, ", not in its quiet hours");
}

static json_t *texts_json(const struct field_texts *t)
{
	json_t *a = json_array();

	for (size_t i = 0; i < t->n; i++)
		json_array_append_new(a, json_string(t->v[i]));
	return a;
}

static void list_json(struct cli *c, const struct world_channel *ch, const struct notify_ops *ops,
    const struct notify_route *r, const char *where)
{
	json_t *o = json_object();

	out_json_str(o, "channel", ch->item.name);
	out_json_str(o, "way", ops->name);
	out_json_str(o, "where", where);
	out_json_str(o, "severity",
	    r->states ? NULL : notify_severity_name(r->least ? r->least : NOTIFY_WARNING));
	json_object_set_new(o, "on", texts_json(&ch->on));
	json_object_set_new(o, "systems", texts_json(&ch->systems));
	json_object_set_new(o, "quiet_now",
	    json_boolean(notify_route_quiet(r, os_clock_of(c->ctx)->wall_ns(os_clock_of(c->ctx)))));
	json_object_set_new(o, "dedupe", json_real((double)r->dedupe_ns / (double)CALENDAR_SECOND));
	out_json_u64(o, "max_per_hour", r->max_per_hour);
	out_json_str(o, "fallback", r->fallback);
	out_json(c, "item", o);
}

static int list(struct cli *c, struct err *e)
{
	struct text_table t = {.align = "<<<<<", .ncols = 5, .head = true};
	struct world_routes *routes;
	struct buf b = {0};

	if (world_routes_new(c->world, &routes, e) == -1)
		return -1;
	text_row(&t, (const char *const[]){"Channel", "Way", "Where", "Is told", "Or else"});
	for (size_t i = 0; i < routes->n; i++) {
		const struct world_channel *ch = world_channel_at(c->world, i);
		const struct notify_ops *ops = world_channel_ops(c->world, ch);
		struct buf where = {0}, what = {0};

		put_where(&where, way_of(ch, ops));
		put_what(&what, ch, &routes->v[i]);
		if (c->out.json)
			list_json(c, ch, ops, &routes->v[i], buf_cstr(&where));
		text_row(&t,
		    (const char *const[]){ch->item.name, ops->name, out_str(c, buf_cstr(&where)),
			out_str(c, buf_cstr(&what)), ch->fallback ? ch->fallback : ""});
		buf_fini(&where);
		buf_fini(&what);
	}
	text_table_put(&b, &t);
	if (!c->out.json)
		out_list(c, "%s", buf_cstr(&b));
	buf_fini(&b);
	text_table_fini(&t);
	world_routes_free(routes);
	return 0;
}

/* ---- test */

static int send_test(struct cli *c, const struct world_channel *ch, const struct notify_ops *ops,
    struct notify_result *r, struct err *e)
{
	struct clock *clock = os_clock_of(c->ctx);
	char id[33];
	uint8_t random[16];
	struct notify_message m = {.event = "notify.test",
	    .severity = NOTIFY_INFO,
	    .state = ops->states ? NOTIFY_SUCCEEDED : NOTIFY_NEWS,
	    .host = os_host(),
	    .subject = "Test: holdfast can reach you",
	    .text = "This is what 'holdfast notify test' sends. Nothing has happened.",
	    .at_ns = clock->wall_ns(clock)};
	struct world_notifier *n;
	int rc;

	crypto_random(random, sizeof random);
	m.id = hex_encode(id, random, sizeof random);
	if (world_notifier_new(c->world, ch, &n, e) == -1)
		return -1;
	rc = notify_deliver(world_notifier_channel(n), &m, r, c->ctx, e);
	world_notifier_free(n);
	return rc;
}

static void tell_json(struct cli *c, const char *channel, const struct notify_ops *ops,
    const struct notify_result *r, const struct err *e)
{
	json_t *o = json_object();

	out_json_str(o, "channel", channel);
	out_json_str(o, "way", ops->name);
	json_object_set_new(o, "sent", json_boolean(e == NULL));
	out_json_str(o, "note", e == NULL && r->note[0] ? r->note : NULL);
	out_json_str(o, "kind", e ? err_info(e->kind)->name : NULL);
	out_json_str(o, "message", e ? e->msg : NULL);
	out_json_str(o, "hint", e && e->hint[0] ? e->hint : NULL);
	out_json(c, "item", o);
}

static void tell(struct cli *c, const char *channel, const struct notify_ops *ops,
    const struct notify_result *r, const struct err *e)
{
	if (c->out.json) {
		tell_json(c, channel, ops, r, e);
		return;
	}
	if (e == NULL) {
		out_list(c, "%s (%s): sent%s%s%s\n", channel, ops->name, r->note[0] ? ", " : "",
		    out_str(c, r->note), ops->states ? ", as a run that succeeded" : "");
		return;
	}
	out_list(c, "%s (%s): not sent: %s\n", channel, ops->name, out_str(c, e->msg));
	if (e->hint[0])
		out_list(c, "  hint: %s\n", out_str(c, e->hint));
}

static int summary(struct cli *c, size_t sent, size_t failed, struct err *e)
{
	json_t *o;

	if (c->out.json) {
		o = json_object();
		out_json_u64(o, "sent", sent);
		out_json_u64(o, "failed", failed);
		out_json(c, "summary", o);
	}
	if (failed == 0)
		return 0;
	return err_set(e, ERR_FAILED, "notify: %zu of %zu %s not be reached", failed, sent + failed,
	    sent + failed == 1 ? "channel could" : "channels could");
}

static int test(struct cli *c, const char *name, struct err *e)
{
	size_t sent = 0, failed = 0;

	if (name != NULL && world_channel(c->world, name) == NULL) {
		err_set(e, ERR_USAGE, "notify: there is no channel '%.64s'", name);
		return err_hint(e, "'holdfast notify list' shows those that are declared");
	}
	for (size_t i = 0; i < world_channels(c->world); i++) {
		const struct world_channel *ch = world_channel_at(c->world, i);
		const struct notify_ops *ops = world_channel_ops(c->world, ch);
		struct notify_result r = {0};
		struct err why;
		int rc;

		if (name != NULL && strcmp(name, ch->item.name) != 0)
			continue;
		rc = send_test(c, ch, ops, &r, &why);
		if (rc == -1 && why.kind == ERR_CANCELLED) {
			*e = why;
			return -1;
		}
		tell(c, ch->item.name, ops, &r, rc == 0 ? NULL : &why);
		sent += rc == 0;
		failed += rc != 0;
	}
	return summary(c, sent, failed, e);
}

int cmd_notify(struct cli *c, struct err *e)
{
	bool is_test = strcmp(c->args.v[0], "test") == 0;

	if (!is_test && c->args.n > 1)
		return err_set(e, ERR_USAGE, "notify list: too many arguments");
	if (config_load(c, true, e) == -1)
		return -1;
	if (world_channels(c->world) == 0) {
		err_set(e, ERR_USAGE, "notify: no channel is declared in %s", c->world->files[0]);
		return err_hint(e, "add a section notify: to it; doc/notify.md has examples");
	}
	return is_test ? test(c, c->args.n > 1 ? c->args.v[1] : NULL, e) : list(c, e);
}
