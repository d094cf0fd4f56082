/* The tables are well formed, and everything made from them has what they say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "cli/cli.h"

static void commands_are_whole(void **state)
{
	for (size_t i = 0; i < CMD_COUNT; i++) {
		const struct cmd_def *c = &cmd_table[i];

		assert_int_equal(c->id, i);
		assert_non_null(c->name);
		assert_ptr_equal(cmd_find(c->name), c);
		assert_non_null(c->args);
		assert_true(isupper((unsigned char)c->brief[0]));
		assert_true(c->brief[strlen(c->brief) - 1] != '.');
		assert_true(strlen(c->brief) < 60);
		assert_true(strlen(c->about) > 10);
		assert_non_null(c->run);
		assert_non_null(c->examples[0].line);
		assert_true(c->max_args == CMD_NO_MAX || c->min_args <= c->max_args);
		if (c->flags & CMD_OPENS)
			assert_true(c->flags & CMD_REPO);
	}
}

static void options_are_whole(void **state)
{
	for (size_t i = 0; i < opt_count; i++) {
		const struct opt_def *o = &opt_table[i];

		assert_true(o->cmds != 0);
		assert_true(o->cmds >> CMD_COUNT == 0);
		assert_true(strlen(o->help) > 5);
		assert_true(o->help[strlen(o->help) - 1] != '.');
		assert_true((o->type == OPT_FLAG) == (o->arg == NULL));
		assert_true((o->type == OPT_CHOICE) == (o->choices != NULL));
		assert_true(o->at < sizeof(struct cli_options));
		assert_non_null(opt_group_title(o->group));
	}
}

/* So that the command can be found before its options are known. */
static void a_name_or_letter_is_one_thing(void **state)
{
	for (size_t i = 0; i < opt_count; i++) {
		for (size_t j = i + 1; j < opt_count; j++) {
			const struct opt_def *a = &opt_table[i], *b = &opt_table[j];
			bool name = strcmp(a->name, b->name) == 0;
			bool letter = a->letter && a->letter == b->letter;

			if (!name && !letter)
				continue;
			assert_true((a->cmds & b->cmds) == 0);
			assert_true((a->type == OPT_FLAG) == (b->type == OPT_FLAG));
			if (name)
				assert_int_equal(a->at, b->at);
		}
	}
}

static void every_command_has_its_options(void **state)
{
	for (size_t i = 0; i < CMD_COUNT; i++) {
		bool repo = false, help = false, json = false;

		for (size_t j = 0; j < opt_count; j++) {
			if (!opt_for(&opt_table[j], (enum cmd_id)i))
				continue;
			repo |= strcmp(opt_table[j].name, "repo") == 0;
			help |= strcmp(opt_table[j].name, "help") == 0;
			json |= strcmp(opt_table[j].name, "json") == 0;
		}
		assert_true(help && json);
		assert_true(repo == ((cmd_table[i].flags & CMD_REPO) != 0));
	}
}

static void defaults_can_be_read(void **state)
{
	for (size_t i = 0; i < opt_count; i++) {
		struct cli_options o = {0};
		struct err e;

		if (opt_table[i].dflt)
			assert_int_equal(opt_set(&opt_table[i], opt_table[i].dflt, &o, &e), 0);
	}
}

static void variables_are_named_alike(void **state)
{
	char name[64];

	for (size_t i = 0; i < opt_count; i++) {
		opt_env_name(&opt_table[i], name);
		if (opt_table[i].flags & OPT_NO_ENV)
			assert_string_equal(name, "");
		else
			assert_true(strncmp(name, "HOLDFAST_", 9) == 0);
		if (strcmp(opt_table[i].name, "exclude-caches") == 0)
			assert_string_equal(name, "HOLDFAST_EXCLUDE_CACHES");
		/* A verification is of all places, unless one is named on the command line. */
		if (strcmp(opt_table[i].name, "repo") == 0)
			assert_string_equal(
			    name, opt_for(&opt_table[i], CMD_VERIFY) ? "" : "HOLDFAST_REPOSITORY");
	}
}

static void exit_statuses_have_meanings(void **state)
{
	for (size_t i = 0; i < CMD_COUNT; i++)
		for (const char *p = cmd_table[i].exits; p && *p;) {
			char *end;
			long n = strtol(p, &end, 10);
			bool found = false;

			assert_true(end != p);
			for (size_t j = 0; j < cmd_exits_count; j++)
				found |= cmd_exits[j].status == n;
			assert_true(found);
			p = end;
		}
}

static void help_fits_its_width_and_tells_all(void **state)
{
	for (size_t i = 0; i < CMD_COUNT; i++) {
		struct buf b = {0};
		const char *p, *examples;

		help_command(&b, &cmd_table[i], 80);
		p = buf_cstr(&b);
		examples = strstr(p, "\nExamples:");
		assert_non_null(examples);
		for (size_t j = 0; j < opt_count; j++) {
			char word[64];

			snprintf(word, sizeof word, "--%s", opt_table[j].name);
			if (opt_for(&opt_table[j], (enum cmd_id)i))
				assert_non_null(strstr(p, word));
		}
		while (p < examples) {
			assert_true(strcspn(p, "\n") <= 80);
			p += strcspn(p, "\n") + 1;
		}
		buf_fini(&b);
	}
}

static void manual_and_completion_know_every_option(void **state)
{
	struct buf b = {0};

	completion_bash(&b);
	for (size_t i = 0; i < opt_count; i++)
		assert_non_null(strstr(buf_cstr(&b), opt_table[i].name));
	for (size_t i = 0; i < CMD_COUNT; i++) {
		struct buf m = {0};

		assert_non_null(strstr(buf_cstr(&b), cmd_table[i].name));
		man_page(&m, &cmd_table[i]);
		assert_non_null(strstr(buf_cstr(&m), ".SH EXIT STATUS"));
		assert_non_null(strstr(buf_cstr(&m), ".SH OPTIONS"));
		buf_fini(&m);
	}
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(commands_are_whole),
	    cmocka_unit_test(options_are_whole),
	    cmocka_unit_test(a_name_or_letter_is_one_thing),
	    cmocka_unit_test(every_command_has_its_options),
	    cmocka_unit_test(defaults_can_be_read),
	    cmocka_unit_test(variables_are_named_alike),
	    cmocka_unit_test(exit_statuses_have_meanings),
	    cmocka_unit_test(help_fits_its_width_and_tells_all),
	    cmocka_unit_test(manual_and_completion_know_every_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
