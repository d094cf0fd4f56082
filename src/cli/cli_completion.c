/* cli_completion: the tables as a script for bash. */
#include "cli/cli_out.h"

static void put_words(struct buf *b, const char *words)
{
	for (const char *p = words; *p; p++)
		buf_printf(b, "%c", *p == '|' ? ' ' : *p);
}

static void put_command(struct buf *b, const struct cmd_def *c)
{
	buf_printf(b, "\t%s) opts=\"", c->name);
	for (size_t i = 0; i < opt_count; i++)
		if (opt_for(&opt_table[i], c->id))
			buf_printf(b, "--%s ", opt_table[i].name);
	buf_printf(b, "\"; words=\"");
	if (c->words)
		put_words(b, c->words);
	if (c->id == CMD_HELP)
		for (size_t i = 0; i < CMD_COUNT; i++)
			buf_printf(b, "%s ", cmd_table[i].name);
	buf_printf(b, "\" ;;\n");
}

static void put_values(struct buf *b)
{
	for (size_t i = 0; i < opt_count; i++) {
		const struct opt_def *o = &opt_table[i];

		if (o->type != OPT_CHOICE)
			continue;
		buf_printf(b, "\t--%s) COMPREPLY=($(compgen -W \"", o->name);
		put_words(b, o->choices);
		buf_printf(b, "\" -- \"$cur\")); return ;;\n");
	}
	buf_printf(b, "\t");
	for (size_t i = 0, n = 0; i < opt_count; i++)
		if (opt_table[i].type != OPT_FLAG && opt_table[i].type != OPT_CHOICE)
			buf_printf(b, "%s--%s", n++ ? "|" : "", opt_table[i].name);
	buf_printf(b, "|-r|-p) COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n");
}

void completion_bash(struct buf *b)
{
	buf_printf(b, "# bash completion for holdfast\n_holdfast() {\n"
		      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
		      "\tlocal cmd= opts= words= w\n\tCOMPREPLY=()\n\tcase $prev in\n");
	put_values(b);
	buf_printf(
	    b, "\tesac\n\tfor w in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n\t\tcase $w in\n\t\t");
	for (size_t i = 0; i < CMD_COUNT; i++)
		buf_printf(b, "%s%s", i ? "|" : "", cmd_table[i].name);
	buf_printf(b, ") cmd=$w; break ;;\n\t\tesac\n\tdone\n\tcase $cmd in\n");
	for (size_t i = 0; i < CMD_COUNT; i++)
		put_command(b, &cmd_table[i]);
	buf_printf(b, "\t*) opts=\"--repo --json --quiet --verbose --help --version\"; words=\"");
	for (size_t i = 0; i < CMD_COUNT; i++)
		buf_printf(b, "%s ", cmd_table[i].name);
	buf_printf(b, "\" ;;\n\tesac\n\tif [[ $cur == -* ]]; then\n"
		      "\t\tCOMPREPLY=($(compgen -W \"$opts\" -- \"$cur\"))\n"
		      "\telif [[ -n $words ]]; then\n"
		      "\t\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
		      "\telse\n\t\tCOMPREPLY=($(compgen -f -- \"$cur\"))\n\tfi\n}\n"
		      "complete -o filenames -F _holdfast holdfast\n");
}
