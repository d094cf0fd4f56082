/* cat: a file's content on standard output. */
#include "cli/cli_out.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/op_tree.h"
#include "os/os.h"

static int write_out(void *arg, struct span s, struct err *e)
{
	if (os_write_all(1, s.p, s.n) == -1)
		return err_sys(e, "write to standard output");
	return 0;
}

int cmd_cat(struct cli *c, struct err *e)
{
	struct snapshot *s = NULL;
	char *path = NULL;
	int rc = -1;

	if (c->out.json) {
		err_set(e, ERR_USAGE, "cat: a file's content is no JSON");
		goto out;
	}
	if (pick_snapshot(c, c->args.v[0], false, &s, &path, e) == -1)
		goto out;
	if (strcmp(path, "/") == 0) {
		err_set(e, ERR_USAGE, "cat: which file?");
		err_hint(e, "usage: holdfast cat %s:/PATH", c->args.v[0]);
		goto out;
	}
	fflush(stdout);
	rc = op_cat(c->repo, s, path, c->ctx, write_out, c, e);
out:
	snapshot_free(s);
	free(path);
	return rc;
}
