/* op_repair: the order of repair_internal.h. */
#include "engine/op_repair.h"

#include <string.h>

#include "engine/repair_internal.h"

static int mend(struct repair *rp, struct err *e)
{
	struct damage_params dp = {.read_data = true};
	int rc = -1;

	if (damage_scan(rp->repo, &dp, rp->ctx, &rp->damage, e) == -1)
		return -1;
	rp->reader = reader_new(rp->repo);
	if (repair_packs(rp, e) == -1)
		goto out;
	/* Look again: what was saved counts, what is left is lost. */
	if (!rp->p->dry_run) {
		damage_free(rp->damage);
		rp->damage = NULL;
		if (damage_scan(rp->repo, &(struct damage_params){0}, rp->ctx, &rp->damage, e) ==
		    -1)
			goto out;
	}
	rc = repair_snapshots(rp, e);
out:
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
	int rc = 0;

	memset(out, 0, sizeof *out);
	rp.bad_packs = idmap_new(0);
	rp.mended = idmap_new(sizeof(struct mended));
	if (all)
		rc = repair_parity(&rp, e);
	if (rc == 0 && (all || p->index))
		rc = repair_index(&rp, e);
	if (rc == 0 && (all || p->snapshots))
		rc = mend(&rp, e);
	idmap_free(rp.bad_packs);
	idmap_free(rp.mended);
	return rc;
}
