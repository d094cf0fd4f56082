/* cli_drill: see cli_drill.h. */
#include "cli/cli_drill.h"

#include <string.h>

#include "base/calendar.h"
#include "cli/cli_out.h"

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static double real(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

const char *drill_point_name(int point)
{
	static const char *const names[] = {
	    NULL, "full", "incremental", "differential", "pitr", "latest", "oldest"};

	return names[point];
}

bool drill_is(const json_t *item)
{
	return json_is_object(json_object_get(item, "rto")) &&
	       json_is_string(json_object_get(item, "verdict"));
}

json_t *drill_item(const json_t *record)
{
	const json_t *measured = json_object_get(record, "measured");
	bool failed = strcmp(text(record, "verdict"), "failed") == 0;
	json_t *o = json_object();

	json_object_set_new(o, "verified", json_string(failed ? "failed" : "passed"));
	json_object_update(o, (json_t *)record);
	json_object_del(o, "type");
	json_object_del(o, "key");
	json_object_set(o, "bytes", json_object_get(measured, "bytes"));
	return o;
}

/* ---- As text. */

static void show_objective(struct cli *c, const json_t *record, const char *key, const char *what)
{
	const json_t *o = json_object_get(record, key);
	const char *met = text(o, "met");
	char a[32], b[32], d[32];

	if (json_is_null(json_object_get(o, "seconds")))
		return;
	out_text(c, "  %s %s", what, text_seconds(a, real(o, "seconds")));
	if (strcmp(met, "not_promised") == 0 || strcmp(met, "not_judged") == 0)
		out_text(c, " (%s; %s)\n", text(o, "basis"),
		    strcmp(met, "not_promised") == 0 ? "nothing is promised" : "not judged");
	else
		out_text(c, " (%s); promised %s, borne %s: %s\n", text(o, "basis"),
		    text_seconds(b, real(o, "target")),
		    text_seconds(
			d, real(o, "acceptable") > 0 ? real(o, "acceptable") : real(o, "target")),
		    met);
}

static void show_steps(struct cli *c, const json_t *list)
{
	size_t i;
	json_t *s;
	char a[32];

	json_array_foreach(list, i, s) out_text(c, "%s%s %s%s", i ? ", " : "  ", text(s, "name"),
	    text_seconds(a, real(s, "seconds")),
	    strcmp(text(s, "outcome"), "failed") == 0 ? " (failed)" : "");
	out_text(c, "\n");
	json_array_foreach(list, i, s) if (text(s, "note")[0])
	    out_text(c, "  %s: %s\n", text(s, "name"), out_str(c, text(s, "note")));
}

static void show_assertions(struct cli *c, const json_t *list)
{
	size_t i, held = 0;
	json_t *a;

	json_array_foreach(list, i, a)
	{
		held += strcmp(text(a, "state"), "passed") == 0;
		if (strcmp(text(a, "state"), "failed") == 0)
			out_text(c, "  -%.3f  %s%s: %s: %s\n", real(a, "deduction"),
			    text(a, "name"),
			    json_is_true(json_object_get(a, "critical")) ? " (critical)" : "",
			    out_str(c, text(a, "says")), out_str(c, text(a, "why")));
	}
	out_text(c, "  %zu %s held\n", held, text_plural(held, "assertion", "assertions"));
}

static void show_isolation(struct cli *c, const json_t *list)
{
	size_t i;
	json_t *s;

	json_array_foreach(list, i, s)
	    out_text(c, "%s%s", i ? "; " : "  isolation: ", json_string_value(s));
	out_text(c, "%s", json_array_size(list) ? "\n" : "");
}

void drill_show(struct cli *c, const json_t *o)
{
	char when[CALENDAR_TEXT] = "", a[32];
	struct calendar_time t;
	struct err ignored;

	if (calendar_parse_time(text(o, "point"), &t, &ignored) == 0)
		calendar_format_local(when, t.ns);
	out_text(c, "%s from %s: %s, score %.3f (%s, snapshot %.8s%s%s)\n",
	    out_str(c, text(o, "system")), out_str(c, text(o, "repository")), text(o, "verdict"),
	    real(o, "score"), text(o, "level"), text(o, "snapshot"), when[0] ? ", back to " : "",
	    when);
	if (text(o, "reason")[0])
		out_text(c, "  %s\n", out_str(c, text(o, "reason")));
	if (text(o, "pitr_unproven")[0])
		out_text(c, "  no moment within its log is proven: %s\n",
		    out_str(c, text(o, "pitr_unproven")));
	show_steps(c, json_object_get(o, "steps"));
	show_objective(c, o, "rto", "recovery took");
	show_objective(c, o, "rpo", "lost would be");
	if (real(o, "predicted_rto") > 0)
		out_text(c, "  expected for as much again: %s\n",
		    text_seconds(a, real(o, "predicted_rto")));
	show_assertions(c, json_object_get(o, "assertions"));
	if (real(o, "assertions_more") > 0)
		out_text(c, "  %.0f more, for which the record has no room\n",
		    real(o, "assertions_more"));
	show_isolation(c, json_object_get(o, "isolation"));
	if (text(o, "kept")[0])
		out_text(c, "  kept in %s: remove it yourself\n", out_str(c, text(o, "kept")));
	if (text(o, "id")[0])
		out_text(c, "  record %s\n", text(o, "id"));
}

/* ---- Into the catalog. */

int drill_measure(struct catalog *cat, const json_t *o, int64_t at_ns, struct err *e)
{
	const struct {
		const json_t *of;
		const char *key, *name;
	} rows[] = {{o, "score", "drill.score"},
	    {o, "predicted_rto", "drill.predicted_rto_seconds"},
	    {json_object_get(o, "rto"), "seconds", "drill.rto_seconds"},
	    {json_object_get(o, "rpo"), "seconds", "drill.rpo_seconds"}};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const json_t *v = json_object_get(rows[i].of, rows[i].key);

		if (json_is_number(v) && catalog_measure(cat, text(o, "system"), rows[i].name,
					     at_ns, json_number_value(v), e) == -1)
			return -1;
	}
	return 0;
}
