/* api_route: find a row, and check what it is given (api_route.h). */
#include "api/api_route.h"

#include <stdlib.h>

#include "base/calendar.h"
#include "base/near.h"
#include "catalog/catalog.h"

bool api_may(enum api_scope scope, enum api_right right)
{
	switch (right) {
	case API_OPEN:
	case API_READ:
		return scope != 0;
	case API_OPERATE:
		return scope == API_OPERATOR || scope == API_ADMIN;
	case API_APPROVE:
		return scope == API_APPROVER || scope == API_ADMIN;
	case API_AUDIT:
		return scope == API_AUDITOR || scope == API_ADMIN;
	case API_ADMINISTER:
		return scope == API_ADMIN;
	}
	return false;
}

const struct api_refusal *api_refusal_of(int status)
{
	static const struct api_refusal rows[] = {
	    {401, "unauthorized", "a valid token is needed"},
	    {403, "forbidden", "the scope does not allow it"},
	    {405, "method", "not for this path"},
	    {411, "length", "a Content-Length is needed"},
	    {413, "too_large", "the body is too large"},
	    {414, "too_long", "the target is too long"},
	    {415, "media_type", "not in this form"},
	    {429, "rate_limited", "too many requests"},
	    {503, "busy", "too much at once"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].status == status)
			return &rows[i];
	return NULL;
}

json_t *api_problem(int status, const struct err *e)
{
	const struct api_refusal *r = api_refusal_of(status);
	const struct err_info *i = err_info(e->kind);

	/* 503 is also what some kinds of error are. */
	if (r != NULL && status == 503 && i->http == 503)
		r = NULL;
	return json_pack("{s:i, s:s, s:i, s:s, s:s, s:s, s:s}", "schema", 1, "type", "error",
	    "status", status, "kind", r ? r->kind : i->name, "title", r ? r->title : i->meaning,
	    "message", e->msg, "hint", e->hint);
}

void api_call_fini(struct api_call *c)
{
	json_decref(c->body);
	json_decref(c->json);
	buf_fini(&c->text);
	c->body = c->json = NULL;
}

/* Does the path fit?  Then what stands for {names} is in value, in the order of params. */
static bool fits(const char *pattern, const struct api_uri *u, const char **value)
{
	const char *p = pattern;
	size_t named = 0;

	for (size_t i = 0; i < u->nsegments; i++) {
		size_t n;

		if (*p++ != '/')
			return false;
		n = strcspn(p, "/");
		if (*p == '{')
			value[named++] = u->segment[i];
		else if (strlen(u->segment[i]) != n || memcmp(p, u->segment[i], n) != 0)
			return false;
		p += n;
	}
	return *p == '\0';
}

const struct api_route *api_route_find(
    const char *method, const struct api_uri *u, struct api_call *c, char allow[64])
{
	if (strcmp(method, "HEAD") == 0)
		method = "GET";
	allow[0] = '\0';
	for (size_t i = 0; i < api_routes_count; i++) {
		const struct api_route *r = &api_routes[i];
		const char *value[API_PARAMS_MAX] = {0};

		if (!fits(r->path, u, value))
			continue;
		if (strcmp(r->method, method) == 0) {
			memcpy(c->value, value, sizeof value);
			return c->route = r;
		}
		strncat(allow, allow[0] ? ", " : "", 60 - strlen(allow));
		strncat(allow, strcmp(r->method, "GET") == 0 ? "GET, HEAD" : r->method,
		    60 - strlen(allow));
	}
	return NULL;
}

static const struct api_param *param(const struct api_route *r, const char *name, size_t *at)
{
	for (*at = 0; *at < API_PARAMS_MAX && r->params[*at].name != NULL; ++*at)
		if (strcmp(r->params[*at].name, name) == 0)
			return &r->params[*at];
	return NULL;
}

static int unknown(const struct api_route *r, const char *name, struct err *e)
{
	const char *best = NULL;
	size_t least = 64;

	for (const struct api_param *p = r->params; p < r->params + API_PARAMS_MAX && p->name; p++)
		if (p->in != API_IN_PATH)
			near_consider(name, p->name, &best, &least);
	err_set(e, ERR_USAGE, "'%.64s' is not taken here", name);
	return best ? err_hint(e, "did you mean '%s'?", best) : -1;
}

static bool among(const char *choices, const char *text)
{
	size_t n = strlen(text);

	for (const char *p = choices; *p; p += strcspn(p, "|"), p += *p == '|')
		if (strcspn(p, "|") == n && memcmp(p, text, n) == 0)
			return n > 0;
	return false;
}

static int check(const struct api_param *p, const char *text, struct err *e)
{
	struct calendar_time t;
	int64_t n;

	switch (p->type) {
	case API_TEXT:
		if (text[0] != '\0' && strlen(text) <= API_TEXT_MAX)
			return 0;
		return err_set(e, ERR_USAGE, "%s: 1 to %d bytes", p->name, API_TEXT_MAX);
	case API_COUNT:
		n = api_uri_number(text);
		if (n >= 1 && n <= p->max)
			return 0;
		return err_set(e, ERR_USAGE, "%s: a number from 1 to %u", p->name, p->max);
	case API_NUMBER:
		if (api_uri_number(text) >= 1)
			return 0;
		return err_set(e, ERR_USAGE, "%s: a number from 1", p->name);
	case API_TIME:
		return calendar_parse_time(text, &t, e) == 0 ? 0 : err_wrap(e, "%s", p->name);
	case API_CHOICE:
		if (among(p->choices, text))
			return 0;
		err_set(e, ERR_USAGE, "%s: '%.64s' is not among them", p->name, text);
		return err_hint(e, "there are: %s", p->choices);
	}
	return -1;
}

static int take(
    struct api_call *c, enum api_place in, const char *name, const char *text, struct err *e)
{
	size_t at;
	const struct api_param *p = param(c->route, name, &at);

	if (p == NULL || p->in != in)
		return unknown(c->route, name, e);
	c->value[at] = text;
	return check(p, text, e);
}

/* Texts and whole numbers; nothing of ours is made of more. */
static int take_member(struct api_call *c, const char *name, const json_t *j, struct err *e)
{
	size_t at;

	if (json_is_string(j))
		return take(c, API_IN_BODY, name, json_string_value(j), e);
	if (!json_is_integer(j) || param(c->route, name, &at) == NULL)
		return err_set(e, ERR_USAGE, "the body: '%.64s' has to be a text", name);
	snprintf(c->number[at], sizeof c->number[at], "%lld", (long long)json_integer_value(j));
	return take(c, API_IN_BODY, name, c->number[at], e);
}

static int bind_body(struct api_call *c, struct span body, struct err *e)
{
	json_error_t why;
	const char *name;
	json_t *j;

	size_t blanks = 0;

	while (blanks < body.n && strchr(" \t\r\n", body.p[blanks]) != NULL && body.p[blanks])
		blanks++;
	if (blanks == body.n)
		return 0;
	c->body = json_loadb((const char *)body.p, body.n, JSON_REJECT_DUPLICATES, &why);
	if (c->body == NULL)
		return err_set(e, ERR_USAGE, "the body is no JSON: line %d, column %d: %s",
		    why.line, why.column, why.text);
	if (!json_is_object(c->body))
		return err_set(e, ERR_USAGE, "the body has to be a JSON object");
	json_object_foreach(c->body, name, j)
	{
		if (strcmp(name, "schema") == 0 && json_integer_value(j) == 1)
			continue;
		if (take_member(c, name, j, e) == -1)
			return -1;
	}
	return 0;
}

int api_route_bind(struct api_call *c, const struct api_uri *u, struct span body, struct err *e)
{
	for (size_t i = 0; i < API_PARAMS_MAX && c->route->params[i].name != NULL; i++)
		if (c->value[i] != NULL && check(&c->route->params[i], c->value[i], e) == -1)
			return -1;
	for (size_t i = 0; i < u->nquery; i++)
		if (take(c, API_IN_QUERY, u->query[i].name, u->query[i].value, e) == -1)
			return -1;
	return bind_body(c, body, e);
}

const char *api_value(const struct api_call *c, const char *name)
{
	size_t at;

	return param(c->route, name, &at) ? c->value[at] : NULL;
}

int64_t api_value_number(const struct api_call *c, const char *name)
{
	const char *text = api_value(c, name);

	return text ? api_uri_number(text) : 0;
}
