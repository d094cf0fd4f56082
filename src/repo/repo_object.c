/*
 * repo_object: names of objects, and the small ones as a whole: list, put,
 * get.  Every object that is fetched is checked against its name.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "os/os.h"
#include "repo/repo_internal.h"

void id_list_add(struct id_list *l, const struct id *id)
{
	if (l->n == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 16;
		l->v = mem_realloc(l->v, l->cap * sizeof *l->v);
	}
	l->v[l->n++] = *id;
}

void id_list_fini(struct id_list *l)
{
	free(l->v);
	memset(l, 0, sizeof *l);
}

static const struct {
	const char *folder;
	bool fan_out;
} types[] = {
    [FORMAT_INDEX] = {"index/", false},
    [FORMAT_SNAPSHOT] = {"snapshots/", false},
    [FORMAT_NOTE] = {"notes/", false},
    [FORMAT_MARK] = {"marks/", false},
    [FORMAT_KEY] = {"keys/", false},
    [FORMAT_PACK] = {"packs/", true},
    [FORMAT_META] = {"meta/", true},
};

const char *repo_type_folder(enum format_type type)
{
	return types[type].folder;
}

const char *repo_object_name(char out[REPO_NAME_MAX], enum format_type type, const struct id *id)
{
	char hex[ID_HEX];

	id_hex(hex, id);
	if (types[type].fan_out)
		snprintf(out, REPO_NAME_MAX, "%s%.2s/%s", types[type].folder, hex, hex);
	else
		snprintf(out, REPO_NAME_MAX, "%s%s", types[type].folder, hex);
	return out;
}

struct listing {
	struct repo *r;
	struct id_list *out;
};

static int list_visit(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	struct listing *l = arg;
	const char *leaf = strrchr(key, '/');
	struct id id;

	(void)st;
	(void)e;
	if (leaf != NULL && id_parse(&id, leaf + 1))
		id_list_add(l->out, &id);
	else
		event_emit(l->r->ctx, EVENT_WARNING, span_str(key),
		    "not an object of this repository; left alone");
	return 0;
}

int repo_list_ids(struct repo *r, enum format_type type, struct id_list *out, struct err *e)
{
	struct listing l = {r, out};

	return store_list(r->store, types[type].folder, list_visit, &l, e);
}

struct pack_listing {
	enum format_type type;
	repo_pack_visit *visit;
	void *arg;
};

static int list_pack(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	struct pack_listing *l = arg;
	const char *leaf = strrchr(key, '/');
	struct id id;

	if (leaf == NULL || !id_parse(&id, leaf + 1))
		return 0;
	return l->visit(l->arg, l->type, &id, st, e);
}

int repo_list_packs(struct repo *r, repo_pack_visit *visit, void *arg, struct err *e)
{
	struct pack_listing content = {FORMAT_PACK, visit, arg}, trees = {FORMAT_META, visit, arg};

	if (store_list(r->store, types[FORMAT_PACK].folder, list_pack, &content, e) == -1)
		return -1;
	return store_list(r->store, types[FORMAT_META].folder, list_pack, &trees, e);
}

void repo_object_id(const struct repo *r, struct span bytes, struct id *out)
{
	crypto_digest(r->config.object_hash, bytes, out->b);
}

int repo_put_object(
    struct repo *r, enum format_type type, struct span bytes, struct id *id, struct err *e)
{
	char name[REPO_NAME_MAX];

	repo_object_id(r, bytes, id);
	return store_put(r->store, repo_object_name(name, type, id), bytes, STORE_NEW, e);
}

int repo_get_object(
    struct repo *r, enum format_type type, const struct id *id, struct buf *out, struct err *e)
{
	char name[REPO_NAME_MAX];
	struct id got;

	repo_object_name(name, type, id);
	buf_reset(out);
	if (store_get_all(r->store, name, FORMAT_SMALL_MAX, out, e) == -1)
		return -1;
	repo_object_id(r, buf_span(out), &got);
	if (!id_eq(&got, id))
		return err_set(
		    e, ERR_CORRUPT, "%s: its bytes do not have the hash in its name", name);
	return 0;
}

int repo_index_payload(struct repo *r, const struct id *id, struct buf *out, struct err *e)
{
	struct buf object = {0};
	struct envelope env;
	struct sealer sealer;
	uint8_t signer[FORMAT_UID];
	char name[REPO_NAME_MAX];
	int rc = -1;

	sealer_init(&sealer, r->config.repo);
	if (repo_get_object(r, FORMAT_INDEX, id, &object, e) == -1)
		goto out;
	if (envelope_parse(buf_span(&object), FORMAT_INDEX, 2, &env, e) == -1 ||
	    envelope_verify(
		&sealer, &env, r->index_key, config_writer_key, &r->config, signer, e) == -1 ||
	    envelope_open(&sealer, &env, 0, r->index_key, PURPOSE_INDEX, out, e) == -1) {
		err_wrap(e, "%s", repo_object_name(name, FORMAT_INDEX, id));
		goto out;
	}
	rc = 0;
out:
	buf_fini(&object);
	sealer_fini(&sealer);
	return rc;
}

int repo_put_index(struct repo *r, struct span payload, struct id *id, struct err *e)
{
	struct buf object = {0};
	struct sealer sealer;
	int rc;

	sealer_init(&sealer, r->config.repo);
	envelope_begin(&object, FORMAT_INDEX, NULL, 0);
	envelope_section(&sealer, &object, r->index_key, PURPOSE_INDEX, payload);
	envelope_sign(&sealer, &object, r->index_key, r->keys->holder, r->keys->signing);
	rc = repo_put_object(r, FORMAT_INDEX, buf_span(&object), id, e);
	sealer_fini(&sealer);
	buf_fini(&object);
	return rc;
}

void repo_blob_macs(struct repo *r, struct crypto_mac *mac[BLOB_KINDS])
{
	static const char *const labels[BLOB_KINDS] = {NULL, "holdfast/0 names", "holdfast/0 refs"};
	uint8_t key[CRYPTO_KEY];

	mac[0] = crypto_mac_new(r->config.blob_id, r->keys->id_key);
	for (size_t i = 1; i < BLOB_KINDS; i++) {
		crypto_mac3(
		    r->keys->id_key, span_str(labels[i]), span_of(NULL, 0), span_of(NULL, 0), key);
		mac[i] = crypto_mac_new(r->config.blob_id, key);
	}
	crypto_wipe(key, sizeof key);
}

void repo_blob_macs_free(struct crypto_mac *mac[BLOB_KINDS])
{
	for (size_t i = 0; i < BLOB_KINDS; i++)
		crypto_mac_free(mac[i]);
}

const struct seal_key *repo_data_key(
    struct repo *r, const uint8_t sealed[FORMAT_SEALED_KEY], struct err *e)
{
	enum seal_class class = seal_data_key_class(sealed);
	struct id at = {{0}};
	struct seal_key **slot, *k = NULL;
	bool was;

	/* Two sealed keys may claim one id: the map is keyed by the commitment too. */
	memcpy(at.b, seal_data_key_id(sealed), FORMAT_UID);
	memcpy(at.b + FORMAT_UID, sealed + 100, FORMAT_UID);
	pthread_mutex_lock(&r->data_keys_lock);
	slot = idmap_put(r->data_keys, &at, &was);
	if (*slot == NULL) {
		struct seal_key tmp;
		const uint8_t *priv = class == SEAL_CONTENT ? r->keys->content : r->keys->structure;
		const uint8_t *pub = class == SEAL_CONTENT ? r->config.content
							   : r->config.structure;

		if (class != SEAL_CONTENT && class != SEAL_STRUCTURE)
			err_set(e, ERR_CORRUPT, "data key of unknown class");
		else if (seal_data_key_open(r->config.repo, priv, pub, sealed, &tmp, e) == 0) {
			*slot = mem_alloc(sizeof tmp);
			**slot = tmp;
			crypto_wipe(&tmp, sizeof tmp);
		}
	}
	k = *slot;
	pthread_mutex_unlock(&r->data_keys_lock);
	return k;
}

void repo_time_text(int64_t ns, char out[40])
{
	time_t s = (time_t)(ns / 1000000000);
	long frac = (long)(ns % 1000000000);
	struct tm tm;

	if (frac < 0) {
		frac += 1000000000;
		s--;
	}
	gmtime_r(&s, &tm);
	snprintf(out, 40, "%04d-%02d-%02dT%02d:%02d:%02d.%09ldZ", tm.tm_year + 1900, tm.tm_mon + 1,
	    tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, frac);
}

bool repo_time_parse(const char *s, int64_t *ns)
{
	struct tm tm = {0};
	const char *p = strptime(s, "%Y-%m-%dT%H:%M:%S", &tm);
	int64_t frac = 0, unit = 100000000;
	time_t t;

	if (p == NULL || tm.tm_year < -200 || tm.tm_year > 290)
		return false;
	if (*p == '.')
		for (p++; *p >= '0' && *p <= '9' && unit > 0; p++, unit /= 10)
			frac += (*p - '0') * unit;
	if (strcmp(p, "Z") != 0)
		return false;
	t = timegm(&tm);
	*ns = (int64_t)t * 1000000000 + frac;
	return true;
}

int64_t repo_now(struct repo *r)
{
	struct clock *c = os_clock_of(r->ctx);

	return c->wall_ns(c);
}

int repo_store_now(struct repo *r, int64_t *ns, struct err *e)
{
	struct store_stat st;
	char name[64], hex[33];
	uint8_t id[16];
	int rc = -1;

	crypto_random(id, sizeof id);
	snprintf(name, sizeof name, "leases/%s", hex_encode(hex, id, sizeof id));
	if (store_put(r->store, name, span_str("clock\n"), 0, e) == -1)
		return -1;
	if (store_stat(r->store, name, &st, e) == 0) {
		*ns = st.mtime_ns;
		rc = 0;
	}
	return store_del(r->store, name, e) == -1 ? -1 : rc;
}
