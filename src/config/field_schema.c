/* field_schema: the tables as a JSON Schema (draft 2020-12), for editors. */
#include "config/field.h"

#include <string.h>

#define RATE   "^[0-9]+([kKMGTPE](i?B)?|B)?(/s)?$"
#define SIZE   "^[0-9]+ ?([kKMGTPE](i?B)?|B)?$"
#define LENGTH "^([0-9]+(ms|s|m|h|d|w|mo|y))+$"
#define WINDOW "^([a-z,-]+ +)?[0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2}$"
#define SECRET "^(file:/|env:.|command:.|credential:[^./])"

static json_t *typed(const char *type)
{
	return json_pack("{s:s}", "type", type);
}

static json_t *pattern(const char *p)
{
	return json_pack("{s:s, s:s}", "type", "string", "pattern", p);
}

static json_t *any_of(json_t *a, json_t *b)
{
	return json_pack("{s:[o, o]}", "anyOf", a, b);
}

static json_t *choice(const struct field *f)
{
	json_t *list = json_array();

	for (const char *p = f->choices; *p != '\0';) {
		size_t n = strcspn(p, "|");

		json_array_append_new(list, json_stringn(p, n));
		p += n + (p[n] == '|');
	}
	return json_pack("{s:o}", "enum", list);
}

static json_t *number(void)
{
	return json_pack("{s:s, s:i, s:i}", "type", "integer", "minimum", 0, "maximum", 1000000000);
}

/* A bare number of KiB/s is one of JSON too. */
static json_t *rate(void)
{
	return any_of(pattern(RATE), json_pack("{s:s, s:i}", "type", "integer", "minimum", 0));
}

/* A mapping of one of two names to a text. */
static json_t *one_key(const char *a, const char *b)
{
	return json_pack("{s:s, s:{s:o, s:o}, s:b, s:i, s:i}", "type", "object", "properties", a,
	    typed("string"), b, typed("string"), "additionalProperties", 0, "minProperties", 1,
	    "maxProperties", 1);
}

static json_t *of_type(const struct field *f)
{
	switch (f->type) {
	case FIELD_TEXT:
		return typed("string");
	case FIELD_TEXTS:
		return any_of(typed("string"),
		    json_pack("{s:s, s:o}", "type", "array", "items", typed("string")));
	case FIELD_PAIRS:
		return json_pack("{s:s, s:{s:[s, s, s]}}", "type", "object", "additionalProperties",
		    "type", "string", "number", "boolean");
	case FIELD_CHOICE:
		return choice(f);
	case FIELD_FLAG:
		return typed("boolean");
	case FIELD_COUNT:
		return number();
	case FIELD_DURATION:
		return pattern(LENGTH);
	case FIELD_SIZE:
		return any_of(
		    pattern(SIZE), json_pack("{s:s, s:i}", "type", "integer", "minimum", 0));
	case FIELD_PERCENT:
		return json_pack(
		    "{s:s, s:i, s:i}", "type", "number", "exclusiveMinimum", 0, "maximum", 100);
	case FIELD_SCHEDULE:
		return any_of(typed("string"), one_key("every", "cron"));
	case FIELD_WINDOWS:
		return any_of(pattern(WINDOW),
		    json_pack("{s:s, s:o}", "type", "array", "items", pattern(WINDOW)));
	case FIELD_RATES:
		return any_of(rate(),
		    json_pack("{s:s, s:o}", "type", "object", "additionalProperties", rate()));
	case FIELD_SECRET:
		return pattern(SECRET);
	case FIELD_STRUCT:
		return field_schema(f->of);
	case FIELD_NAMED:
		return json_pack(
		    "{s:s, s:o}", "type", "object", "additionalProperties", field_schema(f->of));
	case FIELD_LIST:
		return json_pack("{s:s, s:o}", "type", "array", "items", field_schema(f->of));
	case FIELD_LATER:
		break;
	}
	return json_object();
}

json_t *field_schema(const struct field_table *t)
{
	json_t *keys = json_object(), *required = json_array(), *o;

	for (const struct field *f = t->rows; f->name != NULL; f++) {
		json_t *one;

		if (f->type == FIELD_LATER)
			continue; /* an editor is to mark it, as config check does */
		one = of_type(f);
		json_object_set_new(one, "description", json_string(f->help));
		json_object_set_new(keys, f->name, one);
		if (f->required)
			json_array_append_new(required, json_string(f->name));
	}
	o = json_pack(
	    "{s:s, s:b, s:o}", "type", "object", "additionalProperties", 0, "properties", keys);
	if (json_array_size(required) > 0)
		json_object_set_new(o, "required", required);
	else
		json_decref(required);
	return o;
}
