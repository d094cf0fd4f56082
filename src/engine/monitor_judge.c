/* monitor_judge: see monitor_judge.h. */
#include "engine/monitor_judge.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *monitor_outcome_name(enum monitor_outcome o)
{
	static const char *const names[] = {"first", "same", "differs", "still", "back"};

	return names[o];
}

static bool number(const char *text, double *out)
{
	char *end;

	*out = strtod(text, &end);
	return end != text && *end == '\0' && isfinite(*out);
}

static bool near_enough(const struct monitor_rule *r, const char *was, double is)
{
	double x;

	/* What was accepted when it was another kind of monitor compares with nothing. */
	return number(was, &x) && fabs(is - x) <= fabs(x) * r->threshold / 100;
}

int monitor_judge(const struct monitor_rule *r, struct monitor_memory *m, const char *value,
    enum monitor_outcome *out, struct err *e)
{
	const char *right = r->expect ? r->expect : m->accepted;
	bool first = right[0] == '\0', same, told = m->differs && strcmp(m->seen, value) == 0;
	double x = 0;

	if (strlen(value) >= sizeof m->seen || value[0] == '\0')
		return err_set(e, ERR_FAILED, "what is compared is empty or too long");
	if (r->counts && !number(value, &x))
		return err_set(e, ERR_FAILED, "'%.40s' is not a number", value);
	same = first || (r->counts ? near_enough(r, right, x) : strcmp(right, value) == 0);
	*out = first           ? MONITOR_FIRST
	       : !same && told ? MONITOR_STILL
	       : !same         ? MONITOR_DIFFERS
	       : m->differs    ? MONITOR_BACK
			       : MONITOR_SAME;
	m->differs = !same;
	snprintf(m->seen, sizeof m->seen, "%s", value);
	if (same)
		snprintf(m->accepted, sizeof m->accepted, "%s", value);
	return 0;
}

bool monitor_accept(struct monitor_memory *m)
{
	bool was = m->differs;

	if (m->seen[0] != '\0')
		memcpy(m->accepted, m->seen, sizeof m->accepted);
	m->differs = false;
	return was;
}

/* ---- In the catalog. */

char *monitor_memory_text(const struct monitor_memory *m)
{
	json_t *o = json_pack("{s:s, s:s, s:b, s:b, s:I}", "accepted", m->accepted, "seen", m->seen,
	    "differs", m->differs, "failing", m->failing, "at", (json_int_t)m->at_ns);
	char *text = json_dumps(o, JSON_COMPACT);

	json_decref(o);
	return text;
}

void monitor_memory_read(struct monitor_memory *m, const char *text)
{
	json_t *o = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
	const char *accepted, *seen;
	int differs, failing;
	json_int_t at;

	*m = (struct monitor_memory){.at_ns = 0};
	if (o != NULL && json_unpack(o, "{s:s, s:s, s:b, s:b, s:I}", "accepted", &accepted, "seen",
			     &seen, "differs", &differs, "failing", &failing, "at", &at) == 0) {
		snprintf(m->accepted, sizeof m->accepted, "%s", accepted);
		snprintf(m->seen, sizeof m->seen, "%s", seen);
		m->differs = differs;
		m->failing = failing;
		m->at_ns = at;
	}
	json_decref(o);
}
