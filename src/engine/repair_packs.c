/* repair_packs: see repair_internal.h. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/index_rewrite.h"
#include "engine/repair_internal.h"
#include "repo/pack_dir.h"
#include "repo/repo_parity.h"

/* Store again each blob of a frame that is still good. */
static int salvage_frame(struct repair *rp, const struct index_pack *p, const struct pack_dir *dir,
    const struct pack_frame *f, struct span box, struct buf *plain, struct err *e)
{
	uint32_t at = 0;
	struct err ignored;

	if (reader_unseal(rp->reader, f, p->slots[f->slot], box, plain, &ignored) == -1)
		return 0;
	writer_lane_pages(rp->lane, f->codec == CODEC_PAGES);
	for (uint32_t i = 0; i < f->nblobs; i++) {
		const struct pack_blob *b = &dir->blobs[f->first + i];
		struct span s = span_of(plain->p + at, b->len);
		struct id id;

		at += b->len;
		if (reader_check(rp->reader, (enum format_purpose)f->kind, s, &b->id) &&
		    writer_add(rp->lane, (enum format_purpose)f->kind, s, &id, NULL, e) == -1)
			return -1;
	}
	return 0;
}

/*
 * 1 the bytes, 0 they are not there, -1.  A device or a network that fails
 * just now is no reason to give up what it may give later.
 */
static int get_frame(
    struct repair *rp, const char *name, uint64_t off, uint32_t n, struct buf *box, struct err *e)
{
	buf_reset(box);
	if (store_get(repo_store(rp->repo), name, off, buf_extend(box, n), n, e) == 0)
		return 1;
	if (e->kind == ERR_CORRUPT || e->kind == ERR_ABSENT)
		return 0;
	return err_hint(e, "copy the repository to a sound disk, then repair the copy");
}

static int salvage_pack(struct repair *rp, uint32_t ordinal, struct err *e)
{
	struct pack_dir dir = {0};
	struct buf box = {0}, plain = {0};
	struct index_pack p;
	char name[REPO_NAME_MAX];
	uint64_t off;
	int rc = -1;

	if (index_cache_pack_dir(repo_index(rp->repo), ordinal, &dir, &p, e) == -1)
		goto out;
	repo_object_name(name, (enum format_type)p.type, &p.id);
	off = p.first_off;
	for (size_t i = 0; i < dir.nframes; i++) {
		const struct pack_frame *f = &dir.frames[i];

		int got = get_frame(rp, name, off, f->stored, &box, e);

		if (got == -1 ||
		    (got == 1 && f->slot < p.nslots &&
			salvage_frame(rp, &p, &dir, f, buf_span(&box), &plain, e) == -1))
			goto out;
		off += f->stored;
	}
	rc = 0;
out:
	pack_dir_fini(&dir);
	buf_fini(&box);
	buf_fini(&plain);
	return rc;
}

/* The damaged pack counts as absent from here on; what is good in it is stored anew. */
static int visit_bad(
    void *arg, uint32_t ordinal, const struct id *pack, bool missing, struct err *e)
{
	struct repair *rp = arg;
	struct index_cache_pack p;
	bool was;

	idmap_put(rp->bad_packs, pack, &was);
	rp->out->packs_unreadable += !was;
	if (rp->p->dry_run)
		return 0;
	index_cache_hide(repo_index(rp->repo), pack);
	if (missing)
		return 0;
	if (index_cache_pack(repo_index(rp->repo), ordinal, &p, e) == -1 ||
	    repair_writer(rp, p.origin.domain, e) == -1)
		return -1;
	return salvage_pack(rp, ordinal, e);
}

static bool is_bad(void *arg, const struct id *pack)
{
	return idmap_get(((struct repair *)arg)->bad_packs, pack) != NULL;
}

static int remove_bad(struct repair *rp, struct err *e)
{
	struct index_rewrite w = {.drop = is_bad, .arg = rp};
	char name[REPO_NAME_MAX];
	struct id id;
	size_t pos = 0;

	/* I1 in reverse: what was saved is indexed before the old goes. */
	if (repo_index_load(rp->repo, true, e) == -1 || index_rewrite(rp->repo, &w, e) == -1)
		return -1;
	rp->out->indexes_written += w.written;
	rp->out->indexes_removed += w.removed;
	while (idmap_next(rp->bad_packs, &pos, &id) != NULL) {
		for (int type = FORMAT_PACK; type <= FORMAT_META; type++)
			if (repo_del_named(rp->repo,
				repo_object_name(name, (enum format_type)type, &id), e) == -1)
				return -1;
		event_emit(rp->ctx, EVENT_OBJECT_REMOVED, span_str(name),
		    "damaged; what was readable in it is stored anew");
	}
	return repo_index_load(rp->repo, true, e);
}

int repair_packs(struct repair *rp, struct err *e)
{
	if (damage_packs(rp->damage, visit_bad, rp, e) == -1)
		return -1;
	if (idmap_count(rp->bad_packs) == 0 || rp->p->dry_run)
		return 0;
	/* The rest of the run begins anew, with an index without the damaged. */
	return repair_writer_end(rp, e) == -1 ? -1 : remove_bad(rp, e);
}
