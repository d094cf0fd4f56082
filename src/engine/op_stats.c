/* op_stats: how large everything is, and how much of it is needed (op_tree.h). */
#include <string.h>

#include "engine/op_tree.h"
#include "engine/reach.h"
#include "repo/repo_parity.h"

static bool begins(const char *key, const char *folder)
{
	return strncmp(key, folder, strlen(folder)) == 0;
}

static int count_object(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	struct stats_result *out = arg;

	(void)e;
	out->objects++;
	out->stored_bytes += st->size;
	if (begins(key, "packs/") || begins(key, "meta/"))
		out->pack_bytes += st->size;
	if (begins(key, "logs/")) {
		out->logs++;
		out->log_bytes += st->size;
	}
	if (begins(key, "parity/"))
		out->parity_bytes += st->size;
	if (begins(key, "index/")) {
		out->indexes++;
		out->index_bytes += st->size;
	}
	return 0;
}

static int missing(
    void *arg, enum format_purpose kind, const struct id *id, const struct err *why, struct err *e)
{
	uint64_t *n = arg;

	(void)kind;
	(void)id;
	(void)why;
	(void)e;
	++*n;
	return 0;
}

static int mark_live(struct repo *r, struct reach *h, struct ctx *ctx, struct err *e)
{
	struct select_list l;
	struct reader *rd;
	uint64_t lost = 0;
	int rc = 0;

	if (select_all(r, NULL, ctx, &l, e) == -1)
		return -1;
	rd = reader_new(r);
	for (size_t i = 0; i < l.n && rc == 0; i++)
		rc = reach_snapshot(h, rd, l.v[i], ctx, missing, &lost, e);
	if (rc == 0 && (lost || l.damaged))
		event_emit(ctx, EVENT_WARNING, span_of(NULL, 0),
		    "%llu blobs and %zu snapshots cannot be read: what only they need counts as "
		    "dead; run holdfast check",
		    (unsigned long long)lost, l.damaged);
	reader_free(rd);
	select_list_fini(&l);
	return rc;
}

static void count_frames(const struct reach *h, const struct pack_dir *dir, uint64_t first_blob,
    struct stats_result *out)
{
	out->frames += dir->nframes;
	out->blobs += dir->nblobs;
	for (size_t i = 0; i < dir->nframes; i++) {
		const struct pack_frame *f = &dir->frames[i];
		uint64_t dead = 0;
		bool live = false;

		for (uint32_t j = f->first; j < f->first + f->nblobs; j++) {
			if (reach_has(h, first_blob + j))
				live = true;
			else
				dead += dir->blobs[j].len;
		}
		out->plain_bytes += f->plain;
		if (live)
			out->dead_in_live += dead;
		else
			out->dead_bytes += f->stored;
	}
}

static int count_packs(
    struct repo *r, const struct reach *h, struct ctx *ctx, struct stats_result *out, struct err *e)
{
	struct index_cache *c = repo_index(r);
	struct pack_dir dir = {0};
	struct index_cache_pack pack;
	struct index_pack ignored;
	int rc = 0;

	out->packs = index_cache_packs(c);
	for (uint32_t i = 0; i < out->packs && rc == 0; i++) {
		if (ctx_check(ctx, e) == -1 || index_cache_pack(c, i, &pack, e) == -1 ||
		    index_cache_pack_dir(c, i, &dir, &ignored, e) == -1)
			rc = -1;
		else
			count_frames(h, &dir, pack.first_blob, out);
	}
	pack_dir_fini(&dir);
	return rc;
}

static int count_snapshots(struct repo *r, const struct select_filter *f, struct ctx *ctx,
    struct stats_result *out, struct err *e)
{
	struct select_list l;

	if (select_all(r, f, ctx, &l, e) == -1)
		return -1;
	out->snapshots = l.n;
	for (size_t i = 0; i < l.n; i++)
		for (size_t j = 0; j < l.v[i]->nparts; j++) {
			const struct snapshot_stats *s = &l.v[i]->parts[j].stats;

			out->files += s->files;
			out->dirs += s->dirs;
			out->logical_bytes += s->bytes;
		}
	select_list_fini(&l);
	return 0;
}

int op_stats(struct repo *r, const struct select_filter *f, struct ctx *ctx,
    struct stats_result *out, struct err *e)
{
	struct reach *h;
	int rc = -1;

	memset(out, 0, sizeof *out);
	/* The index anew: else what others stored since would seem lost. */
	if (repo_index_load(r, true, e) == -1)
		return -1;
	out->parity = repo_parity(r);
	h = reach_new(r);
	if (store_list(repo_store(r), "", count_object, out, e) == -1 ||
	    count_snapshots(r, f, ctx, out, e) == -1 || mark_live(r, h, ctx, e) == -1)
		goto out;
	rc = count_packs(r, h, ctx, out, e);
out:
	reach_free(h);
	return rc;
}
