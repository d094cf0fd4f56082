/* op_repair: the order of repair_internal.h. */
#include "engine/op_repair.h"

#include <string.h>

#include "engine/repair_internal.h"

int repair_writer_end(struct repair *rp, struct err *e)
{
	int rc = 0;

	if (rp->writer != NULL && !rp->p->dry_run &&
	    (writer_lane_flush(rp->lane, e) == -1 || writer_finish(rp->writer, e) == -1))
		rc = -1;
	writer_lane_free(rp->lane);
	writer_free(rp->writer);
	rp->lane = NULL;
	rp->writer = NULL;
	return rc;
}

int repair_writer(struct repair *rp, uint64_t domain, struct err *e)
{
	struct writer_params wp = {
	    CODEC_ZSTD, codec_info(CODEC_ZSTD)->dflt, rp->p->dry_run, domain};

	if (rp->writer != NULL && rp->domain == domain)
		return 0;
	if (repair_writer_end(rp, e) == -1 || writer_begin(rp->repo, &wp, &rp->writer, e) == -1)
		return -1;
	rp->lane = writer_lane_new(rp->writer);
	rp->domain = domain;
	return 0;
}

/*
 * What was saved counts, what is left is lost.  Snapshots before the index: one
 * that ends meanwhile must not be judged by an index that came before it.
 */
static int look_again(struct repair *rp, struct err *e)
{
	uint64_t n;

	damage_free(rp->damage);
	rp->damage = NULL;
	reader_free(rp->reader);
	rp->reader = NULL;
	if (repair_writer_end(rp, e) == -1 || repair_foreign(rp, &n, e) == -1)
		return -1;
	if (n > 0)
		return repair_refuse(n, e);
	if (repair_snapshots_load(rp, e) == -1 ||
	    damage_scan(rp->repo, &(struct damage_params){0}, rp->ctx, &rp->damage, e) == -1)
		return -1;
	if (repo_foreign_indexes(rp->repo) > 0)
		return repair_refuse(repo_foreign_indexes(rp->repo), e);
	rp->reader = reader_new(rp->repo);
	return 0;
}

static int mend(struct repair *rp, struct err *e)
{
	struct damage_params dp = {.read_data = true, .jobs = rp->p->jobs};
	int rc = -1;

	if ((rp->p->dry_run && repair_snapshots_load(rp, e) == -1) ||
	    damage_scan(rp->repo, &dp, rp->ctx, &rp->damage, e) == -1)
		goto out;
	if (damage_counts(rp->damage)->foreign_packs > 0) {
		repair_refuse(damage_counts(rp->damage)->foreign_packs, e);
		goto out;
	}
	rp->reader = reader_new(rp->repo);
	if (repair_packs(rp, e) == -1 || (!rp->p->dry_run && look_again(rp, e) == -1))
		goto out;
	rc = repair_snapshots(rp, e);
out:
	snapshot_list_fini(&rp->snapshots);
	writer_lane_free(rp->lane);
	writer_free(rp->writer);
	reader_free(rp->reader);
	damage_free(rp->damage);
	return rc;
}

int op_repair(struct repo *r, const struct repair_params *p, struct ctx *ctx,
    struct repair_result *out, struct err *e)
{
	struct repair rp = {.repo = r, .ctx = ctx, .p = p, .out = out};
	bool all = !p->index && !p->snapshots;
	uint64_t foreign = 0;
	int rc = 0;

	memset(out, 0, sizeof *out);
	if ((!p->dry_run && repo_may_write(r, e) == -1) ||
	    repo_need(r, all || p->snapshots, e) == -1 || repair_look_back(&rp, e) == -1)
		return -1;
	rp.bad_packs = idmap_new(0);
	rp.mended = idmap_new(sizeof(struct mended));
	if (all)
		rc = repair_parity(&rp, e);
	if (rc == 0)
		rc = repair_foreign(&rp, &foreign, e);
	if (rc == 0 && p->drop_foreign)
		rc = repair_drop_foreign(&rp, &foreign, e);
	if (rc == 0 && foreign > 0 && !p->index)
		rc = repair_refuse(foreign, e);
	if (rc == 0 && (all || p->index))
		rc = repair_index(&rp, e);
	if (rc == 0 && (all || p->snapshots))
		rc = repair_notes(&rp, e);
	if (rc == 0 && (all || p->snapshots))
		rc = mend(&rp, e);
	idmap_free(rp.bad_packs);
	idmap_free(rp.mended);
	return rc;
}
