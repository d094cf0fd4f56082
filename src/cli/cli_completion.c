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

/* Is the value of this option a file's name?  By what help calls it. */
static bool takes_file(const struct opt_def *o)
{
	static const char *const names[] = {"FILE", "FOLDER", "REPO", "PATH", "PATTERN"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (o->arg && strcmp(o->arg, names[i]) == 0)
			return true;
	return false;
}

/* Letters that are the same option with every command. */
static bool one_meaning(const struct opt_def *o)
{
	for (size_t i = 0; i < opt_count; i++)
		if (opt_table[i].letter == o->letter && strcmp(opt_table[i].name, o->name) != 0)
			return false;
	return true;
}

/* The case label of all options with a value that is, or isn't, a file. */
static void put_names(struct buf *b, bool file)
{
	bool any = false;

	buf_printf(b, "\t");
	for (size_t i = 0; i < opt_count; i++) {
		const struct opt_def *o = &opt_table[i];

		if (o->type == OPT_FLAG || o->type == OPT_CHOICE || takes_file(o) != file)
			continue;
		buf_printf(b, "%s--%s", any ? "|" : "", o->name);
		if (o->letter && one_meaning(o))
			buf_printf(b, "|-%c", o->letter);
		any = true;
	}
	buf_printf(b, ") ");
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
	put_names(b, true);
	buf_printf(b, "mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); return ;;\n");
	put_names(b, false);
	buf_printf(b, "return ;;\n");
}

void completion_bash(struct buf *b)
{
	buf_printf(b, "# bash completion for holdfast\n_holdfast() {\n"
		      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
		      "\tlocal cmd= opts= words= w\n\tCOMPREPLY=()\n"
		      "\t# readline parts --type=full at the =\n"
		      "\tif [[ $cur == = ]]; then cur=\n"
		      "\telif [[ $prev == = && COMP_CWORD -ge 2 ]]; then "
		      "prev=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
		      "\tcase $prev in\n");
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
		      "\telse\n\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n\tfi\n}\n"
		      "complete -o filenames -F _holdfast holdfast\n");
}
