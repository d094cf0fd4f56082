/* help, completion: the tables, shown. */
#include "cli/cli_out.h"

#include <stdio.h>
#include <unistd.h>

/* Text that was asked for; with --json an object that holds it. */
static void put_text(struct cli *c, struct buf *b)
{
	json_t *o;

	if (!c->out.json) {
		out_list(c, "%s", buf_cstr(b));
		return;
	}
	o = json_object();
	out_json_str(o, "text", buf_cstr(b));
	out_json(c, "summary", o);
}

/* No command: the overview goes to whom the mistake is told. */
static int no_command(struct cli *c, struct err *e)
{
	struct buf b = {0};

	if (!c->out.json) {
		help_overview(&b, 80);
		fprintf(stderr, "%s\n", buf_cstr(&b));
		buf_fini(&b);
	}
	err_set(e, ERR_USAGE, "which command?");
	return c->out.json ? err_hint(e, "'holdfast help' lists the commands") : -1;
}

int cmd_help(struct cli *c, struct err *e)
{
	const struct cmd_def *cmd = c->args.cmd;
	int width = c->out.out_tty ? text_columns(1) : 80;
	struct buf b = {0};

	if (cmd == NULL && !c->opt.help)
		return no_command(c, e);
	if (c->opt.man)
		return man_write_all(c->opt.man, e);
	if (width > 100)
		width = 100;
	if (cmd && cmd->id == CMD_HELP && !c->opt.help) {
		cmd = NULL;
		if (c->args.n && (cmd = cmd_find(c->args.v[0])) == NULL)
			return cmd_unknown(c->args.v[0], e);
	}
	if (cmd)
		help_command(&b, cmd, width);
	else
		help_overview(&b, width);
	put_text(c, &b);
	buf_fini(&b);
	return 0;
}

int cmd_completion(struct cli *c, struct err *e)
{
	struct buf b = {0};

	completion_bash(&b);
	put_text(c, &b);
	buf_fini(&b);
	return 0;
}
