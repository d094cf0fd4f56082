/* verify_packs: what the snapshot needs: folders that can be read, packs that are there, sealed. */
#include "engine/verify_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "repo/reader.h"
#include "repo/repo_object.h"

enum { LISTED_AT_ONCE = 1000, SEALS_LOOKED_AT = 3 };

/* ---- Trees. */

static int is_missing(
    void *arg, enum format_purpose kind, const struct id *id, const struct err *why, struct err *e)
{
	struct verifying *v = arg;

	verify_fail(v, VERIFY_TREE, "%s", why->msg);
	return ctx_check(v->ctx, e);
}

static int note_needed(struct verifying *v, struct err *e)
{
	for (uint32_t i = 0; i < v->npacks; i++) {
		struct index_cache_pack p;

		if (index_cache_pack(repo_index(v->repo), i, &p, e) == -1)
			return -1;
		for (uint64_t j = 0; j < p.nblobs && !v->needed[i]; j++)
			v->needed[i] = reach_has(v->reach, p.first_blob + j);
		v->out->packs += v->needed[i];
	}
	return 0;
}

/* ---- Presence: asked for one by one, or listed, whichever asks the store less. */

struct listed {
	struct idmap *sizes; /* id -> uint64_t */
};

static int take_listed(void *arg, enum format_type type, const struct id *id,
    const struct store_stat *st, struct err *e)
{
	struct listed *l = arg;

	*(uint64_t *)idmap_put(l->sizes, id, NULL) = st->size;
	return 0;
}

static int size_of(struct verifying *v, struct listed *l, const struct index_cache_pack *p,
    uint64_t *size, struct err *e)
{
	char name[REPO_NAME_MAX];
	struct store_stat st;
	const uint64_t *found;

	if (l->sizes == NULL) {
		repo_object_name(name, (enum format_type)p->type, &p->id);
		if (store_stat(repo_store(v->repo), name, &st, e) == -1)
			return -1;
		*size = st.size;
		return 0;
	}
	found = idmap_get(l->sizes, &p->id);
	if (found == NULL)
		return err_set(e, ERR_ABSENT, "is missing");
	*size = *found;
	return 0;
}

static int look_at_packs(struct verifying *v, struct listed *l, struct err *e)
{
	for (uint32_t i = 0; i < v->npacks; i++) {
		struct index_cache_pack p;
		char name[REPO_NAME_MAX];
		uint64_t size = 0;

		if (!v->needed[i])
			continue;
		if (ctx_check(v->ctx, e) == -1 ||
		    index_cache_pack(repo_index(v->repo), i, &p, e) == -1)
			return -1;
		repo_object_name(name, (enum format_type)p.type, &p.id);
		if (size_of(v, l, &p, &size, e) == -1) {
			if (e->kind != ERR_ABSENT)
				return -1;
			v->bad[i] = true;
			verify_fail(v, VERIFY_PACKS, "%s is missing", name);
		} else if (size != p.size) {
			v->bad[i] = true;
			verify_fail(v, VERIFY_PACKS, "%s has %llu bytes, and should have %llu",
			    name, (unsigned long long)size, (unsigned long long)p.size);
		}
	}
	verify_pass(v, VERIFY_PACKS);
	return 0;
}

static int judge_presence(struct verifying *v, struct err *e)
{
	struct listed l = {0};
	int rc = 0;

	if (v->out->packs * LISTED_AT_ONCE > v->npacks) {
		l.sizes = idmap_new(sizeof(uint64_t));
		rc = repo_list_packs(v->repo, take_listed, &l, e);
	}
	if (rc == 0)
		rc = look_at_packs(v, &l, e);
	idmap_free(l.sizes);
	return rc;
}

/* ---- Keys and seals. */

static int judge_keys(struct verifying *v, struct pack_dir *dir, uint32_t i, struct err *e)
{
	char name[REPO_NAME_MAX];
	struct index_pack p;

	if (index_cache_pack_dir(repo_index(v->repo), i, dir, &p, e) == -1)
		return -1;
	for (size_t k = 0; k < p.nslots; k++)
		if (!repo_knows_epoch(v->repo, p.slots[k]))
			verify_fail(v, VERIFY_KEYS,
			    "%s is sealed to keys that config does not know",
			    repo_object_name(name, (enum format_type)p.type, &p.id));
	if (p.nslots == 0 && dir->nframes > 0)
		verify_fail(v, VERIFY_KEYS, "%s has no key",
		    repo_object_name(name, (enum format_type)p.type, &p.id));
	return 0;
}

/* Do the plain bytes, compressed or not, stand in what is stored? */
static bool stands_in(struct span box, struct span plain)
{
	enum { ENOUGH = 16 };

	return plain.n >= ENOUGH && memmem(box.p, box.n, plain.p, ENOUGH) != NULL;
}

static void judge_box(struct verifying *v, const char *name, const struct pack_frame *f,
    const uint8_t *key, struct buf *box)
{
	struct buf plain = {0};
	struct err e;

	if (reader_unseal(v->reader, f, key, buf_span(box), &plain, &e) == -1)
		verify_fail(v, VERIFY_SEALED, "%s: %s", name, e.msg);
	else if (stands_in(buf_span(box), buf_span(&plain)) ||
		 stands_in(buf_span(box), reader_packed(v->reader)))
		verify_fail(v, VERIFY_SEALED, "%s: its plain bytes stand in it", name);
	box->p[box->n - 1] ^= 1;
	if (reader_unseal(v->reader, f, key, buf_span(box), &plain, &e) == 0)
		verify_fail(v, VERIFY_SEALED, "%s: it opens though a bit was changed", name);
	buf_fini(&plain);
}

/* The first frame of a pack that our key can open.  1 it was judged, 0 there is none, -1. */
static int judge_seal(struct verifying *v, struct pack_dir *dir, uint32_t i, struct err *e)
{
	struct index_cache_pack at;
	char name[REPO_NAME_MAX];
	struct buf box = {0};
	struct index_pack p;
	uint64_t off;
	int rc = 0;

	if (index_cache_pack(repo_index(v->repo), i, &at, e) == -1 ||
	    index_cache_pack_dir(repo_index(v->repo), i, dir, &p, e) == -1)
		return -1;
	off = p.first_off;
	repo_object_name(name, (enum format_type)p.type, &p.id);
	for (size_t k = 0; k < dir->nframes && rc == 0; off += dir->frames[k++].stored) {
		const struct pack_frame *f = &dir->frames[k];
		struct err why;

		if (f->slot >= p.nslots ||
		    (f->kind != PURPOSE_REFS && repo_need(v->repo, true, &why) == -1))
			continue;
		buf_reset(&box);
		if (store_get(repo_store(v->repo), name, off, buf_extend(&box, f->stored),
			f->stored, e) == 0) {
			judge_box(v, name, f, p.slots[f->slot], &box);
			rc = 1;
		} else if (e->kind == ERR_COLD) {
			break;
		} else {
			verify_fail(v, VERIFY_SEALED, "%s: %s", name, e->msg);
			rc = 1;
		}
	}
	buf_fini(&box);
	return rc;
}

static int judge_sealing(struct verifying *v, struct err *e)
{
	struct pack_dir dir = {0};
	unsigned looked = 0;
	int rc = 0;

	for (uint32_t i = 0; i < v->npacks && rc != -1; i++) {
		if (!v->needed[i])
			continue;
		rc = judge_keys(v, &dir, i, e);
		if (rc == 0 && looked < SEALS_LOOKED_AT && !v->bad[i]) {
			rc = judge_seal(v, &dir, i, e);
			looked += rc == 1;
		}
	}
	pack_dir_fini(&dir);
	if (looked == 0)
		verify_leave(v, VERIFY_SEALED, "none of its packs can be read by this key now");
	verify_settle(v, VERIFY_SEALED);
	verify_settle(v, VERIFY_KEYS);
	return rc == -1 ? -1 : 0;
}

int verify_packs(struct verifying *v, struct err *e)
{
	v->reach = reach_new(v->repo);
	if (reach_snapshot(v->reach, v->reader, v->snapshot, v->ctx, is_missing, v, e) == -1)
		return -1;
	verify_pass(v, VERIFY_TREE);
	return note_needed(v, e) == -1 || judge_presence(v, e) == -1 ? -1 : judge_sealing(v, e);
}
