/* status: the declared repositories and systems, as they are now. */
#include "cli/cli_survey.h"

#include <stdio.h>

static const char *when(char out[CALENDAR_TEXT], int64_t ns)
{
	return ns ? calendar_format_local(out, ns) : "never";
}

static const char *proven(char out[CALENDAR_TEXT + 16], const struct proof *p, const char *bad)
{
	char t[CALENDAR_TEXT];

	if (!p->known)
		return "never";
	snprintf(out, CALENDAR_TEXT + 16, "%.19s%s%s", calendar_format_local(t, p->when_ns),
	    p->problems ? " " : "", p->problems ? bad : "");
	return out;
}

static void places_text(struct cli *c, const struct survey *s)
{
	struct text_table t = {.align = "<<<<<<<", .ncols = 7, .head = true};
	struct buf b = {0};

	text_row(&t, (const char *const[]){"Repository", "Role", "Location", "Media",
			 "Newest snapshot", "Checked", "Tamper test"});
	for (size_t i = 0; i < s->n; i++) {
		const struct rules_place *p = &s->places[i];
		char a[CALENDAR_TEXT], d[CALENDAR_TEXT + 16], f[CALENDAR_TEXT + 16];

		text_row(&t, (const char *const[]){p->name, p->role,
				 p->location ? p->location : "?", p->media,
				 p->open || p->seen_ns ? when(a, p->newest_ns) : "CANNOT BE OPENED",
				 p->open || p->seen_ns ? proven(d, &p->check, "DAMAGED") : "",
				 p->open ? proven(f, &p->tamper, "FAILED") : ""});
	}
	text_table_put(&b, &t);
	out_list(c, "%s", buf_cstr(&b));
	for (size_t i = 0; i < s->n; i++)
		if (s->places[i].seen_ns)
			out_list(c, "%s: offline, as it was seen on %s\n", s->places[i].name,
			    when((char[CALENDAR_TEXT]){0}, s->places[i].seen_ns));
		else if (!s->places[i].open)
			out_list(c, "%s\n", out_str(c, s->places[i].why_not));
	buf_fini(&b);
	text_table_fini(&t);
}

static size_t copies_of(const struct survey *s, const struct survey_system *x, int64_t *newest)
{
	size_t n = 0;

	*newest = 0;
	for (size_t i = 0; i < s->n; i++) {
		n += (s->places[i].open || s->places[i].seen_ns) && x->newest_ns[i] != 0;
		if (x->newest_ns[i] > *newest)
			*newest = x->newest_ns[i];
	}
	return n;
}

static void systems_text(struct cli *c, const struct survey *s)
{
	struct text_table t = {.align = "<<><", .ncols = 4, .head = true};
	struct buf b = {0};

	text_row(&t, (const char *const[]){"System", "Newest snapshot", "Copies", "Missed"});
	for (size_t i = 0; i < s->nsystems; i++) {
		const struct survey_system *x = &s->systems[i];
		struct buf missed = {0};
		char a[CALENDAR_TEXT], n[32];
		int64_t newest;

		text_count(n, copies_of(s, x, &newest));
		for (int r = 0; r < RULE_COUNT; r++)
			if (!x->verdicts[r].kept)
				buf_printf(&missed, "%s%s", missed.n ? ", " : "",
				    rules_name((enum rule)r));
		text_row(&t, (const char *const[]){x->rules.name ? x->rules.name : "(all)",
				 when(a, newest), n, missed.n ? buf_cstr(&missed) : "nothing"});
		buf_fini(&missed);
	}
	text_table_put(&b, &t);
	out_list(c, "\n%s", buf_cstr(&b));
	buf_fini(&b);
	text_table_fini(&t);
}

static json_t *proof_json(const struct proof *p)
{
	json_t *o;

	if (!p->known)
		return json_null();
	o = json_object();
	out_json_time(o, "time", p->when_ns);
	out_json_u64(o, "problems", p->problems);
	return o;
}

static void put_time(json_t *o, const char *key, int64_t ns)
{
	if (ns)
		out_json_time(o, key, ns);
	else
		out_json_str(o, key, NULL);
}

static void print_json(struct cli *c, const struct survey *s)
{
	json_t *o, *places = json_array(), *systems = json_array();

	for (size_t i = 0; i < s->n; i++) {
		const struct rules_place *p = &s->places[i];

		o = json_object();
		out_json_str(o, "name", p->name);
		out_json_str(o, "role", p->role[0] ? p->role : NULL);
		out_json_str(o, "location", p->location);
		out_json_str(o, "media", p->media);
		out_json_str(o, "error", p->why_not);
		put_time(o, "seen", p->seen_ns);
		put_time(o, "newest", p->newest_ns);
		json_object_set_new(o, "check", proof_json(&p->check));
		json_object_set_new(o, "tamper", proof_json(&p->tamper));
		json_array_append_new(places, o);
	}
	for (size_t i = 0; i < s->nsystems; i++) {
		const struct survey_system *x = &s->systems[i];
		int64_t newest;

		o = json_object();
		out_json_str(o, "name", x->rules.name);
		out_json_u64(o, "copies", copies_of(s, x, &newest));
		put_time(o, "newest", newest);
		json_array_append_new(systems, o);
	}
	survey_rules_json(c, s);
	o = json_object();
	json_object_set_new(o, "repositories", places);
	json_object_set_new(o, "systems", systems);
	out_json_u64(o, "missed", s->missed);
	out_json(c, "summary", o);
}

int cmd_status(struct cli *c, struct err *e)
{
	struct survey *s;
	int rc;

	if (survey_new(c, &s, e) == -1)
		return -1;
	if (c->out.json) {
		print_json(c, s);
	} else {
		places_text(c, s);
		systems_text(c, s);
	}
	rc = survey_result(s, "status", e);
	survey_free(s);
	return rc;
}
