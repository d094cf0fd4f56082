/* recover_instant: see recover_internal.h and instant.h. */
#include "base/mem.h"
#include "engine/instant.h"
#include "engine/recover_internal.h"

int recover_refuse_shown(struct recovering *g, struct err *e)
{
	struct instant_seen seen;

	if (instant_look(g->data, &seen, e) == -1)
		return -1;
	if (!seen.ready)
		return 0;
	err_set(e, ERR_EXISTS, "%s: an instant recovery is under way there", g->data);
	return err_hint(e, "recover --instant of that target goes on with it, --finish ends it");
}

int recover_show(struct recovering *g, struct err *e)
{
	struct instant_params p = {
	    .repo = g->repo,
	    .snapshot = g->pl.base->snapshot->id,
	    .root = g->pl.path,
	    .target = g->data,
	    .jobs = g->p->jobs,
	};
	uint64_t left;
	size_t files;

	if (recover_refuse_shown(g, e) == -1)
		return -1;
	if (instant_open(&p, g->ctx, &g->instant, e) == -1 || instant_mount(g->instant, e) == -1)
		return -1;
	files = instant_left(g->instant, &left);
	recover_say(g, "shown; %llu MiB in %zu files come as they are used",
	    (unsigned long long)left >> 20, files);
	return 0;
}

/* What was recovered may be gone on with; what was not is of no use to anybody. */
int recover_shown(struct recovering *g, int rc, struct err *e)
{
	struct err why;

	if (g->instant == NULL)
		return rc;
	if (rc == 0)
		rc = instant_mark(g->instant, e);
	if (rc == 0)
		return 0;
	if (instant_unmount(g->instant, &why) == 0) {
		instant_close(g->instant);
		instant_discard(g->data, g->ctx, &why);
	}
	g->instant = NULL;
	return -1;
}
