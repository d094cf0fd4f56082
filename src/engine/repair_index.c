/* repair_index: see repair_internal.h. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/index_rewrite.h"
#include "engine/repair_internal.h"
#include "repo/mark.h"
#include "repo/pack.h"
#include "repo/repo_parity.h"

struct found {
	uint8_t type;
	bool present, indexed;
	uint64_t size;
};

struct scan {
	struct repair *rp;
	struct idmap *packs; /* id -> struct found */
	int64_t deadline_ns; /* of indexes that name them */
};

static int take_pack(void *arg, enum format_type type, const struct id *id,
    const struct store_stat *st, struct err *e)
{
	struct scan *s = arg;
	struct found *f = idmap_put(s->packs, id, NULL);

	f->type = (uint8_t)type;
	f->present = true;
	f->size = st->size;
	s->rp->out->packs_scanned++;
	return 0;
}

/* A listing may lag behind an index. */
static int ask_for(struct scan *s, const struct index_cache_pack *p, struct found *f, struct err *e)
{
	char name[REPO_NAME_MAX];
	struct store_stat st;

	f->type = p->type;
	repo_object_name(name, (enum format_type)p->type, &p->id);
	if (store_stat(repo_store(s->rp->repo), name, &st, e) == 0) {
		f->present = true;
		f->size = st.size;
		s->rp->out->packs_scanned++;
		return 0;
	}
	return e->kind == ERR_ABSENT ? 0 : -1;
}

static int note_indexed(struct scan *s, struct err *e)
{
	struct index_cache *c = repo_index(s->rp->repo);

	for (uint32_t i = 0; i < index_cache_packs(c); i++) {
		struct index_cache_pack p;
		struct found *f;

		if (index_cache_pack(c, i, &p, e) == -1)
			return -1;
		f = idmap_put(s->packs, &p.id, NULL);
		f->indexed = true;
		if (!f->present && ask_for(s, &p, f, e) == -1)
			return -1;
	}
	return 0;
}

static bool gone(void *arg, const struct id *pack)
{
	const struct found *f = idmap_get(((struct scan *)arg)->packs, pack);

	return f != NULL && !f->present;
}

enum { BLOBS_MAX = 200000 }; /* in one index object, as writers do */

static int put_builder(struct scan *s, uint64_t domain, struct index_builder *b, struct err *e)
{
	struct repair *rp = s->rp;
	struct buf payload = {0};
	struct id made;
	int rc = 0;

	if (index_builder_packs(b) == 0)
		return 0;
	index_builder_finish(b, &payload);
	index_set_deadline(&payload, s->deadline_ns);
	if (!rp->p->dry_run) {
		rc = repo_put_index(rp->repo, domain, buf_span(&payload), &made, e);
		rp->out->indexes_written++;
	}
	buf_fini(&payload);
	return rc;
}

static size_t place_of(const struct repo *r, uint64_t domain)
{
	size_t i = 0;

	while (repo_domain_tag(r, i) != domain)
		i++;
	return i;
}

/* What naming the packs that no index names takes. */
struct strays {
	struct scan *scan;
	struct index_builder **builders; /* a domain each */
	struct pack_dir dir;
	struct buf hold;
};

/* By its own directory. */
static int index_stray(struct strays *x, const struct id *id, const struct found *f, struct err *e)
{
	struct repair *rp = x->scan->rp;
	struct index_builder *own;
	struct index_pack p;
	char name[REPO_NAME_MAX];

	if (pack_read_directory(
		rp->repo, (enum format_type)f->type, id, f->size, &x->dir, &x->hold, &p, e) == -1) {
		if (!repo_is_bad(e))
			return -1;
		rp->out->packs_unreadable++;
		event_emit(rp->ctx, EVENT_OBJECT_DAMAGED,
		    span_str(repo_object_name(name, (enum format_type)f->type, id)), "%s", e->msg);
		return 0;
	}
	rp->out->packs_indexed++;
	own = x->builders[place_of(rp->repo, p.origin.domain)];
	index_builder_add(own, &p);
	return index_builder_blobs(own) < BLOBS_MAX ? 0
						    : put_builder(x->scan, p.origin.domain, own, e);
}

/* Every pack that no index names; an index for each domain. */
static int index_strays(struct scan *s, const struct mark_set *marks, struct err *e)
{
	struct repo *r = s->rp->repo;
	struct strays x = {.scan = s};
	struct found *f;
	struct id id;
	size_t pos = 0;
	int rc = 0;

	x.builders = mem_zalloc(repo_domains(r) * sizeof *x.builders);
	for (size_t i = 0; i < repo_domains(r); i++)
		x.builders[i] = index_builder_new();
	while (rc == 0 && (f = idmap_next(s->packs, &pos, &id)) != NULL)
		if (!f->indexed && !mark_has_pack(marks, &id))
			rc = index_stray(&x, &id, f, e);
	for (size_t i = 0; i < repo_domains(r); i++) {
		if (rc == 0)
			rc = put_builder(s, repo_domain_tag(r, i), x.builders[i], e);
		index_builder_free(x.builders[i]);
	}
	free(x.builders);
	pack_dir_fini(&x.dir);
	buf_fini(&x.hold);
	return rc;
}

/* Whole, and only our config is too old for it; or it can be read by now. */
static bool is_foreign(struct repair *rp, const struct id *id)
{
	struct index_origin origin;
	struct buf payload = {0};
	struct err e;
	bool sound = repo_index_payload(rp->repo, id, &payload, &origin, NULL, &e) == 0;

	buf_fini(&payload);
	return sound || e.kind != ERR_CORRUPT;
}

/* Damaged index objects go after what they may have named is named again. */
static int remove_bad(struct repair *rp, struct err *e)
{
	char name[REPO_NAME_MAX];

	for (size_t i = 0; i < repo_bad_indexes(rp->repo); i++) {
		if (is_foreign(rp, repo_bad_index(rp->repo, i)))
			continue;
		repo_object_name(name, FORMAT_INDEX, repo_bad_index(rp->repo, i));
		if (!rp->p->dry_run && repo_del_named(rp->repo, name, e) == -1)
			return -1;
		rp->out->indexes_removed++;
		event_emit(rp->ctx, EVENT_OBJECT_REMOVED, span_str(name), "damaged index");
	}
	return 0;
}

int repair_index(struct repair *rp, struct err *e)
{
	struct scan s = {rp, idmap_new(sizeof(struct found)), 0};
	struct index_rewrite w = {.drop = gone, .arg = &s};
	struct mark_set marks = {0};
	int rc = -1;

	atomic_store(&rp->ctx->progress.phase, "reading directories of packs");
	if (!rp->p->dry_run && repo_store_now(rp->repo, &s.deadline_ns, e) == -1)
		goto out;
	s.deadline_ns += repo_lease_ns(rp->repo);
	w.deadline_ns = s.deadline_ns;
	if (repo_index_load(rp->repo, true, e) == -1 || mark_load(rp->repo, &marks, e) == -1 ||
	    repo_list_packs(rp->repo, take_pack, &s, e) == -1 || note_indexed(&s, e) == -1 ||
	    index_strays(&s, &marks, e) == -1 || remove_bad(rp, e) == -1)
		goto out;
	if (!rp->p->dry_run) {
		if (index_rewrite(rp->repo, &w, e) == -1)
			goto out;
		rp->out->indexes_written += w.written;
		rp->out->indexes_removed += w.removed;
		if (repo_index_load(rp->repo, true, e) == -1)
			goto out;
	}
	rc = 0;
out:
	mark_set_fini(&marks);
	idmap_free(s.packs);
	return rc;
}
