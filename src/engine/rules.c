/* rules: see rules.h. */
#include "engine/rules.h"

#include <string.h>

#include "base/calendar.h"

struct judging {
	const struct rules_place *places;
	size_t n;
	const struct rules_system *s;
	int64_t now_ns;
};

static const int64_t DAY_NS = INT64_C(86400) * CALENDAR_SECOND;

const char *rules_name(enum rule r)
{
	static const char *const names[RULE_COUNT] = {"copies", "media", "offsite", "immutable",
	    "errors", "residency", "encryption", "roles"};

	return names[r];
}

static bool fresh(const struct proof *p, int64_t now_ns)
{
	/* One from the future is of a clock that was wrong: it proves nothing. */
	return p->known && p->when_ns <= now_ns + DAY_NS &&
	       now_ns - p->when_ns <= RULES_FRESH_DAYS * DAY_NS;
}

/* Does it lie where nobody reaches it, as it was seen lately? */
static bool is_away(const struct judging *j, size_t i)
{
	const struct rules_place *p = &j->places[i];

	return p->offline && !p->open && p->seen_ns && p->seen_ns <= j->now_ns + DAY_NS &&
	       j->now_ns - p->seen_ns <= RULES_FRESH_DAYS * DAY_NS;
}

/* One that fell behind another by so much is a copy of something else. */
static bool is_behind(const struct judging *j, size_t i)
{
	for (size_t k = 0; k < j->n; k++)
		if (j->s->newest_ns[i] < j->s->newest_ns[k] - RULES_FRESH_DAYS * DAY_NS)
			return true;
	return false;
}

/* Does it hold a copy that can be read now, or is away by design? */
static bool holds(const struct judging *j, size_t i)
{
	return (j->places[i].open || is_away(j, i)) && j->s->newest_ns[i] != 0 &&
	       j->places[i].same_as == NULL && !is_behind(j, i);
}

static void add(struct buf *b, const char *name, const char *what)
{
	buf_printf(b, "%s%s%s%s", b->n ? "; " : "", name, name[0] && what[0] ? " " : "", what);
}

/* Why what was meant to hold a copy does not. */
static void tell_missing(const struct judging *j, struct rules_verdict *v)
{
	for (size_t i = 0; i < j->n; i++) {
		const struct rules_place *p = &j->places[i];

		if (!j->s->meant[i] || holds(j, i))
			continue;
		add(&v->reason, p->name,
		    p->same_as                      ? "is the same repository as another one"
		    : p->open && j->s->newest_ns[i] ? "is more than 31 days behind"
		    : p->open                       ? "holds no complete snapshot of it"
						    : "cannot be looked at: ");
		if (!p->open)
			buf_printf(&v->reason, "%s", p->why_not);
	}
}

static void judge_copies(const struct judging *j, struct rules_verdict *v)
{
	size_t copies = 1;

	add(&v->reason, "", "the original");
	for (size_t i = 0; i < j->n; i++)
		if (holds(j, i)) {
			copies++;
			buf_printf(&v->reason, ", %s", j->places[i].name);
		}
	v->kept = copies >= 3;
	buf_printf(&v->reason, ": %zu of 3", copies);
	tell_missing(j, v);
	if (!v->kept)
		buf_printf(&v->todo, "back it up to %zu more %s", 3 - copies,
		    copies == 2 ? "repository" : "repositories");
}

static void judge_media(const struct judging *j, struct rules_verdict *v)
{
	const char *other = NULL;

	for (size_t i = 0; i < j->n; i++)
		if (holds(j, i) && strcmp(j->places[i].media, "disk") != 0)
			other = j->places[i].name;
	v->kept = other != NULL;
	if (v->kept) {
		buf_printf(&v->reason, "the original is on disk, %s on another medium", other);
		return;
	}
	buf_printf(&v->reason, "the original and all copies are on disk");
	buf_printf(&v->todo, "keep a copy on other media, or say which they are (media:)");
}

/* Why this one is not elsewhere; NULL: it is. */
static const char *not_elsewhere(const struct judging *j, size_t i)
{
	const struct rules_place *p = &j->places[i];

	if (strcmp(p->role, "offsite") != 0)
		return "is not of role offsite";
	if (p->location == NULL)
		return "has no location";
	for (size_t k = 0; k < j->n; k++) {
		const struct rules_place *q = &j->places[k];

		if (strcmp(q->role, "primary") == 0 && q->location != NULL &&
		    strcmp(q->location, p->location) == 0)
			return "is at the location of a primary one";
	}
	return NULL;
}

static void judge_offsite(const struct judging *j, struct rules_verdict *v)
{
	for (size_t i = 0; i < j->n; i++) {
		const char *why;

		if (!holds(j, i))
			continue;
		why = not_elsewhere(j, i);
		if (why == NULL) {
			v->kept = true;
			buf_reset(&v->reason);
			buf_printf(
			    &v->reason, "%s is at %s", j->places[i].name, j->places[i].location);
			return;
		}
		add(&v->reason, j->places[i].name, why);
	}
	if (v->reason.n == 0)
		buf_printf(&v->reason, "there is no copy");
	buf_printf(&v->todo, "keep a copy at another place, of role offsite with its location");
}

/* What is only declared does not count: the reason says so. */
static const char *not_immutable(const struct rules_place *p, int64_t now_ns)
{
	if (p->tamper.known && p->tamper.problems)
		return "did not withstand check --tamper";
	if (p->tamper.known && !fresh(&p->tamper, now_ns))
		return "was last proven more than 31 days ago";
	if (p->tamper.known && p->tamper.until_ns && p->tamper.until_ns <= now_ns)
		return "had locks, which have ended since they were seen";
	if (!p->tamper.known && p->declared_lock)
		return "has object_lock declared, which nobody has proven";
	if (!p->tamper.known && p->offline)
		return "should be offline, and can be reached now";
	return p->tamper.known ? NULL : "has not been proven";
}

static void judge_immutable(const struct judging *j, struct rules_verdict *v)
{
	for (size_t i = 0; i < j->n; i++) {
		const char *why;

		if (!holds(j, i))
			continue;
		why = is_away(j, i) ? NULL : not_immutable(&j->places[i], j->now_ns);
		if (why == NULL) {
			v->kept = true;
			buf_reset(&v->reason);
			buf_printf(&v->reason, "%s %s", j->places[i].name,
			    is_away(j, i) ? "is offline: nobody reaches it now"
					  : "refused to replace or delete what it holds");
			return;
		}
		add(&v->reason, j->places[i].name, why);
	}
	if (v->reason.n == 0)
		buf_printf(&v->reason, "there is no copy");
	buf_printf(&v->todo,
	    "give one a lock, or rights to add only, or keep one offline, and prove it: "
	    "holdfast -r NAME check --tamper");
}

/* Why its last check does not count; NULL: it does. */
static const char *not_checked(const struct rules_place *p, int64_t now_ns)
{
	if (!p->check.known)
		return "was never checked from here";
	if (p->check.problems)
		return "was damaged when it was checked last";
	return fresh(&p->check, now_ns) ? NULL : "was last checked more than 31 days ago";
}

static void judge_errors(const struct judging *j, struct rules_verdict *v)
{
	size_t copies = 0, read = 0;

	for (size_t i = 0; i < j->n; i++) {
		const char *why = not_checked(&j->places[i], j->now_ns);

		if (!holds(j, i))
			continue;
		copies++;
		read += j->places[i].check.whole;
		if (why != NULL)
			add(&v->reason, j->places[i].name, why);
	}
	v->kept = copies > 0 && v->reason.n == 0;
	if (copies == 0)
		buf_printf(&v->reason, "there is no copy");
	if (v->kept)
		buf_printf(&v->reason,
		    "all %zu copies were checked without errors, %zu with all data", copies, read);
	else
		buf_printf(&v->todo, "holdfast -r NAME check for each of these, better with "
				     "--read-data; repair what is damaged");
}

static bool allowed(const struct rules_system *s, const char *location)
{
	for (size_t i = 0; i < s->nresidency; i++)
		if (location != NULL && strcmp(s->residency[i], location) == 0)
			return true;
	return s->nresidency == 0;
}

/* Of destinations, and of whatever else turns out to hold some of it. */
static void judge_residency(const struct judging *j, struct rules_verdict *v)
{
	v->kept = true;
	for (size_t i = 0; i < j->n; i++) {
		const struct rules_place *p = &j->places[i];

		if (allowed(j->s, p->location) || (!j->s->meant[i] && p->open && !j->s->some[i]))
			continue;
		v->kept = false;
		if (!j->s->meant[i] && !p->open) {
			add(&v->reason, p->name, "cannot be looked at, and may hold some of it");
			continue;
		}
		add(&v->reason, p->name, p->location ? "is at " : "has no location");
		buf_printf(&v->reason, "%s", p->location ? p->location : "");
	}
	if (v->kept)
		buf_printf(&v->reason, "%s",
		    j->s->nresidency ? "all is where it may be" : "no residency is asked for");
	else
		buf_printf(&v->todo, "take it out of the tier's destinations and forget it there, "
				     "or allow the location (residency:)");
}

/* There are no others. */
static void judge_encryption(const struct judging *j, struct rules_verdict *v)
{
	v->kept = true;
	buf_printf(&v->reason, "%s; every repository of this format is encrypted",
	    j->s->encryption_required ? "required" : "not asked for");
}

static void judge_roles(const struct judging *j, struct rules_verdict *v)
{
	size_t primary = 0;

	v->kept = true;
	for (size_t i = 0; i < j->n; i++) {
		const struct rules_place *p = &j->places[i];
		const char *why = NULL;

		if (!j->s->meant[i])
			continue;
		primary += strcmp(p->role, "primary") == 0;
		if (p->role[0] == '\0')
			why = "has no role";
		else if (p->location == NULL)
			why = "has no location";
		else if (strcmp(p->role, "offsite") == 0)
			why = not_elsewhere(j, i);
		if (p->same_as != NULL)
			why = "is the same repository as another one";
		if (why == NULL && p->stranger)
			why = "is not kin to its family (init --family)";
		if (why == NULL)
			continue;
		v->kept = false;
		add(&v->reason, p->name, why);
	}
	if (primary != 1) {
		v->kept = false;
		add(&v->reason, "", primary ? "more than one is primary" : "none is primary");
	}
	if (v->kept)
		buf_printf(&v->reason, "one is primary, and each has its location");
	else
		buf_printf(&v->todo, "say role and location of each repository as they are");
}

void rules_judge(const struct rules_place *places, size_t n, const struct rules_system *s,
    int64_t now_ns, struct rules_verdict out[RULE_COUNT])
{
	static void (*const judges[RULE_COUNT])(const struct judging *, struct rules_verdict *) = {
	    judge_copies, judge_media, judge_offsite, judge_immutable, judge_errors,
	    judge_residency, judge_encryption, judge_roles};
	struct judging j = {places, n, s, now_ns};

	for (int r = 0; r < RULE_COUNT; r++)
		judges[r](&j, &out[r]);
}

void rules_fini(struct rules_verdict v[RULE_COUNT])
{
	for (int r = 0; r < RULE_COUNT; r++) {
		buf_fini(&v[r].reason);
		buf_fini(&v[r].todo);
	}
}
