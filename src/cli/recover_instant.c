/* recover_instant: see recover_instant.h. */
#include "cli/recover_instant.h"

#include <stdio.h>

#include "cli/cli_out.h"
#include "cli/cli_stay.h"
#include "engine/recover_finish.h"

int recover_instant_before(struct cli *c, const struct recover_params *p, struct err *e)
{
	struct instant_seen seen;

	if (instant_look(p->target, &seen, e) == -1)
		return -1;
	if (seen.pid != 0) {
		err_set(e, ERR_BUSY, "%s is served by process %lld already", p->target,
		    (long long)seen.pid);
		return err_hint(e, "recover %s --finish --target %s ends it", p->system, p->target);
	}
	if (seen.begun && seen.ready)
		return 1;
	return seen.begun ? instant_discard(p->target, c->ctx, e) : 0;
}

int recover_instant_go_on(struct cli *c, const struct recover_params *p, struct err *e)
{
	struct recover_finish_params fp = {
	    .target = p->target,
	    .stop_command = p->stop_command,
	    .start_command = p->start_command,
	    .server = p->server,
	    .in_place = p->in_place,
	    .step = recover_say_step,
	    .arg = c,
	};
	struct instant *in;

	if (c->opt.finish) {
		if (recover_finish(c->repo, &fp, c->ctx, e) == -1)
			return -1;
		out_text(c, "%s: all of %s is here, in plain files\n", p->system, p->target);
		return 0;
	}
	out_text(c, "%s: an instant recovery goes on in %s\n", p->system, p->target);
	if (recover_again(c->repo, &fp, c->ctx, &in, e) == -1)
		return -1;
	return recover_instant_serve(c, in, p->target, e);
}

int recover_instant_serve(struct cli *c, struct instant *in, const char *target, struct err *e)
{
	uint64_t left;

	instant_left(in, &left);
	out_text(c,
	    "%llu MiB come while it is used; plain files take their place when the server is next\n"
	    "stopped, or with: holdfast recover %s --finish --target %s\n",
	    (unsigned long long)left >> 20, c->args.v[0], target);
	progress_stop(c);
	fflush(NULL);
	stay_release(0);
	return recover_serve(in, c->ctx, e);
}
