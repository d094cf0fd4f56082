/* index_rewrite: see index_rewrite.h. */
#include "engine/index_rewrite.h"

#include "engine/pack_sound.h"
#include "repo/index.h"
#include "repo/pack.h"
#include "repo/repo_object.h"
#include "repo/repo_parity.h"

enum { BLOBS_MAX = 200000, OBJECTS_MAX = 16, SMALL_BLOBS = 20000 };

struct rewriting {
	struct repo *repo;
	struct index_rewrite *w;
	uint64_t domain; /* the one at hand: indexes of two are never joined */
	bool unsure;     /* a write key signed it: to be checked before we sign */
	struct index_builder *builder;
	struct id_list old;  /* superseded */
	struct id_list made; /* in their place */
	struct idmap *named; /* packs already in a new index */
	struct pack_dir own;
	struct buf hold;
	bool drops; /* the object at hand names a pack to drop */
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
	index_set_deadline(&payload, x->w->deadline_ns);
	rc = repo_put_index(x->repo, x->domain, buf_span(&payload), &id, e);
	buf_fini(&payload);
	if (rc == 0)
		id_list_add(&x->made, &id);
	x->w->written++;
	return rc;
}

/* Does a pack of that id lie in the other folder? */
static bool lies_elsewhere(struct rewriting *x, const struct index_pack *p)
{
	enum format_type other = p->type == FORMAT_PACK ? FORMAT_META : FORMAT_PACK;
	char name[REPO_NAME_MAX];
	struct store_stat st;
	struct err e;

	return store_stat(repo_store(x->repo), repo_object_name(name, other, &p->id), &st, &e) == 0;
}

/* Is the pack itself as the claim has it?  1, 0, -1. */
static int fits(struct rewriting *x, const struct index_pack *p, uint64_t size, struct err *e)
{
	struct index_pack own;

	if (size == p->size) {
		if (pack_read_directory(x->repo, (enum format_type)p->type, &p->id, p->size,
			&x->own, &x->hold, &own, e) == 0)
			return own.origin.domain == x->domain && pack_dir_equal(&x->own, p->dir);
		if (!repo_is_bad(e))
			return -1;
	}
	/* Damage is no lie, and check tells of it: what is left may still be read by this claim.
	 * But a pack that is as it was put never was what this says. */
	switch (pack_sound(x->repo, (enum format_type)p->type, &p->id, e)) {
	case -1:
		return -1;
	case 0:
		return 1;
	default:
		return 0;
	}
}

/*
 * What a write key claims of a pack is believed by its own domain only.  Under
 * our signature its lies would be ours: they are left behind.  1 true, 0 not, -1.
 */
static int is_true(struct rewriting *x, const struct index_pack *p, struct err *e)
{
	char name[REPO_NAME_MAX];
	struct store_stat st;
	int rc;

	repo_object_name(name, (enum format_type)p->type, &p->id);
	if (store_stat(repo_store(x->repo), name, &st, e) == 0)
		rc = fits(x, p, st.size, e);
	else
		rc = e->kind == ERR_ABSENT ? !lies_elsewhere(x, p) : -1; /* gone is no lie */
	if (rc == -1 && e->kind == ERR_ABSENT)
		return 1; /* just now */
	if (rc == 0)
		repo_warn(x->repo, name,
		    "an index of a write key is wrong about this; what it says is left out");
	return rc;
}

static int keep(void *arg, const struct index_pack *p, struct err *e)
{
	struct rewriting *x = arg;
	bool was;
	int rc;

	if (x->w->drop(x->w->arg, &p->id))
		return 0;
	if (x->unsure && (rc = is_true(x, p, e)) != 1)
		return rc;
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
	struct index_origin origin;
	int rc = -1;

	for (size_t i = 0; i < repo_index_objects(x->repo); i++) {
		const struct id *id = repo_index_object(x->repo, i);
		uint64_t gone;

		x->blobs = 0;
		if (repo_index_payload(x->repo, id, &payload, &origin, &gone, e) == -1) {
			if (e->kind == ERR_ABSENT)
				continue; /* another prune replaced it */
			goto out;
		}
		if (origin.domain != x->domain)
			continue;
		x->drops = gone > 0; /* it came late, and names what is not there */
		x->unsure = repo_signer_role(x->repo, origin.signer) == ROLE_WRITE;
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

static int remove_all(struct rewriting *x, const struct id_list *l, struct err *e)
{
	char name[REPO_NAME_MAX];

	for (size_t i = 0; i < l->n; i++)
		if (repo_del_named(x->repo, repo_object_name(name, FORMAT_INDEX, &l->v[i]), e) ==
		    -1)
			return -1;
	return 0;
}

int index_rewrite(struct repo *r, struct index_rewrite *w, struct err *e)
{
	struct rewriting x = {.repo = r, .w = w};
	struct err ignored;
	int rc = -1;

	w->written = w->removed = 0;
	x.builder = index_builder_new();
	for (size_t i = 0; i < repo_domains(r); i++) {
		x.domain = repo_domain_tag(r, i);
		idmap_free(x.named);
		x.named = idmap_new(0);
		if (write_new(&x, e) == -1)
			goto out;
	}
	if (w->still && w->still(w->arg, e) == -1) {
		remove_all(&x, &x.made, &ignored);
		goto out;
	}
	if (remove_all(&x, &x.old, e) == -1)
		goto out;
	w->removed = x.old.n;
	rc = x.old.n > 0 ? store_sync(repo_store(r), e) : 0;
out:
	index_builder_free(x.builder);
	pack_dir_fini(&x.own);
	buf_fini(&x.hold);
	idmap_free(x.named);
	id_list_fini(&x.old);
	id_list_fini(&x.made);
	return rc;
}
