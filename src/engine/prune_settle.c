/*
 * prune_settle: see prune_internal.h.  When packs went, their mark is put anew: the
 * tombstone's grace counts from then, for who began before may still put an index that
 * names them, until its deadline.  A listing may show a new mark late and lack a deleted
 * one at once, so an old mark goes in a later run only, when all see the new one; and one
 * that is no tombstone never goes by its age: its packs may have gone just now.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "engine/prune_internal.h"

/* When the newest mark that names a pack was stored; and the newest that every listing shows. */
struct naming {
	int64_t any_ns, shown_ns;
};

struct settling {
	struct prune *pr;
	struct idmap *named; /* pack -> struct naming */
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

/* Nothing names its packs, and nobody who began before they went can name them any more. */
static bool is_over(const struct settling *s)
{
	const struct prune *pr = s->pr;

	return (s->mark->kind == MARK_GONE || s->n == 0) && !s->unmarked && !s->gone && !s->left &&
	       !s->young && !pr->unread && pr->now_ns - s->mark->stored_ns >= 2 * pr->grace_ns;
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
	bool goes = s->pr->p->exclusive || is_over(s) || (!s->gone && s->n > 0 && s->shown);
	enum mark_kind kind = s->gone || s->lost ? MARK_GONE : s->mark->kind;
	struct id id;

	if (!goes && is_stale(s) && mark_put(r, kind, s->rest, s->n, &id, e) == -1)
		return -1;
	/* Where nothing is gone a moment without a mark does no harm: all is there for a grace. */
	goes = goes || (s->unmarked && !s->gone && !s->lost);
	return goes ? mark_del(r, &s->mark->id, e) : 0;
}

int prune_settle_marks(struct prune *pr, struct err *e)
{
	struct idmap *named = note_marks(pr);
	int rc = 0;

	for (size_t i = 0; i < pr->marks.n && rc == 0; i++) {
		const struct mark *m = &pr->marks.v[i];
		struct settling s = {.pr = pr, .named = named, .mark = m};

		s.rest = mem_alloc(m->npacks * sizeof *s.rest);
		look_at_mark(&s);
		rc = m->kind == MARK_KINDS ? 0 : settle(&s, e);
		free(s.rest);
	}
	idmap_free(named);
	return rc;
}
