/*
 * drill_fit: a record is one line of evidence, which has a greatest length.  What matters least
 * goes first: the ends of long texts, the smallest tables, most of the texts, then all tables, and
 * at last assertions, those that held before the others.
 */
#include "engine/drill_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { RECORD_MOST = 56000, TABLES_MOST = 200, TABLES_SOME = 20, TEXT_MOST = 240, TEXT_LEAST = 30 };

static bool fits(const json_t *record)
{
	char *text = json_dumps(record, JSON_COMPACT | JSON_ENSURE_ASCII);
	bool all = text != NULL && strlen(text) <= RECORD_MOST;

	free(text);
	return all;
}

/* ---- Tables. */

static double bytes_of(const json_t *o)
{
	return json_number_value(json_object_get(o, "bytes"));
}

static int by_size(const void *a, const void *b)
{
	double x = bytes_of(*(json_t *const *)a), y = bytes_of(*(json_t *const *)b);

	return (x < y) - (x > y);
}

/* The largest tables only; how many there are besides is said. */
static void cut_tables(json_t *database, size_t most)
{
	json_t *tables = json_object_get(database, "tables"), *fewer = json_array();
	size_t n = json_array_size(tables);
	json_int_t more = json_integer_value(json_object_get(database, "tables_more"));
	json_t **v;

	if (n <= most) {
		json_decref(fewer);
		return;
	}
	v = mem_alloc(n * sizeof *v);
	for (size_t i = 0; i < n; i++)
		v[i] = json_array_get(tables, i);
	qsort(v, n, sizeof *v, by_size);
	for (size_t i = 0; i < most; i++)
		json_array_append(fewer, v[i]);
	free(v);
	json_object_set_new(database, "tables", fewer);
	json_object_set_new(database, "tables_more", json_integer(more + (json_int_t)(n - most)));
}

static void cut_source(json_t *pg, size_t most)
{
	json_t *database;
	size_t i;

	json_object_del(pg, "settings");
	json_array_foreach(json_object_get(pg, "databases"), i, database)
	    cut_tables(database, most);
}

static void cut_facts(json_t *record, size_t least)
{
	json_t *facts = json_object_get(record, "facts"), *one;
	const char *name;

	for (size_t most = TABLES_MOST; most >= least && !fits(record); most /= 2) {
		cut_source(json_object_get(facts, "postgresql"), most);
		json_object_foreach(json_object_get(facts, "sources"), name, one)
		    cut_source(one, most);
	}
}

static void drop_facts(json_t *record)
{
	json_t *facts = json_object_get(record, "facts");

	json_object_del(facts, "postgresql");
	json_object_del(facts, "sources");
	json_object_set_new(record, "facts_cut", json_true());
}

/* ---- Texts. */

static void cut_text(json_t *o, const char *name, size_t most)
{
	const char *s = json_string_value(json_object_get(o, name));
	char *cut;

	if (s == NULL || strlen(s) <= most)
		return;
	while (most > 0 && ((uint8_t)s[most] & 0xc0) == 0x80) /* within a character */
		most--;
	cut = mem_printf("%.*s...", (int)most, s);
	json_object_set_new(o, name, json_string(cut));
	free(cut);
}

static void cut_texts(json_t *record, size_t most)
{
	json_t *o, *failed, *text;
	const char *name;
	void *next;
	size_t i;

	json_array_foreach(json_object_get(record, "assertions"), i, o)
	{
		cut_text(o, "why", most);
		cut_text(o, "says", most);
	}
	json_array_foreach(json_object_get(record, "sources"), i, o)
	{
		failed = json_object_get(o, "failed");
		json_object_foreach_safe(failed, next, name, text) cut_text(failed, name, most);
	}
}

/* ---- Assertions, the last first. */

static bool failed(const json_t *assertion)
{
	const char *s = json_string_value(json_object_get(assertion, "state"));

	return s != NULL && strcmp(s, "failed") == 0;
}

static void drop(json_t *record, bool broken, json_int_t *more)
{
	json_t *list = json_object_get(record, "assertions");

	for (size_t i = json_array_size(list), n = 0; i-- > DRILL_RULES;) {
		if (failed(json_array_get(list, i)) != broken)
			continue;
		json_array_remove(list, i);
		json_object_set_new(record, "assertions_more", json_integer(++*more));
		if (++n % 32 == 0 && fits(record))
			return;
	}
}

void drill_fit(json_t *record)
{
	json_int_t more = 0;

	if (!fits(record))
		cut_texts(record, TEXT_MOST);
	cut_facts(record, TABLES_SOME);
	for (size_t most = TEXT_MOST / 2; most >= TEXT_LEAST && !fits(record); most /= 2)
		cut_texts(record, most);
	cut_facts(record, 1);
	if (!fits(record))
		drop_facts(record);
	for (int broken = 0; broken < 2 && !fits(record); broken++)
		drop(record, broken, &more);
}
