/* prune_repack: see prune_internal.h. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/crypto.h"
#include "engine/pack_sound.h"
#include "engine/prune_internal.h"
#include "repo/writer.h"

enum { SMALL_PACK = 4 << 20, SMALL_PACKS_MAX = 16 };

struct choice {
	struct ppack *pk;
	double dead; /* share of its frames' bytes */
};

static int by_dead(const void *a, const void *b)
{
	double x = ((const struct choice *)a)->dead, y = ((const struct choice *)b)->dead;

	return (x < y) - (x > y);
}

/* Dead bytes of a pack that repacking it would free. */
static uint64_t gain(const struct prune *pr, const struct ppack *pk)
{
	return pk->dead_bytes + (pr->p->repack ? pk->dead_plain / 2 : 0);
}

/* Small packs of one domain and type: only these can become one. */
struct group {
	uint64_t domain;
	uint8_t type;
	uint64_t packs, bytes, blobs, keys;
};

struct groups {
	struct group *v;
	size_t n;
};

/* Not one that is full, of blobs of a few bytes each: nothing could be added to it. */
static bool is_small(const struct ppack *pk)
{
	return pk->size < SMALL_PACK && pk->blobs < FORMAT_PACK_BLOBS_AIM / 2;
}

static struct group *group_of(struct groups *g, const struct ppack *pk)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->v[i].domain == pk->domain && g->v[i].type == pk->type)
			return &g->v[i];
	g->v = mem_realloc(g->v, (g->n + 1) * sizeof *g->v);
	g->v[g->n] = (struct group){.domain = pk->domain, .type = pk->type};
	return &g->v[g->n++];
}

static void count_small(struct groups *g, const struct ppack *pk)
{
	struct group *x;

	if (!is_small(pk))
		return;
	x = group_of(g, pk);
	x->packs++;
	x->bytes += pk->size;
	x->blobs += pk->blobs;
	x->keys += pk->keys;
}

/* How many packs would they become, at most?  A pack is full of bytes, blobs or keys. */
static uint64_t would_be(const struct group *x)
{
	uint64_t n = x->bytes / FORMAT_PACK_MIN, blobs = x->blobs / FORMAT_PACK_BLOBS_AIM;
	uint64_t keys = x->keys / FORMAT_KEYS_MAX;

	n = n > blobs ? n : blobs;
	return 1 + (n > keys ? n : keys);
}

/* Many, and half of them would go: else the next prune would do the same once more. */
static bool worth_joining(struct groups *g, const struct ppack *pk)
{
	const struct group *x = is_small(pk) ? group_of(g, pk) : NULL;

	return x != NULL && x->packs > SMALL_PACKS_MAX && x->packs >= 2 * would_be(x);
}

/*
 * The packs with the largest dead share, until what is left dead is within
 * the tolerance; and small packs, once there are many that can be joined.
 */
void prune_choose(struct prune *pr)
{
	struct groups small = {0};
	double unused = pr->p->max_unused < 0 ? 5 : pr->p->max_unused;
	struct choice *v = mem_zalloc(idmap_count(pr->packs) * sizeof *v);
	size_t n = 0, pos = 0;
	uint64_t dead = 0, allowed = (uint64_t)((double)pr->out->bytes_live * unused / 100);
	struct ppack *pk;
	struct id id;

	while ((pk = idmap_next(pr->packs, &pos, &id)) != NULL) {
		if (!pk->live || !pk->present || pk->marked || pk->held || pk->paid_ns ||
		    !prune_may_read(pr, pk))
			continue;
		count_small(&small, pk);
		dead += gain(pr, pk);
		v[n].pk = pk;
		v[n++].dead = (double)gain(pr, pk) / (double)(pk->live_bytes + pk->dead_bytes + 1);
	}
	qsort(v, n, sizeof *v, by_dead);
	for (size_t i = 0; i < n; i++) {
		if (dead > allowed && v[i].dead > 0) {
			dead -= gain(pr, v[i].pk);
			v[i].pk->repack = true;
		}
		v[i].pk->repack = v[i].pk->repack || worth_joining(&small, v[i].pk);
		if (!v[i].pk->repack)
			continue;
		pr->out->packs_repacked++;
		pr->out->bytes_repacked += v[i].pk->live_bytes;
	}
	free(small.v);
	free(v);
}

/* ---- Copying. */

struct copying {
	struct prune *pr;
	struct writer *writer;
	struct writer_lane *lane;
	struct pack_dir dir;
	struct buf box, plain;
	uint64_t domain;  /* whose packs are at hand */
	uint32_t npacks;  /* indexed before the first was copied */
	bool opens;       /* our key can open frames of content */
	struct buf keys;  /* sealed data keys of what is to be copied */
	struct span pass; /* of those, as many as a pack's header can name: copied now */
};

static bool has_key(struct span keys, const uint8_t *key)
{
	for (size_t at = 0; at < keys.n; at += FORMAT_SEALED_KEY)
		if (memcmp(keys.p + at, key, FORMAT_SEALED_KEY) == 0)
			return true;
	return false;
}

static bool frame_live(const struct prune *pr, const struct index_cache_pack *p,
    const struct pack_frame *f, bool *whole)
{
	bool live = false;

	*whole = true;
	for (uint32_t i = 0; i < f->nblobs; i++) {
		if (reach_has(pr->reach, p->first_blob + f->first + i))
			live = true;
		else
			*whole = false;
	}
	return live;
}

/* Blob by blob, for a frame of which only some lives. */
static int split_frame(struct copying *c, const struct index_cache_pack *p,
    const struct index_pack *desc, const struct pack_frame *f, struct err *e)
{
	uint32_t at = 0;

	if (reader_unseal(
		c->pr->reader, f, desc->slots[f->slot], buf_span(&c->box), &c->plain, e) == -1)
		return -1;
	writer_lane_pages(c->lane, f->codec == CODEC_PAGES);
	for (uint32_t i = 0; i < f->nblobs; i++) {
		const struct pack_blob *b = &c->dir.blobs[f->first + i];
		struct span s = span_of(c->plain.p + at, b->len);
		struct id got;

		at += b->len;
		if (!reach_has(c->pr->reach, p->first_blob + f->first + i))
			continue;
		if (!reader_check(c->pr->reader, (enum format_purpose)f->kind, s, &b->id))
			return err_set(e, ERR_CORRUPT, "a blob has another id than its bytes");
		if (writer_add(c->lane, (enum format_purpose)f->kind, s, &got, NULL, e) == -1)
			return -1;
	}
	return 0;
}

static int copy_frame(struct copying *c, const struct index_cache_pack *p,
    const struct index_pack *desc, const struct pack_frame *f, uint64_t off, struct err *e)
{
	char name[REPO_NAME_MAX];
	bool whole;

	if (!frame_live(c->pr, p, f, &whole))
		return 0;
	if (f->slot >= desc->nslots)
		return err_set(e, ERR_CORRUPT, "frame names a key that is not there");
	if (!has_key(c->pass, desc->slots[f->slot]))
		return 0;
	repo_object_name(name, (enum format_type)p->type, &p->id);
	buf_reset(&c->box);
	if (store_get(repo_store(c->pr->repo), name, off, buf_extend(&c->box, f->stored), f->stored,
		e) == -1)
		return -1;
	/* What is damaged is not copied as if it were sound. */
	if ((c->opens || f->kind == PURPOSE_REFS) &&
	    reader_unseal(
		c->pr->reader, f, desc->slots[f->slot], buf_span(&c->box), &c->plain, e) == -1)
		return err_wrap(e, "frame at %llu", (unsigned long long)off);
	atomic_fetch_add(&c->pr->ctx->progress.bytes, f->stored);
	if (!whole && c->pr->p->repack)
		return split_frame(c, p, desc, f, e);
	return writer_copy_frame(
	    c->writer, f, &c->dir.blobs[f->first], desc->slots[f->slot], buf_span(&c->box), e);
}

/* Where seals cannot be opened, the pack's own hash tells. */
static int is_sound(struct copying *c, const struct index_cache_pack *p, struct err *e)
{
	int rc = pack_sound(c->pr->repo, (enum format_type)p->type, &p->id, e);

	return rc == 0   ? err_set(e, ERR_CORRUPT, "its bytes do not have the hash in its name")
	       : rc == 1 ? 0
			 : -1;
}

/* Has it live frames of the keys that are copied now? */
static bool concerned(
    const struct copying *c, const struct index_cache_pack *p, const struct index_pack *desc)
{
	bool whole;

	for (size_t i = 0; i < c->dir.nframes; i++) {
		const struct pack_frame *f = &c->dir.frames[i];

		if (f->slot < desc->nslots && has_key(c->pass, desc->slots[f->slot]) &&
		    frame_live(c->pr, p, f, &whole))
			return true;
	}
	return false;
}

static int copy_frames(
    struct copying *c, uint32_t ordinal, const struct index_cache_pack *p, struct err *e)
{
	struct index_pack desc;
	uint64_t off;

	if (index_cache_pack_dir(repo_index(c->pr->repo), ordinal, &c->dir, &desc, e) == -1)
		return -1;
	if (!concerned(c, p, &desc))
		return 0;
	if (!c->opens && is_sound(c, p, e) == -1)
		return -1;
	off = desc.first_off;
	for (size_t i = 0; i < c->dir.nframes; i++) {
		if (copy_frame(c, p, &desc, &c->dir.frames[i], off, e) == -1)
			return -1;
		off += c->dir.frames[i].stored;
	}
	return ctx_check(c->pr->ctx, e);
}

/* Who wrote nonsense into a pack, or lost some of it, stops the repacking of that one only. */
static int copy_pack(struct copying *c, uint32_t ordinal, struct err *e)
{
	struct index_cache_pack p;
	char name[REPO_NAME_MAX];
	struct ppack *pk;

	if (index_cache_pack(repo_index(c->pr->repo), ordinal, &p, e) == -1)
		return -1;
	if (copy_frames(c, ordinal, &p, e) == 0)
		return 0;
	if (!repo_is_bad(e) && e->kind != ERR_ABSENT && e->kind != ERR_COLD)
		return -1;
	pk = idmap_get(c->pr->packs, &p.id);
	pk->repack = false;
	c->pr->out->passed_over++;
	event_emit(c->pr->ctx, EVENT_WARNING,
	    span_str(repo_object_name(name, (enum format_type)p.type, &p.id)),
	    "indexed by %s: %s; it stays as it is", repo_signer_text(c->pr->repo, p.origin.signer),
	    e->msg);
	return 0;
}

static int collect_keys(struct copying *c, uint32_t ordinal, struct err *e)
{
	struct index_cache_pack p;
	struct index_pack desc;
	bool whole;

	if (index_cache_pack(repo_index(c->pr->repo), ordinal, &p, e) == -1 ||
	    index_cache_pack_dir(repo_index(c->pr->repo), ordinal, &c->dir, &desc, e) == -1)
		return -1;
	for (size_t i = 0; i < c->dir.nframes; i++) {
		const struct pack_frame *f = &c->dir.frames[i];

		if (f->slot < desc.nslots && frame_live(c->pr, &p, f, &whole) &&
		    !has_key(buf_span(&c->keys), desc.slots[f->slot]))
			buf_put(&c->keys, desc.slots[f->slot], FORMAT_SEALED_KEY);
	}
	return 0;
}

/* Every entry of a domain's indexes that names a chosen pack. */
static int each_chosen(
    struct copying *c, int (*visit)(struct copying *, uint32_t, struct err *), struct err *e)
{
	struct index_cache *index = repo_index(c->pr->repo);

	for (uint32_t i = 0; i < c->npacks; i++) {
		struct index_cache_pack p;
		const struct ppack *pk;

		if (index_cache_pack(index, i, &p, e) == -1)
			return -1;
		pk = idmap_get(c->pr->packs, &p.id);
		if (pk != NULL && pk->repack && p.origin.domain == c->domain &&
		    prune_is_its(pk, p.origin.domain) && visit(c, i, e) == -1)
			return -1;
	}
	return 0;
}

/*
 * What is repacked counts as absent, so that blobs that are added are stored;
 * so do packs with nothing live, whose copies of them go as well.
 */
static void hide_going(struct prune *pr)
{
	struct ppack *pk;
	struct id id;
	size_t pos = 0;

	while ((pk = idmap_next(pr->packs, &pos, &id)) != NULL)
		if (pk->repack || !pk->live)
			index_cache_hide(repo_index(pr->repo), &id);
}

/* One domain's packs become packs of the same domain. */
static int repack_domain(struct copying *c, struct err *e)
{
	struct writer_params wp = {.codec = CODEC_ZSTD, .level = CODEC_AUTO, .domain = c->domain};
	int rc = -1;

	buf_reset(&c->keys);
	if (each_chosen(c, collect_keys, e) == -1)
		return -1;
	if (c->keys.n == 0)
		return 0;
	if (writer_begin(c->pr->repo, &wp, &c->writer, e) == -1)
		return -1;
	c->lane = writer_lane_new(c->writer);
	hide_going(c->pr);
	/* Mostly one pass: so that a pack's header can name all the keys that come. */
	for (size_t at = 0, n; at < c->keys.n; at += n * FORMAT_SEALED_KEY) {
		n = (c->keys.n - at) / FORMAT_SEALED_KEY;
		if (n > FORMAT_KEYS_MAX)
			n = FORMAT_KEYS_MAX;
		c->pass = span_of(c->keys.p + at, n * FORMAT_SEALED_KEY);
		writer_copy_keys(c->writer, c->pass.p, n);
		if (each_chosen(c, copy_pack, e) == -1)
			goto out;
	}
	if (writer_lane_flush(c->lane, e) == -1 || writer_finish(c->writer, e) == -1)
		goto out;
	rc = 0;
out:
	writer_lane_free(c->lane);
	writer_free(c->writer);
	return rc;
}

int prune_repack(struct prune *pr, struct err *e)
{
	struct copying c = {.pr = pr, .opens = repo_role(pr->repo) == ROLE_FULL};
	int rc = 0;

	if (pr->out->packs_repacked == 0)
		return 0;
	if (pr->p->repack && repo_need(pr->repo, true, e) == -1)
		return err_wrap(e, "--repack opens frames");
	atomic_store(&pr->ctx->progress.phase, "repacking");
	atomic_store(&pr->ctx->progress.total_bytes, pr->out->bytes_repacked);
	atomic_store(&pr->ctx->progress.total_known, true);
	c.npacks = index_cache_packs(repo_index(pr->repo));
	for (size_t i = 0; i < repo_domains(pr->repo) && rc == 0; i++) {
		c.domain = repo_domain_tag(pr->repo, i);
		rc = repack_domain(&c, e);
	}
	pack_dir_fini(&c.dir);
	buf_fini(&c.box);
	buf_fini(&c.plain);
	buf_fini(&c.keys);
	return rc;
}
