/* snapshot_json: see snapshot_json.h. */
#include "repo/snapshot_json.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "repo/repo_internal.h"

/* One table for both directions. */
static const struct stat_field {
	const char *name;
	size_t off;
} stat_fields[] = {
#define F(x)                                                                                       \
	{                                                                                          \
#x, offsetof(struct snapshot_stats, x)                                             \
	}
    F(files),
    F(dirs),
    F(others),
    F(files_new),
    F(files_changed),
    F(files_unchanged),
    F(bytes),
    F(bytes_read),
    F(added_bytes),
    F(stored_bytes),
    F(content_added),
    F(content_stored),
    F(errors),
#undef F
};

enum { NSTATS = sizeof stat_fields / sizeof *stat_fields, PARTS_MAX = 4096, ANOMALIES_MAX = 100 };

/* A byte string: text where it is UTF-8, else {"b64": ...}. */
static json_t *bytes_json(const char *s)
{
	json_t *o;
	char *b64;

	if (utf8_valid(span_str(s)))
		return json_string(s);
	b64 = base64_encode(span_str(s));
	o = json_pack("{s:s}", "b64", b64);
	free(b64);
	return o;
}

static char *json_bytes(const json_t *v)
{
	const char *s = json_string_value(v), *b64;
	size_t n;

	if (s != NULL)
		return mem_strdup(s);
	b64 = json_string_value(json_object_get(v, "b64"));
	return b64 ? (char *)base64_decode(b64, &n) : NULL;
}

static json_t *list_json(char *const *v, size_t n)
{
	json_t *a = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(a, bytes_json(v[i]));
	return a;
}

static bool json_list(const json_t *a, char ***v, size_t *n)
{
	size_t count = json_array_size(a);

	*v = mem_zalloc(count * sizeof **v);
	for (*n = 0; *n < count; (*n)++)
		if (((*v)[*n] = json_bytes(json_array_get(a, *n))) == NULL)
			return false;
	return true;
}

static json_t *id_json(bool has, const struct id *id)
{
	char hex[ID_HEX];

	return has ? json_string(id_hex(hex, id)) : json_null();
}

static json_t *uid_json(const uint8_t id[FORMAT_UID])
{
	char hex[2 * FORMAT_UID + 1];

	return json_string(hex_encode(hex, id, FORMAT_UID));
}

static json_t *time_json(int64_t ns)
{
	char text[40];

	repo_time_text(ns, text);
	return json_string(text);
}

static json_t *noted_json(const struct snapshot_part *p)
{
	json_t *o = p->facts ? json_loads(p->facts, JSON_REJECT_DUPLICATES, NULL) : NULL;

	return o ? o : json_object();
}

/* A position, of 64 bits, which JSON's numbers are not everywhere. */
static json_t *position_json(uint64_t v)
{
	char text[17];

	snprintf(text, sizeof text, "%016llx", (unsigned long long)v);
	return json_string(text);
}

/* One for each part, null for those that need none; nothing at all where none does. */
static json_t *logs_json(const struct snapshot *s)
{
	json_t *list = json_array();
	bool any = false;

	for (size_t i = 0; i < s->nparts; i++) {
		const struct snapshot_part *p = &s->parts[i];

		any = any || p->has_log;
		json_array_append_new(list,
		    p->has_log ? json_pack("{s:o,s:I,s:o,s:o}", "stream", uid_json(p->stream),
				     "timeline", (json_int_t)p->timeline, "start",
				     position_json(p->log_start), "end", position_json(p->log_end))
			       : json_null());
	}
	if (any)
		return list;
	json_decref(list);
	return NULL;
}

static json_t *part_json(const struct snapshot_part *p)
{
	json_t *o = json_object(), *stats = json_object(), *errors = json_array();

	for (size_t i = 0; i < NSTATS; i++)
		json_object_set_new(stats, stat_fields[i].name,
		    json_integer(*(const json_int_t *)(const void *)((const char *)&p->stats +
								     stat_fields[i].off)));
	for (size_t i = 0; i < p->nerrors; i++)
		json_array_append_new(
		    errors, json_pack("{s:o,s:o}", "path", bytes_json(p->errors[i].path), "message",
				bytes_json(p->errors[i].message)));
	json_object_set_new(o, "name", json_string(p->name));
	json_object_set_new(o, "kind", json_string(p->kind));
	json_object_set_new(o, "paths", list_json(p->paths, p->npaths));
	json_object_set_new(o, "tree", id_json(p->has_tree, &p->tree));
	json_object_set_new(o, "outcome", json_string(snapshot_outcome_name(p->outcome)));
	json_object_set_new(o, "statistics", stats);
	json_object_set_new(o, "facts", noted_json(p));
	json_object_set_new(o, "errors", errors);
	return o;
}

static json_t *anomalies_json(const struct snapshot *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->nanomalies; i++) {
		const struct snapshot_anomaly *a = &s->anomalies[i];

		json_array_append_new(
		    list, json_pack("{s:s,s:o,s:f,s:f}", "kind", a->kind, "message",
			      bytes_json(a->message), "value", a->value, "usual", a->usual));
	}
	return list;
}

static json_t *original_json(const struct snapshot *s)
{
	return json_pack("{s:o,s:o}", "repository", uid_json(s->original_repo), "snapshot",
	    id_json(true, &s->original));
}

static char *dump_free(json_t *o, bool whole)
{
	char *s = whole ? json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

	json_decref(o);
	return s;
}

void snapshot_json_encode(const struct snapshot *s, char **head, char **facts)
{
	json_t *h = json_object(), *f = json_object(), *roots = json_array(), *parts = json_array();
	json_t *logs;
	bool ok = true;

	ok &= json_object_set_new(h, "host", json_string(s->host)) == 0;
	ok &= json_object_set_new(h, "user", json_string(s->user)) == 0;
	ok &= json_object_set_new(h, "system", s->system ? json_string(s->system) : json_null()) ==
	      0;
	for (size_t i = 0; i < s->ntags; i++)
		ok &= utf8_valid(span_str(s->tags[i]));
	json_object_set_new(h, "signer", uid_json(s->signer));
	json_object_set_new(h, "domain", uid_json(s->domain));
	json_object_set_new(h, "client", uid_json(s->client));
	json_object_set_new(h, "group", uid_json(s->group));
	json_object_set_new(h, "sequence", json_integer((json_int_t)s->sequence));
	json_object_set_new(h, "previous", id_json(s->has_previous, &s->previous));
	json_object_set_new(h, "parent", id_json(s->has_parent, &s->parent));
	json_object_set_new(h, "start", time_json(s->start_ns));
	json_object_set_new(h, "end", time_json(s->end_ns));
	json_object_set_new(h, "deadline", time_json(s->deadline_ns));
	json_object_set_new(h, "strategy", json_string(snapshot_strategy_name(s->strategy)));
	json_object_set_new(h, "tags", list_json(s->tags, s->ntags));
	if (s->has_original)
		json_object_set_new(h, "original", original_json(s));
	json_object_set_new(h, "producer", json_string("holdfast " HF_VERSION));
	for (size_t i = 0; i < s->nparts; i++) {
		json_array_append_new(roots, id_json(s->parts[i].has_tree, &s->parts[i].tree));
		json_array_append_new(parts, part_json(&s->parts[i]));
	}
	json_object_set_new(h, "roots", roots);
	if ((logs = logs_json(s)) != NULL)
		json_object_set_new(h, "logs", logs);
	json_object_set_new(f, "parts", parts);
	json_object_set_new(f, "excludes", list_json(s->excludes, s->nexcludes));
	json_object_set_new(f, "anomalies", anomalies_json(s));
	json_object_set_new(f, "declaration", json_null());
	*head = dump_free(h, ok);
	*facts = dump_free(f, ok);
}

static bool get_uid(const json_t *o, const char *key, uint8_t out[FORMAT_UID])
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL && strlen(s) == 2 * FORMAT_UID && hex_decode(out, FORMAT_UID, s);
}

/* An id or null. */
static bool get_id(const json_t *v, bool *has, struct id *out)
{
	const char *s = json_string_value(v);

	*has = s != NULL;
	return json_is_null(v) || (s != NULL && strlen(s) == 64 && id_parse(out, s));
}

static bool get_time(const json_t *o, const char *key, int64_t *out)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL && repo_time_parse(s, out);
}

static char *get_text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? mem_strdup(s) : NULL;
}

/* A member that may be absent; what is malformed is left out, as nothing depends on it. */
static void decode_original(const json_t *o, struct snapshot *s)
{
	s->has_original = get_uid(o, "repository", s->original_repo) &&
			  get_id(json_object_get(o, "snapshot"), &s->has_original, &s->original) &&
			  s->has_original;
}

static bool decode_head(const json_t *h, struct snapshot *s)
{
	char *strategy = get_text(h, "strategy");
	bool known = strategy != NULL;

	s->strategy = SNAPSHOT_OTHER;
	for (int i = SNAPSHOT_FULL; strategy != NULL && i <= SNAPSHOT_DIFFERENTIAL; i++)
		if (strcmp(strategy, snapshot_strategy_name((enum snapshot_strategy)i)) == 0)
			s->strategy = (enum snapshot_strategy)i;
	free(strategy);
	s->host = get_text(h, "host");
	s->user = get_text(h, "user");
	s->system = get_text(h, "system");
	s->producer = get_text(h, "producer");
	s->sequence = (uint64_t)json_integer_value(json_object_get(h, "sequence"));
	decode_original(json_object_get(h, "original"), s);
	return known && s->host && s->user && s->producer && get_uid(h, "signer", s->signer) &&
	       get_uid(h, "domain", s->domain) && get_uid(h, "client", s->client) &&
	       get_uid(h, "group", s->group) &&
	       get_id(json_object_get(h, "previous"), &s->has_previous, &s->previous) &&
	       get_id(json_object_get(h, "parent"), &s->has_parent, &s->parent) &&
	       get_time(h, "start", &s->start_ns) && get_time(h, "end", &s->end_ns) &&
	       get_time(h, "deadline", &s->deadline_ns) &&
	       json_list(json_object_get(h, "tags"), &s->tags, &s->ntags);
}

static bool decode_errors(const json_t *list, struct snapshot_part *p)
{
	size_t n = json_array_size(list);

	p->errors = mem_zalloc(n * sizeof *p->errors);
	for (p->nerrors = 0; p->nerrors < n; p->nerrors++) {
		const json_t *o = json_array_get(list, p->nerrors);
		struct snapshot_error *x = &p->errors[p->nerrors];

		x->path = json_bytes(json_object_get(o, "path"));
		x->message = json_bytes(json_object_get(o, "message"));
		if (x->path == NULL || x->message == NULL) {
			p->nerrors++;
			return false;
		}
	}
	return true;
}

static bool decode_part(const json_t *o, struct snapshot_part *p)
{
	const json_t *stats = json_object_get(o, "statistics");
	const char *outcome = json_string_value(json_object_get(o, "outcome"));

	p->outcome = SNAPSHOT_INCOMPLETE; /* as is one that a later version names */
	for (int i = SNAPSHOT_COMPLETE; outcome != NULL && i <= SNAPSHOT_FAILED; i++)
		if (strcmp(outcome, snapshot_outcome_name((enum snapshot_outcome)i)) == 0)
			p->outcome = (enum snapshot_outcome)i;
	for (size_t i = 0; i < NSTATS; i++)
		*(uint64_t *)(void *)((char *)&p->stats + stat_fields[i].off) = (uint64_t)
		    json_integer_value(json_object_get(stats, stat_fields[i].name));
	p->name = get_text(o, "name");
	p->kind = get_text(o, "kind");
	if (json_object_size(json_object_get(o, "facts")) > 0)
		p->facts = json_dumps(json_object_get(o, "facts"), JSON_COMPACT | JSON_SORT_KEYS);
	return outcome && p->name && p->kind &&
	       json_list(json_object_get(o, "paths"), &p->paths, &p->npaths) &&
	       get_id(json_object_get(o, "tree"), &p->has_tree, &p->tree) &&
	       decode_errors(json_object_get(o, "errors"), p);
}

/* What is malformed is left out: nothing depends on it. */
static void decode_anomalies(const json_t *list, struct snapshot *s)
{
	size_t n = json_array_size(list);

	if (n > ANOMALIES_MAX)
		n = ANOMALIES_MAX;
	s->anomalies = mem_zalloc((n + 1) * sizeof *s->anomalies);
	for (size_t i = 0; i < n; i++) {
		const json_t *o = json_array_get(list, i);
		struct snapshot_anomaly *a = &s->anomalies[s->nanomalies];
		char *message = json_bytes(json_object_get(o, "message"));
		const char *kind = json_string_value(json_object_get(o, "kind"));

		if (kind != NULL && message != NULL) {
			snprintf(a->kind, sizeof a->kind, "%s", kind);
			snprintf(a->message, sizeof a->message, "%s", message);
			a->value = json_number_value(json_object_get(o, "value"));
			a->usual = json_number_value(json_object_get(o, "usual"));
			s->nanomalies++;
		}
		free(message);
	}
}

static bool decode_facts(const json_t *f, struct snapshot *s)
{
	const json_t *parts = json_object_get(f, "parts");
	size_t n = json_array_size(parts);

	if (n == 0 || n > PARTS_MAX)
		return false;
	s->parts = mem_zalloc(n * sizeof *s->parts);
	for (size_t i = 0; i < n; i++) {
		s->nparts = i + 1; /* freed also when it fails half-way */
		if (!decode_part(json_array_get(parts, i), &s->parts[i]))
			return false;
	}
	decode_anomalies(json_object_get(f, "anomalies"), s);
	return json_list(json_object_get(f, "excludes"), &s->excludes, &s->nexcludes);
}

/* Head and facts must agree on the roots: prune sees the head alone. */
static bool roots_agree(const json_t *h, const struct snapshot *s)
{
	const json_t *roots = json_object_get(h, "roots");

	if (json_array_size(roots) != s->nparts)
		return false;
	for (size_t i = 0; i < s->nparts; i++) {
		struct id id;
		bool has;

		if (!get_id(json_array_get(roots, i), &has, &id) || has != s->parts[i].has_tree ||
		    (has && !id_eq(&id, &s->parts[i].tree)))
			return false;
	}
	return true;
}

/* Without the facts: parts that are trees, of which nothing else is known. */
static bool decode_roots(const json_t *h, struct snapshot *s)
{
	const json_t *roots = json_object_get(h, "roots");
	size_t n = json_array_size(roots);

	if (n == 0 || n > PARTS_MAX)
		return false;
	s->head_only = true;
	s->parts = mem_zalloc(n * sizeof *s->parts);
	for (s->nparts = 0; s->nparts < n; s->nparts++) {
		struct snapshot_part *p = &s->parts[s->nparts];

		if (!get_id(json_array_get(roots, s->nparts), &p->has_tree, &p->tree))
			return false;
		p->name = mem_strdup("");
		p->kind = mem_strdup("");
		p->outcome = !p->has_tree ? SNAPSHOT_FAILED
			     : s->unread  ? SNAPSHOT_INCOMPLETE
					  : SNAPSHOT_COMPLETE;
	}
	return true;
}

static bool get_position(const json_t *o, const char *key, uint64_t *out)
{
	const char *s = json_string_value(json_object_get(o, key));
	uint8_t b[8];

	if (s == NULL || strlen(s) != 16 || !hex_decode(b, sizeof b, s))
		return false;
	*out = 0;
	for (size_t i = 0; i < sizeof b; i++)
		*out = *out << 8 | b[i];
	return true;
}

/* Absent in what needs no log.  What is malformed is no head: it may need what prune would take. */
static bool decode_logs(const json_t *logs, struct snapshot *s)
{
	if (logs == NULL)
		return true;
	if (!json_is_array(logs) || json_array_size(logs) != s->nparts)
		return false;
	for (size_t i = 0; i < s->nparts; i++) {
		const json_t *o = json_array_get(logs, i), *line = json_object_get(o, "timeline");
		struct snapshot_part *p = &s->parts[i];

		if (json_is_null(o))
			continue;
		if (!get_uid(o, "stream", p->stream) || !json_is_integer(line) ||
		    json_integer_value(line) < 0 || json_integer_value(line) > UINT32_MAX ||
		    !get_position(o, "start", &p->log_start) ||
		    !get_position(o, "end", &p->log_end) || p->log_start > p->log_end)
			return false;
		p->timeline = (uint32_t)json_integer_value(line);
		p->has_log = true;
	}
	return true;
}

int snapshot_json_decode(struct span head, struct span facts, struct snapshot *s, struct err *e)
{
	json_t *h = json_loadb((const char *)head.p, head.n, JSON_REJECT_DUPLICATES, NULL);
	json_t *f = json_loadb((const char *)facts.p, facts.n, JSON_REJECT_DUPLICATES, NULL);
	bool ok = json_is_object(h) && decode_head(h, s);

	if (ok && facts.p != NULL &&
	    !(json_is_object(f) && decode_facts(f, s) && roots_agree(h, s))) {
		snapshot_facts_fini(s);
		s->unread = true;
	}
	if (facts.p == NULL || s->unread)
		ok = ok && decode_roots(h, s);
	ok = ok && decode_logs(json_object_get(h, "logs"), s);

	json_decref(h);
	json_decref(f);
	return ok ? 0 : err_set(e, ERR_CORRUPT, "snapshot is malformed");
}
