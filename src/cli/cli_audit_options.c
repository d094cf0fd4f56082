/* cli_audit_options: what was asked for on the command line, as a record may hold it. */
#include "cli/cli_audit.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/cli_out.h"

enum { WORDS_MAX = 100, WORD_MAX = 1000 };

/* "ftp://user:secret@host" without the secret.  Of others' URLs only this form can hold one. */
char *audit_clean(const char *text)
{
	char *out = mem_strndup(text, WORD_MAX), *at = strstr(out, "://");
	char *end, *colon;

	if (at == NULL)
		return out;
	at += 3;
	end = at + strcspn(at, "/?# ");
	while (end > at && *end != '@')
		end--;
	colon = memchr(at, ':', (size_t)(end - at));
	if (*end == '@' && colon != NULL)
		memmove(colon, end, strlen(end) + 1);
	/* A token in a query is as good as a password. */
	if ((end = strchr(at, '?')) != NULL)
		*end = '\0';
	return out;
}

static json_t *clean(const char *text)
{
	json_t *o = json_object(), *v;
	char *s = audit_clean(text);

	out_json_str(o, "v", s);
	v = json_incref(json_object_get(o, "v"));
	json_decref(o);
	free(s);
	return v;
}

static json_t *words(const char *const *v, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n && i < WORDS_MAX; i++)
		json_array_append_new(list, clean(v[i]));
	if (n > WORDS_MAX)
		json_array_append_new(list, json_string("..."));
	return list;
}

json_t *audit_arguments(const struct cli *c)
{
	return words(c->args.v, c->args.n);
}

static json_t *choice(const char *choices, int at)
{
	for (; at > 1 && *choices; at--)
		choices += strcspn(choices, "|") + 1;
	return json_stringn(choices, strcspn(choices, "|"));
}

static json_t *duration(const struct calendar_duration *d)
{
	char text[64];

	if (d->months == 0)
		snprintf(text, sizeof text, "%llds", (long long)(d->ns / CALENDAR_SECOND));
	else
		snprintf(text, sizeof text, "%llds and %lld months",
		    (long long)(d->ns / CALENDAR_SECOND), (long long)d->months);
	return d->ns || d->months ? json_string(text) : NULL;
}

static json_t *moment(const struct cli_time *t)
{
	char text[CALENDAR_TEXT];

	return t->set ? json_string(calendar_format_utc(text, t->t.ns)) : NULL;
}

/* NULL: it was not given, or says nothing about what is done. */
static json_t *value(const struct opt_def *o, const void *at)
{
	switch (o->type) {
	case OPT_FLAG:
		return *(const bool *)at ? json_true() : NULL;
	case OPT_STRING:
		return *(const char *const *)at ? clean(*(const char *const *)at) : NULL;
	case OPT_LIST: {
		const struct cli_list *l = at;

		return l->n ? words(l->v, l->n) : NULL;
	}
	case OPT_COUNT:
	case OPT_KEEP:
		return *(const int *)at ? json_integer(*(const int *)at) : NULL;
	case OPT_PERCENT:
		return *(const double *)at >= 0 ? json_real(*(const double *)at) : NULL;
	case OPT_CHOICE:
		return *(const int *)at ? choice(o->choices, *(const int *)at) : NULL;
	case OPT_DURATION:
	case OPT_WITHIN:
		return duration(at);
	case OPT_TIME:
		return moment(at);
	default:
		return NULL;
	}
}

/* A command line may hold what it prints. */
static bool is_secret(const struct opt_def *o)
{
	return strstr(o->name, "command") != NULL || o->flags & OPT_CRED_ENV;
}

json_t *audit_options(const struct cli *c)
{
	json_t *out = json_object();

	for (size_t i = 0; i < opt_count; i++) {
		const struct opt_def *o = &opt_table[i];
		json_t *v = NULL;

		if (opt_for(o, c->args.cmd->id) && !is_secret(o) &&
		    (o->group == OPT_MAIN || o->group == OPT_WHICH || o->group == OPT_KEEPING))
			v = value(o, (const char *)&c->opt + o->at);
		if (v != NULL)
			json_object_set_new(out, o->name, v);
	}
	return out;
}
