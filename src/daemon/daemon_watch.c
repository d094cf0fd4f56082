/*
 * daemon_watch: is each system's newest point as young as it promises?
 *
 * The age is that of what was read: from the beginning of the last run that succeeded, or of what
 * receivers have stored since (newest.h).  Beyond the
 * target it is a warning, beyond what is acceptable critical; each is told once, and that it is
 * kept again; of several daemons that share a catalog by one.  One that has never been backed up
 * has from the daemon's beginning.
 */
#include "daemon/daemon_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "daemon/newest.h"

enum { EVERY_S = 60, DAY = 86400 };

static int64_t seconds(const struct calendar_duration *d)
{
	return d->ns / CALENDAR_SECOND + (int64_t)d->months * 30 * DAY;
}

struct sorted {
	struct daemon *d;
	struct planned **v; /* by name */
	int64_t *from_s;    /* in the order of d->systems; 0: never */
};

static int by_name(const void *name, const void *planned)
{
	const struct planned *const *p = planned;

	return strcmp(name, (*p)->system->item.name);
}

static int order(const void *a, const void *b)
{
	const struct planned *const *x = a, *const *y = b;

	return strcmp((*x)->system->item.name, (*y)->system->item.name);
}

static int note(void *arg, const struct run_latest *l, struct err *e)
{
	struct sorted *s = arg;
	struct planned **p;

	if (strcmp(l->kind, "backup") != 0)
		return 0;
	p = bsearch(l->system, s->v, s->d->nsystems, sizeof *s->v, by_name);
	if (p != NULL)
		s->from_s[*p - s->d->systems] = l->success_started_ns / CALENDAR_SECOND;
	return 0;
}

/* Of one that was never backed up: since we look. */
static int64_t point_s(const struct sorted *s, size_t i, int64_t now_s)
{
	struct daemon *d = s->d;
	struct newest n;

	if (s->from_s[i] == 0)
		return d->began_s;
	newest_look(d->systems[i].system, d->p->state_dir, now_s * CALENDAR_SECOND, &n);
	return newest_point(&n, s->from_s[i] * CALENDAR_SECOND) / CALENDAR_SECOND;
}

static void judge(struct daemon *d, struct planned *p, int64_t from_s, int64_t now_s)
{
	const struct world_tier *t = world_tier(d->world, p->system->tier);
	int64_t target = seconds(&t->rpo.target), most = seconds(&t->rpo.acceptable);
	int64_t age = now_s - from_s;
	enum event_level level = EVENT_INFO;

	if (target != 0 && age > target)
		level = most != 0 && age <= most ? EVENT_WARN : EVENT_ERROR;
	if (level == p->rpo)
		return;
	p->rpo = level;
	if (level == EVENT_INFO)
		daemon_tell(d, "rpo.kept", EVENT_INFO, p->system->item.name, 0,
		    "its newest point is young enough again");
	else
		daemon_tell(d, "rpo.missed", level, p->system->item.name, 0,
		    "what is backed up is %lld minutes old; promised are %lld", (long long)age / 60,
		    (long long)target / 60);
}

void daemon_watch_rpo(struct daemon *d, int64_t now_s)
{
	struct sorted s = {.d = d};
	struct err e;

	if (!d->leads || (now_s - d->watched_s < EVERY_S && now_s >= d->watched_s))
		return;
	d->watched_s = now_s;
	s.v = mem_alloc((d->nsystems + 1) * sizeof(void *));
	s.from_s = mem_zalloc((d->nsystems + 1) * sizeof *s.from_s);
	for (size_t i = 0; i < d->nsystems; i++)
		s.v[i] = &d->systems[i];
	qsort(s.v, d->nsystems, sizeof *s.v, order);
	if (run_latest(d->catalog, NULL, note, &s, &e) == 0) {
		for (size_t i = 0; i < d->nsystems; i++)
			if (!d->systems[i].system->paused)
				judge(d, &d->systems[i], point_s(&s, i, now_s), now_s);
	} else {
		daemon_log(d, EVENT_ERROR, "%s", e.msg);
	}
	free(s.v);
	free(s.from_s);
}
