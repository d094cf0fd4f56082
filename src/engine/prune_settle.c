/*
 * prune_settle: see prune_internal.h.  When packs went, their mark is put anew: the
 * tombstone's grace counts from then, for who began before may still put an index that
 * names them, until its deadline.  A listing may show a new mark late and lack a deleted
 * one at once, so an old mark goes in a later run only, when all see the new one; and one
 * that is no tombstone never goes by its age: its packs may have gone just now.
 *
 * While there is an index that cannot be read no tombstone goes, since that may name its
 * packs and be mended; old ones are put together, so that they do not pile up.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "engine/prune_internal.h"

/* When the newest mark that names a pack was stored; and the newest that every listing shows. */
struct naming {
	int64_t any_ns, shown_ns;
};

enum { WORN_MARKS = 8 }; /* so many are put together */

/* Tombstones that are old enough to go, were there no index that we cannot read. */
struct worn {
	struct idmap *packs;
	size_t marks;
};

struct settling {
	struct prune *pr;
	struct idmap *named; /* pack -> struct naming */
	struct worn *worn;
	const struct mark *mark;
	struct id *rest; /* its packs but for those that live on */
	size_t n;
	bool unmarked; /* some live on */
	bool gone;     /* some were deleted just now, or taken out of an index */
	bool left;     /* some are there still, or in an index */
	bool lost;     /* some were gone before */
	bool renewed;  /* a newer mark names all of the rest */
	bool shown;    /* and every listing shows that */
	bool young;    /* a newer one names some, and not every listing shows that */
};

static struct idmap *note_marks(const struct prune *pr)
{
	struct idmap *named = idmap_new(sizeof(struct naming));

	for (size_t i = 0; i < pr->marks.n; i++) {
		const struct mark *m = &pr->marks.v[i];
		bool shown = pr->now_ns - m->stored_ns >= repo_lag_ns(pr->repo);

		for (size_t j = 0; j < m->npacks; j++) {
			struct naming *x = idmap_put(named, &m->packs[j], NULL);

			if (m->stored_ns > x->any_ns)
				x->any_ns = m->stored_ns;
			if (shown && m->stored_ns > x->shown_ns)
				x->shown_ns = m->stored_ns;
		}
	}
	return named;
}

static void take_rest(struct settling *s, const struct id *id, const struct ppack *pk)
{
	const struct naming *x = idmap_get(s->named, id);
	bool is = pk != NULL && (pk->present || pk->indexed);

	s->rest[s->n++] = *id;
	s->gone = s->gone || (is && prune_drops(pk));
	s->left = s->left || (is && !prune_drops(pk));
	s->lost = s->lost || !is;
	s->renewed = s->renewed && x->any_ns > s->mark->stored_ns;
	s->shown = s->shown && x->shown_ns > s->mark->stored_ns;
	s->young = s->young || (x->any_ns > s->mark->stored_ns && x->any_ns > x->shown_ns);
}

static void look_at_mark(struct settling *s)
{
	s->renewed = s->shown = true;
	for (size_t i = 0; i < s->mark->npacks; i++) {
		const struct id *id = &s->mark->packs[i];
		const struct ppack *pk = idmap_get(s->pr->packs, id);

		/* Lost packs that are needed stay marked: they are not there to be used. */
		if (pk != NULL && pk->live && pk->present)
			s->unmarked = true;
		else
			take_rest(s, id, pk);
	}
}

/* Nothing that we can read names its packs, and nobody who began before they went can any more. */
static bool is_worn(const struct settling *s)
{
	const struct prune *pr = s->pr;

	return (s->mark->kind == MARK_GONE || s->n == 0) && !s->unmarked && !s->gone && !s->left &&
	       !s->young && pr->now_ns - s->mark->stored_ns >= 2 * pr->grace_ns;
}

static void wear(struct settling *s)
{
	s->worn->marks++;
	for (size_t i = 0; i < s->n; i++)
		idmap_put(s->worn->packs, &s->rest[i], NULL);
}

/* One that names what they do: they go when every listing shows that. */
static int put_together(struct prune *pr, const struct worn *w, struct err *e)
{
	struct id_list all = {0};
	struct id id, mark;
	size_t pos = 0;
	int rc;

	if (w->marks < WORN_MARKS || idmap_count(w->packs) > MARK_PACKS_MAX)
		return 0;
	while (idmap_next(w->packs, &pos, &id) != NULL)
		id_list_add(&all, &id);
	rc = mark_put(pr->repo, MARK_GONE, all.v, all.n, &mark, e);
	id_list_fini(&all);
	return rc;
}

/* Must the rest be named anew?  It is a tombstone if any of it is gone. */
static bool is_stale(const struct settling *s)
{
	bool unsaid = s->lost && s->mark->kind != MARK_GONE;

	return s->n > 0 && (s->gone || (!s->renewed && (s->unmarked || unsaid)));
}

static int settle(struct settling *s, struct err *e)
{
	struct repo *r = s->pr->repo;
	bool worn = is_worn(s), read = !s->pr->unread;
	bool goes = (read && (s->pr->p->exclusive || worn)) || (!s->gone && s->n > 0 && s->shown);
	enum mark_kind kind = s->gone || s->lost ? MARK_GONE : s->mark->kind;
	struct id id;

	if (!goes && is_stale(s) && mark_put(r, kind, s->rest, s->n, &id, e) == -1)
		return -1;
	if (!goes && worn && s->n > 0 && !s->renewed)
		wear(s);
	/* Where nothing is gone a moment without a mark does no harm: all is there for a grace. */
	goes = goes || (s->unmarked && !s->gone && !s->lost);
	return goes ? mark_del(r, &s->mark->id, e) : 0;
}

int prune_settle_marks(struct prune *pr, struct err *e)
{
	struct idmap *named = note_marks(pr);
	struct worn worn = {idmap_new(0), 0};
	int rc = 0;

	for (size_t i = 0; i < pr->marks.n && rc == 0; i++) {
		const struct mark *m = &pr->marks.v[i];
		struct settling s = {.pr = pr, .named = named, .worn = &worn, .mark = m};

		/* What may be somebody's is his. */
		if (m->kind == MARK_KINDS || m->unread == ERR_FOREIGN || m->unread == ERR_LATER)
			continue;
		s.rest = mem_alloc(m->npacks * sizeof *s.rest);
		look_at_mark(&s);
		rc = settle(&s, e);
		free(s.rest);
	}
	if (rc == 0)
		rc = put_together(pr, &worn, e);
	idmap_free(worn.packs);
	idmap_free(named);
	return rc;
}
