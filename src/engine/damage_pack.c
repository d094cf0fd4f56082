/* damage_pack: see damage_pack.h. */
#include "engine/damage_pack.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "repo/pack.h"
#include "repo/reader.h"
#include "repo/repo_object.h"

/* So much is read at a time, or a whole frame if that is more. */
enum { WINDOW = 2 << 20 };

struct damage_pack {
	struct repo *repo;
	struct reader *reader;
	struct crypto_hash *hash;
	struct buf plain, hold;
	struct pack_dir indexed, own;

	/* The pack being read: once through, hashed as it comes. */
	char name[REPO_NAME_MAX];
	uint64_t size;
	struct buf window;
	uint64_t window_off; /* in the pack */
	bool gaps;           /* not all of it could be read: there is no hash */
	bool sealed;         /* some frames are not for our key to open */
};

struct damage_pack *damage_pack_new(struct repo *r)
{
	struct damage_pack *d = mem_zalloc(sizeof *d);

	d->repo = r;
	d->reader = reader_new(r);
	d->hash = repo_object_hash(r);
	return d;
}

void damage_pack_free(struct damage_pack *d)
{
	if (d == NULL)
		return;
	reader_free(d->reader);
	crypto_hash_free(d->hash);
	buf_fini(&d->plain);
	buf_fini(&d->hold);
	buf_fini(&d->window);
	pack_dir_fini(&d->indexed);
	pack_dir_fini(&d->own);
	free(d);
}

/* Append n bytes to the window; what cannot be read at once may be in part. */
static int read_more(struct damage_pack *d, size_t n, struct err *e)
{
	size_t had = d->window.n;

	if (store_get(repo_store(d->repo), d->name, d->window_off + had, buf_extend(&d->window, n),
		n, e) == -1) {
		d->window.n = had;
		d->gaps = true;
		return -1;
	}
	if (!d->gaps)
		crypto_hash_add(d->hash, span_of(d->window.p + had, n));
	return 0;
}

/*
 * The n bytes at off, which only rises and never lies beyond the end of the
 * window: frames are contiguous.
 */
static int get(struct damage_pack *d, uint64_t off, size_t n, struct span *out, struct err *e)
{
	size_t skip = (size_t)(off - d->window_off), left = d->window.n - skip;
	uint64_t rest = d->size - off;

	if (left < n) {
		size_t want = n > WINDOW ? n : WINDOW;

		if (want > rest)
			want = (size_t)rest;
		if (left > 0)
			memmove(d->window.p, d->window.p + skip, left);
		d->window.n = left;
		d->window_off = off;
		if (read_more(d, want - left, e) == -1 &&
		    (want == n || read_more(d, n - left, e) == -1))
			return -1;
		skip = 0;
	}
	*out = span_of(d->window.p + skip, n);
	return 0;
}

/* Read on, for the hash, until the window reaches off; past what cannot be read. */
static int advance(struct damage_pack *d, uint64_t off, struct err *e)
{
	int rc = 0;

	while (d->window_off + d->window.n < off) {
		uint64_t at = d->window_off + d->window.n, left = d->size - at;

		d->window_off = d->gaps ? off : at;
		d->window.n = 0;
		if (!d->gaps && read_more(d, left < WINDOW ? (size_t)left : WINDOW, e) == -1)
			rc = -1;
	}
	return rc;
}

static bool frame_bytes(struct damage_pack *d, const struct index_pack *p,
    const struct pack_frame *f, uint64_t off, struct span *box, struct err *why)
{
	if (off > d->size || f->stored > d->size - off || f->slot >= p->nslots) {
		err_set(
		    why, ERR_CORRUPT, "frame at %llu lies beyond the end", (unsigned long long)off);
		return false;
	}
	(void)!advance(d, off, why);
	return get(d, off, f->stored, box, why) == 0;
}

/* One frame as the index has it; the first thing wrong goes to e, if it is unset. */
static bool frame_ok(struct damage_pack *d, const struct index_pack *p, const struct pack_frame *f,
    uint64_t off, void (*bad)(void *, const struct id *), void *arg, struct err *e)
{
	struct span box;
	uint32_t at = 0;
	struct err why;
	bool there, whole, ok = true;

	if (f->kind != PURPOSE_REFS && repo_need(d->repo, true, &why) == -1) {
		d->sealed = true;
		return true;
	}
	there = frame_bytes(d, p, f, off, &box, &why);
	whole = there && reader_unseal(d->reader, f, p->slots[f->slot], box, &d->plain, &why) == 0;
	for (uint32_t i = 0; i < f->nblobs; i++) {
		const struct pack_blob *b = &d->indexed.blobs[f->first + i];

		if (whole && reader_check(d->reader, (enum format_purpose)f->kind,
				 span_of(d->plain.p + at, b->len), &b->id)) {
			at += b->len;
			continue;
		}
		if (whole)
			err_set(&why, ERR_CORRUPT, "a blob has another id than its bytes");
		at += b->len;
		ok = false;
		bad(arg, &b->id);
	}
	if (!ok && e->kind == ERR_NONE) {
		*e = why;
		if (there)
			err_wrap(e, "frame at %llu", (unsigned long long)off);
	}
	return ok;
}

/* What comes after the frames belongs to the hash, and so to the name. */
static int check_name(struct damage_pack *d, const struct index_pack *p, struct err *e)
{
	struct id got;

	if (advance(d, d->size, e) == -1)
		return -1;
	if (d->gaps)
		return err_set(e, ERR_CORRUPT, "cannot be read whole");
	crypto_hash_end(d->hash, got.b);
	if (!id_eq(&got, &p->id))
		return err_set(e, ERR_CORRUPT, "its bytes do not have the hash in its name");
	return 0;
}

/* `*lie`: the pack is as it was written, and this is not what the index says of it. */
static int check_directory(
    struct damage_pack *d, const struct index_pack *p, bool *lie, struct err *e)
{
	struct index_pack own;

	if (pack_read_directory(d->repo, (enum format_type)p->type, &p->id, d->size, &d->own,
		&d->hold, &own, e) == -1)
		return -1;
	*lie = !pack_dir_equal(&d->own, &d->indexed) || own.first_off != p->first_off ||
	       own.origin.domain != p->origin.domain;
	if (*lie)
		return err_set(e, ERR_CORRUPT, "its directory and the index differ");
	return 0;
}

/* Without the hash in its name nothing vouches for frames that we cannot open. */
static void doubt_sealed(
    struct damage_pack *d, void (*bad)(void *, const struct id *blob), void *arg)
{
	for (size_t i = 0; d->sealed && i < d->indexed.nframes; i++) {
		const struct pack_frame *f = &d->indexed.frames[i];

		for (uint32_t k = 0; f->kind != PURPOSE_REFS && k < f->nblobs; k++)
			bad(arg, &d->indexed.blobs[f->first + k].id);
	}
}

/* As it was written, with keys that are not in our config. */
static bool is_foreign(const struct damage_pack *d, const struct index_pack *p)
{
	for (size_t i = 0; i < p->nslots; i++)
		if (!repo_knows_epoch(d->repo, p->slots[i]))
			return true;
	return false;
}

static void begin(struct damage_pack *d, const struct index_pack *p, uint64_t size)
{
	repo_object_name(d->name, (enum format_type)p->type, &p->id);
	d->size = size;
	d->gaps = d->sealed = false;
	d->window_off = 0;
	buf_reset(&d->window);
	crypto_hash_reset(d->hash);
}

int damage_pack_read(struct damage_pack *d, uint32_t ordinal, uint64_t size,
    void (*bad)(void *, const struct id *blob), void *arg, bool *lie, struct err *e)
{
	struct index_pack p;
	struct err first, why;
	struct span head;
	uint64_t off;

	*lie = false;
	err_clear(&first);
	err_clear(&why);
	if (index_cache_pack_dir(repo_index(d->repo), ordinal, &d->indexed, &p, e) == -1)
		return -1;
	if (size > FORMAT_PACK_MAX)
		return err_set(e, ERR_CORRUPT, "is larger than any pack may be");
	begin(d, &p, size);
	off = p.first_off < size ? p.first_off : size;
	(void)!get(d, 0, (size_t)off, &head, &first);
	for (size_t i = 0; i < d->indexed.nframes; i++) {
		const struct pack_frame *f = &d->indexed.frames[i];

		frame_ok(d, &p, f, off, bad, arg, &first);
		off += f->stored;
	}
	if (check_name(d, &p, &why) == -1)
		doubt_sealed(d, bad, arg);
	else if (first.kind != ERR_NONE && is_foreign(d, &p))
		repo_foreign(&first, "its keys are of an epoch that config does not know");
	else
		(void)!check_directory(d, &p, lie, &why);
	if (why.kind != ERR_NONE && (first.kind == ERR_NONE || *lie))
		first = why;
	if (first.kind == ERR_NONE)
		return 0;
	*e = first;
	return -1;
}
