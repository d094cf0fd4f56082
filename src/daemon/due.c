/* due: see due.h. */
#include "daemon/due.h"

enum { HOUR = 3600, DAY = 86400 };

/* The last moment of a schedule that is after the one and not after the other. */
static bool latest(const struct schedule *s, int64_t after, int64_t until, int64_t *due)
{
	static const int64_t back[] = {HOUR, DAY, 8 * DAY, 40 * DAY, 500 * DAY};
	bool found = false;

	for (size_t i = 0; i < sizeof back / sizeof *back && !found; i++) {
		int64_t from = until - back[i] > after ? until - back[i] : after, at;

		for (; schedule_next(s, from, &at) && at <= until; from = at) {
			*due = at;
			found = true;
		}
		if (until - back[i] <= after)
			break;
	}
	return found;
}

static bool look(const struct world_times *t, enum times_what what, int64_t settled_s,
    int64_t now_s, struct due *out)
{
	int64_t after = settled_s;

	if (!t->catch_up && after < now_s - DUE_LATE_S)
		after = now_s - DUE_LATE_S;
	if (!t->is[what] || !latest(&t->v[what], after, now_s, &out->due_s) ||
	    !schedule_start(&t->v[what], out->due_s, &out->start_s))
		return false;
	out->what = what;
	out->late = out->due_s < now_s - DUE_LATE_S;
	return true;
}

bool due_backup(const struct world_times *t, int64_t settled_s, int64_t now_s, struct due *out)
{
	for (int i = TIMES_FULL; i <= TIMES_INCREMENTAL; i++)
		if (look(t, (enum times_what)i, settled_s, now_s, out))
			return true;
	return false;
}

bool due_verify(const struct world_times *t, int64_t settled_s, int64_t now_s, struct due *out)
{
	return look(t, TIMES_VERIFY, settled_s, now_s, out);
}

bool due_what(const struct world_times *t, enum times_what what, int64_t settled_s, int64_t now_s,
    struct due *out)
{
	return look(t, what, settled_s, now_s, out);
}

int64_t due_next(const struct world_times *t, int64_t now_s)
{
	enum times_what what;
	int64_t due, start;

	return world_times_next(t, now_s, false, &what, &due, &start) ? due : INT64_MAX;
}
