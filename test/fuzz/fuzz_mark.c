/* fuzz: two marks, the first of as many bytes as the first byte says. */
#include "fuzz_object.h"

#include "repo/mark.h"

/* A mark names packs or is damaged and names none. */
static void check(const struct mark_set *set)
{
	int64_t ns;

	for (size_t i = 0; i < set->n; i++)
		for (size_t k = 0; k < set->v[i].npacks; k++)
			if (!mark_oldest(set, &set->v[i].packs[k], &ns) || ns > set->v[i].stored_ns)
				abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct repo *r = fuzz_repo();
	char name[2][REPO_NAME_MAX];
	struct mark_set set;
	struct err e;
	size_t first;

	if (n == 0)
		return 0;
	first = p[0] < n - 1 ? p[0] : n - 1;
	fuzz_put(r, FORMAT_MARK, span_of(p + 1, first), name[0]);
	fuzz_put(r, FORMAT_MARK, span_of(p + 1 + first, n - 1 - first), name[1]);
	if (mark_load(r, &set, &e) == -1 || set.n != 2)
		abort();
	check(&set);
	for (size_t i = 0; i < set.n; i++)
		if (!mark_has(&set, &set.v[i].id) || mark_del(r, &set.v[i].id, &e) == -1)
			abort();
	mark_set_fini(&set);
	return 0;
}
