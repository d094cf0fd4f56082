/* reader: see reader.h. */
#include "repo/reader.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "codec/codec.h"
#include "repo/blocks.h"
#include "repo/repo_internal.h"
#include "repo/repo_parity.h"

/* A few frames are kept: trees are walked in the order they were written. */
enum { SLOTS = 8, KEEP_BYTES = 12 << 20, PLACES_MAX = 64, PLACES_DOMAIN = 4 };

struct slot {
	struct buf plain;
	struct id pack;
	uint64_t off;
	uint64_t used; /* 0: empty */
};

/* Stored bytes of a pack, of frames that will be asked for. */
struct ahead {
	struct id pack;
	uint64_t off;
	struct buf bytes;
};

struct reader {
	struct repo *repo;
	struct sealer sealer;
	struct codec *codec;
	struct crypto_mac *(*mac)[BLOB_KINDS]; /* of each domain */
	size_t ndomains, hot;                  /* the domain that fitted last */
	uint64_t domain;                       /* lookups; 0: any */
	struct buf box, packed, scratch;
	struct ahead ahead;
	struct blocks blocks; /* of trees, from a store that is far away */
	struct slot slot[SLOTS];
	uint64_t tick;
	struct index_near near; /* the last ones found */
	uint64_t near_generation;
	bool reloaded, mended, keeps_up;
};

struct reader *reader_new(struct repo *r)
{
	struct reader *rd = mem_zalloc(sizeof *rd);

	rd->repo = r;
	sealer_init(&rd->sealer, r->config.repo);
	rd->codec = codec_new();
	rd->ndomains = r->ndomains;
	rd->mac = mem_zalloc(rd->ndomains * sizeof *rd->mac);
	for (size_t i = 0; i < rd->ndomains; i++)
		domain_macs(&r->domains[i], r->config.blob_id, rd->mac[i]);
	rd->hot = r->own;
	return rd;
}

void reader_free(struct reader *rd)
{
	if (rd == NULL)
		return;
	for (size_t i = 0; i < SLOTS; i++)
		buf_fini(&rd->slot[i].plain);
	buf_fini(&rd->box);
	buf_fini(&rd->packed);
	buf_fini(&rd->scratch);
	buf_fini(&rd->ahead.bytes);
	blocks_fini(&rd->blocks);
	for (size_t i = 0; i < rd->ndomains; i++)
		domain_macs_free(rd->mac[i]);
	free(rd->mac);
	codec_free(rd->codec);
	sealer_fini(&rd->sealer);
	free(rd);
}

static void shrink(struct buf *b, size_t keep)
{
	if (b->cap > keep)
		buf_fini(b);
}

void reader_shrink(struct reader *rd, size_t keep)
{
	shrink(&rd->box, keep);
	shrink(&rd->packed, keep);
	shrink(&rd->scratch, keep);
	shrink(&rd->ahead.bytes, keep);
	if (keep < BLOCK)
		blocks_fini(&rd->blocks);
	for (size_t i = 0; i < SLOTS; i++)
		if (rd->slot[i].plain.cap > keep) {
			rd->slot[i].used = 0;
			buf_fini(&rd->slot[i].plain);
		}
}

void reader_set_domain(struct reader *rd, uint64_t domain)
{
	if (domain != rd->domain)
		memset(&rd->near, 0, sizeof rd->near);
	rd->domain = domain;
}

uint64_t reader_domain(const struct reader *rd)
{
	return rd->domain;
}

void reader_keep_up(struct reader *rd)
{
	rd->keeps_up = true;
}

static bool has_id(struct reader *rd, size_t domain, enum format_purpose kind, struct span blob,
    const struct id *id)
{
	struct crypto_mac *mac = rd->mac[domain][kind - 1];
	struct id got;

	if (mac == NULL)
		return false;
	crypto_mac(mac, blob, got.b);
	return id_eq(&got, id);
}

/*
 * Whatever domain's key it fits, it is the right plaintext: nobody can find
 * bytes that have, under one key, an id that others have under another.
 */
bool reader_check(
    struct reader *rd, enum format_purpose kind, struct span blob, const struct id *id)
{
	if (kind < PURPOSE_CONTENT || kind > PURPOSE_REFS)
		return false;
	if (has_id(rd, rd->hot, kind, blob, id))
		return true;
	for (size_t i = 0; i < rd->ndomains; i++)
		if (i != rd->hot && has_id(rd, i, kind, blob, id)) {
			rd->hot = i;
			return true;
		}
	return false;
}

int reader_pack(
    struct reader *rd, const struct index_place *at, struct index_cache_pack *out, struct err *e)
{
	int rc;

	pthread_rwlock_rdlock(&rd->repo->index_lock);
	rc = index_cache_pack(rd->repo->index, at->pack, out, e);
	pthread_rwlock_unlock(&rd->repo->index_lock);
	return rc;
}

int reader_unseal(struct reader *rd, const struct pack_frame *f, const uint8_t *sealed_key,
    struct span box, struct buf *out, struct err *e)
{
	const struct seal_key *key;

	if (box.n < FORMAT_BOX || f->plain > FORMAT_BLOB_MAX)
		return err_set(e, ERR_CORRUPT, "impossible lengths");
	key = repo_data_key(rd->repo, sealed_key, e);
	if (key == NULL)
		return -1;
	buf_reset(&rd->packed);
	buf_reset(out);
	if (seal_open(&rd->sealer, key, (enum format_purpose)f->kind, box,
		buf_extend(&rd->packed, box.n - FORMAT_BOX), e) == -1)
		return -1;
	return codec_decompress(rd->codec, (enum codec_id)f->codec, buf_span(&rd->packed),
	    buf_extend(out, f->plain), f->plain, e);
}

struct span reader_packed(const struct reader *rd)
{
	return buf_span(&rd->packed);
}

/* Once more, from what the pack's parity makes of it; e is why it must be. */
static int mended_frame(struct reader *rd, const char *name, const struct id *pack,
    const struct index_place *at, const struct pack_frame *f, struct buf *out, struct err *e)
{
	struct err again;

	if ((e->kind != ERR_CORRUPT && e->kind != ERR_IO) ||
	    !repo_mend_range(rd->repo, name, pack, at->off, rd->box.p, at->stored) ||
	    reader_unseal(rd, f, at->sealed_key, buf_span(&rd->box), out, &again) == -1)
		return -1;
	err_clear(e);
	return 0;
}

void reader_ahead(
    struct reader *rd, const struct index_place *first, uint64_t n, struct err *ignored)
{
	struct ahead *a = &rd->ahead;
	struct index_cache_pack pack;
	char name[REPO_NAME_MAX];

	buf_reset(&a->bytes);
	if (n > FORMAT_PACK_MAX || reader_pack(rd, first, &pack, ignored) == -1)
		return;
	a->pack = pack.id;
	a->off = first->off;
	repo_object_name(name, (enum format_type)pack.type, &pack.id);
	if (store_get(rd->repo->store, name, first->off, buf_extend(&a->bytes, n), n, ignored) ==
	    -1)
		buf_reset(&a->bytes);
}

static bool is_in(
    const struct ahead *a, const struct index_cache_pack *pack, const struct index_place *at)
{
	return at->off >= a->off && at->off - a->off <= a->bytes.n &&
	       a->bytes.n - (at->off - a->off) >= at->stored && id_eq(&a->pack, &pack->id);
}

/*
 * The stored bytes of a frame, into rd->box.  Trees are walked in the order in
 * which their frames lie: where each request takes a long way, their
 * neighbours come along.
 */
static int fetch(struct reader *rd, const char *name, const struct index_cache_pack *pack,
    const struct index_place *at, struct err *e)
{
	struct store *s = rd->repo->store;
	bool tree = at->kind > PURPOSE_CONTENT && at->kind <= BLOB_KINDS;

	buf_reset(&rd->box);
	if (is_in(&rd->ahead, pack, at)) {
		buf_put(&rd->box, rd->ahead.bytes.p + (at->off - rd->ahead.off), at->stored);
		return 0;
	}
	if (tree && store_parallel(s) > 1) {
		if (blocks_read(&rd->blocks, s, name, pack, at->off, at->stored, &rd->box, e) == 0)
			return 0;
		err_clear(e); /* the frame alone may be had where its neighbours may not */
		buf_reset(&rd->box);
	}
	return store_get(s, name, at->off, buf_extend(&rd->box, at->stored), at->stored, e);
}

static int load_frame(struct reader *rd, const struct index_place *at,
    const struct index_cache_pack *pack, struct buf *out, struct err *e)
{
	struct pack_frame f = {.kind = at->kind, .codec = at->codec, .plain = at->plain};
	char name[REPO_NAME_MAX];

	repo_object_name(name, (enum format_type)pack->type, &pack->id);
	if (at->stored > FORMAT_PACK_MAX || at->off > FORMAT_PACK_MAX)
		return err_set(e, ERR_CORRUPT, "%s: index gives impossible lengths", name);
	if (fetch(rd, name, pack, at, e) == 0) {
		if (reader_unseal(rd, &f, at->sealed_key, buf_span(&rd->box), out, e) == 0)
			return 0;
		err_wrap(e, "%s: frame at %llu", name, (unsigned long long)at->off);
	}
	return mended_frame(rd, name, &pack->id, at, &f, out, e);
}

int reader_frame(struct reader *rd, const struct index_place *at, struct buf *out, struct err *e)
{
	struct index_cache_pack pack;

	if (reader_pack(rd, at, &pack, e) == -1)
		return -1;
	return load_frame(rd, at, &pack, out, e);
}

/* The local cache may be damaged: make it anew, once. */
static bool mend_cache(struct reader *rd, const struct err *why)
{
	struct err e;

	if (why->kind != ERR_CORRUPT || rd->mended)
		return false;
	rd->mended = true;
	return repo_index_load(rd->repo, true, &e) == 0;
}

/* With the index locked: next to one of the last places, or wherever it is. */
static int find(
    struct reader *rd, const struct id *id, bool near_too, struct index_place *out, struct err *e)
{
	uint64_t generation = repo_index_generation(rd->repo);

	if (rd->near_generation != generation)
		memset(&rd->near, 0, sizeof rd->near);
	rd->near_generation = generation;
	return near_too ? index_cache_find_near(rd->repo->index, rd->domain, id, &rd->near, out, e)
			: index_cache_find_in(rd->repo->index, rd->domain, id, out, e);
}

static int find_mended(
    struct reader *rd, const struct id *id, bool near_too, struct index_place *out, struct err *e)
{
	int rc;

	if (rd->repo->index == NULL && repo_index_load(rd->repo, false, e) == -1)
		return -1;
	do {
		pthread_rwlock_rdlock(&rd->repo->index_lock);
		rc = find(rd, id, near_too, out, e);
		pthread_rwlock_unlock(&rd->repo->index_lock);
	} while (rc == -1 && mend_cache(rd, e));
	return rc;
}

/* 1: the index is another than it was then; 0: nothing is to be gained; -1. */
static int look_again(struct reader *rd, uint64_t seen, bool gone, struct err *e)
{
	bool first = gone && !rd->reloaded;
	int rc;

	if (!rd->keeps_up && !first)
		return 0;
	rd->reloaded |= gone;
	if (!rd->keeps_up)
		return repo_index_load(rd->repo, true, e) == -1 ? -1 : 1;
	rc = repo_index_look_again(rd->repo, seen, gone, first, e);
	return rc == -1 && !gone ? 0 : rc; /* the damage is what matters */
}

int reader_find(struct reader *rd, const struct id *id, struct index_place *out, struct err *e)
{
	uint64_t seen = repo_index_generation(rd->repo);
	int rc = find_mended(rd, id, false, out, e);

	if (rc != 0 || !rd->keeps_up)
		return rc;
	rc = look_again(rd, seen, true, e);
	if (rc == 1 && (rc = find_mended(rd, id, false, out, e)) == 1)
		repo_index_looked_well(rd->repo);
	return rc;
}

int reader_find_near(struct reader *rd, const struct id *id, struct index_place *out, struct err *e)
{
	return find_mended(rd, id, true, out, e);
}

/* The frame of a place, from the slots or the store. */
static int cached_frame(
    struct reader *rd, const struct index_place *at, struct span *out, struct err *e)
{
	struct index_cache_pack pack;
	struct slot *oldest = &rd->slot[0];
	size_t kept = 0;

	if (reader_pack(rd, at, &pack, e) == -1)
		return -1;
	for (size_t i = 0; i < SLOTS; i++) {
		struct slot *s = &rd->slot[i];

		if (s->used && s->off == at->off && id_eq(&s->pack, &pack.id)) {
			s->used = ++rd->tick;
			*out = buf_span(&s->plain);
			return 0;
		}
		kept += s->plain.cap;
		if (s->used < oldest->used)
			oldest = s;
	}
	oldest->used = 0;
	if (kept > KEEP_BYTES)
		buf_fini(&oldest->plain);
	if (load_frame(rd, at, &pack, &oldest->plain, e) == -1)
		return -1;
	oldest->pack = pack.id;
	oldest->off = at->off;
	oldest->used = ++rd->tick;
	*out = buf_span(&oldest->plain);
	return 0;
}

static int blob_at(struct reader *rd, const struct index_place *at, enum format_purpose kind,
    const struct id *id, struct span *out, struct err *e)
{
	struct span frame;
	char hex[ID_HEX];

	if (kind && at->kind != kind)
		return err_set(e, ERR_CORRUPT, "blob %.8s is of kind %u, not %u", id_hex(hex, id),
		    at->kind, kind);
	if (cached_frame(rd, at, &frame, e) == -1)
		return -1;
	if (at->blob_off > frame.n || at->blob_len > frame.n - at->blob_off)
		return err_set(e, ERR_CORRUPT, "blob %.8s lies outside its frame", id_hex(hex, id));
	*out = span_of(frame.p + at->blob_off, at->blob_len);
	if (!reader_check(rd, (enum format_purpose)at->kind, *out, id))
		return err_set(
		    e, ERR_CORRUPT, "blob %.8s: its bytes have another id", id_hex(hex, id));
	return 0;
}

struct places {
	struct index_place v[PLACES_MAX];
	size_t n;
};

static int collect(void *arg, const struct index_place *at, struct err *e)
{
	struct places *p = arg;

	size_t same = 0;

	(void)e;
	/* However many lies one domain tells, others' places find room. */
	for (size_t i = 0; i < p->n; i++)
		same += p->v[i].domain == at->domain;
	if (p->n < PLACES_MAX && same < PLACES_DOMAIN)
		p->v[p->n++] = *at;
	return 0;
}

struct tried {
	bool found;
	uint64_t generation; /* of the index that it was looked for in */
};

/* Try every place; damage in one is no end while there is another. */
static int try_places(struct reader *rd, enum format_purpose kind, const struct id *id,
    struct span *out, struct tried *t, struct err *e)
{
	struct places p = {.n = 0};
	struct err cold = {.kind = ERR_NONE};
	int rc;

	if (rd->repo->index == NULL && repo_index_load(rd->repo, false, e) == -1)
		return -1;
	do {
		p.n = 0;
		pthread_rwlock_rdlock(&rd->repo->index_lock);
		t->generation = repo_index_generation(rd->repo);
		rc = index_cache_find_all(rd->repo->index, rd->domain, id, collect, &p, e);
		pthread_rwlock_unlock(&rd->repo->index_lock);
	} while (rc == -1 && mend_cache(rd, e));
	t->found = p.n > 0;
	if (rc == -1)
		return -1;
	for (size_t i = 0; i < p.n; i++) {
		rc = blob_at(rd, &p.v[i], kind, id, out, e);
		if (rc == -1 && e->kind == ERR_COLD)
			cold = *e; /* another may be awake; if not, this one is not lost */
		else if (rc == 0 || (e->kind != ERR_CORRUPT && e->kind != ERR_ABSENT))
			return rc;
	}
	if (cold.kind == ERR_COLD)
		*e = cold;
	return -1;
}

int reader_blob(struct reader *rd, enum format_purpose kind, const struct id *id, struct span *out,
    struct err *e)
{
	struct tried t = {.found = false};
	char hex[ID_HEX];
	struct err why;
	bool gone;
	int rc;

	err_clear(e);
	if (try_places(rd, kind, id, out, &t, e) == 0)
		return 0;
	gone = !t.found || e->kind == ERR_ABSENT;
	if (!gone && e->kind != ERR_CORRUPT)
		return -1;
	why = *e;
	rc = look_again(rd, t.generation, gone, e);
	if (rc == -1)
		return -1;
	err_clear(e);
	if (rc == 1 && try_places(rd, kind, id, out, &t, e) == 0) {
		repo_index_looked_well(rd->repo);
		return 0;
	}
	if (rc == 0)
		*e = why;
	if (!t.found && (e->kind == ERR_NONE || e->kind == ERR_ABSENT))
		return err_set(e, ERR_CORRUPT, "blob %.16s is in no index", id_hex(hex, id));
	/* The index promised it: a pack that is gone is damage, not absence. */
	if (e->kind == ERR_ABSENT)
		e->kind = ERR_CORRUPT;
	return -1;
}

int reader_tree_get(
    void *arg, enum format_purpose kind, const struct id *id, struct span *out, struct err *e)
{
	return reader_blob(arg, kind, id, out, e);
}
