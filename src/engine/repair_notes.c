/*
 * repair_notes: see repair_internal.h.  A note that cannot be read keeps its snapshot; one
 * that nobody can make readable must not do so for ever.
 */
#include "engine/repair_internal.h"
#include "repo/mark.h"
#include "repo/note.h"
#include "repo/repo_parity.h"

static int remove_note(struct repair *rp, const struct note *n, const char *why, struct err *e)
{
	char name[REPO_NAME_MAX];

	if (!rp->p->dry_run && note_del(rp->repo, n, e) == -1)
		return -1;
	rp->out->notes_removed++;
	event_emit(rp->ctx, EVENT_OBJECT_REMOVED, span_str(note_name(name, &n->snapshot, &n->id)),
	    "%s", why);
	return 0;
}

int repair_notes(struct repair *rp, struct err *e)
{
	struct note_list l;
	int rc = note_load_all(rp->repo, &l, e);

	for (size_t i = 0; i < l.n && rc == 0; i++) {
		const struct note *n = &l.v[i];

		if (n->junk) {
			rc = remove_note(rp, n, "no note of anybody's", e);
		} else if (n->unread == ERR_CORRUPT) {
			/* It may have been a hold: that it is lost is told. */
			rp->out->notes_lost++;
			rc = remove_note(rp, n, "unreadable note", e);
		}
	}
	note_list_fini(&l);
	return rc;
}

int repair_drop_notes(struct repair *rp, struct err *e)
{
	struct note_list l;
	int rc = note_load_all(rp->repo, &l, e);

	for (size_t i = 0; i < l.n && rc == 0; i++)
		if (l.v[i].unread == ERR_FOREIGN)
			rc = remove_note(rp, &l.v[i], "of nobody whom config knows", e);
	note_list_fini(&l);
	return rc;
}

int repair_drop_marks(struct repair *rp, struct err *e)
{
	struct mark_set m;
	char name[REPO_NAME_MAX];
	int rc = mark_load(rp->repo, &m, e);

	for (size_t i = 0; i < m.n && rc == 0; i++) {
		if (m.v[i].unread != ERR_FOREIGN)
			continue;
		if (!rp->p->dry_run)
			rc = mark_del(rp->repo, &m.v[i].id, e);
		rp->out->marks_removed++;
		event_emit(rp->ctx, EVENT_OBJECT_REMOVED,
		    span_str(repo_object_name(name, FORMAT_MARK, &m.v[i].id)),
		    "of nobody whom config knows");
	}
	mark_set_fini(&m);
	return rc;
}
