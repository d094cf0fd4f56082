/* survey_memory: see survey_memory.h. */
#include "cli/survey_memory.h"

#include <stdlib.h>

#include "base/hex.h"
#include "base/mem.h"
#include "crypto/crypto.h"
#include "os/os.h"

enum { FILE_MAX = 1 << 20 };

static char *path_of(const char *url, struct err *e)
{
	char *state = os_state_dir(), hex[65];
	struct buf b = {0};
	uint8_t digest[32];
	char *path;

	if (state == NULL || os_mkdirs(state, 0700, e) == -1) {
		free(state);
		return NULL;
	}
	crypto_sha256(span_str(url), digest);
	buf_printf(&b, "%s/%.16s.seen.json", state, hex_encode(hex, digest, sizeof digest));
	path = mem_strdup(buf_cstr(&b));
	buf_fini(&b);
	free(state);
	return path;
}

static const char *name_of(const struct survey_system *x)
{
	return x->rules.name ? x->rules.name : "";
}

static json_t *to_json(const struct survey *v, size_t i, const char *url)
{
	const struct rules_place *p = &v->places[i];
	json_t *systems = json_object();

	for (size_t k = 0; k < v->nsystems; k++)
		json_object_set_new(
		    systems, name_of(&v->systems[k]), json_integer(v->systems[k].newest_ns[i]));
	return json_pack("{s:s, s:I, s:I, s:o, s:{s:b, s:I, s:I, s:b}}", "url", url, "when",
	    (json_int_t)v->now_ns, "newest", (json_int_t)p->newest_ns, "systems", systems, "check",
	    "known", p->check.known, "when", (json_int_t)p->check.when_ns, "problems",
	    (json_int_t)p->check.problems, "whole", p->check.whole);
}

void survey_remember(struct cli *c, const struct survey *v, size_t i, const char *url)
{
	struct err why = {0};
	char *path = path_of(url, &why), *text = NULL;
	json_t *o = to_json(v, i, url);

	if (o != NULL)
		text = json_dumps(o, JSON_COMPACT);
	if (path != NULL && text != NULL && os_file_replace(path, span_str(text), 0600, &why) == -1)
		event_emit(c->ctx, EVENT_WARNING, span_of(NULL, 0),
		    "what %s holds cannot be remembered: %s", v->places[i].name, why.msg);
	json_decref(o);
	free(text);
	free(path);
}

static void take(struct survey *v, size_t i, json_t *o)
{
	struct rules_place *p = &v->places[i];
	json_int_t when, newest, checked, problems;
	json_t *systems;
	int known, whole;

	if (json_unpack(o, "{s:I, s:I, s:o, s:{s:b, s:I, s:I, s:b}}", "when", &when, "newest",
		&newest, "systems", &systems, "check", "known", &known, "when", &checked,
		"problems", &problems, "whole", &whole) == -1 ||
	    when <= 0 || problems < 0)
		return;
	p->seen_ns = when;
	p->newest_ns = newest;
	p->check = (struct proof){.known = known != 0,
	    .when_ns = checked,
	    .problems = (uint64_t)problems,
	    .whole = whole != 0};
	for (size_t k = 0; k < v->nsystems; k++)
		v->systems[k].newest_ns[i] = json_integer_value(
		    json_object_get(systems, name_of(&v->systems[k])));
}

void survey_recall(struct survey *v, size_t i, const char *url)
{
	struct err ignored;
	char *path = path_of(url, &ignored);
	struct buf b = {0};
	json_t *o = NULL;

	if (path != NULL && os_read_file(path, FILE_MAX, &b, &ignored) == 0)
		o = json_loadb((const char *)b.p, b.n, JSON_REJECT_DUPLICATES, NULL);
	if (o != NULL)
		take(v, i, o);
	json_decref(o);
	buf_fini(&b);
	free(path);
}
