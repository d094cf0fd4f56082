/*
 * repo: opening and making a repository, and its index.  How config is read and
 * changed is in repo_config.c, keys of other holders in repo_keys.c.
 */
#include "repo/repo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hex.h"
#include "base/mem.h"
#include "crypto/secret.h"
#include "os/os.h"
#include "repo/ahead.h"
#include "repo/log_internal.h"
#include "repo/repo_internal.h"
#include "repo/repo_parity.h"

static struct repo *repo_alloc(struct store *s, struct ctx *ctx)
{
	struct repo *r = mem_zalloc(sizeof *r);

	r->store = s;
	r->ctx = ctx;
	r->keys = secret_new(sizeof *r->keys);
	r->mark_key = secret_new(sizeof *r->mark_key);
	r->data_keys = idmap_new(sizeof(struct seal_key *));
	pthread_rwlock_init(&r->index_lock, NULL);
	pthread_mutex_init(&r->again_lock, NULL);
	pthread_mutex_init(&r->data_keys_lock, NULL);
	pthread_mutex_init(&r->mend_lock, NULL);
	pthread_mutex_init(&r->mending_lock, NULL);
	return r;
}

void repo_close(struct repo *r)
{
	struct seal_key **k;
	struct id id;
	size_t pos = 0;

	if (r == NULL)
		return;
	index_cache_close(r->index);
	while ((k = idmap_next(r->data_keys, &pos, &id)) != NULL)
		if (*k != NULL) {
			crypto_wipe(*k, sizeof **k);
			free(*k);
		}
	idmap_free(r->data_keys);
	log_ids_free(r->log_ids);
	secret_free(r->keys);
	secret_free(r->mark_key);
	secret_free(r->domains);
	secret_free(r->epochs);
	config_fini(&r->config);
	store_close(r->store);
	pthread_rwlock_destroy(&r->index_lock);
	pthread_mutex_destroy(&r->again_lock);
	pthread_mutex_destroy(&r->data_keys_lock);
	pthread_mutex_destroy(&r->mend_lock);
	pthread_mutex_destroy(&r->mending_lock);
	for (size_t i = 0; i < r->nmended; i++)
		free(r->mended[i]);
	free(r->mended);
	buf_fini(&r->mending);
	free(r->index_ids);
	free(r->bad_indexes);
	free(r->cache_dir);
	free(r->state_dir);
	free(r);
}

/* A config with its first writer: the full holder in r->keys. */
static void first_config(struct repo *r, const struct repo_init_params *p, const char *now)
{
	uint8_t content[CRYPTO_KEY], structure[CRYPTO_KEY], sign[CRYPTO_KEY], own[CRYPTO_KEY];
	struct key_bundle *k = r->keys;
	struct config_add add = {.id = k->holder,
	    .key = sign,
	    .own = own,
	    .role = ROLE_FULL,
	    .domain = k->domain,
	    .label = p->label ? p->label : "",
	    .when = now};

	key_bundle_generate(k);
	if (p->family != NULL)
		key_bundle_join(k, p->family->keys);
	crypto_x25519_public(k->content, content);
	crypto_x25519_public(k->structure, structure);
	crypto_x25519_public(k->own, own);
	crypto_sign_public(k->signing, sign);
	config_new(&r->config, k->root_public, content, structure, k->domain,
	    p->grace_s ? p->grace_s : 86400, p->object_hash,
	    p->family ? p->family->config.blob_id : p->blob_id, now);
	memcpy(k->repo, r->config.repo, FORMAT_UID);
	if (p->family != NULL)
		config_join(&r->config, &p->family->config);
	config_set_parity(&r->config, p->parity);
	config_add_writer(&r->config, &add);
}

int repo_init(struct store *s, const struct repo_init_params *p, const char *cache_dir,
    struct ctx *ctx, struct repo **out, struct err *e)
{
	struct repo *r = repo_alloc(s, ctx);
	struct buf key = {0}, config = {0};
	struct store_stat st;
	char now[40];
	struct id id;
	int rc = -1;

	if (store_stat(s, "config", &st, e) == 0) {
		err_set(e, ERR_EXISTS, "%s holds a repository already", s->url);
		goto out;
	}
	if (e->kind != ERR_ABSENT)
		goto out;
	if (p->family != NULL && p->family->keys->role != ROLE_FULL) {
		err_set(e, ERR_WRONG_KEY, "%s: a family is joined with its full key",
		    p->family->store->url);
		goto out;
	}
	repo_time_text(repo_now(r), now);
	first_config(r, p, now);
	config_sign(&r->config, r->keys->root, &config);

	/* config comes last and never replaces: it is what makes it a repository. */
	if (repo_unlocked(r, cache_dir, e) == -1 ||
	    key_seal(r->keys, &p->cred, p->label ? p->label : "", now, &key, e) == -1 ||
	    repo_put_object(r, FORMAT_KEY, buf_span(&key), &id, e) == -1 ||
	    repo_config_parity(r, buf_span(&config), e) == -1 ||
	    store_put(r->store, "config", buf_span(&config), STORE_NEW, e) == -1)
		goto out;
	*out = r;
	rc = 0;
out:
	buf_fini(&key);
	buf_fini(&config);
	if (rc == -1)
		repo_close(r);
	return rc;
}

/* None of n keys was opened, of which so many are sound.  Returns -1. */
static int no_key_fits(
    const struct repo *r, const struct repo_cred *cred, size_t n, size_t sound, struct err *e)
{
	const char *url = r->store->url;

	if (sound > 0) {
		err_set(e, ERR_WRONG_KEY, "%s: the %s opens none of its %zu keys", url,
		    cred->key_file ? "key file" : "password", n);
		return err_hint(e, "check --key-file, --password-file and the HOLDFAST_ variables");
	}
	err_set(e, ERR_CORRUPT, "%s: %s", url,
	    n == 0 ? "no key object is left in keys/" : "every key object is damaged");
	return err_hint(e, "restore keys/ from a copy of the repository");
}

struct keys {
	struct id_list ids;
	struct ahead *ahead;
};

static int take_key(void *arg, enum format_type type, const struct id *id,
    const struct store_stat *st, struct err *e)
{
	struct keys *k = arg;
	char name[REPO_NAME_MAX];

	(void)e;
	id_list_add(&k->ids, id);
	ahead_add(k->ahead, repo_object_name(name, type, id), id, st->size);
	return 0;
}

/* Try the credential on every key; a damaged one is told and passed over. */
static int unlock(struct repo *r, const struct repo_cred *cred, struct err *e)
{
	struct keys keys = {.ahead = ahead_new(r)};
	const struct id_list *ids = &keys.ids;
	struct buf object = {0};
	struct err hard = {.kind = ERR_NONE};
	size_t fits = 0;
	int rc = -1;

	if (repo_list_each(r, FORMAT_KEY, take_key, &keys, e) == -1)
		goto out;
	for (size_t i = 0; i < ids->n; i++) {
		char name[REPO_NAME_MAX];

		/* Each costs a derivation: a third of a second, and many may be there. */
		if (ctx_check(r->ctx, e) == -1)
			goto out;
		if (ahead_next(keys.ahead, &object, e) == 0 &&
		    key_open(buf_span(&object), r->config.repo, cred, r->keys, e) == 0) {
			rc = 0;
			goto out;
		}
		if (e->kind == ERR_WRONG_KEY || e->kind == ERR_ABSENT) {
			fits++;
			continue;
		}
		/* What could not be read is not damaged; another key may fit yet. */
		if (!repo_is_bad(e)) {
			hard = *e;
			continue;
		}
		event_emit(r->ctx, EVENT_OBJECT_DAMAGED,
		    span_str(repo_object_name(name, FORMAT_KEY, &ids->v[i])), "%s", e->msg);
	}
	if (hard.kind != ERR_NONE)
		*e = hard;
	else
		no_key_fits(r, cred, ids->n, fits, e);
out:
	ahead_free(keys.ahead);
	id_list_fini(&keys.ids);
	buf_fini(&object);
	return rc;
}

int repo_open(struct store *s, const struct repo_cred *cred, const char *cache_dir, struct ctx *ctx,
    struct repo **out, struct err *e)
{
	struct repo *r = repo_alloc(s, ctx);

	if (repo_load_config(r, e) == -1 || unlock(r, cred, e) == -1)
		goto out;
	if (config_verify(&r->config, r->keys->root_public, e) == -1) {
		err_wrap(e, "%s", s->url);
		goto out;
	}
	if (repo_unlocked(r, cache_dir, e) == -1)
		goto out;
	*out = r;
	return 0;
out:
	repo_close(r);
	return -1;
}

unsigned repo_workers(struct repo *r, unsigned jobs)
{
	unsigned n = os_workers(jobs), far = store_parallel(r->store);

	return jobs == 0 && far > n ? far : n;
}

struct store *repo_store(struct repo *r)
{
	return r->store;
}

struct ctx *repo_set_ctx(struct repo *r, struct ctx *ctx)
{
	struct ctx *old = r->ctx;

	r->ctx = ctx;
	index_cache_set_ctx(r->index, ctx);
	return old;
}

const char *repo_url(const struct repo *r)
{
	return r->store->url;
}

const char *repo_id_text(const struct repo *r)
{
	return r->id_text;
}

const char *repo_cache_dir(const struct repo *r)
{
	return r->cache_dir;
}

void repo_set_state_dir(struct repo *r, const char *dir)
{
	free(r->state_dir);
	r->state_dir = dir ? mem_strdup(dir) : NULL;
}

char *repo_state_path(const struct repo *r, const char *name, const char *suffix)
{
	struct err ignored;

	if (r->state_dir == NULL || os_mkdirs(r->state_dir, 0700, &ignored) == -1)
		return NULL;
	return mem_printf("%s/%s.%s%s", r->state_dir, r->id_text, name, suffix);
}

const char *repo_place(const struct repo *r)
{
	return r->place_text;
}

bool repo_remembers(const struct repo *r)
{
	return r->state_dir != NULL;
}

uint64_t repo_config_revision(const struct repo *r)
{
	return r->config.revision;
}

int64_t repo_grace_s(const struct repo *r)
{
	return r->config.grace_s;
}

int64_t repo_lease_ns(const struct repo *r)
{
	return r->config.grace_s * 800000000;
}

int64_t repo_lag_ns(const struct repo *r)
{
	return r->config.grace_s * 100000000;
}

const char *repo_key_holder(const struct repo *r)
{
	return r->holder_text;
}
