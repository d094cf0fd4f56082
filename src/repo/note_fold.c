/* note_fold: what a snapshot's notes make of it.  See note.h. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "repo/note.h"

static void add_tag(struct snapshot *s, const char *tag)
{
	for (size_t i = 0; i < s->ntags; i++)
		if (strcmp(s->tags[i], tag) == 0)
			return;
	s->tags = mem_realloc(s->tags, (s->ntags + 1) * sizeof *s->tags);
	s->tags[s->ntags++] = mem_strdup(tag);
}

static void remove_tag(struct snapshot *s, const char *tag)
{
	for (size_t i = 0; i < s->ntags; i++)
		if (strcmp(s->tags[i], tag) == 0) {
			free(s->tags[i]);
			memmove(s->tags + i, s->tags + i + 1, (s->ntags - i - 1) * sizeof *s->tags);
			s->ntags--;
			return;
		}
}

static void keeper(struct snapshot *s, const struct note *n)
{
	s->kept_ns = n->time_ns;
	memcpy(s->keeper, n->signer, sizeof s->keeper);
}

/* A hold never makes an older one shorter: only who may end it could do that. */
static void hold(struct snapshot *s, const struct note *n)
{
	bool longer = !s->held || n->due_ns == 0 ||
		      (s->held_until_ns != 0 && n->due_ns > s->held_until_ns);

	if (!longer)
		return;
	s->held = true;
	s->held_until_ns = n->due_ns;
	keeper(s, n);
}

static void apply(struct snapshot *s, const struct note *n)
{
	switch (n->op) {
	case NOTE_TAG:
		add_tag(s, n->value);
		break;
	case NOTE_UNTAG:
		remove_tag(s, n->value);
		break;
	case NOTE_FORGET:
		s->forgotten = true;
		s->due_ns = n->due_ns;
		s->forgotten_ns = n->time_ns;
		break;
	case NOTE_RELEASE:
		s->forgotten = false;
		break;
	case NOTE_PIN:
		s->pinned = true;
		keeper(s, n);
		break;
	case NOTE_UNPIN:
		s->pinned = false;
		break;
	case NOTE_HOLD:
		hold(s, n);
		break;
	case NOTE_UNHOLD:
		s->held = false;
		break;
	case NOTE_GONE:
	case NOTE_PRUNED:
	case NOTE_OPS:
		break;
	}
}

void note_fold(const struct note_list *l, struct snapshot *s)
{
	bool unclear = false; /* junk is no note of anybody's */
	size_t lo = 0, hi = l->n;

	/* They are in order of snapshot: find the first of ours. */
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (id_cmp(&l->v[mid].snapshot, &s->id) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (size_t i = lo; i < l->n && id_eq(&l->v[i].snapshot, &s->id); i++) {
		const struct note *n = &l->v[i];

		/* An op of a later version may be a hold of another kind. */
		unclear = unclear || (!n->junk && (n->damaged || n->op == NOTE_OPS));
		if (n->damaged || n->denied)
			continue;
		if (n->time_ns > s->noted_ns)
			s->noted_ns = n->time_ns;
		apply(s, n);
	}
	/* What can't be read, or not be understood, may have been a release: keep it. */
	s->unclear = unclear;
	s->unheard = unclear && s->forgotten;
	if (unclear)
		s->forgotten = false;
}

bool snapshot_kept(const struct snapshot *s, int64_t now_ns)
{
	return s->pinned || (s->held && (s->held_until_ns == 0 || now_ns < s->held_until_ns));
}

bool snapshot_goes(const struct snapshot *s, int64_t now_ns)
{
	return (s->is_void || (s->forgotten && s->due_ns <= now_ns)) && !snapshot_kept(s, now_ns);
}
