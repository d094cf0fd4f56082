/*
 * fuzz: notes, their fold, and what they say is gone.  The input is up to four
 * payloads, divided by NULs, of notes that a holder signed.
 */
#include "fuzz_object.h"

#include "repo/gone.h"
#include "repo/note.h"
#include "repo/pruned.h"
#include "repo/snapshot.h"

enum { NOTES = 4 };

static size_t put_all(struct repo *r, struct span in)
{
	char name[REPO_NAME_MAX];
	size_t count = 0;

	while (count < NOTES) {
		const uint8_t *nul = in.n ? memchr(in.p, 0, in.n) : NULL;
		size_t n = nul ? (size_t)(nul - in.p) : in.n;

		fuzz_put(r, FORMAT_NOTE, span_of(in.p, n), name);
		count++;
		if (nul == NULL)
			break;
		in = span_of(nul + 1, in.n - n - 1);
	}
	return count;
}

static void check(const struct note_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct note *n = &l->v[i];

		if (n->damaged)
			continue;
		if (n->value == NULL || n->time_ns > n->stored_ns || n->denied)
			abort();
		if (n->op == NOTE_FORGET && n->due_ns < n->stored_ns)
			abort();
		if (i > 0 && !l->v[i - 1].damaged && l->v[i - 1].time_ns > n->time_ns)
			abort();
	}
}

/* What two kinds on no snapshot say: for what is gone see fuzz_gone too. */
static void of_all(const struct note_list *l)
{
	struct gone gone = {0};
	struct pruned_list pruned = {0};

	gone_of_notes(&gone, l);
	pruned_of_notes(&pruned, l);
	for (size_t i = 0; i < pruned.n; i++)
		for (size_t k = 1; k < pruned.v[i].nseen; k++)
			if (pruned.v[i].seen[k - 1] > pruned.v[i].seen[k])
				abort();
	gone_fini(&gone);
	pruned_list_fini(&pruned);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct id snapshot;
	struct repo *r = fuzz_repo();
	struct snapshot *s = mem_zalloc(sizeof *s);
	struct note_list l;
	struct err e;
	size_t count = put_all(r, span_of(p, n));

	if (note_load_all(r, &l, &e) == -1 || l.n != count)
		abort();
	check(&l);
	note_fold(&l, s);
	if (snapshot_goes(s, INT64_MAX) && snapshot_kept(s, INT64_MAX))
		abort();
	of_all(&l);
	if (note_del_all(r, &l, &snapshot, &e) == -1)
		abort();
	note_list_fini(&l);
	snapshot_free(s);
	fuzz_forget_data_keys(r);
	return 0;
}
