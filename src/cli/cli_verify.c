/* cli_verify: see cli_verify.h. */
#include "cli/cli_verify.h"

#include <string.h>

#include "cli/cli_out.h"

static const char *const states[] = {"not_judged", "passed", "failed"};
static const char *const levels[] = {"", "standard", "comprehensive"};

const char *verify_level_name(enum verify_level level)
{
	return levels[level];
}

/* ---- As JSON. */

static json_t *assertions(enum verify_level level, const struct verify_answer *a)
{
	json_t *list = json_array();

	for (size_t i = 0; i < VERIFY_IDS; i++) {
		const struct verify_rule *r = &verify_rules[i];
		json_t *o;

		if (r->level > level)
			continue;
		o = json_object();
		out_json_str(o, "name", r->name);
		out_json_str(o, "state", states[a[i].state]);
		json_object_set_new(o, "critical", json_boolean(r->critical));
		out_json_u64(o, "weight", r->weight);
		json_object_set_new(
		    o, "deduction", json_real(verify_deduction(verify_rules, a, VERIFY_IDS, i)));
		out_json_str(o, "says", r->says);
		out_json_str(o, "why", a[i].why[0] ? a[i].why : NULL);
		json_array_append_new(list, o);
	}
	return list;
}

static void put_numbers(json_t *o, const struct verify_result *r)
{
	const struct {
		const char *name;
		uint64_t value;
	} numbers[] = {{"files", r->files}, {"dirs", r->dirs}, {"bytes", r->bytes},
	    {"packs", r->packs}, {"packs_read", r->packs_read}, {"bytes_read", r->bytes_read},
	    {"packs_asleep", r->packs_asleep}, {"repository_packs", r->repository_packs},
	    {"repository_packs_proven", r->repository_read},
	    {"damaged_elsewhere", r->damaged_elsewhere}, {"seed", r->seed},
	    {"sample_files", r->sample_files}, {"sample_bytes", r->sample_bytes}};

	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		out_json_u64(o, numbers[i].name, numbers[i].value);
	json_object_set_new(o, "restore_bytes_per_s",
	    r->restore_bytes_per_s > 0 ? json_real(r->restore_bytes_per_s) : json_null());
	json_object_set_new(o, "restore_seconds",
	    r->sample_files > 0 ? json_real(r->restore_seconds) : json_null());
	json_object_set_new(o, "seconds", json_real(r->seconds));
}

json_t *verify_json(
    const char *repository, const struct verify_params *p, const struct verify_result *r)
{
	json_t *o = json_object();

	out_json_str(o, "system", p->system);
	out_json_str(o, "repository", repository);
	out_json_str(o, "level", levels[p->level]);
	out_json_str(o, "verified",
	    r->empty          ? "not_judged"
	    : r->score.passed ? "passed"
			      : "failed");
	json_object_set_new(o, "score", r->empty ? json_null() : json_real(r->score.score));
	json_object_set_new(o, "pass_mark", json_real(VERIFY_PASS_MARK));
	if (r->has_snapshot) {
		out_json_id(o, "snapshot", &r->snapshot);
		out_json_time(o, "start", r->start_ns);
	} else {
		out_json_str(o, "snapshot", NULL);
	}
	json_object_set_new(o, "assertions", assertions(p->level, r->answers));
	put_numbers(o, r);
	return o;
}

bool verify_is(const json_t *o)
{
	return json_is_array(json_object_get(o, "assertions")) &&
	       json_is_string(json_object_get(o, "system"));
}

/* ---- As text. */

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static uint64_t number(const json_t *o, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(o, key));
}

static double real(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

static bool is(const json_t *o, const char *key, const char *value)
{
	return strcmp(text(o, key), value) == 0;
}

/* clang-format off */
static void show_failed(struct cli *c, const json_t *list)
{
	size_t i;
	json_t *a;

	json_array_foreach(list, i, a)
		if (is(a, "state", "failed"))
			out_text(c, "  -%.3f  %s%s: %s\n", real(a, "deduction"), text(a, "name"),
			    json_is_true(json_object_get(a, "critical")) ? " (critical)" : "",
			    out_str(c, text(a, "why")));
}

static void show_left(struct cli *c, const json_t *list)
{
	const char *before = "  not judged: ";
	size_t i;
	json_t *a;

	json_array_foreach(list, i, a)
		if (is(a, "state", "not_judged")) {
			out_text(c, "%s%s (%s)", before, text(a, "name"), out_str(c, text(a, "why")));
			before = ", ";
		}
	out_text(c, "%s", *before == ',' ? "\n" : "");
}
/* clang-format on */

static void show_numbers(struct cli *c, const json_t *o)
{
	char a[TEXT_AMOUNT], b[32], d[32];

	if (number(o, "packs_read"))
		out_text(c, "  read %s (%s)",
		    text_amount(a, number(o, "packs_read"), "pack", "packs"),
		    text_bytes(b, number(o, "bytes_read")));
	if (number(o, "repository_packs"))
		out_text(c, "%s %s of the repository's %s proven within the time declared",
		    number(o, "packs_read") ? ";" : " ",
		    text_count(b, number(o, "repository_packs_proven")),
		    text_count(d, number(o, "repository_packs")));
	if (number(o, "packs_read") || number(o, "repository_packs"))
		out_text(c, "\n");
	if (number(o, "packs_asleep"))
		out_text(c, "  not read, for they sleep in cold storage: %s\n",
		    text_amount(a, number(o, "packs_asleep"), "pack", "packs"));
	if (number(o, "sample_files"))
		out_text(c, "  restored %s (%s, seed %llu) at %s/s; all of it would take %s\n",
		    text_amount(a, number(o, "sample_files"), "file", "files"),
		    text_bytes(b, number(o, "sample_bytes")), (unsigned long long)number(o, "seed"),
		    text_bytes(d, (uint64_t)real(o, "restore_bytes_per_s")),
		    text_seconds((char[32]){0}, real(o, "restore_seconds")));
}

void verify_show(struct cli *c, const json_t *o)
{
	char s[32], when[CALENDAR_TEXT] = "";
	struct calendar_time t;
	struct err ignored;

	if (is(o, "verified", "not_judged")) {
		out_text(c, "%s at %s: not judged: no copy has come to this archive yet\n",
		    out_str(c, text(o, "system")), out_str(c, text(o, "repository")));
		return;
	}
	if (calendar_parse_time(text(o, "start"), &t, &ignored) == 0)
		calendar_format_local(when, t.ns);
	out_text(c, "%s at %s: %s, score %.3f (%s", out_str(c, text(o, "system")),
	    out_str(c, text(o, "repository")), text(o, "verified"), real(o, "score"),
	    text(o, "level"));
	if (text(o, "snapshot")[0])
		out_text(c, ", snapshot %.8s of %s", text(o, "snapshot"), when);
	out_text(c, ", %s)\n", text_seconds(s, real(o, "seconds")));
	show_failed(c, json_object_get(o, "assertions"));
	if (text(o, "snapshot")[0] == '\0')
		return;
	show_left(c, json_object_get(o, "assertions"));
	show_numbers(c, o);
}

/* ---- Into the catalog. */

int verify_measure(struct catalog *cat, const json_t *o, int64_t at_ns, struct err *e)
{
	static const char *const names[][2] = {{"score", "verify.score"},
	    {"seconds", "verify.seconds"}, {"restore_bytes_per_s", "verify.restore_bytes_per_s"},
	    {"restore_seconds", "verify.restore_seconds"}};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const json_t *v = json_object_get(o, names[i][0]);

		if (json_is_number(v) && catalog_measure(cat, text(o, "system"), names[i][1], at_ns,
					     json_number_value(v), e) == -1)
			return -1;
	}
	return 0;
}
