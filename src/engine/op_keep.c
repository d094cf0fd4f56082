/* op_keep: see op_keep.h. */
#include "engine/op_keep.h"

#include "repo/note.h"
#include "repo/repo_object.h"

/* The change, the note that makes it, and what it undoes. */
static const struct row {
	unsigned change;
	enum note_op op;
	unsigned not_with;
} rows[] = {
    {KEEP_PIN, NOTE_PIN, KEEP_UNPIN},
    {KEEP_UNPIN, NOTE_UNPIN, KEEP_PIN},
    {KEEP_HOLD, NOTE_HOLD, KEEP_RELEASE},
    {KEEP_RELEASE, NOTE_UNHOLD, KEEP_HOLD},
};

/* Is it so already? */
static bool is_so(const struct snapshot *s, const struct keep_params *p, unsigned change)
{
	switch (change) {
	case KEEP_PIN:
		return s->pinned;
	case KEEP_UNPIN:
		return !s->pinned;
	case KEEP_HOLD:
		return s->held && s->held_until_ns == p->until_ns;
	default:
		return !s->held;
	}
}

/* A hold is made longer by anybody, never shorter: that would be a release. */
static int check_hold(
    struct repo *r, const struct snapshot *s, const struct keep_params *p, struct err *e)
{
	if (!(p->what & KEEP_HOLD) || p->until_ns == 0)
		return 0;
	if (p->until_ns <= repo_now(r))
		return err_set(e, ERR_USAGE, "a hold must end in the future");
	if (!s->held || (s->held_until_ns != 0 && s->held_until_ns <= p->until_ns))
		return 0;
	err_set(e, ERR_USAGE, "it is held for longer already");
	return err_hint(e, "release the hold first, then hold it anew");
}

int op_keep(struct repo *r, const struct snapshot *s, const struct keep_params *p, size_t *changed,
    struct err *e)
{
	char until[NOTE_VALUE];

	*changed = 0;
	if (check_hold(r, s, p, e) == -1)
		return -1;
	note_value_until(until, p->until_ns);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *row = &rows[i];

		if (!(p->what & row->change))
			continue;
		if (p->what & row->not_with)
			return err_set(e, ERR_USAGE, "'%s' and its opposite don't go together",
			    note_op_name(row->op));
		if (is_so(s, p, row->change))
			continue;
		if (note_add(r, s, row->op, row->op == NOTE_HOLD ? until : "", e) == -1)
			return -1;
		++*changed;
	}
	return 0;
}
