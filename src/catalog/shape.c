/* shape: see shape.h. */
#include "catalog/shape.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "base/hex.h"
#include "base/mem.h"
#include "catalog/catalog.h"

/* A text of the catalog may be of anybody: what is no UTF-8 is shown as '?'. */
static json_t *text_json(const char *s)
{
	json_t *j;
	char *clean;

	if (s == NULL)
		return json_null();
	if (utf8_valid(span_str(s)))
		return json_string(s);
	clean = mem_strdup(s);
	for (char *p = clean; *p; p++)
		if (*p & 0x80)
			*p = '?';
	j = json_string(clean);
	free(clean);
	return j;
}

static json_t *number_json(enum shape_type type, const void *p)
{
	char text[CALENDAR_TEXT];
	int64_t i = 0;

	if (type == SHAPE_TIME || type == SHAPE_SECONDS || type == SHAPE_I64 || type == SHAPE_ID)
		i = *(const int64_t *)p;
	switch (type) {
	case SHAPE_TIME:
		return i ? json_string(calendar_format_utc(text, i)) : json_null();
	case SHAPE_SECONDS:
		return i < 0 ? json_null() : json_real((double)i / 1e9);
	case SHAPE_ID:
		return i ? json_integer(i) : json_null();
	case SHAPE_U64:
		return json_integer((json_int_t) * (const uint64_t *)p);
	case SHAPE_SCORE:
		return *(const double *)p < 0 ? json_null() : json_real(*(const double *)p);
	case SHAPE_INT:
		return json_integer(*(const int *)p);
	case SHAPE_UINT:
		return json_integer(*(const unsigned *)p);
	default:
		return json_integer(i);
	}
}

static json_t *field_json(const struct shape_field *f, const void *p)
{
	enum run_status status;

	switch (f->type) {
	case SHAPE_TEXT:
		return text_json(*(const char *const *)p);
	case SHAPE_BOOL:
		return json_boolean(*(const bool *)p);
	case SHAPE_STATUS:
		status = *(const enum run_status *)p;
		return status ? json_string(run_status_name(status)) : json_null();
	default:
		return number_json(f->type, p);
	}
}

static json_t *took_json(int64_t since, int64_t at)
{
	return since && at ? json_real((double)(at - since) / 1e9) : json_null();
}

json_t *shape_json_of(const struct shape *s, const void *value, uint64_t fields)
{
	const char *v = value;
	json_t *o = json_object();

	for (const struct shape_field *f = s->fields; f->name != NULL; f++, fields >>= 1)
		if (fields & 1)
			json_object_set_new(o, f->name,
			    f->type == SHAPE_TOOK ? took_json(*(const int64_t *)(v + f->since),
							*(const int64_t *)(v + f->at))
						  : field_json(f, v + f->at));
	return o;
}

json_t *shape_json(const struct shape *s, const void *value)
{
	return shape_json_of(s, value, SHAPE_ALL);
}

/* The bit of the name at p, or 0. */
static uint64_t field_bit(const struct shape *s, const char *p, size_t n)
{
	for (size_t i = 0; s->fields[i].name != NULL; i++)
		if (strlen(s->fields[i].name) == n && memcmp(s->fields[i].name, p, n) == 0)
			return UINT64_C(1) << i;
	return 0;
}

uint64_t shape_fields(const struct shape *s, const char *names, struct err *e)
{
	uint64_t fields = 0, bit;

	for (const char *p = names; p != NULL && *p; p += strcspn(p, ","), p += *p == ',') {
		bit = field_bit(s, p, strcspn(p, ","));
		if (bit == 0) {
			err_set(
			    e, ERR_USAGE, "a %s has no '%.*s'", s->name, (int)strcspn(p, ","), p);
			return 0;
		}
		fields |= bit;
	}
	return names ? fields : SHAPE_ALL;
}

/* ---- And back. */

static int64_t time_of(const json_t *j)
{
	struct calendar_time t;
	struct err ignored;

	return json_is_string(j) && calendar_parse_time(json_string_value(j), &t, &ignored) == 0
		   ? t.ns
		   : 0;
}

static void read_field(const struct shape_field *f, const json_t *j, void *p)
{
	json_int_t i = json_integer_value(j);

	switch (f->type) {
	case SHAPE_TEXT:
		*(const char **)p = json_string_value(j);
		return;
	case SHAPE_BOOL:
		*(bool *)p = json_is_true(j);
		return;
	case SHAPE_INT:
		*(int *)p = i >= INT_MIN && i <= INT_MAX ? (int)i : 0;
		return;
	case SHAPE_UINT:
		*(unsigned *)p = i >= 0 && i <= UINT_MAX ? (unsigned)i : 0;
		return;
	case SHAPE_I64:
	case SHAPE_ID:
		*(int64_t *)p = i;
		return;
	case SHAPE_U64:
		*(uint64_t *)p = i > 0 ? (uint64_t)i : 0;
		return;
	case SHAPE_SCORE:
		*(double *)p = json_is_number(j) ? json_number_value(j) : -1;
		return;
	case SHAPE_TIME:
		*(int64_t *)p = time_of(j);
		return;
	case SHAPE_SECONDS: /* of a century at most: it fits an integer */
		*(int64_t *)p = json_is_number(j) && json_number_value(j) < 4e9
				    ? (int64_t)(json_number_value(j) * 1e9 + 0.5)
				    : -1;
		return;
	case SHAPE_STATUS:
		*(enum run_status *)p = json_is_string(j) ? run_status_of(json_string_value(j)) : 0;
		return;
	case SHAPE_TOOK: /* of the times beside it */
		return;
	}
}

void shape_read(const struct shape *s, const json_t *o, void *value)
{
	for (const struct shape_field *f = s->fields; f->name != NULL; f++)
		read_field(f, json_object_get(o, f->name), (char *)value + f->at);
}

/* ---- The same as a schema. */

static json_t *field_schema_of(const struct shape_field *f)
{
	static const struct {
		const char *type, *format;
		bool null;
	} row[] = {
	    [SHAPE_TEXT] = {"string", NULL, true},
	    [SHAPE_BOOL] = {"boolean", NULL, false},
	    [SHAPE_INT] = {"integer", NULL, false},
	    [SHAPE_UINT] = {"integer", NULL, false},
	    [SHAPE_I64] = {"integer", "int64", false},
	    [SHAPE_ID] = {"integer", "int64", true},
	    [SHAPE_U64] = {"integer", "int64", false},
	    [SHAPE_SCORE] = {"number", NULL, true},
	    [SHAPE_TIME] = {"string", "date-time", true},
	    [SHAPE_SECONDS] = {"number", NULL, true},
	    [SHAPE_TOOK] = {"number", NULL, true},
	    [SHAPE_STATUS] = {"string", NULL, true},
	};
	json_t *o = json_object();

	if (row[f->type].null)
		json_object_set_new(o, "type", json_pack("[s, s]", row[f->type].type, "null"));
	else
		json_object_set_new(o, "type", json_string(row[f->type].type));
	if (row[f->type].format != NULL)
		json_object_set_new(o, "format", json_string(row[f->type].format));
	if (f->type == SHAPE_STATUS) {
		json_t *names = json_pack("[n]");

		for (int i = 1; i < RUN_STATUSES; i++)
			json_array_append_new(
			    names, json_string(run_status_name((enum run_status)i)));
		json_object_set_new(o, "enum", names);
	}
	json_object_set_new(o, "description", json_string(f->help));
	return o;
}

json_t *shape_schema(const struct shape *s)
{
	json_t *properties = json_object(), *required = json_array();

	for (const struct shape_field *f = s->fields; f->name != NULL; f++) {
		json_object_set_new(properties, f->name, field_schema_of(f));
		json_array_append_new(required, json_string(f->name));
	}
	return json_pack(
	    "{s:s, s:o, s:o}", "type", "object", "required", required, "properties", properties);
}
