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
#include "repo/name_list.h"
#include "repo/repo_internal.h"
#include "repo/repo_parity.h"
#include "store/store_drivers.h"

bool repo_is_bad(const struct err *e)
{
	return e->kind == ERR_CORRUPT || repo_is_foreign(e);
}

bool repo_is_foreign(const struct err *e)
{
	return e->kind == ERR_FOREIGN || e->kind == ERR_LATER;
}

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
	enum format_type type;
	repo_pack_visit *visit;
	void *arg;
};

static int list_visit(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	struct listing *l = arg;
	const char *leaf = strrchr(key, '/');
	struct id id;

	if (leaf != NULL && id_parse(&id, leaf + 1))
		return l->visit(l->arg, l->type, &id, st, e);
	event_emit(l->r->ctx, EVENT_WARNING, span_str(key),
	    "not an object of this repository; left alone");
	return 0;
}

int repo_list_each(
    struct repo *r, enum format_type type, repo_pack_visit *visit, void *arg, struct err *e)
{
	struct listing l = {r, type, visit, arg};

	return store_list(r->store, types[type].folder, list_visit, &l, e);
}

static int add_id(void *arg, enum format_type type, const struct id *id,
    const struct store_stat *st, struct err *e)
{
	(void)type, (void)st, (void)e;
	id_list_add(arg, id);
	return 0;
}

int repo_list_ids(struct repo *r, enum format_type type, struct id_list *out, struct err *e)
{
	return repo_list_each(r, type, add_id, out, e);
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

struct crypto_hash *repo_object_hash(const struct repo *r)
{
	return crypto_hash_new(r->config.object_hash);
}

int repo_put_object(
    struct repo *r, enum format_type type, struct span bytes, struct id *id, struct err *e)
{
	char name[REPO_NAME_MAX];

	repo_object_id(r, bytes, id);
	return repo_put_named(r, repo_object_name(name, type, id), bytes, e);
}

int repo_get_named(
    struct repo *r, const char *name, const struct id *id, struct buf *out, struct err *e)
{
	struct id got;
	int rc;

	buf_reset(out);
	rc = store_get_all(r->store, name, FORMAT_SMALL_MAX, out, e);
	if (rc == 0) {
		repo_object_id(r, buf_span(out), &got);
		if (id_eq(&got, id))
			return 0;
		err_set(e, ERR_CORRUPT, "%s: its bytes do not have the hash in its name", name);
	}
	if ((e->kind == ERR_CORRUPT || e->kind == ERR_IO) &&
	    repo_mend_object(r, name, id, FORMAT_SMALL_MAX, out))
		return 0;
	return -1;
}

int repo_get_object(
    struct repo *r, enum format_type type, const struct id *id, struct buf *out, struct err *e)
{
	char name[REPO_NAME_MAX];

	return repo_get_named(r, repo_object_name(name, type, id), id, out, e);
}

void repo_warn(struct repo *r, const char *name, const char *why)
{
	event_emit(r->ctx, EVENT_WARNING, span_str(name), "%s", why);
}

size_t repo_domains(const struct repo *r)
{
	return r->ndomains;
}

uint64_t repo_own_tag(const struct repo *r)
{
	return repo_own_domain(r)->tag;
}

uint64_t repo_domain_tag(const struct repo *r, size_t i)
{
	return r->domains[i].tag;
}

bool repo_knows_epoch(const struct repo *r, const uint8_t *sealed_key)
{
	unsigned epoch = seal_data_key_epoch(sealed_key);

	return epoch >= 1 && epoch <= r->nepochs;
}

/* The private and public key that a sealed data key is for; NULL with e set. */
static const uint8_t *private_key(
    struct repo *r, const uint8_t sealed[FORMAT_SEALED_KEY], const uint8_t **pub, struct err *e)
{
	enum seal_class class = seal_data_key_class(sealed);
	unsigned epoch = seal_data_key_epoch(sealed);
	const struct config *c = &r->config;

	if (class != SEAL_CONTENT && class != SEAL_STRUCTURE) {
		err_set(e, ERR_CORRUPT, "data key of unknown class");
		return NULL;
	}
	if (repo_need(r, class == SEAL_CONTENT, e) == -1)
		return NULL;
	if (epoch < 1 || epoch > r->nepochs) {
		err_set(e, ERR_CORRUPT, "data key of epoch %u, which config doesn't know", epoch);
		return NULL;
	}
	if (epoch == c->epoch)
		*pub = class == SEAL_CONTENT ? c->content : c->structure;
	else
		*pub = class == SEAL_CONTENT ? c->epochs[epoch - 1].content
					     : c->epochs[epoch - 1].structure;
	return class == SEAL_CONTENT ? r->epochs[epoch - 1].content
				     : r->epochs[epoch - 1].structure;
}

const struct seal_key *repo_data_key(
    struct repo *r, const uint8_t sealed[FORMAT_SEALED_KEY], struct err *e)
{
	const uint8_t *pub, *priv = private_key(r, sealed, &pub, e);
	struct id at = {{0}};
	struct seal_key **slot, tmp, *k;
	bool was;

	if (priv == NULL)
		return NULL;
	/* Two sealed keys may claim one id: the map is keyed by the commitment too. */
	memcpy(at.b, seal_data_key_id(sealed), FORMAT_UID);
	memcpy(at.b + FORMAT_UID, sealed + 100, FORMAT_UID);
	pthread_mutex_lock(&r->data_keys_lock);
	slot = idmap_put(r->data_keys, &at, &was);
	if (*slot == NULL && seal_data_key_open(r->config.repo, priv, pub, sealed, &tmp, e) == 0) {
		*slot = mem_alloc(sizeof tmp);
		**slot = tmp;
		crypto_wipe(&tmp, sizeof tmp);
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

int repo_store_clock(struct store *s, int64_t *ns, struct err *e)
{
	struct store_stat st;
	char name[64], hex[33];
	uint8_t id[16];
	int rc = store_now(s, ns, e);

	if (rc != 0)
		return rc == 1 ? 0 : -1;
	rc = -1;
	crypto_random(id, sizeof id);
	snprintf(name, sizeof name, "leases/%s", hex_encode(hex, id, sizeof id));
	/* Empty, for which there is room on a full disk as well: prune asks for the time. */
	if (store_put(s, name, span_str(""), 0, e) == -1)
		return -1;
	if (store_stat(s, name, &st, e) == 0) {
		*ns = st.mtime_ns;
		rc = 0;
	}
	if (rc == -1)
		return -1;
	/* Who may only add leaves it: it was told the time all the same. */
	return store_del(s, name, e) == -1 && e->kind != ERR_DENIED ? -1 : 0;
}

struct clocks {
	int64_t before_ns;
	struct name_list names;
};

/* `leases/` and 32 hex digits: a lease on config has another name. */
static int take_clock(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	struct clocks *c = arg;
	const char *leaf = strrchr(key, '/');
	uint8_t id[16];

	if (leaf == NULL || strlen(leaf + 1) != 2 * sizeof id ||
	    !hex_decode(id, sizeof id, leaf + 1) || st->mtime_ns > c->before_ns)
		return 0;
	return name_list_take(&c->names, key, st, e);
}

int repo_clock_sweep(struct repo *r, int64_t before_ns, struct err *e)
{
	struct clocks c = {.before_ns = before_ns};
	int rc = store_list(r->store, "leases/", take_clock, &c, e);

	for (size_t i = 0; i < c.names.n && rc == 0; i++)
		rc = store_del(r->store, c.names.v[i], e);
	name_list_fini(&c.names);
	return rc;
}

int repo_store_now(struct repo *r, int64_t *ns, struct err *e)
{
	return repo_store_clock(r->store, ns, e);
}
