/*
 * repo_index: index objects: reading and putting one, and the loaded index,
 * a local cache that holds what all of them say.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "repo/ahead.h"
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
 * it back: prune may have deleted what it names.  `listed_ns` is its time as a listing told it
 * (which some stores round to minutes), or INT64_MAX.
 */
static int sift_late(struct repo *r, const char *name, int64_t listed_ns, struct buf *payload,
    uint64_t *gone, struct err *e)
{
	const int64_t minute = INT64_C(60000000000);
	int64_t deadline = index_deadline(buf_span(payload));
	struct sifting x = {.repo = r};
	struct store_stat st;
	int rc;

	*gone = 0;
	if (listed_ns < deadline - minute)
		return 0;
	if (store_stat(r->store, name, &st, e) == -1)
		return -1;
	if (st.mtime_ns < deadline)
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

/* What was fetched, opened and sifted. */
static int payload_of(struct repo *r, const struct id *id, struct span object, int64_t listed_ns,
    struct buf *out, struct index_origin *origin, uint64_t *gone, struct err *e)
{
	struct envelope env;
	struct sealer sealer;
	char name[REPO_NAME_MAX];
	int rc = -1;

	sealer_init(&sealer, r->config.repo);
	repo_object_name(name, FORMAT_INDEX, id);
	if (envelope_parse(object, FORMAT_INDEX, 2, &env, e) == -1 ||
	    open_index(r, &sealer, &env, out, origin, e) == -1)
		err_wrap(e, "%s", name);
	else
		rc = sift_late(r, name, listed_ns, out, gone, e);
	sealer_fini(&sealer);
	return rc;
}

int repo_index_payload(struct repo *r, const struct id *id, struct buf *out,
    struct index_origin *origin, uint64_t *gone, struct err *e)
{
	struct buf object = {0};
	uint64_t ignored;
	int rc = repo_get_object(r, FORMAT_INDEX, id, &object, e);

	if (rc == 0)
		rc = payload_of(
		    r, id, buf_span(&object), INT64_MAX, out, origin, gone ? gone : &ignored, e);
	buf_fini(&object);
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
	const struct id_list *ids;
	struct idmap *listed; /* struct store_stat, by id */
	struct ahead *ahead;
	struct id_list coming; /* what `ahead` was given, */
	size_t came;           /* so many of which were taken */
	struct buf object;
	struct id bad;
	bool failed, unlisted;
	bool reread; /* every object is read, apart from those that are fetched */
};

/* Those that the cache lacks, or all, will be asked for one after another. */
static void plan(struct fetching *f)
{
	bool *missing = mem_zalloc(f->ids->n * sizeof *missing + 1);
	char name[REPO_NAME_MAX];

	f->ahead = ahead_new(f->r);
	index_cache_missing(f->r->index, f->ids->v, f->ids->n, missing);
	for (size_t i = 0; i < f->ids->n; i++) {
		const struct id *id = &f->ids->v[i];
		const struct store_stat *st = idmap_get(f->listed, id);

		if (!missing[i] && !f->reread)
			continue;
		ahead_add(f->ahead, repo_object_name(name, FORMAT_INDEX, id), id, st->size);
		id_list_add(&f->coming, id);
	}
	free(missing);
}

static void fetching_fini(struct fetching *f)
{
	ahead_free(f->ahead);
	id_list_fini(&f->coming);
	buf_fini(&f->object);
}

static int get_index(struct fetching *f, const struct id *id, struct err *e)
{
	if (f->came < f->coming.n && id_eq(&f->coming.v[f->came], id)) {
		f->came++;
		return ahead_next(f->ahead, &f->object, e);
	}
	return repo_get_object(f->r, FORMAT_INDEX, id, &f->object, e);
}

static int read_index(struct fetching *f, const struct id *id, struct buf *out,
    struct index_origin *origin, bool count, struct err *e)
{
	const struct store_stat *st = idmap_get(f->listed, id);
	uint64_t gone;

	if (get_index(f, id, e) == 0 &&
	    payload_of(f->r, id, buf_span(&f->object), st->mtime_ns, out, origin, &gone, e) == 0) {
		if (count)
			f->r->late_gone += gone;
		return 0;
	}
	f->bad = *id;
	f->failed = true;
	return -1;
}

static int fetch_index(
    void *arg, const struct id *id, struct buf *out, struct index_origin *origin, struct err *e)
{
	struct fetching *f = arg;

	return read_index(f, id, out, origin, !f->reread, e);
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
static int reread_indexes(struct fetching *f, struct err *e)
{
	struct buf payload = {0};
	struct index_origin origin;
	int rc = 0;

	for (size_t i = 0; i < f->ids->n && rc == 0; i++)
		rc = read_index(f, &f->ids->v[i], &payload, &origin, true, e);
	buf_fini(&payload);
	return rc;
}

struct listing {
	struct id_list *ids;
	struct idmap *listed;
};

static int take_listed(void *arg, enum format_type type, const struct id *id,
    const struct store_stat *st, struct err *e)
{
	struct listing *l = arg;

	(void)type, (void)e;
	id_list_add(l->ids, id);
	*(struct store_stat *)idmap_put(l->listed, id, NULL) = *st;
	return 0;
}

/* Once: what index/ lists now, but those that are known to be bad. */
static int sync_listed(
    struct repo *r, bool all, struct id_list *ids, struct fetching *f, struct err *e)
{
	struct listing l = {ids, idmap_new(sizeof(struct store_stat))};
	int rc = -1;

	*f = (struct fetching){.r = r, .ids = ids, .listed = l.listed, .reread = all};
	ids->n = 0;
	r->late_gone = 0;
	if (repo_list_each(r, FORMAT_INDEX, take_listed, &l, e) == 0) {
		for (size_t i = 0; i < r->nbad_indexes; i++)
			remove_id(ids, &r->bad_indexes[i]);
		plan(f);
		if ((!all || reread_indexes(f, e) == 0) &&
		    index_cache_sync(r->index, ids->v, ids->n, fetch_index, f, e) == 0)
			rc = 0;
	} else {
		f->unlisted = true;
	}
	fetching_fini(f);
	idmap_free(l.listed);
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
		struct fetching f;

		if (sync_listed(r, all, &ids, &f, e) == 0)
			break;
		if (f.unlisted)
			goto out;
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

int repo_index_refresh(struct repo *r, struct err *e)
{
	int rc;

	pthread_rwlock_wrlock(&r->index_lock);
	atomic_fetch_add(&r->index_generation, 1);
	rc = sync_index(r, false, e);
	pthread_rwlock_unlock(&r->index_lock);
	return rc == -1 ? err_wrap(e, "load index") : 0;
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
