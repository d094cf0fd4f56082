/*
 * fuzz: what notes say is gone: texts divided by NULs.  What was understood is
 * written as one note, and read again means the same.
 */
#include "fuzz_object.h"

#include "repo/gone.h"
#include "repo/note.h"

enum { TEXTS = 8 };

static void of_texts(char *text, size_t n, struct gone *out)
{
	struct note notes[TEXTS];
	struct note_list l = {notes, 0};

	for (size_t at = 0; at <= n && l.n < TEXTS; at += strlen(text + at) + 1)
		notes[l.n++] = (struct note){.op = NOTE_GONE, .value = text + at};
	gone_of_notes(out, &l);
}

static bool same(const struct gone *a, const struct gone *b)
{
	for (size_t i = 0; i < a->n && i < b->n; i++)
		if (author_cmp(&a->v[i].by, &b->v[i].by) != 0 || a->v[i].from != b->v[i].from ||
		    a->v[i].to != b->v[i].to)
			return false;
	return a->n == b->n;
}

/* Each number is in one range, and what lies behind a range is in none. */
static void check_joined(const struct gone *g)
{
	for (size_t i = 0; i < g->n; i++) {
		const struct gone_range *x = &g->v[i];

		if (x->from == 0 || x->from > x->to || x->to == UINT64_MAX ||
		    gone_find(g, &x->by, x->from) != x || gone_find(g, &x->by, x->to) != x ||
		    gone_find(g, &x->by, x->to + 1) != NULL ||
		    gone_next(g, &x->by, x->from, UINT64_MAX) != x->from)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct repo *r = fuzz_repo();
	char *text = mem_dup(p, n);
	struct gone gone = {0}, again = {0};
	struct note_list l;
	struct err e;
	struct id id;

	of_texts(text, n, &gone);
	if (gone_put(r, &gone, &id, &e) == -1)
		abort();
	check_joined(&gone);
	if (note_load_all(r, &l, &e) == -1 || l.n != 1 || !gone_is(&l.v[0]))
		abort();
	gone_of_notes(&again, &l);
	if (!same(&gone, &again) || gone_sweep(r, &l, &e) == -1)
		abort();
	note_list_fini(&l);
	gone_fini(&gone);
	gone_fini(&again);
	fuzz_forget_data_keys(r);
	free(text);
	return 0;
}
