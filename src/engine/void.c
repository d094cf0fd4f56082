/* void: see void.h. */
#include "engine/void.h"

#include "engine/reach.h"
#include "repo/repo_object.h"

/* Is each pack there that a blob which was reached lies in?  1, 0, -1. */
static int packs_there(struct repo *r, const struct reach *h, struct err *e)
{
	struct index_cache *index = repo_index(r);

	for (uint32_t i = 0; i < index_cache_packs(index); i++) {
		struct index_cache_pack p;
		char name[REPO_NAME_MAX];
		struct store_stat st;
		bool needed = false;

		if (index_cache_pack(index, i, &p, e) == -1)
			return -1;
		for (uint64_t j = 0; j < p.nblobs && !needed; j++)
			needed = reach_has(h, p.first_blob + j);
		if (!needed)
			continue;
		repo_object_name(name, (enum format_type)p.type, &p.id);
		if (store_stat(repo_store(r), name, &st, e) == -1)
			return e->kind == ERR_ABSENT ? 0 : -1;
	}
	return 1;
}

/* Is all there that it needs?  1, 0, -1. */
static int is_whole(struct repo *r, const struct snapshot *s, struct ctx *ctx, struct err *e)
{
	struct reader *rd = reader_new(r);
	struct reach *h = reach_new(r);
	int rc = reach_snapshot(h, rd, s, ctx, NULL, NULL, e);

	if (rc == 0)
		rc = packs_there(r, h, e);
	else if (e->kind == ERR_CORRUPT)
		rc = 0;
	reach_free(h);
	reader_free(rd);
	return rc;
}

int void_judge(
    struct repo *r, struct snapshot_list *all, struct ctx *ctx, uint64_t *n, struct err *e)
{
	char name[REPO_NAME_MAX];

	*n = 0;
	for (size_t i = 0; i < all->n; i++) {
		struct snapshot *s = all->v[i];
		int whole;

		if (!pruned_before(r, all, s))
			continue;
		if (repo_index_load(r, false, e) == -1 || (whole = is_whole(r, s, ctx, e)) == -1)
			return -1;
		if (whole)
			continue;
		s->is_void = true;
		(*n)++;
		event_emit(ctx, EVENT_WARNING,
		    span_str(repo_object_name(name, FORMAT_SNAPSHOT, &s->id)),
		    "is void: its backup (of %s) was suspended longer than the grace, and never "
		    "said that it was done; the next prune removes it",
		    s->host);
	}
	return 0;
}
