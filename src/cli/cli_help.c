/* cli_help: the tables as text for a terminal. */
#include "cli/cli_out.h"

enum { COLUMN = 30, INDENT = 2 };

void help_option_text(struct buf *b, const struct opt_def *o)
{
	if (o->letter)
		buf_printf(b, "-%c, ", o->letter);
	else
		buf_printf(b, "    ");
	buf_printf(b, "--%s%s%s", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
}

static void put_entry(struct buf *b, struct buf *left, const char *text, int width)
{
	int n = (int)left->n;

	buf_printf(b, "%*s%s", INDENT, "", buf_cstr(left));
	if (INDENT + n + 2 > COLUMN)
		buf_printf(b, "\n%*s", COLUMN, "");
	else
		buf_printf(b, "%*s", COLUMN - INDENT - n, "");
	text_wrap(b, text, COLUMN, COLUMN, width);
}

static void put_option(struct buf *b, const struct opt_def *o, int width)
{
	struct buf left = {0}, text = {0};
	char env[64];

	help_option_text(&left, o);
	buf_printf(&text, "%s", o->help);
	if (o->type == OPT_CHOICE) {
		buf_printf(&text, "; one of");
		for (const char *p = o->choices; *p;) {
			size_t n = strcspn(p, "|");

			buf_printf(&text, "%s %.*s", p == o->choices ? "" : ",", (int)n, p);
			p += n + (p[n] == '|');
		}
	}
	if (o->dflt)
		buf_printf(&text, " (%s)", o->dflt);
	opt_env_name(o, env);
	if (o->group == OPT_KEYS && env[0])
		buf_printf(&text, " [%s]", env);
	put_entry(b, &left, buf_cstr(&text), width);
	buf_fini(&left);
	buf_fini(&text);
}

static void put_group(struct buf *b, const struct cmd_def *c, enum opt_group g, int width)
{
	bool any = false;

	for (size_t i = 0; i < opt_count; i++) {
		const struct opt_def *o = &opt_table[i];

		if (o->group != g || !(c ? opt_for(o, c->id) : opt_is_first(o)))
			continue;
		if (!any)
			buf_printf(b, "\n%s:\n", opt_group_title(g));
		any = true;
		put_option(b, o, width);
	}
}

void help_command(struct buf *b, const struct cmd_def *c, int width)
{
	struct buf left = {0};

	buf_printf(
	    b, "Usage: holdfast [OPTION...] %s%s%s\n\n", c->name, c->args[0] ? " " : "", c->args);
	text_wrap(b, c->about, 0, 0, width);
	for (int g = 0; g < OPT_GROUPS; g++)
		put_group(b, c, (enum opt_group)g, width);
	buf_printf(b, "\nExamples:\n");
	for (int i = 0; i < CMD_EXAMPLES && c->examples[i].line; i++) {
		buf_printf(b, "  %s\n", c->examples[i].line);
		if (c->examples[i].what[0])
			buf_printf(b, "      %s\n", c->examples[i].what);
	}
	buf_printf(b, "\nExit status:\n");
	for (size_t i = 0; i < cmd_exits_count; i++) {
		if (!cmd_exit_applies(c, cmd_exits[i].status))
			continue;
		buf_printf(b, "  %-4d", cmd_exits[i].status);
		text_wrap(b, cmd_exits[i].meaning, 6, 6, width);
	}
	buf_fini(&left);
}

void help_overview(struct buf *b, int width)
{
	struct buf left = {0};

	buf_printf(b, "Usage: holdfast [-r REPO] [OPTION...] COMMAND ...\n\nCommands:\n");
	for (size_t i = 0; i < CMD_COUNT; i++) {
		buf_printf(b, "  %-12s", cmd_table[i].name);
		text_wrap(b, cmd_table[i].brief, 14, 14, width);
	}
	put_group(b, NULL, OPT_KEYS, width);
	put_group(b, NULL, OPT_GENERAL, width);
	buf_printf(b, "\n");
	text_wrap(b,
	    "'holdfast help COMMAND' explains a command. Each option can be given as a "
	    "variable of the environment too: --dry-run is HOLDFAST_DRY_RUN=1. "
	    "A password can be in HOLDFAST_PASSWORD.",
	    0, 0, width);
	buf_fini(&left);
}
