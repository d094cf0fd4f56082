/* pruned: see pruned.h.  The value is "<time>:<16 hex digits>,..."; see format.md 8. */
#include "repo/pruned.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "repo/note.h"
#include "repo/repo_internal.h"

enum { SEEN_HEX = 16 };

static const struct id nobody;

static uint64_t start_of(const struct id *id)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | id->b[i];
	return v;
}

void pruned_list_fini(struct pruned_list *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->v[i].seen);
	free(p->v);
	memset(p, 0, sizeof *p);
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static bool parse_seen(const char *s, struct pruned *p)
{
	size_t n = strlen(s) / SEEN_HEX;

	p->seen = mem_alloc((n + 1) * sizeof *p->seen);
	while (*s) {
		char hex[SEEN_HEX + 1] = {0};

		if (strspn(s, "0123456789abcdef") != SEEN_HEX)
			return false;
		memcpy(hex, s, SEEN_HEX);
		p->seen[p->nseen++] = strtoull(hex, NULL, 16);
		s += SEEN_HEX;
		s += *s == ',';
	}
	qsort(p->seen, p->nseen, sizeof *p->seen, by_value);
	return true;
}

/* No prune was later than the note that tells of it.  What is malformed says nothing. */
static void parse(struct pruned_list *l, const struct note *n)
{
	struct pruned p = {.note = n->id};
	char time[NOTE_VALUE] = "";
	const char *end = strchr(n->value, 'Z');

	if (end == NULL || end[1] != ':' || (size_t)(end - n->value) + 1 >= sizeof time)
		return;
	memcpy(time, n->value, (size_t)(end - n->value) + 1);
	if (!repo_time_parse(time, &p.at_ns) || !parse_seen(end + 2, &p)) {
		free(p.seen);
		return;
	}
	if (p.at_ns > n->stored_ns)
		p.at_ns = n->stored_ns;
	l->v = mem_realloc(l->v, (l->n + 1) * sizeof *l->v);
	l->v[l->n++] = p;
}

void pruned_of_notes(struct pruned_list *p, const struct note_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (!l->v[i].damaged && !l->v[i].denied && l->v[i].op == NOTE_PRUNED)
			parse(p, &l->v[i]);
}

static bool saw(const struct pruned *p, const struct snapshot *s)
{
	uint64_t v = start_of(&s->id);

	return p->nseen > 0 && bsearch(&v, p->seen, p->nseen, sizeof v, by_value) != NULL;
}

/* Its client went on from it: so it was called done.  What others say of it is nothing. */
static bool follows(const struct snapshot *later, const struct snapshot *s)
{
	struct author by = snapshot_author(s), its = snapshot_author(later);

	return later->has_previous && id_eq(&later->previous, &s->id) && author_cmp(&by, &its) == 0;
}

bool pruned_before(const struct repo *r, const struct snapshot_list *all, const struct snapshot *s)
{
	bool missed = false;

	for (size_t i = 0; i < all->pruned.n && !missed; i++) {
		const struct pruned *p = &all->pruned.v[i];

		/* In time, it would have been in the listing, even one that lags. */
		missed = p->at_ns - repo_lag_ns(r) >= s->deadline_ns && !saw(p, s);
	}
	for (size_t i = 0; i < all->n && missed; i++)
		missed = !follows(all->v[i], s);
	return missed;
}

int pruned_put(struct repo *r, int64_t at_ns, const struct snapshot_list *all, struct err *e)
{
	struct buf b = {0};
	char time[40];
	struct id note;
	int rc;

	if (!note_may(r, NOTE_PRUNED))
		return err_set(e, ERR_WRONG_KEY, "this key's role does not allow 'pruned'");
	repo_time_text(at_ns, time);
	buf_printf(&b, "%s:", time);
	for (size_t i = 0, n = 0; i < all->n; i++)
		if (!all->v[i]->is_void)
			buf_printf(&b, "%s%016" PRIx64, n++ ? "," : "", start_of(&all->v[i]->id));
	rc = note_put_id(r, &nobody, NOTE_PRUNED, buf_cstr(&b), &note, e);
	buf_fini(&b);
	return rc == -1 ? err_wrap(e, "say what was seen before deleting") : 0;
}

int pruned_sweep(struct repo *r, int64_t at_ns, const struct pruned_list *p, struct err *e)
{
	for (size_t i = 0; i < p->n; i++) {
		struct note n = {.id = p->v[i].note};
		struct note_list one = {&n, 1};

		if (p->v[i].at_ns <= at_ns && note_del_all(r, &one, &nobody, e) == -1)
			return -1;
	}
	return 0;
}
