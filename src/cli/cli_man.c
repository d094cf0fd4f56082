/* cli_man: the tables as manual pages (roff, man macros). */
#include "cli/cli_out.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/mem.h"
#include "os/os.h"

/* Text in which nothing is a request or an escape; empty lines part paragraphs. */
static void put(struct buf *b, const char *text)
{
	bool start = true;

	for (const char *p = text; *p; p++) {
		if (start && (*p == '.' || *p == '\''))
			buf_printf(b, "\\&");
		start = false;
		if (p[0] == '\n' && p[1] == '\n') {
			buf_printf(b, "\n.PP\n");
			p++;
			start = true;
		} else if (*p == '\\') {
			buf_printf(b, "\\e");
		} else if (*p == '-') {
			buf_printf(b, "\\-");
		} else {
			buf_printf(b, "%c", *p);
		}
	}
}

static void put_option(struct buf *b, const struct opt_def *o)
{
	char env[64];

	buf_printf(b, ".TP\n\\fB");
	if (o->letter)
		buf_printf(b, "\\-%c\\fR, \\fB", o->letter);
	put(b, "--");
	put(b, o->name);
	buf_printf(b, "\\fR");
	if (o->arg) {
		buf_printf(b, " \\fI");
		put(b, o->arg);
		buf_printf(b, "\\fR");
	}
	buf_printf(b, "\n");
	put(b, o->help);
	if (o->type == OPT_CHOICE) {
		buf_printf(b, "; one of ");
		for (const char *p = o->choices; *p; p++)
			buf_printf(b, *p == '|' ? ", " : *p == '-' ? "\\-" : "%c", *p);
	}
	if (o->dflt) {
		buf_printf(b, " (default ");
		put(b, o->dflt);
		buf_printf(b, ")");
	}
	opt_env_name(o, env);
	buf_printf(b, ".\n");
	if (env[0])
		buf_printf(b, "Environment: \\fB%s\\fR.\n", env);
}

static void put_options(struct buf *b, const struct cmd_def *c, enum opt_group from)
{
	for (int g = (int)from; g < OPT_GROUPS; g++) {
		bool any = false;

		for (size_t i = 0; i < opt_count; i++) {
			const struct opt_def *o = &opt_table[i];

			if ((int)o->group != g || !(c ? opt_for(o, c->id) : opt_is_first(o)))
				continue;
			if (!any)
				buf_printf(b, ".SS %s\n", opt_group_title((enum opt_group)g));
			any = true;
			put_option(b, o);
		}
	}
}

static void put_exits(struct buf *b, const struct cmd_def *c)
{
	buf_printf(b, ".SH EXIT STATUS\n");
	for (size_t i = 0; i < cmd_exits_count; i++) {
		if (c && !cmd_exit_applies(c, cmd_exits[i].status))
			continue;
		buf_printf(b, ".TP\n%d\n", cmd_exits[i].status);
		put(b, cmd_exits[i].meaning);
		buf_printf(b, "\n");
	}
}

static void put_commands(struct buf *b)
{
	buf_printf(b, ".SH COMMANDS\n");
	for (size_t i = 0; i < CMD_COUNT; i++) {
		buf_printf(b, ".TP\n\\fB%s\\fR\n", cmd_table[i].name);
		put(b, cmd_table[i].brief);
		buf_printf(b, ".\n");
	}
}

static void put_examples(struct buf *b, const struct cmd_def *c)
{
	buf_printf(b, ".SH EXAMPLES\n");
	for (int i = 0; i < CMD_EXAMPLES && c->examples[i].line; i++) {
		buf_printf(b, ".TP\n\\fB");
		put(b, c->examples[i].line);
		buf_printf(b, "\\fR\n");
		put(b, c->examples[i].what);
		buf_printf(b, "\n");
	}
}

/* What is no option, and where things lie: for the page of the program itself. */
static void put_surroundings(struct buf *b)
{
	static const struct {
		const char *section, *what, *means;
	} rows[] = {
	    {"ENVIRONMENT", "HOLDFAST_PASSWORD",
		"The password itself; a file or a command shows it to fewer programs."},
	    {NULL, "HOLDFAST_STATE_DIR",
		"The folder of what must not be lost: what this machine saw of each repository, "
		"so that one that was set back is noticed."},
	    {"FILES", "/var/cache/holdfast, ~/.cache/holdfast",
		"Caches, of root and of others: deleting them costs time."},
	    {NULL, "/var/lib/holdfast, ~/.local/state/holdfast",
		"The state folder, of root and of others."},
	    {"SIGNALS", "SIGINT, SIGTERM", "Stop cleanly, keep what is stored, exit with 130."},
	    {NULL, "SIGUSR1", "Print how far it is."},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (rows[i].section)
			buf_printf(b, ".SH %s\n", rows[i].section);
		buf_printf(b, ".TP\n\\fB");
		put(b, rows[i].what);
		buf_printf(b, "\\fR\n");
		put(b, rows[i].means);
		buf_printf(b, "\n");
	}
}

void man_page(struct buf *b, const struct cmd_def *c)
{
	buf_printf(b, ".TH \"HOLDFAST%s", c ? "\\-" : "");
	for (const char *p = c ? c->name : ""; *p; p++)
		buf_printf(b, "%c", toupper((unsigned char)*p));
	buf_printf(b, "\" 1 \"\" \"holdfast %s\" \"holdfast\"\n.SH NAME\nholdfast", HF_VERSION);
	buf_printf(b, "%s%s \\- ", c ? "\\-" : "", c ? c->name : "");
	put(b, c ? c->brief : "backups that can be trusted");
	buf_printf(b, "\n.SH SYNOPSIS\n\\fBholdfast\\fR ");
	if (c) {
		buf_printf(b, "[\\fIOPTION\\fR...] \\fB%s\\fR ", c->name);
		put(b, c->args);
	} else {
		buf_printf(
		    b, "[\\fB\\-r\\fR \\fIREPO\\fR] [\\fIOPTION\\fR...] \\fICOMMAND\\fR ...");
	}
	buf_printf(b, "\n.SH DESCRIPTION\n");
	put(b, c ? c->about
		 : "Stores files in encrypted, deduplicated repositories, and gives them back.");
	buf_printf(b, "\n");
	if (c == NULL)
		put_commands(b);
	buf_printf(b, ".SH OPTIONS\n");
	put_options(b, c, c ? OPT_MAIN : OPT_KEYS);
	put_exits(b, c);
	if (c)
		put_examples(b, c);
	else
		put_surroundings(b);
	buf_printf(b, ".SH SEE ALSO\n");
	for (size_t i = 0, n = 0; i < CMD_COUNT; i++)
		if (c == NULL)
			buf_printf(
			    b, "%s.BR holdfast\\-%s (1)", n++ ? ",\n" : "", cmd_table[i].name);
	if (c)
		buf_printf(b, ".BR holdfast (1)");
	buf_printf(b, "\n");
}

static int write_page(const char *dir, const struct cmd_def *c, struct err *e)
{
	char *path = mem_printf("%s/holdfast%s%s.1", dir, c ? "-" : "", c ? c->name : "");
	struct buf b = {0};
	int rc;

	man_page(&b, c);
	rc = os_file_replace(path, buf_span(&b), 0644, e);
	buf_fini(&b);
	free(path);
	return rc;
}

int man_write_all(const char *dir, struct err *e)
{
	if (os_mkdirs(dir, 0755, e) == -1 || write_page(dir, NULL, e) == -1)
		return -1;
	for (size_t i = 0; i < CMD_COUNT; i++)
		if (write_page(dir, &cmd_table[i], e) == -1)
			return -1;
	return 0;
}
