/*
 * notify_router_state: what a router knows, as JSON and back.
 *
 * It may have been cut short or changed by hand: every value is looked at, every number bounded,
 * and nothing is taken of a text that is wrong anywhere.
 */
#include "notify/notify_router_internal.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "notify/notify_text.h"

enum { VERSION = 1, TRIES_MAX = 1000000 };
#define NUMBER_MAX (INT64_C(1) << 53)
#define TIME_MAX   (INT64_MAX / 2) /* sums of it and a period are no accident */

/* ---- Out. */

static json_t *message_json(const struct notify_message *m)
{
	json_t *fields = json_array();

	for (size_t i = 0; i < m->nfields; i++)
		json_array_append_new(
		    fields, json_pack("[s, s]", m->fields[i].name, m->fields[i].value));
	return json_pack("{s:s, s:s, s:i, s:i, s:s?, s:s, s:s, s:s, s:o, s:I, s:s?, s:b}", "id",
	    m->id, "event", m->event, "severity", m->severity, "state", m->state, "system",
	    m->system, "host", m->host, "subject", m->subject, "text", m->text, "fields", fields,
	    "at", (json_int_t)m->at_ns, "key", m->key, "recovered", m->recovered);
}

static json_t *channel_json(const struct router_channel *c)
{
	json_t *open = json_array(), *held = json_array();

	for (size_t i = 0; i < c->nopen; i++) {
		const struct router_open *o = &c->open[i];

		json_array_append_new(
		    open, json_pack("{s:s, s:s, s:s?, s:i, s:I, s:I}", "key", o->key, "subject",
			      o->subject, "system", o->system, "severity", o->severity, "told",
			      (json_int_t)o->told_ns, "more", (json_int_t)o->more));
	}
	for (size_t i = 0; i < c->nheld; i++)
		json_array_append_new(held, message_json(c->held[i]));
	return json_pack("{s:o, s:o, s:I, s:I, s:I, s:I, s:I}", "open", open, "held", held,
	    "held_more", (json_int_t)c->held_more, "release", (json_int_t)c->release_ns, "hour",
	    (json_int_t)c->hour_ns, "hour_count", (json_int_t)c->hour_count, "beat",
	    (json_int_t)c->beat_ns);
}

static json_t *item_json(const struct notify_router *r, const struct router_item *it)
{
	json_t *told = json_array();

	for (size_t i = 0; i < r->n; i++)
		if (it->told >> i & 1)
			json_array_append_new(told, json_string(r->routes[i].channel));
	return json_pack("{s:I, s:s, s:I, s:I, s:I, s:o, s:o}", "number", (json_int_t)it->number,
	    "channel", r->routes[it->channel].channel, "attempt", (json_int_t)it->attempt,
	    "not_before", (json_int_t)it->not_before_ns, "done", (json_int_t)it->done, "told", told,
	    "message", message_json(it->m));
}

char *notify_router_save(const struct notify_router *r)
{
	json_t *channels = json_object(), *line = json_array(), *o;
	char *text;

	for (size_t i = 0; i < r->n; i++)
		json_object_set_new(channels, r->routes[i].channel, channel_json(&r->channels[i]));
	for (size_t i = 0; i < r->nline; i++)
		json_array_append_new(line, item_json(r, r->line[i]));
	o = json_pack("{s:i, s:I, s:o, s:o}", "version", VERSION, "next", (json_int_t)r->next,
	    "channels", channels, "line", line);
	text = mem_checked(json_dumps(o, JSON_COMPACT));
	json_decref(o);
	return text;
}

/* ---- In. */

/* An integer of that key from 0 to max. */
static bool number(const json_t *o, const char *key, int64_t max, int64_t *out)
{
	const json_t *v = json_object_get(o, key);

	*out = json_integer_value(v);
	return json_is_integer(v) && *out >= 0 && *out <= max;
}

static const char *text_of(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

/* New, or NULL if it is none. */
static struct notify_message *message_of(const json_t *o)
{
	struct notify_field fields[NOTIFY_FIELDS_MAX];
	const json_t *list = json_object_get(o, "fields");
	struct notify_message m = {.id = text_of(o, "id"),
	    .event = text_of(o, "event"),
	    .system = text_of(o, "system"),
	    .host = text_of(o, "host"),
	    .subject = text_of(o, "subject"),
	    .text = text_of(o, "text"),
	    .key = text_of(o, "key"),
	    .fields = fields,
	    .nfields = json_array_size(list)};
	int64_t severity, state;

	if (!number(o, "severity", NOTIFY_CRITICAL, &severity) || severity == 0 ||
	    !number(o, "state", NOTIFY_FAILED, &state) || !number(o, "at", TIME_MAX, &m.at_ns) ||
	    !json_is_array(list) || m.nfields > NOTIFY_FIELDS_MAX || !m.id || !m.event || !m.host ||
	    !m.subject || !m.text)
		return NULL;
	for (size_t i = 0; i < m.nfields; i++) {
		const json_t *pair = json_array_get(list, i);

		fields[i].name = json_string_value(json_array_get(pair, 0));
		fields[i].value = json_string_value(json_array_get(pair, 1));
		if (fields[i].name == NULL || fields[i].value == NULL)
			return NULL;
	}
	m.severity = (enum notify_severity)severity;
	m.state = (enum notify_state)state;
	m.recovered = json_is_true(json_object_get(o, "recovered"));
	return notify_text_message(&m, NOTIFY_TEXT_MAX);
}

static int bad(struct err *e, const char *what)
{
	return err_set(e, ERR_CORRUPT, "what was pending of notifications is damaged: %s", what);
}

static int load_open(struct router_channel *c, const json_t *o, struct err *e)
{
	struct notify_message m = {
	    .subject = text_of(o, "subject"), .system = text_of(o, "system")};
	const char *raw = text_of(o, "key");
	int64_t severity, told, more;
	char *key;

	if (raw == NULL || m.subject == NULL ||
	    !number(o, "severity", NOTIFY_CRITICAL, &severity) || severity == 0 ||
	    !number(o, "told", TIME_MAX, &told) || !number(o, "more", UINT32_MAX, &more))
		return bad(e, "open");
	m.severity = (enum notify_severity)severity;
	key = notify_text_copy(raw, 256, false);
	router_open_put(c, key, &m, told);
	free(key);
	c->open[c->nopen - 1].more = (unsigned)more;
	return 0;
}

static int load_channel(struct router_channel *c, const json_t *o, struct err *e)
{
	const json_t *open = json_object_get(o, "open"), *held = json_object_get(o, "held");
	int64_t more, count;

	if (!number(o, "held_more", NUMBER_MAX, &more) ||
	    !number(o, "release", TIME_MAX, &c->release_ns) ||
	    !number(o, "hour", TIME_MAX, &c->hour_ns) ||
	    !number(o, "hour_count", UINT32_MAX, &count) ||
	    !number(o, "beat", TIME_MAX, &c->beat_ns) || !json_is_array(open) ||
	    !json_is_array(held) || json_array_size(held) > NOTIFY_HELD_MAX ||
	    json_array_size(open) > NOTIFY_OPEN_MAX)
		return bad(e, "channels");
	c->held_more = (uint64_t)more;
	c->hour_count = (unsigned)count;
	for (size_t i = 0; i < json_array_size(open); i++)
		if (load_open(c, json_array_get(open, i), e) == -1)
			return -1;
	c->held = mem_zalloc((json_array_size(held) + 1) * sizeof *c->held);
	for (size_t i = 0; i < json_array_size(held); i++) {
		c->held[i] = message_of(json_array_get(held, i));
		if (c->held[i] == NULL)
			return bad(e, "held");
		c->nheld++;
	}
	return 0;
}

static int load_item(struct notify_router *r, const json_t *o, struct err *e)
{
	const char *channel = text_of(o, "channel");
	const json_t *told = json_object_get(o, "told");
	struct router_item it = {0};
	int64_t its, attempt, done;

	if (channel == NULL || !number(o, "number", NUMBER_MAX, &its) ||
	    !number(o, "attempt", TRIES_MAX, &attempt) ||
	    !number(o, "not_before", TIME_MAX, &it.not_before_ns) ||
	    !number(o, "done", UINT32_MAX, &done) || !json_is_array(told))
		return bad(e, "line");
	it.m = message_of(json_object_get(o, "message"));
	if (it.m == NULL)
		return bad(e, "message");
	it.number = (uint64_t)its;
	it.channel = router_find(r, channel);
	it.attempt = (unsigned)attempt;
	it.done = (uint32_t)done;
	for (size_t i = 0; i < json_array_size(told); i++) {
		const char *name = json_string_value(json_array_get(told, i));
		size_t at = name ? router_find(r, name) : r->n;

		if (at < r->n)
			it.told |= UINT64_C(1) << at;
	}
	if (it.channel == r->n || router_waiting(r, it.channel) > 2 * NOTIFY_LINE_MAX) {
		notify_text_free(it.m); /* the channel is no more */
		return 0;
	}
	r->line = mem_realloc(r->line, (r->nline + 1) * sizeof *r->line);
	r->line[r->nline++] = mem_dup(&it, sizeof it);
	if (it.number >= r->next)
		r->next = it.number + 1;
	return 0;
}

static int load(struct notify_router *r, const json_t *o, struct err *e)
{
	const json_t *channels = json_object_get(o, "channels"), *line = json_object_get(o, "line");
	int64_t version, next;

	if (!number(o, "version", NUMBER_MAX, &version))
		return bad(e, "version");
	if (version > VERSION)
		return err_set(e, ERR_LATER, "notifications were kept by a newer version");
	if (!number(o, "next", NUMBER_MAX, &next) || !json_is_object(channels) ||
	    !json_is_array(line))
		return bad(e, "next, channels, line");
	r->next = next > 0 ? (uint64_t)next : 1;
	for (size_t i = 0; i < r->n; i++) {
		const json_t *c = json_object_get(channels, r->routes[i].channel);

		if (c != NULL && load_channel(&r->channels[i], c, e) == -1)
			return -1;
	}
	for (size_t i = 0; i < json_array_size(line); i++)
		if (load_item(r, json_array_get(line, i), e) == -1)
			return -1;
	return 0;
}

int notify_router_load(struct notify_router *r, const char *text, struct err *e)
{
	struct notify_router *n = notify_router_new(r->routes, r->n, r->log, r->log_arg), swap;
	json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	int rc = o ? load(n, o, e) : bad(e, "it is no JSON");

	json_decref(o);
	if (rc == 0) {
		swap = *r;
		*r = *n;
		*n = swap;
	}
	notify_router_free(n);
	return rc;
}
