/* The parser: where options may stand, and what is refused with which hint. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <string.h>

#include "cli/cli.h"
#include "os/os.h"

static struct cli_options opt;
static struct cli_args args;
static struct err err;

#define PARSE(...) parse((const char *[]){"holdfast", __VA_ARGS__, NULL}, NULL)

static int parse(const char **argv, char *(*env)(const char *))
{
	int n = 0;

	while (argv[n])
		n++;
	cli_parse_fini(&opt, &args);
	err_clear(&err);
	return cli_parse(n, (char *const *)argv, env, &opt, &args, &err);
}

static void options_stand_before_and_after(void **state)
{
	assert_int_equal(
	    PARSE("-r", "/x", "-q", "backup", "/etc", "--tag=a", "/home", "--tag", "b"), 0);
	assert_int_equal(args.cmd->id, CMD_BACKUP);
	assert_string_equal(opt.repo, "/x");
	assert_true(opt.quiet);
	assert_int_equal(args.n, 2);
	assert_string_equal(args.v[1], "/home");
	assert_int_equal(opt.tags.n, 2);
	assert_string_equal(opt.tags.v[1], "b");
}

static void an_options_value_is_never_the_command(void **state)
{
	assert_int_equal(PARSE("--tag", "backup", "snapshots"), 0);
	assert_int_equal(args.cmd->id, CMD_SNAPSHOTS);
	assert_string_equal(opt.tags.v[0], "backup");
}

static void short_options_cluster(void **state)
{
	assert_int_equal(PARSE("backup", "-xnvr/repo", "/"), 0);
	assert_true(opt.one_file_system && opt.dry_run && opt.verbose);
	assert_string_equal(opt.repo, "/repo");
	assert_int_equal(PARSE("backup", "-e", "-n", "/"), 0);
	assert_string_equal(opt.exclude.v[0], "-n");
	assert_false(opt.dry_run);
}

static void two_dashes_end_the_options(void **state)
{
	assert_int_equal(PARSE("backup", "--", "--tag", "-x"), 0);
	assert_int_equal(args.n, 2);
	assert_string_equal(args.v[0], "--tag");
	assert_false(opt.one_file_system);
	assert_int_equal(PARSE("backup", "-"), 0);
	assert_string_equal(args.v[0], "-");
}

static void unknown_words_get_a_hint(void **state)
{
	assert_int_equal(PARSE("bakup"), -1);
	assert_int_equal(err.kind, ERR_USAGE);
	assert_non_null(strstr(err.hint, "'backup'"));
	assert_int_equal(PARSE("snap"), -1);
	assert_non_null(strstr(err.hint, "'snapshots'"));
	assert_int_equal(PARSE("backup", "--exclde=x"), -1);
	assert_non_null(strstr(err.hint, "--exclude"));
	assert_int_equal(PARSE("xyzzyplugh"), -1);
	assert_null(strstr(err.hint, "did you mean"));
	assert_int_equal(PARSE("check", "--keep-last", "3"), -1);
	assert_int_equal(PARSE("check", "-l"), -1);
}

static void wrong_values_are_usage_errors(void **state)
{
	assert_int_equal(PARSE("forget", "--keep-last"), -1);
	assert_int_equal(err.kind, ERR_USAGE);
	assert_int_equal(PARSE("forget", "--keep-last", "0"), -1);
	assert_int_equal(PARSE("forget", "--keep-last", "3x"), -1);
	assert_int_equal(PARSE("forget", "--keep-last=-1"), -1);
	assert_int_equal(PARSE("forget", "--prune=yes"), -1);
	assert_int_equal(PARSE("check", "--read-data-subset", "101%"), -1);
	assert_int_equal(PARSE("check", "--read-data-subset", "nan"), -1);
	assert_int_equal(PARSE("restore", "latest", "--overwrite", "sometimes"), -1);
	assert_non_null(strstr(err.hint, "if-changed"));
	assert_int_equal(PARSE("forget", "--keep-within", "3m"), -1);
	assert_non_null(strstr(err.msg, "--keep-within: "));
}

static void right_values_are_taken(void **state)
{
	assert_int_equal(PARSE("forget", "--keep-last", "unlimited", "--keep-within", "1y6mo"), 0);
	assert_int_equal(opt.keep_last, -1);
	assert_int_equal(opt.keep_within.months, 18);
	assert_int_equal(PARSE("check", "--read-data-subset", "2.5%"), 0);
	assert_true(opt.read_subset == 2.5);
	assert_int_equal(PARSE("check"), 0);
	assert_true(opt.read_subset == -1);
	assert_int_equal(PARSE("restore", "latest", "--overwrite=never", "--target", "/t"), 0);
	assert_int_equal(opt.overwrite, 1);
	assert_int_equal(PARSE("backup", "/", "--type=differential"), 0);
	assert_int_equal(opt.type, 3);
}

static void rates_are_kib_unless_they_say_otherwise(void **state)
{
	static const struct {
		const char *text;
		uint64_t rate;
	} good[] = {{"500", 512000}, {"1", 1024}, {"0", CLI_NO_LIMIT}, {"2MiB", 2097152},
	    {"20MB/s", 20000000}, {"100kB", 100000}, {"100 kB/s", 100000}, {"7/s", 7168}};
	static const char *const bad[] = {"", "fast", "-1", "1.5", "3 miles", "/s", "20MB/h",
	    "18446744073709551615", "99999999999999999999", "1kB/s/s"};

	assert_int_equal(PARSE("backup", "/"), 0);
	assert_true(opt.limit_upload == 0 && opt.limit_download == 0);
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		assert_int_equal(PARSE("backup", "/", "--limit-upload", good[i].text), 0);
		assert_true(opt.limit_upload == good[i].rate);
		assert_int_equal(PARSE("restore", "latest", "--limit-download", good[i].text), 0);
		assert_true(opt.limit_download == good[i].rate);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(PARSE("backup", "/", "--limit-upload", bad[i]), -1);
		assert_int_equal(err.kind, ERR_USAGE);
		assert_non_null(strstr(err.msg, "--limit-upload: "));
		assert_non_null(strstr(err.hint, "KiB/s"));
	}
}

static void priorities_are_validated(void **state)
{
	static const char *const nice[] = {"", "20", "-21", "low", "1x", "99999999999999999999"};
	static const char *const ionice[] = {
	    "", "idle:1", "best-effort:8", "best-effort:", "best-effort:77", "realtime", "2"};

	assert_int_equal(PARSE("prune"), 0);
	assert_int_equal(opt.nice, NICE_UNSET);
	assert_int_equal(opt.ionice, 0);
	assert_int_equal(PARSE("prune", "--nice", "19", "--ionice=idle"), 0);
	assert_int_equal(opt.nice, 19);
	assert_int_equal(opt.ionice, os_ioprio_idle());
	assert_int_equal(PARSE("check", "--nice=-20", "--ionice", "best-effort:7"), 0);
	assert_int_equal(opt.nice, -20);
	assert_int_equal(opt.ionice, os_ioprio_best(7));
	for (size_t i = 0; i < sizeof nice / sizeof *nice; i++)
		assert_int_equal(PARSE("prune", "--nice", nice[i]), -1);
	for (size_t i = 0; i < sizeof ionice / sizeof *ionice; i++)
		assert_int_equal(PARSE("prune", "--ionice", ionice[i]), -1);
	assert_non_null(strstr(err.hint, "best-effort:0"));
}

static void jobs_have_bounds(void **state)
{
	assert_int_equal(PARSE("repair", "-j", "1024"), 0);
	assert_int_equal(opt.jobs, 1024);
	assert_int_equal(PARSE("backup", "/", "--jobs", "1025"), -1);
	assert_int_equal(PARSE("backup", "/", "--jobs", "0"), -1);
	assert_int_equal(PARSE("check", "--jobs=-3"), -1);
}

static void arguments_are_counted(void **state)
{
	assert_int_equal(PARSE("cat"), -1);
	assert_non_null(strstr(err.hint, "SNAPSHOT:PATH"));
	assert_int_equal(PARSE("cat", "a", "b"), -1);
	assert_int_equal(PARSE("key", "list"), 0);
	assert_int_equal(PARSE("key", "lst"), -1);
	assert_non_null(strstr(err.hint, "list|add|remove|rotate|passwd|export|import"));
	assert_int_equal(PARSE("cat", "--help"), 0);
}

static char *some_env(const char *name)
{
	if (strcmp(name, "HOLDFAST_REPOSITORY") == 0)
		return (char *)"/env";
	if (strcmp(name, "HOLDFAST_DRY_RUN") == 0)
		return (char *)"yes";
	if (strcmp(name, "HOLDFAST_EXCLUDE") == 0)
		return (char *)"*.a\n*.b\n";
	if (strcmp(name, "HOLDFAST_KEY_FILE") == 0)
		return (char *)"/not/by/the/parser";
	return NULL;
}

static void variables_stand_in_for_options(void **state)
{
	assert_int_equal(parse((const char *[]){"holdfast", "backup", "/", NULL}, some_env), 0);
	assert_string_equal(opt.repo, "/env");
	assert_true(opt.dry_run);
	assert_int_equal(opt.exclude.n, 2);
	assert_string_equal(opt.exclude.v[1], "*.b");
	assert_null(opt.key_file);
	assert_int_equal(
	    parse((const char *[]){"holdfast", "backup", "-r/o", "-ec", "/", NULL}, some_env), 0);
	assert_string_equal(opt.repo, "/o");
	assert_int_equal(opt.exclude.n, 1);
	assert_string_equal(opt.exclude.v[0], "c");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(options_stand_before_and_after),
	    cmocka_unit_test(an_options_value_is_never_the_command),
	    cmocka_unit_test(short_options_cluster),
	    cmocka_unit_test(two_dashes_end_the_options),
	    cmocka_unit_test(unknown_words_get_a_hint),
	    cmocka_unit_test(wrong_values_are_usage_errors),
	    cmocka_unit_test(right_values_are_taken),
	    cmocka_unit_test(rates_are_kib_unless_they_say_otherwise),
	    cmocka_unit_test(priorities_are_validated),
	    cmocka_unit_test(jobs_have_bounds),
	    cmocka_unit_test(arguments_are_counted),
	    cmocka_unit_test(variables_stand_in_for_options),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	cli_parse_fini(&opt, &args);
	return rc;
}
