/*
 * cli_parse: words to options and arguments, by the tables.
 *
 * Options may stand before or after the command and among its arguments, up
 * to "--".  An option before the command is one that some command takes: a
 * name or letter means the same number of words everywhere (a test holds the
 * tables to it), so the command can be found first.
 */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/calendar_rate.h"
#include "base/mem.h"
#include "base/near.h"

enum { JOBS_MAX = 1024 };

/* Texts of lists are their own: the environment's come apart. */
static void list_add(struct cli_list *l, const char *s, size_t n)
{
	l->v = mem_realloc(l->v, (l->n + 1) * sizeof *l->v);
	l->v[l->n++] = mem_strndup(s, n);
}

static int bad_value(const struct opt_def *o, const char *text, const char *what, struct err *e)
{
	return err_set(e, ERR_USAGE, "--%s: '%s' is not %s", o->name, text, what);
}

static int set_choice(const struct opt_def *o, const char *text, int *out, struct err *e)
{
	const char *p = o->choices;
	size_t n = strlen(text);

	for (int i = 1;; i++) {
		size_t len = strcspn(p, "|");

		if (len == n && memcmp(p, text, n) == 0)
			return *out = i, 0;
		if (p[len] == '\0')
			break;
		p += len + 1;
	}
	bad_value(o, text, "one of its values", e);
	return err_hint(e, "it can be %s", o->choices);
}

static int set_count(const struct opt_def *o, const char *text, int *out, struct err *e)
{
	char *end;
	long v;

	if (o->type == OPT_KEEP && strcmp(text, "unlimited") == 0)
		return *out = -1, 0;
	v = strtol(text, &end, 10);
	if (o->type == OPT_JOBS && v > JOBS_MAX)
		return bad_value(o, text, "a number from 1 to 1024", e);
	if (text[0] < '0' || text[0] > '9' || *end || v < 1 || v > 1000000000)
		return bad_value(o, text, "a number from 1 up", e);
	*out = (int)v;
	return 0;
}

static int set_percent(const struct opt_def *o, const char *text, double *out, struct err *e)
{
	char *end;
	double v = strtod(text, &end);

	if (*end == '%')
		end++;
	if (end == text || *end || !(v >= 0 && v <= 100))
		return bad_value(o, text, "a percentage, like 5%", e);
	*out = v;
	return 0;
}

static int set_codec(
    const struct opt_def *o, const char *text, struct cli_codec *out, struct err *e)
{
	if (!codec_parse(text, &out->id, &out->level)) {
		bad_value(o, text, "a compression", e);
		return err_hint(e, "it can be zstd, lz4, gzip, brotli or none, perhaps with a "
				   "level, like zstd:9");
	}
	return 0;
}

static int set_flag(const struct opt_def *o, const char *text, bool *out, struct err *e)
{
	static const char *const on[] = {"1", "true", "yes", "on"};
	static const char *const off[] = {"0", "false", "no", "off", ""};

	for (size_t i = 0; i < sizeof on / sizeof *on; i++)
		if (strcmp(text, on[i]) == 0)
			return *out = true, 0;
	for (size_t i = 0; i < sizeof off / sizeof *off; i++)
		if (strcmp(text, off[i]) == 0)
			return *out = false, 0;
	return bad_value(o, text, "yes or no", e);
}

static int set_limit(const struct opt_def *o, const char *text, void *at, struct err *e)
{
	int rc = o->type == OPT_RATE     ? calendar_parse_rate(text, at, e)
		 : o->type == OPT_NICE   ? value_nice(text, at, e)
		 : o->type == OPT_IONICE ? value_ionice(text, at, e)
					 : err_set(e, ERR_BUG, "an option without a type");

	/* What is said lifts what is declared. */
	if (rc == 0 && o->type == OPT_RATE && *(uint64_t *)at == 0)
		*(uint64_t *)at = CLI_NO_LIMIT;
	return rc == 0 ? 0 : err_wrap(e, "--%s", o->name);
}

static int set_time(const struct opt_def *o, const char *text, void *at, struct err *e)
{
	struct cli_time *t = at;
	int rc = o->type == OPT_DURATION ? calendar_parse_duration(text, at, e)
		 : o->type == OPT_WITHIN ? calendar_parse_within(text, at, e)
					 : calendar_parse_time(text, &t->t, e);

	if (rc == -1)
		return err_wrap(e, "--%s", o->name);
	if (o->type == OPT_TIME)
		t->set = true;
	return 0;
}

int opt_set(const struct opt_def *o, const char *text, struct cli_options *opt, struct err *e)
{
	void *at = (char *)opt + o->at;

	switch (o->type) {
	case OPT_FLAG:
		return set_flag(o, text, at, e);
	case OPT_STRING:
		*(const char **)at = text;
		return 0;
	case OPT_LIST:
		list_add(at, text, strlen(text));
		return 0;
	case OPT_COUNT:
	case OPT_JOBS:
	case OPT_KEEP:
		return set_count(o, text, at, e);
	case OPT_PERCENT:
		return set_percent(o, text, at, e);
	case OPT_CHOICE:
		return set_choice(o, text, at, e);
	case OPT_CODEC:
		return set_codec(o, text, at, e);
	case OPT_DURATION:
	case OPT_WITHIN:
	case OPT_TIME:
		return set_time(o, text, at, e);
	case OPT_RATE:
	case OPT_NICE:
	case OPT_IONICE:
		break;
	}
	return set_limit(o, text, at, e);
}

/* Lists in the environment: one a line. */
static int set_from_env(
    const struct opt_def *o, const char *text, struct cli_options *opt, struct err *e)
{
	if (o->type != OPT_LIST)
		return opt_set(o, text, opt, e);
	while (*text) {
		size_t n = strcspn(text, "\n");

		if (n)
			list_add((void *)((char *)opt + o->at), text, n);
		text += n + (text[n] == '\n');
	}
	return 0;
}

int cmd_unknown(const char *word, struct err *e)
{
	const char *best = NULL;
	size_t least = 64;

	for (size_t i = 0; i < CMD_COUNT; i++)
		near_consider(word, cmd_table[i].name, &best, &least);
	err_set(e, ERR_USAGE, "there is no command '%s'", word);
	if (best)
		return err_hint(e, "did you mean '%s'?", best);
	return err_hint(e, "'holdfast help' lists the commands");
}

static int unknown_option(const struct cmd_def *cmd, const char *word, struct err *e)
{
	const char *best = NULL;
	size_t least = 64;

	for (size_t i = 0; i < opt_count; i++)
		if (cmd == NULL || opt_for(&opt_table[i], cmd->id))
			near_consider(word, opt_table[i].name, &best, &least);
	if (cmd)
		err_set(e, ERR_USAGE, "%s: there is no option --%s", cmd->name, word);
	else
		err_set(e, ERR_USAGE, "there is no option --%s", word);
	if (best)
		return err_hint(e, "did you mean --%s?", best);
	return err_hint(
	    e, "'holdfast help%s%s' lists the options", cmd ? " " : "", cmd ? cmd->name : "");
}

/* The row for a name (of n bytes) or letter; with cmd NULL that of any command. */
static const struct opt_def *find_opt(
    const struct cmd_def *cmd, const char *name, size_t n, char letter)
{
	for (size_t i = 0; i < opt_count; i++) {
		const struct opt_def *o = &opt_table[i];

		if (cmd && !opt_for(o, cmd->id))
			continue;
		if (letter ? o->letter == letter
			   : strlen(o->name) == n && memcmp(o->name, name, n) == 0)
			return o;
	}
	return NULL;
}

static bool takes_value(const struct opt_def *o)
{
	return o->type != OPT_FLAG;
}

struct words {
	char *const *v;
	int n, at;
	const struct cmd_def *cmd;
	struct cli_options *opt; /* NULL: only looking for the command */
};

static int give(struct words *w, const struct opt_def *o, const char *value, struct err *e)
{
	return w->opt ? opt_set(o, value, w->opt, e) : 0;
}

static int no_value(const struct opt_def *o, struct err *e)
{
	return err_set(e, ERR_USAGE, "--%s needs a value: %s", o->name, o->arg);
}

static int long_option(struct words *w, const char *name, struct err *e)
{
	size_t n = strcspn(name, "=");
	const char *value = name[n] ? name + n + 1 : NULL;
	const struct opt_def *o = find_opt(w->cmd, name, n, 0);
	char word[64];

	if (o == NULL) {
		snprintf(word, sizeof word, "%.*s", (int)n, name);
		return unknown_option(w->cmd, word, e);
	}
	if (!takes_value(o)) {
		if (value)
			return err_set(e, ERR_USAGE, "--%s takes no value", o->name);
		return give(w, o, "1", e);
	}
	if (value == NULL) {
		if (w->at == w->n)
			return no_value(o, e);
		value = w->v[w->at++];
	}
	return give(w, o, value, e);
}

static int short_options(struct words *w, const char *letters, struct err *e)
{
	for (const char *p = letters; *p; p++) {
		const struct opt_def *o = find_opt(w->cmd, NULL, 0, *p);

		if (o == NULL) {
			err_set(e, ERR_USAGE, "%s%sthere is no option -%c",
			    w->cmd ? w->cmd->name : "", w->cmd ? ": " : "", *p);
			return err_hint(e, "'holdfast help%s%s' lists the options",
			    w->cmd ? " " : "", w->cmd ? w->cmd->name : "");
		}
		if (!takes_value(o)) {
			if (give(w, o, "1", e) == -1)
				return -1;
			continue;
		}
		if (p[1])
			return give(w, o, p + 1 + (p[1] == '='), e);
		if (w->at == w->n)
			return no_value(o, e);
		return give(w, o, w->v[w->at++], e);
	}
	return 0;
}

/* One word at a time: 1 and *positional, 0 at the end; options are dealt with on the way. */
static int next_word(struct words *w, bool *literal, const char **positional, struct err *e)
{
	while (w->at < w->n) {
		const char *word = w->v[w->at++];
		int rc;

		if (!*literal && strcmp(word, "--") == 0) {
			*literal = true;
			continue;
		}
		if (*literal || word[0] != '-' || word[1] == '\0') {
			*positional = word;
			return 1;
		}
		rc = word[1] == '-' ? long_option(w, word + 2, e) : short_options(w, word + 1, e);
		if (rc == -1)
			return -1;
	}
	return 0;
}

static int find_command(int argc, char *const *argv, struct cli_args *args, struct err *e)
{
	struct words w = {argv, argc, 1, NULL, NULL};
	bool literal = false;
	const char *word;
	int rc = next_word(&w, &literal, &word, e);

	if (rc <= 0)
		return rc;
	args->cmd = cmd_find(word);
	return args->cmd ? 0 : cmd_unknown(word, e);
}

static int set_defaults(
    const struct cmd_def *cmd, char *(*env)(const char *), struct cli_options *opt, struct err *e)
{
	opt->read_subset = opt->max_unused = opt->parity = -1;
	opt->nice = NICE_UNSET;
	for (size_t i = 0; i < opt_count; i++) {
		const struct opt_def *o = &opt_table[i];
		char name[64];
		const char *text;

		if (cmd ? !opt_for(o, cmd->id) : o->group != OPT_GENERAL)
			continue;
		if (o->dflt && opt_set(o, o->dflt, opt, e) == -1)
			return -1;
		opt_env_name(o, name);
		if (env == NULL || name[0] == '\0' || o->flags & OPT_CRED_ENV)
			continue;
		text = env(name);
		if (text && *text && set_from_env(o, text, opt, e) == -1)
			return err_wrap(e, "%s in the environment", name);
	}
	return 0;
}

/* A list that the command line gives replaces the environment's. */
static void drop_env_lists(struct cli_options *before, struct cli_options *after)
{
	for (size_t i = 0; i < opt_count; i++) {
		const struct opt_def *o = &opt_table[i];
		struct cli_list *old, *l;

		if (o->type != OPT_LIST)
			continue;
		old = (void *)((char *)before + o->at);
		l = (void *)((char *)after + o->at);
		if (old->n && l->n > old->n) {
			for (size_t j = 0; j < old->n; j++)
				free((char *)l->v[j]);
			memmove(l->v, l->v + old->n, (l->n - old->n) * sizeof *l->v);
			l->n -= old->n;
			old->n = 0;
		}
	}
}

static int usage(const struct cmd_def *c, struct err *e)
{
	return err_hint(e, "usage: holdfast %s%s%s", c->name, c->args[0] ? " " : "", c->args);
}

static int too_much(const struct cmd_def *c, const char *word, struct err *e)
{
	err_set(e, ERR_USAGE, "%s: '%s' is too much", c->name, word);
	if (strcmp(c->name, "restore") == 0)
		return err_hint(e, "where to is said with --target %.200s", word);
	return usage(c, e);
}

static int check_args(const struct cli_args *a, struct err *e)
{
	const struct cmd_def *c = a->cmd;
	int rc = 0;

	if ((int)a->n < c->min_args)
		rc = err_set(e, ERR_USAGE, "%s: something is missing: %s", c->name, c->args);
	else if (c->max_args != CMD_NO_MAX && (int)a->n > c->max_args)
		return too_much(c, a->v[c->max_args], e);
	else if (c->words && a->n) {
		struct opt_def word = {.name = c->name, .choices = c->words};
		int which;

		if (set_choice(&word, a->v[0], &which, e) == -1) {
			err_set(e, ERR_USAGE, "%s: there is no '%s %s'", c->name, c->name, a->v[0]);
			return err_hint(e, "it can be %s", c->words);
		}
	}
	return rc == 0 ? 0 : usage(c, e);
}

int cli_parse(int argc, char *const *argv, char *(*env)(const char *), struct cli_options *opt,
    struct cli_args *args, struct err *e)
{
	struct words w = {argv, argc, 1, NULL, opt};
	struct cli_options before;
	bool literal = false, met = false;
	const char *word;
	int rc;

	memset(opt, 0, sizeof *opt);
	memset(args, 0, sizeof *args);
	/* JSON is asked for even if the rest makes no sense. */
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--json") == 0)
			opt->json = true;
	if (find_command(argc, argv, args, e) == -1 || set_defaults(args->cmd, env, opt, e) == -1)
		return -1;
	before = *opt;
	w.cmd = args->cmd;
	args->v = mem_zalloc((size_t)(argc + 1) * sizeof *args->v);
	while ((rc = next_word(&w, &literal, &word, e)) == 1) {
		if (met)
			args->v[args->n++] = word;
		met = true;
	}
	if (rc == -1)
		return -1;
	drop_env_lists(&before, opt);
	if (args->cmd == NULL || opt->help || opt->version)
		return 0;
	return check_args(args, e);
}

void cli_parse_fini(struct cli_options *opt, struct cli_args *args)
{
	for (size_t i = 0; i < opt_count; i++) {
		struct cli_list *l = (void *)((char *)opt + opt_table[i].at);

		if (opt_table[i].type == OPT_LIST) {
			for (size_t j = 0; j < l->n; j++)
				free((char *)l->v[j]);
			free(l->v);
			*l = (struct cli_list){0};
		}
	}
	free(args->v);
	*args = (struct cli_args){0};
}
