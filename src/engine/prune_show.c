/* prune_show: what a prune would do, item by item, and why.  See op_prune.h. */
#include <stdio.h>

#include "base/calendar.h"
#include "base/hex.h"
#include "engine/prune_internal.h"
#include "engine/thaw_cost.h"

static const char *const names[] = {
    [PRUNE_SNAPSHOT] = "remove",
    [PRUNE_DELETE] = "delete",
    [PRUNE_MARK] = "mark",
    [PRUNE_WAIT] = "wait",
    [PRUNE_UNMARK] = "unmark",
    [PRUNE_KEEP] = "keep",
    [PRUNE_REPACK] = "repack",
};

const char *prune_action_name(enum prune_action a)
{
	return names[a];
}

static int show(struct prune *pr, struct prune_item *it, struct err *e)
{
	return pr->p->item(pr->p->item_arg, it, e);
}

static int show_snapshots(struct prune *pr, struct err *e)
{
	for (size_t i = 0; i < pr->snapshots.n; i++) {
		const struct snapshot *s = pr->snapshots.v[i];
		struct prune_item it = {.action = PRUNE_SNAPSHOT,
		    .since_ns = s->forgotten_ns,
		    .due_ns = s->due_ns,
		    .size = s->object_size};
		char when[CALENDAR_TEXT];

		if (!snapshot_goes(s, pr->now_ns))
			continue;
		repo_object_name(it.object, FORMAT_SNAPSHOT, &s->id);
		if (s->is_void)
			snprintf(
			    it.why, sizeof it.why, "of %s, void: it was stored too late", s->host);
		else
			snprintf(it.why, sizeof it.why, "of %s, forgotten, due since %s", s->host,
			    calendar_format_local(when, s->due_ns));
		if (show(pr, &it, e) == -1)
			return -1;
	}
	return 0;
}

/* Of its frames' bytes, what repacking frees; with --repack also within frames, about. */
static double dead_share(const struct prune *pr, const struct ppack *pk)
{
	uint64_t all = pk->live_bytes + pk->dead_bytes;
	uint64_t dead = pk->dead_bytes + (pr->p->repack ? pk->dead_plain / 2 : 0);

	return all ? 100.0 * (double)(dead < all ? dead : all) / (double)all : 0;
}

static void no_mark(const struct prune *pr, const struct ppack *pk, struct prune_item *it)
{
	char when[CALENDAR_TEXT];

	it->due_ns = pr->p->exclusive ? pr->now_ns : pr->now_ns + pr->grace_ns;
	if (pk->repack) {
		it->action = PRUNE_REPACK;
		it->dead = dead_share(pr, pk);
		snprintf(
		    it->why, sizeof it->why, "%.1f %% unused; the rest is written again", it->dead);
	} else if (pk->doomed) {
		it->action = PRUNE_DELETE;
		snprintf(it->why, sizeof it->why, "no snapshot needs it");
	} else if (pr->now_ns - pk->stored_ns < pr->grace_ns) {
		it->action = PRUNE_WAIT;
		it->due_ns = pk->stored_ns + pr->grace_ns;
		snprintf(it->why, sizeof it->why,
		    "unused, but a running backup may need it: marked after %s",
		    calendar_format_local(when, it->due_ns));
	} else {
		it->action = PRUNE_MARK;
		snprintf(it->why, sizeof it->why, "no snapshot needs it: deleted after %s",
		    calendar_format_local(when, it->due_ns));
	}
}

static void has_mark(
    const struct prune *pr, const struct ppack *pk, const struct id *id, struct prune_item *it)
{
	const int64_t *since = idmap_get(pr->marks.oldest, id);
	char from[CALENDAR_TEXT], to[CALENDAR_TEXT];

	it->since_ns = since ? *since : pr->now_ns;
	it->due_ns = it->since_ns + pr->grace_ns;
	calendar_format_local(from, it->since_ns);
	calendar_format_local(to, it->due_ns);
	it->action = pk->live ? PRUNE_UNMARK : pk->doomed ? PRUNE_DELETE : PRUNE_WAIT;
	if (pk->live)
		snprintf(it->why, sizeof it->why, "marked since %s, in use again", from);
	else
		snprintf(it->why, sizeof it->why, "no snapshot needs it: marked since %s, due %s%s",
		    from, pk->doomed ? "since " : "", to);
}

static void is_paid(const struct prune *pr, const struct ppack *pk, struct prune_item *it)
{
	char when[CALENDAR_TEXT];

	it->action = PRUNE_KEEP;
	it->due_ns = pk->paid_ns;
	snprintf(it->why, sizeof it->why,
	    "no snapshot needs it, but %s is paid for until %s: now it costs about %.4f USD "
	    "(--pay-for-cold)",
	    store_class_info(pk->class)->name, calendar_format_local(when, pk->paid_ns),
	    thaw_cost_early(pk->class, pk->class_ns, pk->size, pr->now_ns));
}

static int show_packs(struct prune *pr, struct err *e)
{
	struct ppack *pk;
	struct id id;
	size_t pos = 0;

	while ((pk = idmap_next(pr->packs, &pos, &id)) != NULL) {
		struct prune_item it = {.size = pk->size};

		if (!pk->present || pk->spared ||
		    (pk->live && !pk->marked && !pk->repack && !pk->paid_ns))
			continue;
		repo_object_name(it.object, (enum format_type)pk->type, &id);
		if (pk->paid_ns)
			is_paid(pr, pk, &it);
		else if (pk->marked)
			has_mark(pr, pk, &id, &it);
		else
			no_mark(pr, pk, &it);
		if (show(pr, &it, e) == -1)
			return -1;
	}
	return 0;
}

int prune_show(struct prune *pr, struct err *e)
{
	if (pr->p->item == NULL)
		return 0;
	return show_snapshots(pr, e) == -1 ? -1 : show_packs(pr, e);
}
