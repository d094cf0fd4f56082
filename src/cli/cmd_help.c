/* help, completion: the tables, shown. */
#include "cli/cli_out.h"

#include <unistd.h>

int cmd_help(struct cli *c, struct err *e)
{
	const struct cmd_def *cmd = c->args.cmd;
	int width = c->out.out_tty ? text_columns(1) : 80;
	struct buf b = {0};

	if (c->opt.man)
		return man_write_all(c->opt.man, e);
	if (width > 100)
		width = 100;
	if (cmd && cmd->id == CMD_HELP && !c->opt.help) {
		cmd = NULL;
		if (c->args.n && (cmd = cmd_find(c->args.v[0])) == NULL) {
			err_set(e, ERR_USAGE, "there is no command '%s'", c->args.v[0]);
			return err_hint(e, "'holdfast help' lists the commands");
		}
	}
	if (cmd)
		help_command(&b, cmd, width);
	else
		help_overview(&b, width);
	c->out.json = false;
	out_list(c, "%s", buf_cstr(&b));
	buf_fini(&b);
	if (c->args.cmd == NULL && !c->opt.help)
		return err_set(e, ERR_USAGE, "which command?");
	return 0;
}

int cmd_completion(struct cli *c, struct err *e)
{
	struct buf b = {0};

	completion_bash(&b);
	out_list(c, "%s", buf_cstr(&b));
	buf_fini(&b);
	return 0;
}
