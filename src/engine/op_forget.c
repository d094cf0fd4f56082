/* op_forget: notes of forgetting, by policy or by name.  The rules are in forget_policy.c. */
#include "engine/op_forget.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "base/hex.h"
#include "base/mem.h"
#include "engine/forget_log.h"
#include "repo/note.h"
#include "repo/repo_object.h"

struct forgetting {
	struct repo *repo;
	const struct forget_params *p;
	struct ctx *ctx;
	int (*decided)(void *, const struct forget_decision *, struct err *);
	void *arg;
	struct forget_result *out;
	char delay[NOTE_VALUE];
	int64_t now_ns;
};

static bool policy_empty(const struct forget_policy *p)
{
	return !p->last && !p->hourly && !p->daily && !p->weekly && !p->monthly && !p->yearly &&
	       p->within_ns <= 0 && p->within_months <= 0 && p->ntags == 0;
}

/* A pin or a hold is stronger than any policy or name. */
static void refuse(struct forgetting *f, struct forget_decision *d)
{
	const struct snapshot *s = d->snapshot;

	char since[CALENDAR_TEXT], by[2 * FORMAT_UID + 1];

	if (d->keep || !snapshot_kept(s, f->now_ns))
		return;
	d->keep = true;
	snprintf(d->reason, sizeof d->reason, "%s since %s by key holder %.8s: not dropped",
	    s->held ? "held" : "pinned", calendar_format_local(since, s->kept_ns),
	    hex_encode(by, s->keeper, FORMAT_UID));
	f->out->refused++;
}

/* What is forgotten already gets a note only to be due earlier. */
static bool needs_note(struct forgetting *f, const struct forget_decision *d)
{
	const struct snapshot *s = d->snapshot;

	if (d->keep || f->p->dry_run)
		return false;
	return !(s->forgotten || s->unheard) || s->due_ns > f->now_ns + f->p->delay_ns;
}

/* It is forgotten, and yet nothing goes: that must not look like done. */
static void tell_unclear(struct forgetting *f, struct forget_decision *d)
{
	if (d->keep || !d->snapshot->unclear)
		return;
	d->keep = true;
	snprintf(d->reason, sizeof d->reason, "a note on it cannot be read: it stays until then");
	f->out->unclear++;
}

/* The note first, so that nothing is told that did not happen. */
static int carry_out(struct forgetting *f, struct forget_decision *d, struct err *e)
{
	char hex[ID_HEX];

	refuse(f, d);
	if (ctx_check(f->ctx, e) == -1)
		return -1;
	if (needs_note(f, d) && note_add(f->repo, d->snapshot, NOTE_FORGET, f->delay, e) == -1)
		return err_wrap(e, "forget snapshot %.8s", id_hex(hex, &d->snapshot->id));
	tell_unclear(f, d);
	if (d->keep)
		f->out->kept++;
	else
		f->out->dropped++;
	return f->decided ? f->decided(f->arg, d, e) : 0;
}

static int undo_named(struct forgetting *f, struct err *e)
{
	for (size_t i = 0; i < f->p->nnamed; i++) {
		const struct snapshot *s = f->p->named[i];
		struct forget_decision d = {s, true, "not forgotten"};
		char hex[ID_HEX];

		if (s->forgotten) {
			snprintf(d.reason, sizeof d.reason, "brought back");
			f->out->undone++;
			if (!f->p->dry_run && note_add(f->repo, s, NOTE_RELEASE, "", e) == -1)
				return err_wrap(e, "bring back snapshot %.8s", id_hex(hex, &s->id));
		}
		f->out->kept++;
		if (f->decided && f->decided(f->arg, &d, e) == -1)
			return -1;
	}
	return 0;
}

static int forget_named(struct forgetting *f, struct err *e)
{
	for (size_t i = 0; i < f->p->nnamed; i++) {
		const struct snapshot *s = f->p->named[i];
		struct forget_decision d = {s, false, "named"};

		if (s->forgotten)
			snprintf(d.reason, sizeof d.reason, "forgotten already");
		if (carry_out(f, &d, e) == -1)
			return -1;
	}
	return 0;
}

/* A policy that keeps nothing of a group is a mistake about that group. */
static void refuse_empty(struct forgetting *f, struct forget_decision *d, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (d[i].keep)
			return;
	for (size_t i = 0; i < n; i++) {
		d[i].keep = true;
		snprintf(d[i].reason, sizeof d[i].reason,
		    "the policy keeps nothing of this group: nothing dropped");
	}
	f->out->groups_unkept += n > 0;
}

static bool complete(const struct snapshot *s)
{
	for (size_t i = 0; i < s->nparts; i++)
		if (s->parts[i].outcome != SNAPSHOT_COMPLETE)
			return false;
	return select_counts(s);
}

/* No rule drops the newest recovery point of a group. */
static void spare_newest(struct forget_decision *d, size_t n)
{
	while (n > 0 && !complete(d[n - 1].snapshot))
		n--;
	if (n == 0 || d[n - 1].keep)
		return;
	d[n - 1].keep = true;
	snprintf(d[n - 1].reason, sizeof d->reason, "the newest complete one of its group");
}

/* Told loudly, and nothing is dropped: what rules would drop may be the good ones. */
static void hold_back(
    struct forgetting *f, struct forget_decision *d, const struct snapshot *const *group, size_t n)
{
	struct forget_rhythm r = forget_rhythm(&f->p->policy, group, n);
	char from[CALENDAR_TEXT], to[CALENDAR_TEXT];
	bool any = false;

	for (size_t i = 0; i < n; i++)
		any = any || !d[i].keep;
	if (r.burst == 0 || !any)
		return;
	event_emit(f->ctx, EVENT_WARNING, span_of(NULL, 0),
	    "a group of %s grew out of its rhythm: %zu snapshots from %s to %s, where one in "
	    "%.1f hours is usual%s",
	    group[0]->host, r.burst, calendar_format_local(from, r.from_ns),
	    calendar_format_local(to, r.to_ns), (double)r.usual_ns / 3600e9,
	    f->p->flooded_ok ? "" : "; nothing of it is dropped");
	if (f->p->flooded_ok)
		return;
	f->out->groups_flooded++;
	for (size_t i = 0; i < n; i++) {
		if (!d[i].keep)
			snprintf(d[i].reason, sizeof d[i].reason,
			    "held back: the group grew out of its rhythm");
		d[i].keep = true;
	}
}

static int forget_group(
    struct forgetting *f, const struct snapshot *const *group, size_t n, struct err *e)
{
	struct forget_decision *d = mem_alloc(n * sizeof *d);
	int rc;

	f->out->groups++;
	forget_decide(&f->p->policy, group, n, d);
	refuse_empty(f, d, n);
	spare_newest(d, n);
	rc = forget_log_spare(f->repo, d, n, e);
	hold_back(f, d, group, n);
	for (size_t i = n; i-- > 0 && rc == 0;)
		rc = carry_out(f, &d[i], e);
	free(d);
	return rc;
}

/* Signer, then group: what a snapshot says of its group binds only its signer's own. */
static int group_cmp(const struct snapshot *x, const struct snapshot *y)
{
	int c = memcmp(x->signer, y->signer, sizeof x->signer);

	return c ? c : memcmp(x->group, y->group, sizeof x->group);
}

static int by_group(const void *a, const void *b)
{
	const struct snapshot *x = *(struct snapshot *const *)a, *y = *(struct snapshot *const *)b;
	int c = group_cmp(x, y);

	if (c == 0)
		c = (x->start_ns > y->start_ns) - (x->start_ns < y->start_ns);
	return c ? c : id_cmp(&x->id, &y->id);
}

static int forget_groups(struct forgetting *f, struct select_list *l, struct err *e)
{
	size_t end;

	if (l->n > 1)
		qsort(l->v, l->n, sizeof *l->v, by_group);
	for (size_t i = 0; i < l->n; i = end) {
		for (end = i + 1; end < l->n && group_cmp(l->v[i], l->v[end]) == 0; end++)
			;
		if (forget_group(f, (const struct snapshot *const *)l->v + i, end - i, e) == -1)
			return -1;
	}
	return 0;
}

int op_forget(struct repo *r, const struct forget_params *p, struct ctx *ctx,
    int (*decided)(void *, const struct forget_decision *, struct err *), void *arg,
    struct forget_result *out, struct err *e)
{
	struct forgetting f = {r, p, ctx, decided, arg, out, "", repo_now(r)};
	struct select_filter filter = p->filter;
	struct select_list l;
	int rc;

	memset(out, 0, sizeof *out);
	note_value_delay(f.delay, p->delay_ns);
	if (p->nnamed > 0)
		return p->undo ? undo_named(&f, e) : forget_named(&f, e);
	if (policy_empty(&p->policy)) {
		err_set(
		    e, ERR_USAGE, "forget: nothing says what to keep; this would drop everything");
		return err_hint(e, "use --keep-last, --keep-daily ..., or name snapshots");
	}
	filter.forgotten = false;
	if (select_all(r, &filter, ctx, &l, e) == -1)
		return -1;
	rc = forget_groups(&f, &l, e);
	if (rc == 0 && l.damaged > 0) {
		rc = err_set(
		    e, ERR_INCOMPLETE, "%zu snapshots cannot be read; they stay", l.damaged);
		err_hint(e, "holdfast check names what is damaged");
	}
	select_list_fini(&l);
	return rc;
}
