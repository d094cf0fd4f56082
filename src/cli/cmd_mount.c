/* mount: snapshots as a file system. */
#include "cli/cli_out.h"

#include "engine/op_mount.h"

static void ready(void *arg)
{
	struct cli *c = arg;

	c->mounted = true;
	out_message(c, "mounted at %s; press Ctrl-C to unmount", c->args.v[0]);
}

int cmd_mount(struct cli *c, struct err *e)
{
	struct mount_params p = {.mountpoint = c->args.v[0],
	    .allow_other = c->opt.allow_other,
	    .ready = ready,
	    .ready_arg = c};

	pick_filter(c, &p.filter);
	if (op_mount(c->repo, &p, c->ctx, e) == 0)
		return 0;
	c->wanted = c->mounted && e->kind == ERR_CANCELLED;
	return -1;
}
