/* store_options: see store_options.h. */
#include "store/store_options.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "base/mem.h"

#define AT(member) offsetof(struct store_far, member)

const struct store_option store_far_options[] = {
    {"connect-timeout", STORE_OPTION_TIME, AT(connect_ns), NULL,
	"how long a connection may take (15s)"},
    {"stall-timeout", STORE_OPTION_TIME, AT(stall_ns), NULL,
	"how long a request may stand still (60s)"},
    {"request-timeout", STORE_OPTION_TIME, AT(deadline_ns), NULL,
	"how long a request may take, on top of a second for each 4 KiB (5m)"},
    {"retries", STORE_OPTION_COUNT, AT(retries), NULL, "how often to try again what may help (8)"},
    {"connections", STORE_OPTION_COUNT, AT(connections), NULL, "how many requests at a time (16)"},
    {"ca-file", STORE_OPTION_TEXT, AT(ca_file), NULL,
	"certificates (PEM) to trust instead of the system's"},
};
const size_t store_far_options_n = sizeof store_far_options / sizeof *store_far_options;

static bool in_choices(const char *choices, const char *v)
{
	size_t n = strlen(v);

	for (const char *c = choices; *c;) {
		size_t k = strcspn(c, "|");

		if (k == n && memcmp(c, v, n) == 0)
			return true;
		c += k + (c[k] == '|');
	}
	return false;
}

static int set_time(int64_t *at, const char *v, struct err *e)
{
	struct calendar_duration d;

	if (calendar_parse_duration(v, &d, e) == -1)
		return -1;
	if (d.months || d.ns <= 0)
		return err_set(e, ERR_USAGE, "\"%s\" has no fixed length above zero", v);
	*at = d.ns;
	return 0;
}

static int set_count(int64_t *at, const char *v, struct err *e)
{
	char *end;
	long n = strtol(v, &end, 10);

	if (end == v || *end || n < 1 || n > 1000)
		return err_set(e, ERR_USAGE, "\"%s\" is not a number from 1 to 1000", v);
	*at = n;
	return 0;
}

static int set_flag(bool *at, const char *v, struct err *e)
{
	if (!in_choices("true|false|1|0", v))
		return err_set(e, ERR_USAGE, "\"%s\" is neither true nor false", v);
	*at = *v == 't' || *v == '1';
	return 0;
}

static int set(const struct store_option *o, void *at, const char *v, struct err *e)
{
	switch (o->type) {
	case STORE_OPTION_CHOICE:
		if (!in_choices(o->choices, v))
			return err_set(e, ERR_USAGE, "\"%s\" is none of %s", v, o->choices);
		break;
	case STORE_OPTION_TIME:
		return set_time(at, v, e);
	case STORE_OPTION_COUNT:
		return set_count(at, v, e);
	case STORE_OPTION_FLAG:
		return set_flag(at, v, e);
	case STORE_OPTION_TEXT:
		/* It may end up in a header: a line of its own would be another one. */
		for (const char *c = v; *c; c++)
			if (iscntrl((unsigned char)*c))
				return err_set(e, ERR_USAGE, "a control character is in it");
		break;
	}
	*(const char **)at = v;
	return 0;
}

static void variable_of(const struct store_option *o, char out[64])
{
	int n = snprintf(out, 64, "HOLDFAST_%s", o->name);

	for (int i = 0; i < n && i < 63; i++)
		out[i] = out[i] == '-' || out[i] == '.' ? '_'
							: (char)toupper((unsigned char)out[i]);
}

/* The value, if this text is for that option. */
static const char *value_for(const struct store_option *o, const char *text)
{
	size_t n = strlen(o->name);

	return strncmp(text, o->name, n) == 0 && text[n] == '=' ? text + n + 1 : NULL;
}

int store_options_read(const struct store_option *table, size_t n, const struct store_given *given,
    void *out, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		const struct store_option *o = &table[i];
		char variable[64];
		const char *v;

		variable_of(o, variable);
		v = getenv(variable);
		if (v && *v && set(o, (char *)out + o->at, v, e) == -1)
			return err_wrap(e, "%s", variable);
		for (size_t k = 0; given && k < given->n; k++)
			if ((v = value_for(o, given->v[k])) &&
			    set(o, (char *)out + o->at, v, e) == -1)
				return err_wrap(e, "-o %s", o->name);
	}
	return 0;
}

static bool known(const struct store_option *table, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (value_for(&table[i], text))
			return true;
	return false;
}

static void add_names(char *out, size_t size, const struct store_option *table, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t at = strlen(out);

		snprintf(out + at, size - at, "%s%s", at ? ", " : "", table[i].name);
	}
}

int store_options_known(
    const struct store_option *table, size_t n, const struct store_given *given, struct err *e)
{
	for (size_t k = 0; given && k < given->n; k++) {
		const char *text = given->v[k];
		char names[ERR_HINT_MAX] = "";

		if (known(table, n, text) || known(store_far_options, store_far_options_n, text))
			continue;
		add_names(names, sizeof names, table, n);
		add_names(names, sizeof names, store_far_options, store_far_options_n);
		/* Its value may be a secret put in the wrong place. */
		err_set(e, ERR_USAGE, "-o %.*s: this store has no such option",
		    (int)strcspn(text, "="), text);
		return err_hint(e, "NAME=VALUE, with one of: %s", names);
	}
	return 0;
}

int store_options_check(
    const struct store_option_table *t, const struct store_given *given, struct err *e)
{
	void *scratch = mem_zalloc(t->size);
	struct store_far far = {0};
	int rc = 0;

	if (store_options_known(t->v, t->n, given, e) == -1 ||
	    store_options_read(t->v, t->n, given, scratch, e) == -1 ||
	    store_options_read(store_far_options, store_far_options_n, given, &far, e) == -1)
		rc = -1;
	free(scratch);
	return rc;
}
