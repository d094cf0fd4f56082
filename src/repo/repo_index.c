/*
 * repo_index: index objects: reading and putting one, and the loaded index,
 * a local cache that holds what all of them say.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "repo/repo_internal.h"
#include "repo/repo_parity.h"

/* ---- One object. */

/* The domain whose index key opens the object's signature; NULL if it is none of ours. */
static const struct domain *domain_of(
    const struct repo *r, struct sealer *sealer, const struct envelope *env)
{
	const struct domain *found = NULL;
	struct buf ignored = {0};
	struct err e;

	for (size_t i = 0; i < r->ndomains && found == NULL; i++)
		if (envelope_open(sealer, env, env->nsections - 1, &r->domains[i].index_key,
			PURPOSE_SIGNATURE, &ignored, &e) == 0)
			found = &r->domains[i];
	buf_fini(&ignored);
	return found;
}

static int any_pack(void *arg, const struct index_pack *p, struct err *e)
{
	return 0;
}

static int open_index(struct repo *r, struct sealer *sealer, const struct envelope *env,
    struct buf *out, struct index_origin *origin, struct err *e)
{
	const struct domain *d = domain_of(r, sealer, env);
	uint8_t signer[FORMAT_UID] = {0};

	if (d == NULL && r->keys->role == ROLE_WRITE) {
		/* Another domain's: to us it says nothing (no deadline, keys or packs). */
		buf_reset(out);
		buf_put_zeros(out, 10);
		*origin = (struct index_origin){0, 0};
		return 0;
	}
	if (d == NULL)
		return repo_foreign(e, "no domain that config knows opens it");
	if (envelope_verify(sealer, env, &d->index_key, config_writer_key, &r->config, signer, e) ==
	    -1)
		return repo_judge_signer(r, signer, e);
	if (repo_accept(r, signer, FORMAT_INDEX, d->id, e) == -1)
		return -1;
	*origin = (struct index_origin){d->tag, domain_tag(signer)};
	if (envelope_open(sealer, env, 0, &d->index_key, PURPOSE_INDEX, out, e) == -1)
		return -1;
	/* Nonsense, well signed, must cost its signer's domain an index, and nobody more. */
	if (index_decode(buf_span(out), any_pack, NULL, e) == -1)
		return err_wrap(e, "signed by %s", repo_signer_text(r, origin->signer));
	return 0;
}

struct sifting {
	struct repo *repo;
	struct index_builder *builder;
	uint64_t gone;
};

static int sift(void *arg, const struct index_pack *p, struct err *e)
{
	struct sifting *x = arg;
	char name[REPO_NAME_MAX];
	struct store_stat st;

	repo_object_name(name, (enum format_type)p->type, &p->id);
	if (store_stat(x->repo->store, name, &st, e) == 0)
		index_builder_add(x->builder, p);
	else if (e->kind == ERR_ABSENT)
		x->gone++;
	else
		return -1;
	return 0;
}

/*
 * Who was suspended put it after its deadline, and perhaps never came to take
 * it back: prune may have deleted what it names.
 */
static int sift_late(
    struct repo *r, const char *name, struct buf *payload, uint64_t *gone, struct err *e)
{
	struct sifting x = {.repo = r};
	struct store_stat st;
	int rc;

	*gone = 0;
	if (store_stat(r->store, name, &st, e) == -1)
		return -1;
	if (st.mtime_ns < index_deadline(buf_span(payload)))
		return 0;
	x.builder = index_builder_new();
	rc = index_decode(buf_span(payload), sift, &x, e);
	if (rc == 0 && x.gone > 0) {
		buf_reset(payload);
		index_builder_finish(x.builder, payload);
		*gone = x.gone;
	}
	index_builder_free(x.builder);
	return rc;
}

int repo_index_payload(struct repo *r, const struct id *id, struct buf *out,
    struct index_origin *origin, uint64_t *gone, struct err *e)
{
	struct buf object = {0};
	struct envelope env;
	struct sealer sealer;
	char name[REPO_NAME_MAX];
	uint64_t ignored;
	int rc = -1;

	sealer_init(&sealer, r->config.repo);
	repo_object_name(name, FORMAT_INDEX, id);
	if (repo_get_object(r, FORMAT_INDEX, id, &object, e) == -1)
		goto out;
	if (envelope_parse(buf_span(&object), FORMAT_INDEX, 2, &env, e) == -1 ||
	    open_index(r, &sealer, &env, out, origin, e) == -1) {
		err_wrap(e, "%s", name);
		goto out;
	}
	rc = sift_late(r, name, out, gone ? gone : &ignored, e);
out:
	buf_fini(&object);
	sealer_fini(&sealer);
	return rc;
}

int repo_put_index(
    struct repo *r, uint64_t domain, struct span payload, struct id *id, struct err *e)
{
	const struct domain *d = repo_domain(r, domain);
	struct buf object = {0};
	struct sealer sealer;
	int rc;

	if (d == NULL)
		return err_set(e, ERR_BUG, "index object for an unknown domain");
	sealer_init(&sealer, r->config.repo);
	envelope_begin(&object, FORMAT_INDEX, NULL, 0);
	envelope_section(&sealer, &object, &d->index_key, PURPOSE_INDEX, payload);
	envelope_sign(&sealer, &object, &d->index_key, r->keys->holder, r->keys->signing);
	rc = repo_put_object(r, FORMAT_INDEX, buf_span(&object), id, e);
	sealer_fini(&sealer);
	buf_fini(&object);
	return rc;
}

/* ---- All of them. */

struct fetching {
	struct repo *r;
	struct id bad;
	bool failed, reread; /* every object is read, apart from those that are fetched */
};

static int fetch_index(
    void *arg, const struct id *id, struct buf *out, struct index_origin *origin, struct err *e)
{
	struct fetching *f = arg;

	uint64_t gone;

	if (repo_index_payload(f->r, id, out, origin, &gone, e) == 0) {
		if (!f->reread)
			f->r->late_gone += gone;
		return 0;
	}
	f->bad = *id;
	f->failed = true;
	return -1;
}

static void remove_id(struct id_list *l, const struct id *id)
{
	for (size_t i = 0; i < l->n; i++)
		if (id_eq(&l->v[i], id)) {
			l->v[i] = l->v[--l->n];
			return;
		}
}

static bool has_id(const struct id_list *l, const struct id *id)
{
	for (size_t i = 0; i < l->n; i++)
		if (id_eq(&l->v[i], id))
			return true;
	return false;
}

/* Told once, however often the index is loaded. */
static void note_bad_index(
    struct repo *r, const struct id *id, const struct id_list *told, const struct err *why)
{
	char name[REPO_NAME_MAX];

	r->nforeign += repo_is_foreign(why);
	r->bad_indexes = mem_realloc(
	    r->bad_indexes, (r->nbad_indexes + 1) * sizeof *r->bad_indexes);
	r->bad_indexes[r->nbad_indexes++] = *id;
	if (!has_id(told, id))
		event_emit(r->ctx, EVENT_OBJECT_DAMAGED,
		    span_str(repo_object_name(name, FORMAT_INDEX, id)), "%s", why->msg);
}

/* What the cache holds may have been damaged in the store since: read it once more. */
static int reread_indexes(
    struct repo *r, const struct id_list *ids, struct fetching *f, struct err *e)
{
	struct buf payload = {0};
	struct index_origin origin;
	uint64_t gone;
	int rc = 0;

	for (size_t i = 0; i < ids->n && rc == 0; i++) {
		rc = repo_index_payload(r, &ids->v[i], &payload, &origin, &gone, e);
		if (rc == -1) {
			f->bad = ids->v[i];
			f->failed = true;
		} else {
			r->late_gone += gone;
		}
	}
	buf_fini(&payload);
	return rc;
}

/*
 * Make the cache hold what index/ lists; damaged objects are left out: those
 * that are fetched, and `all` of them if that is asked for.
 */
static int sync_index(struct repo *r, bool all, struct err *e)
{
	struct id_list ids = {0}, told = {0};
	int rc = -1;

	for (size_t i = 0; i < r->nbad_indexes; i++)
		id_list_add(&told, &r->bad_indexes[i]);
	r->nbad_indexes = r->nforeign = 0;
	for (int tries = 0;;) {
		struct fetching f = {.r = r, .reread = all};

		ids.n = 0;
		r->late_gone = 0;
		if (repo_list_ids(r, FORMAT_INDEX, &ids, e) == -1)
			goto out;
		for (size_t i = 0; i < r->nbad_indexes; i++)
			remove_id(&ids, &r->bad_indexes[i]);
		if ((!all || reread_indexes(r, &ids, &f, e) == 0) &&
		    index_cache_sync(r->index, ids.v, ids.n, fetch_index, &f, e) == 0)
			break;
		if (f.failed && repo_is_bad(e))
			note_bad_index(r, &f.bad, &told, e);
		/* A prune may replace an index between our listing and our fetching. */
		else if (e->kind != ERR_ABSENT || ++tries > 10)
			goto out;
	}
	free(r->index_ids);
	r->index_ids = ids.v;
	r->nindex_ids = ids.n;
	ids = (struct id_list){0};
	rc = 0;
out:
	id_list_fini(&told);
	id_list_fini(&ids);
	return rc;
}

int repo_index_load(struct repo *r, bool again, struct err *e)
{
	char *dir = NULL;
	int rc = 0;

	pthread_rwlock_wrlock(&r->index_lock);
	if (r->index != NULL && !again)
		goto out;
	if (r->index == NULL) {
		if (r->cache_dir != NULL)
			dir = mem_printf("%s/index", r->cache_dir);
		rc = index_cache_open(dir, r->keys->index_key, r->ctx, &r->index, e);
		if (rc == -1)
			goto out;
	}
	atomic_fetch_add(&r->index_generation, 1);
	rc = sync_index(r, again, e);
	/* Who asks again has a reason to distrust what is here. */
	if (rc == 0 && again)
		rc = index_cache_verify(r->index, e);
	/* I5: a damaged cache is dropped and made again. */
	if (rc == -1 && e->kind == ERR_CORRUPT && index_cache_drop(r->index, e) == 0)
		rc = sync_index(r, false, e);
	if (rc == -1)
		err_wrap(e, "load index");
out:
	pthread_rwlock_unlock(&r->index_lock);
	free(dir);
	return rc;
}

struct index_cache *repo_index(struct repo *r)
{
	return r->index;
}

uint64_t repo_index_generation(const struct repo *r)
{
	return atomic_load(&r->index_generation);
}

size_t repo_bad_indexes(const struct repo *r)
{
	return r->nbad_indexes;
}

uint64_t repo_late_gone(const struct repo *r)
{
	return r->late_gone;
}

size_t repo_foreign_indexes(const struct repo *r)
{
	return r->nforeign;
}

size_t repo_index_objects(const struct repo *r)
{
	return r->nindex_ids;
}

const struct id *repo_index_object(const struct repo *r, size_t i)
{
	return &r->index_ids[i];
}

const struct id *repo_bad_index(const struct repo *r, size_t i)
{
	return &r->bad_indexes[i];
}
