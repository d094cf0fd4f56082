/* damage_pack: see damage_pack.h. */
#include "engine/damage_pack.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "repo/pack.h"
#include "repo/reader.h"
#include "repo/repo_object.h"

struct damage_pack {
	struct repo *repo;
	struct reader *reader;
	struct buf whole, plain;
	struct pack_dir indexed, own;
	bool sound; /* the pack at hand has the hash in its name */
};

struct damage_pack *damage_pack_new(struct repo *r)
{
	struct damage_pack *d = mem_zalloc(sizeof *d);

	d->repo = r;
	d->reader = reader_new(r);
	return d;
}

void damage_pack_free(struct damage_pack *d)
{
	if (d == NULL)
		return;
	reader_free(d->reader);
	buf_fini(&d->whole);
	buf_fini(&d->plain);
	pack_dir_fini(&d->indexed);
	pack_dir_fini(&d->own);
	free(d);
}

/* One frame as the index has it; the first thing wrong goes to e, if it is unset. */
static bool frame_ok(struct damage_pack *d, const struct index_pack *p, const struct pack_frame *f,
    uint64_t off, void (*bad)(void *, const struct id *), void *arg, struct err *e)
{
	struct span box = {NULL, 0};
	uint32_t at = 0;
	struct err why;
	bool whole, ok = true;

	if (f->kind != PURPOSE_REFS && repo_need(d->repo, true, &why) == -1) {
		for (uint32_t i = 0; !d->sound && i < f->nblobs; i++)
			bad(arg, &d->indexed.blobs[f->first + i].id);
		return d->sound;
	}
	if (off <= d->whole.n && f->stored <= d->whole.n - off && f->slot < p->nslots)
		box = span_of(d->whole.p + off, f->stored);
	err_set(&why, ERR_CORRUPT, "frame at %llu lies beyond the end", (unsigned long long)off);
	whole = box.p != NULL &&
		reader_unseal(d->reader, f, p->slots[f->slot], box, &d->plain, &why) == 0;
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
		if (box.p != NULL)
			err_wrap(e, "frame at %llu", (unsigned long long)off);
	}
	return ok;
}

/* `*lie`: the pack is as it was written, and this is not what the index says of it. */
static int check_whole(struct damage_pack *d, const struct index_pack *p, bool *lie, struct err *e)
{
	struct index_pack own;

	if (!d->sound)
		return err_set(e, ERR_CORRUPT, "its bytes do not have the hash in its name");
	if (pack_parse_directory(
		d->repo, (enum format_type)p->type, buf_span(&d->whole), &d->own, &own, e) == -1)
		return -1;
	*lie = !pack_dir_equal(&d->own, &d->indexed) || own.first_off != p->first_off ||
	       own.origin.domain != p->origin.domain;
	if (*lie)
		return err_set(e, ERR_CORRUPT, "its directory and the index differ");
	return 0;
}

int damage_pack_read(struct damage_pack *d, uint32_t ordinal, uint64_t size,
    void (*bad)(void *, const struct id *blob), void *arg, bool *lie, struct err *e)
{
	char name[REPO_NAME_MAX];
	struct index_pack p;
	struct err first, whole;
	struct id got;
	uint64_t off;
	bool ok = true;

	*lie = false;
	err_clear(&first);
	if (index_cache_pack_dir(repo_index(d->repo), ordinal, &d->indexed, &p, e) == -1)
		return -1;
	if (size > FORMAT_PACK_MAX)
		return err_set(e, ERR_CORRUPT, "is larger than any pack may be");
	buf_reset(&d->whole);
	repo_object_name(name, (enum format_type)p.type, &p.id);
	if (size > 0 &&
	    store_get(repo_store(d->repo), name, 0, buf_extend(&d->whole, size), size, e) == -1) {
		/* What cannot be read at once may be readable in part: frame by frame. */
		buf_reset(&d->whole);
		first = *e;
	}
	repo_object_id(d->repo, buf_span(&d->whole), &got);
	d->sound = id_eq(&got, &p.id);
	off = p.first_off;
	for (size_t i = 0; i < d->indexed.nframes; i++) {
		const struct pack_frame *f = &d->indexed.frames[i];

		ok = frame_ok(d, &p, f, off, bad, arg, &first) && ok;
		off += f->stored;
	}
	err_clear(&whole);
	if (check_whole(d, &p, lie, &whole) == -1 && (first.kind == ERR_NONE || *lie))
		first = whole;
	if (first.kind == ERR_NONE)
		return 0;
	*e = first;
	return -1;
}
