/* report_oscal: a drill as assessment results: each assertion an observation, the recovery a
 * finding. */
#include "cli/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/crypto.h"

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/*
 * Whose words the props are: a name that needs no host, and never changes.  The same is the space
 * that UUIDs are made in.
 */
#define OURS "25e224cc-cab8-4b13-9cd6-1002720db203"

/* Version 5 (RFC 9562): the same for the same record, whoever makes it. */
static json_t *uuid(const json_t *record, const char *what)
{
	static const uint8_t ours[16] = {0x25, 0xe2, 0x24, 0xcc, 0xca, 0xb8, 0x4b, 0x13, 0x9c, 0xd6,
	    0x10, 0x02, 0x72, 0x0d, 0xb2, 0x03};
	uint8_t in[16 + 300], h[20];
	char out[37];
	int n;

	memcpy(in, ours, sizeof ours);
	n = snprintf((char *)in + 16, sizeof in - 16, "%.100s/%.150s", text(record, "id"), what);
	crypto_sha1(span_of(in, 16 + (size_t)n), h);
	h[6] = (uint8_t)((h[6] & 0x0f) | 0x50);
	h[8] = (uint8_t)((h[8] & 0x3f) | 0x80);
	snprintf(out, sizeof out,
	    "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", h[0], h[1],
	    h[2], h[3], h[4], h[5], h[6], h[7], h[8], h[9], h[10], h[11], h[12], h[13], h[14],
	    h[15]);
	return json_string(out);
}

/* A value is one line without blanks around it. */
static json_t *one_line(const char *value)
{
	char *line = mem_strdup(value + strspn(value, " \t\r\n")), *p;
	json_t *o;

	for (p = line; *p != '\0'; p++)
		if ((unsigned char)*p < ' ')
			*p = ' ';
	while (p > line && p[-1] == ' ')
		*--p = '\0';
	o = line[0] != '\0' ? json_string(line) : NULL;
	free(line);
	return o;
}

static void prop(json_t *list, const char *name, const char *value)
{
	json_t *o = one_line(value);

	if (o != NULL)
		json_array_append_new(list,
		    json_pack("{s:s, s:s, s:o}", "name", name, "ns", "urn:uuid:" OURS, "value", o));
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

/* A list has something in it, or is not there. */
static json_t *without_empty(json_t *o, const char *key)
{
	if (json_array_size(json_object_get(o, key)) == 0)
		json_object_del(o, key);
	return o;
}

static json_t *finding(const json_t *record, const json_t *seen, const char *control,
    const char *title, bool satisfied)
{
	json_t *related = json_array(), *o, *found;
	char target[64];
	size_t i;

	snprintf(target, sizeof target, "%s_obj", control);
	json_array_foreach(seen, i, o) json_array_append_new(
	    related, json_pack("{s:O}", "observation-uuid", json_object_get(o, "uuid")));
	found = json_pack("{s:o, s:s, s:s, s:{s:s, s:s, s:{s:s}}, s:o}", "uuid",
	    uuid(record, control), "title", title, "description",
	    text(record, "reason")[0] ? text(record, "reason")
				      : "the recovery was rehearsed and held",
	    "target", "type", "objective-id", "target-id", target, "status", "state",
	    satisfied ? "satisfied" : "not-satisfied", "related-observations", related);
	return without_empty(found, "related-observations");
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

/* There is no plan of ours to be imported: what stands for it says so. */
static json_t *document(const json_t *record, const char *title, json_t *result)
{
	json_t *plan = uuid(record, "plan");
	char href[40];

	snprintf(href, sizeof href, "#%s", json_string_value(plan));
	return json_pack(
	    "{s:{s:o, s:{s:s, s:s, s:s, s:s}, s:{s:s}, s:[o], s:{s:[{s:o, s:s, s:s}]}}}",
	    "assessment-results", "uuid", uuid(record, "document"), "metadata", "title", title,
	    "last-modified", text(record, "ended"), "version", "1", "oscal-version", "1.1.2",
	    "import-ap", "href", href, "results", result, "back-matter", "resources", "uuid", plan,
	    "title", "The plan of this drill", "description",
	    "Drills are planned by the system's declaration (tier, drill, checks), which is no "
	    "OSCAL document.");
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
	without_empty(result, "observations");
	return document(record, title, result);
}
