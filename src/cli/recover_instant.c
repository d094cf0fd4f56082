/* recover_instant: see recover_instant.h. */
#include "cli/recover_instant.h"

#include <stdio.h>

#include "cli/cli_out.h"
#include "cli/cli_stay.h"
#include "engine/instant_log.h"
#include "engine/recover_finish.h"
#include "os/os.h"

/* As a shell takes it for one word. */
static void shell_word(struct buf *b, const char *s)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_@%+=:,./-";

	if (*s != '\0' && s[strspn(s, plain)] == '\0') {
		buf_printf(b, "%s", s);
		return;
	}
	buf_printf(b, "'");
	for (; *s; s++)
		buf_printf(b, *s == '\'' ? "'\\''" : "%c", *s);
	buf_printf(b, "'");
}

int recover_instant_before(struct cli *c, const struct recover_params *p, struct err *e)
{
	struct instant_seen seen;
	struct buf b = {0};

	if (instant_look(p->target, &seen, e) == -1)
		return -1;
	if (seen.pid != 0) {
		err_set(e, ERR_BUSY, "%s is served by process %lld already", p->target,
		    (long long)seen.pid);
		shell_word(&b, p->target);
		err_hint(
		    e, "holdfast recover %s --finish --target %s ends it", p->system, buf_cstr(&b));
		buf_fini(&b);
		return -1;
	}
	if (seen.begun && (seen.ready || seen.settled))
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
	struct instant *in = NULL;

	if (!c->opt.finish)
		out_text(c, "%s: an instant recovery goes on in %s\n", p->system, p->target);
	if ((c->opt.finish ? recover_finish(c->repo, &fp, c->ctx, e)
			   : recover_again(c->repo, &fp, c->ctx, &in, e)) == -1)
		return -1;
	if (in != NULL)
		return recover_instant_serve(c, in, p->target, e);
	out_text(c, "%s: all of %s is here, in plain files\n", p->system, p->target);
	return 0;
}

int recover_instant_serve(struct cli *c, struct instant *in, const char *target, struct err *e)
{
	struct buf b = {0};
	uint64_t left;
	int rc;

	instant_left(in, &left);
	shell_word(&b, target);
	out_text(c,
	    "%llu MiB come while it is used; plain files take their place when the server is next\n"
	    "stopped, or with: holdfast recover %s --finish --target %s\n",
	    (unsigned long long)left >> 20, c->args.v[0], buf_cstr(&b));
	buf_fini(&b);
	progress_stop(c);
	fflush(NULL);
	c->log = instant_log_open(target, os_clock());
	stay_release(0);
	rc = recover_serve(in, c->ctx, e);
	if (rc == -1)
		event_emit(c->ctx, EVENT_WARNING, span_of(NULL, 0), "%s%s%s", e->msg,
		    e->hint[0] ? "; " : "", e->hint);
	instant_log_close(c->log);
	c->log = NULL;
	return rc;
}
