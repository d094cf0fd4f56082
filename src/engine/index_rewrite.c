/* index_rewrite: see index_rewrite.h. */
#include "engine/index_rewrite.h"

#include "repo/index.h"
#include "repo/repo_object.h"
#include "repo/repo_parity.h"

enum { BLOBS_MAX = 200000, OBJECTS_MAX = 16, SMALL_BLOBS = 20000 };

struct rewriting {
	struct repo *repo;
	struct index_rewrite *w;
	struct index_builder *builder;
	struct id_list old;  /* superseded */
	struct idmap *named; /* packs already in a new index */
	bool drops;          /* the object at hand names a pack to drop */
	size_t blobs;
};

static int look(void *arg, const struct index_pack *p, struct err *e)
{
	struct rewriting *x = arg;

	(void)e;
	x->drops = x->drops || x->w->drop(x->w->arg, &p->id);
	x->blobs += p->dir->nblobs;
	return 0;
}

static int put_index(struct rewriting *x, struct err *e)
{
	struct buf payload = {0};
	struct id id;
	int rc;

	if (index_builder_packs(x->builder) == 0)
		return 0;
	index_builder_finish(x->builder, &payload);
	rc = repo_put_index(x->repo, buf_span(&payload), &id, e);
	buf_fini(&payload);
	x->w->written++;
	return rc;
}

static int keep(void *arg, const struct index_pack *p, struct err *e)
{
	struct rewriting *x = arg;
	bool was;

	if (x->w->drop(x->w->arg, &p->id))
		return 0;
	idmap_put(x->named, &p->id, &was);
	if (was)
		return 0;
	index_builder_add(x->builder, p);
	return index_builder_blobs(x->builder) >= BLOBS_MAX ? put_index(x, e) : 0;
}

static int write_new(struct rewriting *x, struct err *e)
{
	bool many = repo_index_objects(x->repo) > OBJECTS_MAX;
	struct buf payload = {0};
	int rc = -1;

	for (size_t i = 0; i < repo_index_objects(x->repo); i++) {
		const struct id *id = repo_index_object(x->repo, i);

		x->drops = false;
		x->blobs = 0;
		if (repo_index_payload(x->repo, id, &payload, e) == -1) {
			if (e->kind == ERR_ABSENT)
				continue; /* another prune replaced it */
			goto out;
		}
		if (index_decode(buf_span(&payload), look, x, e) == -1)
			goto out;
		if (!x->drops && !(many && x->blobs < SMALL_BLOBS))
			continue;
		id_list_add(&x->old, id);
		if (index_decode(buf_span(&payload), keep, x, e) == -1)
			goto out;
	}
	rc = put_index(x, e);
out:
	buf_fini(&payload);
	return rc;
}

int index_rewrite(struct repo *r, struct index_rewrite *w, struct err *e)
{
	struct rewriting x = {.repo = r, .w = w};
	char name[REPO_NAME_MAX];
	int rc = -1;

	w->written = w->removed = 0;
	x.builder = index_builder_new();
	x.named = idmap_new(0);
	if (write_new(&x, e) == -1)
		goto out;
	for (size_t i = 0; i < x.old.n; i++) {
		if (repo_del_named(r, repo_object_name(name, FORMAT_INDEX, &x.old.v[i]), e) == -1)
			goto out;
		w->removed++;
	}
	rc = x.old.n > 0 ? store_sync(repo_store(r), e) : 0;
out:
	index_builder_free(x.builder);
	idmap_free(x.named);
	id_list_fini(&x.old);
	return rc;
}
