/* damage: see damage.h. */
#include "engine/damage.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "crypto/crypto.h"
#include "engine/damage_pack.h"
#include "engine/holes.h"
#include "os/os.h"
#include "repo/mark.h"
#include "repo/repo_object.h"
#include "store/store_cold.h"

/* Packs read side by side: each takes up to 10 MiB. */
enum { READERS_MAX = 5 };

struct pack_state {
	uint8_t type;  /* of the folder it lies in */
	uint64_t size; /* in the store; 0 and !present: missing */
	unsigned class;
	bool present, indexed, bad;
	bool fits; /* some index has its size right */
};

struct damage {
	struct mark_set marks;
	struct repo *repo;
	struct ctx *ctx;
	const struct damage_params *p;
	struct damage_counts counts;
	struct idmap *packs;     /* id -> struct pack_state */
	struct idmap *bad_blobs; /* id -> nothing */
	struct idmap *told;      /* hash of an object's name */

	pthread_mutex_t lock; /* guards all but repo, ctx, p */
	uint32_t next;        /* pack ordinal to read */
	uint32_t npacks, missing;
	bool failed;
	struct err err;
};

void damage_free(struct damage *d)
{
	if (d == NULL)
		return;
	mark_set_fini(&d->marks);
	idmap_free(d->packs);
	idmap_free(d->bad_blobs);
	idmap_free(d->told);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

const struct damage_counts *damage_counts(const struct damage *d)
{
	return &d->counts;
}

void damage_object(struct damage *d, const char *name, const char *why)
{
	struct id key;
	bool was;

	crypto_sha256(span_str(name), key.b);
	pthread_mutex_lock(&d->lock);
	idmap_put(d->told, &key, &was);
	d->counts.objects += !was;
	pthread_mutex_unlock(&d->lock);
	if (!was)
		event_emit(d->ctx, EVENT_OBJECT_DAMAGED, span_str(name), "%s", why);
}

/* One domain's lies about a blob are not another's losses. */
static struct id in_domain(uint64_t domain, const struct id *blob)
{
	struct id id = *blob;

	for (size_t i = 0; i < sizeof domain; i++)
		id.b[i] ^= (uint8_t)(domain >> (8 * i));
	return id;
}

void damage_note_blob(struct damage *d, uint64_t domain, const struct id *blob)
{
	struct id id = in_domain(domain, blob);

	pthread_mutex_lock(&d->lock);
	idmap_put(d->bad_blobs, &id, NULL);
	pthread_mutex_unlock(&d->lock);
}

static struct pack_state *state_of(struct damage *d, const struct id *id)
{
	return idmap_put(d->packs, id, NULL);
}

/* A place is usable if its pack is there, and the blob was not found bad. */
static int usable_place(void *arg, const struct index_place *at, struct err *e)
{
	struct damage *d = ((void **)arg)[0];
	bool *usable = ((void **)arg)[1];
	struct index_cache_pack p;
	struct pack_state *s;

	if (index_cache_pack(repo_index(d->repo), at->pack, &p, e) == -1)
		return -1;
	s = idmap_get(d->packs, &p.id);
	if (s != NULL && s->present && s->type == p.type)
		*usable = true;
	return 0;
}

bool damage_blob(struct damage *d, uint64_t domain, const struct id *blob)
{
	struct id id = in_domain(domain, blob);
	bool usable = false;
	void *arg[2] = {d, &usable};
	struct err e;

	if (idmap_get(d->bad_blobs, &id) != NULL)
		return true;
	if (index_cache_find_all(repo_index(d->repo), domain, blob, usable_place, arg, &e) == -1)
		return true;
	return !usable;
}

struct content {
	struct damage *damage;
	struct reader *reader;
	uint64_t bytes;
};

static int content_there(void *arg, const struct id *id, struct err *e)
{
	struct content *x = arg;
	struct damage *d = x->damage;
	struct index_place at;
	char hex[ID_HEX];
	bool found = reader_find_near(x->reader, id, &at, e) == 1;

	/* Mostly nothing is amiss, and one lookup tells. */
	if ((!found || d->missing > 0 || idmap_count(d->bad_blobs) > 0) &&
	    damage_blob(d, reader_domain(x->reader), id))
		return err_set(e, ERR_CORRUPT, "content blob %.16s is lost", id_hex(hex, id));
	if (found)
		x->bytes += at.blob_len;
	return 0;
}

int damage_content(struct damage *d, struct reader *rd, const struct entry *en,
    const struct tree_ref *ref, struct err *e)
{
	struct content x = {d, rd, 0};

	if (tree_content(reader_tree_get, rd, ref, content_there, &x, e) == -1)
		return -1;
	if (en->type == ENTRY_FILE && x.bytes != holes_data_size(en))
		return err_set(e, ERR_CORRUPT, "its blobs do not add up to its size");
	return 0;
}

int damage_packs(struct damage *d, damage_visit *visit, void *arg, struct err *e)
{
	for (uint32_t i = 0; i < d->npacks; i++) {
		struct index_cache_pack p;
		struct pack_state *s;

		if (index_cache_pack(repo_index(d->repo), i, &p, e) == -1)
			return -1;
		s = idmap_get(d->packs, &p.id);
		if (s != NULL && (s->bad || !s->present) &&
		    visit(arg, i, &p.id, !s->present, e) == -1)
			return -1;
	}
	return 0;
}

/* ---- Presence. */

static int take_pack(void *arg, enum format_type type, const struct id *id,
    const struct store_stat *st, struct err *e)
{
	struct pack_state *s = state_of(arg, id);

	s->present = true;
	s->type = (uint8_t)type;
	s->size = st->size;
	s->class = st->class;
	return 0;
}

/*
 * What an index says of a pack is wrong, though the pack is right: named by
 * who signed the index, since that is who lied.
 */
static void tell_lie(struct damage *d, uint64_t signer, const char *pack, const char *why)
{
	char name[REPO_NAME_MAX], text[REPO_NAME_MAX + 128];

	snprintf(name, sizeof name, "index/ signed by %s", repo_signer_text(d->repo, signer));
	snprintf(text, sizeof text, "is wrong about %s: %s", pack, why);
	damage_object(d, name, text);
}

static void judge_presence(struct damage *d, const struct index_cache_pack *p)
{
	struct pack_state *s = state_of(d, &p->id);
	char name[REPO_NAME_MAX], why[160];

	repo_object_name(name, (enum format_type)p->type, &p->id);
	if (!s->present) {
		d->missing++;
		/* Deleted rightly, and an index that came late names it: prune clears that. */
		if (mark_has_pack(&d->marks, &p->id))
			return;
		snprintf(why, sizeof why, "is missing%s%s",
		    repo_signer_role(d->repo, p->origin.signer) == ROLE_WRITE
			? ", says an index signed by "
			: "",
		    repo_signer_role(d->repo, p->origin.signer) == ROLE_WRITE
			? repo_signer_text(d->repo, p->origin.signer)
			: "");
		damage_object(d, name, why);
	} else if (s->type != p->type) {
		tell_lie(d, p->origin.signer, name, "it is in the other folder");
	} else if (s->size != p->size) {
		snprintf(why, sizeof why, "has %llu bytes, the index says %llu",
		    (unsigned long long)s->size, (unsigned long long)p->size);
		s->bad = s->bad || !s->fits;
		if (s->fits)
			tell_lie(d, p->origin.signer, name, why);
		else
			damage_object(d, name, why);
	}
}

static int check_presence(struct damage *d, struct err *e)
{
	struct index_cache_pack p;
	struct pack_state *s;
	struct id id;
	size_t pos = 0;

	for (uint32_t i = 0; i < d->npacks; i++) {
		if (index_cache_pack(repo_index(d->repo), i, &p, e) == -1)
			return -1;
		s = state_of(d, &p.id);
		d->counts.packs += !s->indexed;
		s->indexed = true;
		s->fits = s->fits || (s->type == p.type && s->size == p.size);
	}
	for (uint32_t i = 0; i < d->npacks; i++) {
		if (index_cache_pack(repo_index(d->repo), i, &p, e) == -1)
			return -1;
		judge_presence(d, &p);
	}
	while ((s = idmap_next(d->packs, &pos, &id)) != NULL)
		d->counts.unreferenced_packs += !s->indexed;
	return 0;
}

/* ---- Bytes. */

static void take_err(struct damage *d, const struct err *e)
{
	pthread_mutex_lock(&d->lock);
	if (!d->failed) {
		d->failed = true;
		d->err = *e;
	}
	pthread_mutex_unlock(&d->lock);
}

/* Packs to read: all, or so many percent of them drawn at random. */
static bool chosen(const struct damage *d)
{
	uint32_t x;

	if (d->p->subset <= 0 || d->p->subset >= 100)
		return true;
	crypto_random(&x, sizeof x);
	return (double)x / 4294967296.0 * 100 < d->p->subset;
}

static bool next_pack(struct damage *d, uint32_t *ordinal)
{
	bool some = false;

	pthread_mutex_lock(&d->lock);
	while (!d->failed && !some && d->next < d->npacks) {
		*ordinal = d->next++;
		some = chosen(d);
		/* Something is always read, however few packs there are. */
		if (!some && d->next == d->npacks && d->counts.packs_read == 0)
			some = true;
	}
	pthread_mutex_unlock(&d->lock);
	return some;
}

struct reading {
	struct damage *damage;
	uint64_t domain;
};

static void bad_blob(void *arg, const struct id *blob)
{
	struct reading *x = arg;

	damage_note_blob(x->damage, x->domain, blob);
}

/* In cold storage, and not thawed?  That is no damage, and nothing is known of it. */
static bool is_asleep(struct damage *d, const struct pack_state *s, const char *name, struct err *e)
{
	struct store_cold now;

	if (s->class == STORE_CLASS_USUAL || !store_can_sleep(repo_store(d->repo)) ||
	    store_cold_look(repo_store(d->repo), name, &now, e) == -1 || now.state == STORE_HOT ||
	    now.state == STORE_THAWED)
		return false;
	pthread_mutex_lock(&d->lock);
	d->counts.asleep_packs++;
	pthread_mutex_unlock(&d->lock);
	return true;
}

static void read_pack(struct damage *d, struct damage_pack *dp, uint32_t ordinal)
{
	struct index_cache_pack p;
	struct reading reading = {d, 0};
	struct pack_state *s;
	char name[REPO_NAME_MAX];
	struct err e;
	bool lie, foreign;
	int rc;

	err_clear(&e);
	if (index_cache_pack(repo_index(d->repo), ordinal, &p, &e) == -1) {
		take_err(d, &e);
		return;
	}
	repo_object_name(name, (enum format_type)p.type, &p.id);
	s = idmap_get(d->packs, &p.id);
	if (s == NULL || !s->present || s->type != p.type || is_asleep(d, s, name, &e))
		return;
	err_clear(&e);
	reading.domain = p.origin.domain;
	rc = damage_pack_read(dp, ordinal, s->size, bad_blob, &reading, &lie, &e);
	pthread_mutex_lock(&d->lock);
	d->counts.packs_read++;
	d->counts.bytes_read += s->size;
	foreign = rc == -1 && repo_is_foreign(&e);
	d->counts.foreign_packs += foreign;
	s->bad = s->bad || (rc == -1 && !lie && !foreign);
	pthread_mutex_unlock(&d->lock);
	atomic_fetch_add(&d->ctx->progress.bytes, s->size);
	atomic_fetch_add(&d->ctx->progress.files, 1);
	if (rc == 0)
		return;
	if (lie)
		tell_lie(d, p.origin.signer, name, e.msg);
	else if (foreign || e.kind == ERR_CORRUPT || e.kind == ERR_IO || e.kind == ERR_ABSENT)
		damage_object(d, name, e.msg);
	else
		take_err(d, &e);
}

static void *read_main(void *arg)
{
	struct damage *d = arg;
	struct damage_pack *dp = damage_pack_new(d->repo);
	uint32_t ordinal;
	struct err e;

	while (next_pack(d, &ordinal)) {
		if (ctx_check(d->ctx, &e) == -1) {
			take_err(d, &e);
			break;
		}
		read_pack(d, dp, ordinal);
	}
	damage_pack_free(dp);
	return NULL;
}

static int read_all(struct damage *d, struct err *e)
{
	unsigned n = repo_workers(d->repo, d->p->jobs), started = 0;
	pthread_t *t;

	n = n < READERS_MAX ? n : READERS_MAX;
	t = mem_zalloc(n * sizeof *t);
	for (uint32_t i = 0; i < d->npacks; i++) {
		struct index_cache_pack p;

		if (index_cache_pack(repo_index(d->repo), i, &p, e) == 0)
			atomic_fetch_add(&d->ctx->progress.total_bytes, p.size);
	}
	atomic_store(&d->ctx->progress.total_known, d->p->subset <= 0);
	for (; started < n; started++)
		if (pthread_create(&t[started], NULL, read_main, d) != 0)
			break;
	if (started == 0)
		read_main(d);
	for (unsigned i = 0; i < started; i++)
		pthread_join(t[i], NULL);
	free(t);
	if (d->failed)
		*e = d->err;
	return d->failed ? -1 : 0;
}

int damage_scan(struct repo *r, const struct damage_params *p, struct ctx *ctx, struct damage **out,
    struct err *e)
{
	struct damage *d = mem_zalloc(sizeof *d);

	d->repo = r;
	d->ctx = ctx;
	d->p = p;
	d->packs = idmap_new(sizeof(struct pack_state));
	d->bad_blobs = idmap_new(0);
	d->told = idmap_new(0);
	pthread_mutex_init(&d->lock, NULL);
	atomic_store(&ctx->progress.phase, "checking packs");
	/* The index before the packs: what it names was stored before it was written. */
	if (repo_index_load(r, true, e) == -1 || mark_load(r, &d->marks, e) == -1 ||
	    repo_list_packs(r, take_pack, d, e) == -1)
		goto out;
	d->npacks = index_cache_packs(repo_index(r));
	d->counts.indexes = repo_index_objects(r);
	d->counts.blobs = index_cache_blobs(repo_index(r));
	if (check_presence(d, e) == -1 || (p->read_data && read_all(d, e) == -1))
		goto out;
	d->p = NULL;
	*out = d;
	return 0;
out:
	damage_free(d);
	return -1;
}
