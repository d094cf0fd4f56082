/* api_shape: see api_shape.h. */
#include "api/api_shape.h"

#include "api/api_survey.h"
#include "base/calendar.h"
#include "base/hex.h"
#include "base/mem.h"
#include "catalog/catalog_snapshot.h"

#define R(member) offsetof(struct run, member)
#define S(member) offsetof(struct survey_system, member)
#define E(member) offsetof(struct catalog_event, member)
#define N(member) offsetof(struct catalog_snapshot, member)
#define F(member) offsetof(struct shape_hit, member)
#define H(member) offsetof(struct survey_health, member)

/* clang-format off */
static const struct shape_field run_fields[] = {
    {"id", SHAPE_I64, R(id), "its number"},
    {"system", SHAPE_TEXT, R(system), "the system's name"},
    {"node", SHAPE_TEXT, R(node), "the host that it is for"},
    {"kind", SHAPE_TEXT, R(kind), "backup, verify, check, prune, copy, forget, restore, ..."},
    {"run_type", SHAPE_TEXT, R(type), "of a backup: full, incremental, differential, continuous"},
    {"trigger", SHAPE_TEXT, R(trigger), "schedule, catch-up, manual, after, retry, command"},
    {"by", SHAPE_TEXT, R(by), "who asked for it; null: the daemon"},
    {"queue", SHAPE_TEXT, R(queue), "of whose runs one runs at a time"},
    {"priority", SHAPE_INT, R(priority), "higher first"},
    {"attempt", SHAPE_INT, R(attempt), "from 0"},
    {"after", SHAPE_ID, R(after), "the run that has to be over before"},
    {"status", SHAPE_STATUS, R(status), "where it stands"},
    {"due", SHAPE_TIME, R(due_ns), "when it was to run"},
    {"queued", SHAPE_TIME, R(queued_ns), "when it was added"},
    {"started", SHAPE_TIME, R(started_ns), "when it began"},
    {"ended", SHAPE_TIME, R(ended_ns), "when it was over"},
    {"exit", SHAPE_INT, R(exit_status), "the work's exit status"},
    {"error_kind", SHAPE_TEXT, R(error_kind), "of what went wrong"},
    {"message", SHAPE_TEXT, R(message), "what went wrong, or why it was skipped"},
    {"hint", SHAPE_TEXT, R(hint), "what to do next"},
    {"destinations", SHAPE_TEXT, R(destinations), "repositories, separated by ','"},
    {"snapshot", SHAPE_TEXT, R(snapshot), "what it made"},
    {"encrypted", SHAPE_BOOL, R(encrypted), "is what it stored encrypted?"},
    {"compressed", SHAPE_BOOL, R(compressed), "is it compressed?"},
    {"files", SHAPE_U64, R(files), "files in it"},
    {"files_new", SHAPE_U64, R(files_new), "of them new"},
    {"files_changed", SHAPE_U64, R(files_changed), "of them changed"},
    {"bytes", SHAPE_U64, R(bytes), "bytes of all files"},
    {"bytes_read", SHAPE_U64, R(bytes_read), "bytes that were read"},
    {"added", SHAPE_U64, R(added), "new bytes before compression"},
    {"stored", SHAPE_U64, R(stored), "bytes that the repository grew by"},
    {"warnings", SHAPE_U64, R(warnings), "how many"},
    {"errors", SHAPE_U64, R(errors), "how many"},
    {"score", SHAPE_SCORE, R(score), "of a verification, 0 to 1"},
    {"verified", SHAPE_TEXT, R(verified), "passed, failed"},
    {0},
};

static const struct shape_field system_fields[] = {
    {"name", SHAPE_TEXT, S(name), "the system's name"},
    {"tier", SHAPE_TEXT, S(tier), "the tier that it is declared in"},
    {"node", SHAPE_TEXT, S(node), "the host that it is on"},
    {"declared", SHAPE_BOOL, S(declared), "does the configuration name it (still)?"},
    {"state", SHAPE_TEXT, S(state), "ok, late (its RPO is missed), failing (the last run failed), never (no backup yet)"},
    {"last_run", SHAPE_ID, S(backup.last_id), "the last backup that is over"},
    {"last_status", SHAPE_STATUS, S(backup.last_status), "what became of it"},
    {"last_ended", SHAPE_TIME, S(backup.last_ended_ns), "when it was over"},
    {"last_message", SHAPE_TEXT, S(backup.message), "what it said"},
    {"failed_in_row", SHAPE_UINT, S(backup.failed_in_row), "backups that failed since the last success"},
    {"last_success", SHAPE_TIME, S(backup.success_started_ns), "when the last good backup began: what it holds is of then"},
    {"last_success_run", SHAPE_ID, S(backup.success_id), "its run"},
    {"snapshot", SHAPE_TEXT, S(backup.snapshot), "what it made"},
    {"files", SHAPE_U64, S(backup.files), "files in it"},
    {"bytes", SHAPE_U64, S(backup.bytes), "bytes in it"},
    {"stored", SHAPE_U64, S(backup.stored), "bytes that the repository grew by"},
    {"rpo_age", SHAPE_SECONDS, S(rpo_age_ns), "seconds of work that would be lost now"},
    {"rpo_target", SHAPE_SECONDS, S(rpo_ns), "seconds that may be lost"},
    {"verification_age", SHAPE_SECONDS, S(verify_age_ns), "seconds since the last good verification began"},
    {"verification_target", SHAPE_SECONDS, S(verify_ns), "what that may be"},
    {"next_run", SHAPE_TIME, S(next_ns), "when the next one is due"},
    {"running", SHAPE_UINT, S(running), "runs that run"},
    {"queued", SHAPE_UINT, S(queued), "runs that wait"},
    {0},
};

static const struct shape_field event_fields[] = {
    {"id", SHAPE_I64, E(id), "its number"},
    {"at", SHAPE_TIME, E(at_ns), "when"},
    {"name", SHAPE_TEXT, E(name), "run.failed, ..."},
    {"severity", SHAPE_TEXT, E(severity), "info, warning, critical"},
    {"system", SHAPE_TEXT, E(system), "of which system"},
    {"run", SHAPE_ID, E(run), "of which run"},
    {"text", SHAPE_TEXT, E(text), "what happened"},
    {0},
};

static const struct shape_field snapshot_fields[] = {
    {"snapshot", SHAPE_TEXT, N(snapshot), "its id"},
    {"repository", SHAPE_TEXT, N(name), "where it is: a configured name, or its URL"},
    {"repository_id", SHAPE_TEXT, N(repository), "that one's id"},
    {"system", SHAPE_TEXT, N(system), "of which system"},
    {"host", SHAPE_TEXT, N(host), "of which host"},
    {"outcome", SHAPE_TEXT, N(outcome), "complete, incomplete, failed"},
    {"started", SHAPE_TIME, N(start_ns), "when it began: what it holds is of then"},
    {"ended", SHAPE_TIME, N(end_ns), "when it was over"},
    {"files", SHAPE_U64, N(files), "files in it"},
    {"bytes", SHAPE_U64, N(bytes), "bytes in it"},
    {"stored", SHAPE_U64, N(stored), "bytes that the repository grew by"},
    {0},
};

static const struct shape_field file_fields[] = {
    {"path", SHAPE_TEXT, F(path), "where it was"},
    {"file_type", SHAPE_TEXT, F(type), "file, dir, ..."},
    {"size", SHAPE_U64, F(size), "its bytes"},
    {"mtime", SHAPE_TIME, F(mtime_ns), "when it was changed"},
    {"system", SHAPE_TEXT, F(system), "of which system"},
    {"repository", SHAPE_TEXT, F(repository), "where it is"},
    {"snapshot", SHAPE_TEXT, F(snapshot), "the last one that has it as it is here"},
    {"snapshots", SHAPE_U64, F(snapshots), "how many have it so"},
    {0},
};

static const struct shape_field health_fields[] = {
    {"ready", SHAPE_BOOL, H(ready), "does it do what is declared?"},
    {"why", SHAPE_TEXT, H(why), "why not, or what limits it"},
    {"version", SHAPE_TEXT, H(version), "of the daemon"},
    {"started", SHAPE_TIME, H(started_ns), "when the daemon began"},
    {0},
};
/* clang-format on */

const struct shape shape_run = {"Run", run_fields};
const struct shape shape_system = {"System", system_fields};
const struct shape shape_event = {"Event", event_fields};
const struct shape shape_snapshot = {"Snapshot", snapshot_fields};
const struct shape shape_file = {"File", file_fields};
const struct shape shape_health = {"Health", health_fields};

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
	case SHAPE_CHARS:
		return text_json(p);
	case SHAPE_BOOL:
		return json_boolean(*(const bool *)p);
	case SHAPE_STATUS:
		status = *(const enum run_status *)p;
		return status ? json_string(run_status_name(status)) : json_null();
	default:
		return number_json(f->type, p);
	}
}

json_t *shape_json(const struct shape *s, const void *value)
{
	json_t *o = json_object();

	for (const struct shape_field *f = s->fields; f->name != NULL; f++)
		json_object_set_new(o, f->name, field_json(f, (const char *)value + f->at));
	return o;
}

/* ---- The same as a schema. */

static json_t *field_schema_of(const struct shape_field *f)
{
	static const struct {
		const char *type, *format;
		bool null;
	} row[] = {
	    [SHAPE_TEXT] = {"string", NULL, true},
	    [SHAPE_CHARS] = {"string", NULL, false},
	    [SHAPE_BOOL] = {"boolean", NULL, false},
	    [SHAPE_INT] = {"integer", NULL, false},
	    [SHAPE_UINT] = {"integer", NULL, false},
	    [SHAPE_I64] = {"integer", "int64", false},
	    [SHAPE_ID] = {"integer", "int64", true},
	    [SHAPE_U64] = {"integer", "int64", false},
	    [SHAPE_SCORE] = {"number", NULL, true},
	    [SHAPE_TIME] = {"string", "date-time", true},
	    [SHAPE_SECONDS] = {"number", NULL, true},
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
