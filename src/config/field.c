/* field: binding.  See field.h; the schema is in field_schema.c. */
#include "config/field.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/near.h"
#include "base/schedule.h"
#include "config/secret_ref.h"

static const struct field *find(const struct field_table *t, const char *name)
{
	for (const struct field *f = t->rows; f->name != NULL; f++)
		if (strcmp(f->name, name) == 0)
			return f;
	return NULL;
}

static void hint_keys(const struct field_table *t, struct err *e)
{
	struct buf all = {0};

	for (const struct field *f = t->rows; f->name != NULL; f++)
		if (f->type != FIELD_LATER)
			buf_printf(&all, "%s%s", all.n ? ", " : "", f->name);
	err_hint(e, "there can be: %s", buf_cstr(&all));
	buf_fini(&all);
}

static int unknown(const struct node *n, const struct field_table *t, struct err *e)
{
	const char *best = NULL;
	size_t least = 64;

	for (const struct field *f = t->rows; f->name != NULL; f++)
		near_consider(n->name, f->name, &best, &least);
	node_fail(n->name_at, e, "there is no key '%.64s' here", n->name);
	if (best != NULL)
		err_hint(e, "did you mean '%s'?", best);
	else
		hint_keys(t, e);
	return -1;
}

static int not_yet(const struct node *n, struct err *e)
{
	node_fail(n->name_at, e, "'%s' is not taken yet", n->name);
	return err_hint(e, "this version does nothing with it, and does not pretend to: take it "
			   "out, or put a # in front");
}

/* A text is wanted here. */
static int need_text(const struct node *n, const char *what, struct err *e)
{
	if (n->kind != NODE_TEXT)
		return node_fail(n->at, e, "%s has to be %s, not a %s", n->name ? n->name : "this",
		    what, n->kind == NODE_LIST ? "list" : "mapping");
	if (n->text[0] == '\0')
		return node_fail(
		    n->at, e, "%s has no value: it has to be %s", n->name ? n->name : "this", what);
	return 0;
}

/* An error about the value, told with its place. */
static int wrong(const struct node *n, struct err *e)
{
	struct err why = *e;

	node_fail(n->at, e, "%s: %s", n->name ? n->name : "here", why.msg);
	if (why.hint[0])
		err_hint(e, "%s", why.hint);
	return -1;
}

static int bind_choice(const struct node *n, const struct field *f, int *out, struct err *e)
{
	const char *p = f->choices;

	if (need_text(n, f->choices, e) == -1)
		return -1;
	for (int i = 1;; i++) {
		size_t len = strcspn(p, "|");

		if (len == strlen(n->text) && memcmp(p, n->text, len) == 0)
			return *out = i, 0;
		if (p[len] == '\0')
			break;
		p += len + 1;
	}
	node_fail(n->at, e, "%s: there is no '%.64s'", f->name, n->text);
	return err_hint(e, "it can be %s", f->choices);
}

static int bind_flag(const struct node *n, const struct field *f, bool *out, struct err *e)
{
	if (need_text(n, "yes or no", e) == -1)
		return -1;
	*out = strcmp(n->text, "yes") == 0 || strcmp(n->text, "true") == 0;
	if (*out || strcmp(n->text, "no") == 0 || strcmp(n->text, "false") == 0)
		return 0;
	return node_fail(n->at, e, "%s: '%.64s' is neither yes nor no", f->name, n->text);
}

static int bind_count(const struct node *n, const struct field *f, unsigned *out, struct err *e)
{
	size_t len;

	if (need_text(n, "a number", e) == -1)
		return -1;
	len = strlen(n->text);
	if (len > 10 || strspn(n->text, "0123456789") != len ||
	    strtoul(n->text, NULL, 10) > 1000000000)
		return node_fail(
		    n->at, e, "%s: '%.64s' is not a number from 0 to 1000000000", f->name, n->text);
	*out = (unsigned)strtoul(n->text, NULL, 10);
	return 0;
}

static int bind_rates(const struct node *n, struct calendar_rates *out, struct err *e)
{
	if (n->kind != NODE_MAP) {
		if (need_text(n, "a rate, or windows with a rate each", e) == -1)
			return -1;
		return calendar_parse_rate(n->text, &out->always, e) == 0 ? 0 : wrong(n, e);
	}
	out->v = mem_zalloc((n->n + 1) * sizeof *out->v);
	for (const struct node *c = n->first; c != NULL; c = c->next) {
		struct calendar_rate *r = &out->v[out->n++];

		if (need_text(c, "a rate", e) == -1)
			return -1;
		if (calendar_parse_window(c->name, &r->in, e) == -1 ||
		    calendar_parse_rate(c->text, &r->rate, e) == -1)
			return wrong(c, e);
	}
	return 0;
}

static int bind_percent(const struct node *n, const struct field *f, double *out, struct err *e)
{
	char *end;

	if (need_text(n, "a percentage", e) == -1)
		return -1;
	*out = strtod(n->text, &end);
	if (strspn(n->text, "0123456789.%") == strlen(n->text) &&
	    (*end == '\0' || strcmp(end, "%") == 0) && *out > 0 && *out <= 100)
		return 0;
	return node_fail(
	    n->at, e, "%s: '%.64s' is not a percentage above 0, to 100", f->name, n->text);
}

/* "15m", "0 2 * * sun", "daily", { every: 15m } or { cron: "0 2 * * *" }. */
static int bind_schedule(const struct node *n, const struct field *f, char **out, struct err *e)
{
	struct schedule tried = {0};

	if (n->kind == NODE_MAP && n->n == 1 &&
	    (strcmp(n->first->name, "every") == 0 || strcmp(n->first->name, "cron") == 0))
		n = n->first;
	if (n->kind == NODE_MAP) {
		node_fail(n->at, e, "%s: a schedule is one text, or every or cron alone", f->name);
		return err_hint(e, "%s: { every: 15m }, or %s: \"0 2 * * sun\"", f->name, f->name);
	}
	if (need_text(n, "a schedule", e) == -1)
		return -1;
	if (schedule_parse(n->text, &tried, e) == -1)
		return wrong(n, e);
	*out = mem_strdup(n->text);
	return 0;
}

static int bind_windows(const struct node *n, struct field_windows *out, struct err *e)
{
	const struct node *c = n->kind == NODE_LIST ? n->first : n;

	if (n->kind != NODE_LIST && need_text(n, "a window of the week, or a list", e) == -1)
		return -1;
	out->v = mem_zalloc((n->n + 1) * sizeof *out->v);
	for (; c != NULL; c = n->kind == NODE_LIST ? c->next : NULL) {
		if (need_text(c, "a window of the week", e) == -1)
			return -1;
		if (calendar_parse_window(c->text, &out->v[out->n++], e) == -1)
			return wrong(c, e);
	}
	return 0;
}

static int bind_texts(const struct node *n, struct field_texts *out, struct err *e)
{
	const struct node *c = n->kind == NODE_LIST ? n->first : n;

	if (n->kind != NODE_LIST && need_text(n, "a text or a list of them", e) == -1)
		return -1;
	out->v = mem_zalloc((n->n + 1) * sizeof *out->v);
	out->at = mem_zalloc((n->n + 1) * sizeof *out->at);
	for (; c != NULL; c = n->kind == NODE_LIST ? c->next : NULL) {
		if (need_text(c, "a text", e) == -1)
			return -1;
		out->v[out->n] = mem_strdup(c->text);
		out->at[out->n++] = c->at;
	}
	return 0;
}

static int bind_pairs(
    const struct node *n, const struct field *f, struct field_texts *out, struct err *e)
{
	if (n->kind != NODE_MAP)
		return node_fail(n->at, e, "%s has to be a mapping of names to values", f->name);
	out->v = mem_zalloc((n->n + 1) * sizeof *out->v);
	out->at = mem_zalloc((n->n + 1) * sizeof *out->at);
	for (const struct node *c = n->first; c != NULL; c = c->next) {
		struct buf b = {0};

		if (need_text(c, "a text", e) == -1)
			return -1;
		buf_printf(&b, "%s=%s", c->name, c->text);
		out->v[out->n] = mem_strdup(buf_cstr(&b));
		out->at[out->n++] = c->name_at;
		buf_fini(&b);
	}
	return 0;
}

static int bind_items(const struct node *n, const struct field *f, struct field_items *out,
    struct mistakes *m, struct err *e)
{
	enum node_kind kind = f->type == FIELD_NAMED ? NODE_MAP : NODE_LIST;

	if (n->kind != kind)
		return node_fail(n->at, e, "%s has to be a %s", f->name,
		    kind == NODE_MAP ? "mapping of names" : "list");
	out->v = mem_zalloc((n->n + 1) * f->of->size);
	for (const struct node *c = n->first; c != NULL; c = c->next) {
		struct field_item *item = (void *)((char *)out->v + out->n++ * f->of->size);

		item->name = c->name ? mem_strdup(c->name) : NULL;
		item->at = c->name ? c->name_at : c->at;
		field_bind(c, f->of, item, m);
	}
	return 0;
}

static int bind_secret(const struct node *n, char **out, struct err *e)
{
	if (need_text(n, "a reference to a secret", e) == -1)
		return -1;
	if (secret_ref_check(n->text, e) == -1)
		return wrong(n, e);
	*out = mem_strdup(n->text);
	return 0;
}

/* Its own mistake is in e; those of what it holds are added to m. */
static int bind_one(
    const struct node *n, const struct field *f, void *at, struct mistakes *m, struct err *e)
{
	switch (f->type) {
	case FIELD_TEXT:
		if (need_text(n, "a text", e) == -1)
			return -1;
		*(char **)at = mem_strdup(n->text);
		return 0;
	case FIELD_TEXTS:
		return bind_texts(n, at, e);
	case FIELD_PAIRS:
		return bind_pairs(n, f, at, e);
	case FIELD_CHOICE:
		return bind_choice(n, f, at, e);
	case FIELD_FLAG:
		return bind_flag(n, f, at, e);
	case FIELD_COUNT:
		return bind_count(n, f, at, e);
	case FIELD_DURATION:
		if (need_text(n, "a duration", e) == -1)
			return -1;
		return calendar_parse_duration(n->text, at, e) == 0 ? 0 : wrong(n, e);
	case FIELD_SIZE:
		if (need_text(n, "a size", e) == -1)
			return -1;
		return calendar_parse_size(n->text, at, e) == 0 ? 0 : wrong(n, e);
	case FIELD_PERCENT:
		return bind_percent(n, f, at, e);
	case FIELD_SCHEDULE:
		return bind_schedule(n, f, at, e);
	case FIELD_WINDOWS:
		return bind_windows(n, at, e);
	case FIELD_RATES:
		return bind_rates(n, at, e);
	case FIELD_SECRET:
		return bind_secret(n, at, e);
	case FIELD_STRUCT:
		field_bind(n, f->of, at, m);
		return 0;
	case FIELD_NAMED:
	case FIELD_LIST:
		return bind_items(n, f, at, m, e);
	case FIELD_LATER:
		break;
	}
	return not_yet(n, e);
}

void field_bind(const struct node *n, const struct field_table *t, void *out, struct mistakes *m)
{
	struct err e;

	if (n->kind != NODE_MAP) {
		node_fail(n->at, &e, "%s has to be a mapping of keys", n->name ? n->name : "this");
		hint_keys(t, &e);
		mistakes_add(m, &e);
		return;
	}
	for (const struct node *c = n->first; c != NULL; c = c->next) {
		const struct field *f = find(t, c->name);

		if (c->later)
			continue;
		if (f == NULL ? unknown(c, t, &e) == -1
			      : bind_one(c, f, (char *)out + f->at, m, &e) == -1)
			mistakes_add(m, &e);
	}
	for (const struct field *f = t->rows; f->name != NULL; f++)
		if (f->required && node_get(n, f->name) == NULL) {
			node_fail(n->name ? n->name_at : n->at, &e, "%s%s'%s' is missing",
			    n->name ? n->name : "", n->name ? ": " : "", f->name);
			mistakes_add(m, &e);
		}
}

static void texts_fini(struct field_texts *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->v[i]);
	free(t->v);
	free(t->at);
}

static void items_fini(const struct field *f, struct field_items *items)
{
	for (size_t i = 0; i < items->n; i++) {
		struct field_item *item = (void *)((char *)items->v + i * f->of->size);

		free(item->name);
		field_fini(f->of, item);
	}
	free(items->v);
}

void field_fini(const struct field_table *t, void *s)
{
	for (const struct field *f = t->rows; f->name != NULL; f++) {
		void *at = (char *)s + f->at;

		switch (f->type) {
		case FIELD_TEXT:
		case FIELD_SECRET:
		case FIELD_SCHEDULE:
			free(*(char **)at);
			break;
		case FIELD_WINDOWS:
			free(((struct field_windows *)at)->v);
			break;
		case FIELD_TEXTS:
		case FIELD_PAIRS:
			texts_fini(at);
			break;
		case FIELD_RATES:
			free(((struct calendar_rates *)at)->v);
			break;
		case FIELD_STRUCT:
			field_fini(f->of, at);
			break;
		case FIELD_NAMED:
		case FIELD_LIST:
			items_fini(f, at);
			break;
		default:
			break;
		}
	}
}
