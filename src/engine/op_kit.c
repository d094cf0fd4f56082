/* op_kit: see op_kit.h. */
#include "engine/op_kit.h"

#include <stdio.h>
#include <string.h>

#include "engine/op_copy.h"
#include "store/store_drivers.h"

struct exporting {
	struct kit_result *out;
	char why[ERR_MSG_MAX];
};

static int copied(void *arg, const struct copy_item *it, struct err *e)
{
	struct exporting *x = arg;

	(void)e;
	if (it->to != NULL)
		x->out->copy = *it->to;
	snprintf(x->why, sizeof x->why, "%s", it->why);
	return 0;
}

static int fill(struct repo *r, struct repo *kit, const struct snapshot *s,
    const struct kit_params *p, struct ctx *ctx, struct kit_result *out, struct err *e)
{
	struct exporting x = {.out = out};
	const struct copy_params cp = {.named = &s,
	    .nnamed = 1,
	    .codec = p->codec,
	    .level = p->level,
	    .jobs = p->jobs,
	    .item = copied,
	    .item_arg = &x};
	struct copy_result cr;

	if (op_copy(r, kit, &cp, ctx, &cr, e) == -1)
		return -1;
	out->bytes_read = cr.bytes_read;
	out->seconds = cr.seconds;
	if (cr.copied == 1)
		return 0;
	err_set(e, ERR_DAMAGE_FOUND, "the snapshot is damaged: %s", x.why);
	return err_hint(e, "'holdfast repair snapshots' saves what can be read of it");
}

int op_kit_export(struct repo *r, const struct snapshot *s, const struct kit_params *p, int fd,
    struct ctx *ctx, struct kit_result *out, struct err *e)
{
	struct store *store;
	struct repo *kit = NULL;
	int rc = -1;

	memset(out, 0, sizeof *out);
	if (repo_need(r, true, e) == -1 || store_kit_begin(fd, p->name, &store, e) == -1)
		return -1;
	if (repo_init(store, &p->init, NULL, ctx, &kit, e) == -1)
		return -1;
	if (fill(r, kit, s, p, ctx, out, e) == 0)
		rc = store_kit_end(store, &out->size, out->sha256, e);
	snprintf(out->repository, sizeof out->repository, "%s", repo_id_text(kit));
	repo_close(kit);
	return rc;
}
