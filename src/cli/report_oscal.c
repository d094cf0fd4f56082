/* report_oscal: a drill as assessment results: each assertion an observation, the recovery a
 * finding. */
#include "cli/report.h"

#include <stdio.h>
#include <string.h>

#include "crypto/crypto.h"

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* The same for the same record, whoever makes it: version 5's shape, from SHA-256. */
static json_t *uuid(const json_t *record, const char *what)
{
	char in[300], out[37];
	uint8_t h[32];

	snprintf(in, sizeof in, "%.100s/%.150s", text(record, "id"), what);
	crypto_sha256(span_str(in), h);
	h[6] = (uint8_t)((h[6] & 0x0f) | 0x50);
	h[8] = (uint8_t)((h[8] & 0x3f) | 0x80);
	snprintf(out, sizeof out,
	    "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", h[0], h[1],
	    h[2], h[3], h[4], h[5], h[6], h[7], h[8], h[9], h[10], h[11], h[12], h[13], h[14],
	    h[15]);
	return json_string(out);
}

static void prop(json_t *list, const char *name, const char *value)
{
	if (value[0] != '\0')
		json_array_append_new(
		    list, json_pack("{s:s, s:s, s:s}", "name", name, "ns",
			      "https://holdfast.example/ns/oscal", "value", value));
}

static void prop_number(json_t *list, const char *name, const json_t *v)
{
	char t[40];

	if (!json_is_number(v))
		return;
	snprintf(t, sizeof t, "%.3f", json_number_value(v));
	prop(list, name, t);
}

static json_t *observation(const json_t *record, const json_t *a)
{
	json_t *props = json_array();

	prop(props, "assertion", text(a, "name"));
	prop(props, "state", text(a, "state"));
	return json_pack("{s:o, s:s, s:s, s:o, s:[s], s:s, s:s}", "uuid",
	    uuid(record, text(a, "name")), "title", text(a, "name"), "description",
	    text(a, "why")[0] ? text(a, "why") : text(a, "says"), "props", props, "methods", "TEST",
	    "collected", text(record, "ended"), "remarks", text(a, "says"));
}

static json_t *observations(const json_t *record)
{
	json_t *list = json_array(), *a;
	size_t i;

	json_array_foreach(json_object_get(record, "assertions"), i,
	    a) if (strcmp(text(a, "state"), "not_judged") != 0)
	    json_array_append_new(list, observation(record, a));
	return list;
}

static json_t *finding(const json_t *record, const json_t *seen, const char *control,
    const char *title, bool satisfied)
{
	json_t *related = json_array(), *o;
	char target[64];
	size_t i;

	snprintf(target, sizeof target, "%s_obj", control);
	json_array_foreach(seen, i, o) json_array_append_new(
	    related, json_pack("{s:O}", "observation-uuid", json_object_get(o, "uuid")));
	return json_pack("{s:o, s:s, s:s, s:{s:s, s:s, s:{s:s}}, s:o}", "uuid",
	    uuid(record, control), "title", title, "description",
	    text(record, "reason")[0] ? text(record, "reason")
				      : "the recovery was rehearsed and held",
	    "target", "type", "objective-id", "target-id", target, "status", "state",
	    satisfied ? "satisfied" : "not-satisfied", "related-observations", related);
}

static json_t *props_of(const json_t *record, const char *hash)
{
	static const char *const keys[] = {"id", "system", "repository", "snapshot", "kind",
	    "level", "host", "verdict", "point", "key", "signature"};
	json_t *list = json_array();

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		prop(list, keys[i], text(record, keys[i]));
	prop(list, "record-sha256", hash);
	prop_number(list, "score", json_object_get(record, "score"));
	prop_number(
	    list, "rto-seconds", json_object_get(json_object_get(record, "rto"), "seconds"));
	prop_number(
	    list, "rpo-seconds", json_object_get(json_object_get(record, "rpo"), "seconds"));
	return list;
}

json_t *report_oscal(const json_t *record, const char *hash)
{
	bool works = strcmp(text(record, "verdict"), "failed") != 0;
	bool timely = strcmp(text(record, "verdict"), "passed") == 0;
	json_t *seen = observations(record), *findings = json_array(), *result;
	char title[300];

	snprintf(title, sizeof title, "Recovery drill of %.200s", text(record, "system"));
	json_array_append_new(
	    findings, finding(record, seen, "cp-9.1",
			  "CP-9(1) Testing for reliability and integrity", works));
	json_array_append_new(
	    findings, finding(record, seen, "cp-4", "CP-4 Contingency plan testing", timely));
	result = json_pack("{s:o, s:s, s:s, s:s, s:s, s:o, s:{s:[{s:[{s:s}, {s:s}]}]}, s:o, s:o}",
	    "uuid", uuid(record, "result"), "title", title, "description",
	    "A recovery into an isolated place, compared with what was backed up", "start",
	    text(record, "started"), "end", text(record, "ended"), "props", props_of(record, hash),
	    "reviewed-controls", "control-selections", "include-controls", "control-id", "cp-9.1",
	    "control-id", "cp-4", "observations", seen, "findings", findings);
	return json_pack("{s:{s:o, s:{s:s, s:s, s:s, s:s}, s:{s:s}, s:[o]}}", "assessment-results",
	    "uuid", uuid(record, "document"), "metadata", "title", title, "last-modified",
	    text(record, "ended"), "version", "1", "oscal-version", "1.1.2", "import-ap", "href",
	    "#drill", "results", result);
}
