/*
 * daemon_drill_lack: what will not be proven in its time is told: once of each system and point and
 * for each reason, as long as it is so; and when nothing lacks any more.
 */
#include "daemon/daemon_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "catalog/drill_memory.h"
#include "catalog/drill_plan.h"

struct drill_told {
	char *system, *point;
	enum drill_lack lack;
	bool still, fresh;
};

static void drop(struct drill_told *t)
{
	free(t->system);
	free(t->point);
}

void daemon_drill_free(struct daemon *d)
{
	drill_memory_free(d->drills);
	d->drills = NULL;
	for (size_t i = 0; i < d->ndrills_told; i++)
		drop(&d->drills_told[i]);
	free(d->drills_told);
	d->drills_told = NULL;
	d->ndrills_told = 0;
}

/* Which of a system's does not come to its turn is another at each look. */
static bool is_of(const struct drill_told *t, const struct drill_point *p, enum drill_lack lack)
{
	return t->lack == lack && strcmp(t->system, p->system) == 0 &&
	       (lack == DRILL_NO_TIME || strcmp(t->point, p->kind) == 0);
}

static void note(struct daemon *d, const struct drill_point *p, enum drill_lack lack)
{
	for (size_t i = 0; i < d->ndrills_told; i++)
		if (is_of(&d->drills_told[i], p, lack)) {
			d->drills_told[i].still = true;
			return;
		}
	d->drills_told = mem_realloc(
	    d->drills_told, (d->ndrills_told + 1) * sizeof *d->drills_told);
	d->drills_told[d->ndrills_told++] = (struct drill_told){.system = mem_strdup(p->system),
	    .point = mem_strdup(p->kind),
	    .lack = lack,
	    .still = true,
	    .fresh = true};
}

/* All of one system and reason at once. */
static void tell(struct daemon *d, const struct drill_told *first)
{
	static const char *const why[] = {
	    [DRILL_NO_DISK] = "a drill of it needs more than drill.disk allows",
	    [DRILL_NO_DAY] = "one drill of it takes longer than drill.budget gives a day",
	    [DRILL_NO_TIME] = "there is not enough of drill.budget for all that is to be proven",
	    [DRILL_NO_LUCK] = "its drills failed, or could not be tried, until then: see "
			      "'holdfast jobs'"};
	struct buf b = {0};
	unsigned n = 0;

	for (size_t i = 0; i < d->ndrills_told; i++) {
		struct drill_told *t = &d->drills_told[i];

		if (!t->fresh || t->lack != first->lack || strcmp(t->system, first->system) != 0)
			continue;
		buf_printf(&b, "%s'%s'", n++ ? ", " : "", t->point);
		t->fresh = false;
	}
	daemon_tell(d, "drill.uncovered", EVENT_WARN, first->system, 0,
	    "its %s %s will not be proven within the time that is said (drill.within): %s",
	    n == 1 ? "point" : "points", buf_cstr(&b), why[first->lack]);
	buf_fini(&b);
}

/* Of all that lacks nothing by itself: will each come to its turn? */
static void look_ahead(struct daemon *d, const struct drill_point *v, size_t n,
    const struct drill_budget *day, int64_t now_s)
{
	struct drill_point *copy = mem_dup(v, n * sizeof *v);
	struct drill_foresight f;

	for (size_t i = 0; i < n; i++)
		copy[i].busy |= drill_plan_lack(&v[i], day, now_s) != DRILL_COVERED;
	f = drill_plan_foresee(copy, n, day, now_s);
	free(copy);
	if (f.lack == DRILL_COVERED)
		return;
	for (size_t i = 0; i < d->ndrills_told; i++)
		d->drills_told[i].still |= d->drills_told[i].lack == f.lack;
	note(d, &v[f.which], f.lack);
}

void daemon_drill_foresee(struct daemon *d, const struct drill_point *v, size_t n,
    const struct drill_budget *day, int64_t now_s)
{
	size_t had = d->ndrills_told, kept = 0;

	for (size_t i = 0; i < had; i++)
		d->drills_told[i].still = false;
	for (size_t i = 0; i < n; i++) {
		enum drill_lack lack = drill_plan_lack(&v[i], day, now_s);

		if (lack != DRILL_COVERED)
			note(d, &v[i], lack);
	}
	if (n > 0)
		look_ahead(d, v, n, day, now_s);
	for (size_t i = 0; i < d->ndrills_told; i++) {
		if (d->drills_told[i].still)
			d->drills_told[kept++] = d->drills_told[i];
		else
			drop(&d->drills_told[i]);
	}
	d->ndrills_told = kept;
	for (size_t i = 0; i < kept; i++)
		if (d->drills_told[i].fresh)
			tell(d, &d->drills_told[i]);
	if (had > 0 && kept == 0)
		daemon_tell(d, "drill.covered", EVENT_INFO, NULL, 0,
		    "all recovery points will be proven within the time that is said again");
}
