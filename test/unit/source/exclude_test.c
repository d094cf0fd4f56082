#include "source_unit.h"

#include <sys/wait.h>
#include <time.h>

static const struct {
	const char *pattern, *path;
	bool dir, out;
} cases[] = {
    /* no slash: any depth */
    {"foo", "/foo", false, true},
    {"foo", "/a/b/foo", false, true},
    {"foo", "/a/foobar", false, false},
    {"foo", "/a/xfoo", false, false},
    {"foo", "/foo/bar", false, false},
    {"*.o", "/a/b.o", false, true},
    {"*.o", "/a/.o", false, true},
    {"*.o", "/a/b.oo", false, false},
    {"*", "/a/b", false, true},
    {"**", "/a/b", false, true},
    {"a*b*c", "/aXbYc", false, true},
    {"a*b*c", "/acb", false, false},
    {"a**c", "/abbc", false, true},
    {"a?c", "/abc", false, true},
    {"a?c", "/ac", false, false},
    {"a?c", "/abbc", false, false},
    {"?", "/\xff", false, true},
    {"\xfe*", "/x/\xfe\xff", false, true},
    {"FOO", "/foo", false, false},
    /* a slash at the end: directories */
    {"foo/", "/a/foo", true, true},
    {"foo/", "/a/foo", false, false},
    {"/foo/", "/foo", true, true},
    {"/foo/", "/a/foo", true, false},
    {"a/b/", "/a/b", true, true},
    {"a/b/", "/a/b", false, false},
    {"foo//", "/foo", true, false},
    /* a slash at the start or inside: anchored */
    {"/foo", "/foo", false, true},
    {"/foo", "/a/foo", false, false},
    {"a/b", "/a/b", false, true},
    {"a/b", "/x/a/b", false, false},
    {"a/*", "/a/b", false, true},
    {"a/*", "/a/b/c", false, false},
    {"a/*/c", "/a/b/c", false, true},
    {"a/*/c", "/a/b/b/c", false, false},
    {"a/?/c", "/a/b/c", false, true},
    {"/*.c", "/x.c", false, true},
    {"/*.c", "/a/x.c", false, false},
    {"//foo", "/foo", false, false},
    {"a//b", "/a/b", false, false},
    /* two stars */
    {"**/foo", "/foo", false, true},
    {"**/foo", "/a/b/foo", false, true},
    {"**/foo", "/a/b/foo/c", false, false},
    {"**/a/b", "/x/y/a/b", false, true},
    {"**/a/b", "/x/a/y/b", false, false},
    {"**/a/b", "/a/a/b", false, true},
    {"a/**", "/a/b/c", false, true},
    {"a/**", "/a", true, false},
    {"a/**", "/b/a/c", false, false},
    {"a/**/b", "/a/b", false, true},
    {"a/**/b", "/a/x/b", false, true},
    {"a/**/b", "/a/x/y/b", false, true},
    {"a/**/b", "/a/x/y/c", false, false},
    {"a/**/b/**/c", "/a/b/x/b/y/c", false, true},
    {"a/**/**/b", "/a/b", false, true},
    {"/**", "/a/b", false, true},
    {"**/", "/a/b", true, true},
    {"**/", "/a/b", false, false},
    {"a/**b", "/a/xb", false, true},
    {"a/**b", "/a/x/b", false, false},
    {"**/x/**/y", "/q/x/x/r/y", false, true},
    /* classes */
    {"[ab]", "/b", false, true},
    {"[ab]", "/c", false, false},
    {"[!ab]", "/c", false, true},
    {"[^ab]", "/a", false, false},
    {"[a-c]x", "/bx", false, true},
    {"[a-c]x", "/dx", false, false},
    {"[]a]", "/]", false, true},
    {"[!]a]", "/]", false, false},
    {"[a-]", "/-", false, true},
    {"[\\]]", "/]", false, true},
    {"[[:digit:]]", "/7", false, true},
    {"[[:digit:]]", "/x", false, false},
    {"[![:space:]x]", "/y", false, true},
    {"a[/]b", "/a/b", false, false},
    {"[\xf0-\xff]", "/\xfe", false, true},
    {"/a[!x]b", "/a/b", false, false},
    /* quoting */
    {"\\*", "/*", false, true},
    {"\\*", "/a", false, false},
    {"\\!a", "/!a", false, true},
    {"\\#a", "/#a", false, true},
    {"a\\/b", "/a/b", false, true},
    {"a\\ ", "/a ", false, true},
    {"/", "/a", true, false},
    {"", "/a", false, false},
};

static void each_rule_of_gitignore_holds(void **state)
{
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct exclude *x = exclude_new();
		struct err e;

		if (exclude_add(x, cases[i].pattern, "t", &e) == -1)
			fail_msg("%s: %s", cases[i].pattern, e.msg);
		if ((exclude_match(x, cases[i].path, cases[i].dir) != NULL) != cases[i].out)
			fail_msg("%s against %s", cases[i].pattern, cases[i].path);
		exclude_free(x);
	}
}

static void the_last_match_wins_and_is_named(void **state)
{
	struct exclude *x = exclude_new();
	struct err e;

	assert_int_equal(exclude_add(x, "*.log", "--exclude", &e), 0);
	assert_int_equal(exclude_add(x, "!keep.log", "--exclude", &e), 0);
	assert_int_equal(exclude_add(x, "/old/keep.log", "rules:3", &e), 0);
	assert_string_equal(exclude_match(x, "/a.log", false), "--exclude: *.log");
	assert_null(exclude_match(x, "/a/keep.log", false));
	assert_string_equal(exclude_match(x, "/old/keep.log", false), "rules:3: /old/keep.log");
	assert_null(exclude_match(x, "/", true));
	exclude_free(x);
	exclude_free(NULL);
}

static void patterns_that_cannot_match_are_refused(void **state)
{
	static const char *const bad[] = {
	    "a[", "[a", "[]", "[!]", "a\\", "[[:nope:]]", "[a-", "[\\"};
	struct exclude *x = exclude_new();
	struct err e;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(exclude_add(x, bad[i], "o", &e), -1);
		assert_int_equal(e.kind, ERR_USAGE);
		assert_non_null(strstr(e.msg, "o: "));
	}
	exclude_free(x);
}

static void a_file_has_comments_blanks_and_line_numbers(void **state)
{
	struct fix *f = *state;
	struct exclude *x = exclude_new();

	put(f, "rules", "\xef\xbb\xbf# no\n\n*.a  \r\nb\\ \n!c.a\n\\#d\n[x\n");
	FAILS(f, ERR_USAGE, exclude_add_file(x, at(f, "rules"), &f->e));
	assert_non_null(strstr(f->e.msg, "rules:7: [x"));
	assert_non_null(exclude_match(x, "/q.a", false));
	assert_non_null(strstr(exclude_match(x, "/q.a", false), "rules:3: *.a"));
	assert_non_null(exclude_match(x, "/b ", false));
	assert_null(exclude_match(x, "/c.a", false));
	assert_non_null(exclude_match(x, "/#d", false));
	assert_null(exclude_match(x, "/# no", false));
	FAILS(f, ERR_ABSENT, exclude_add_file(x, at(f, "none"), &f->e));
	exclude_free(x);
}

static void hostile_patterns_cost_no_more_than_their_size(void **state)
{
	struct exclude *x = exclude_new();
	char pattern[3000], path[4000];
	struct err e;

	alarm(60);
	for (size_t i = 0; i + 2 < sizeof pattern; i += 2)
		memcpy(pattern + i, "a*", 3);
	strcat(pattern, "b");
	memset(path, 'a', sizeof path - 1);
	path[0] = '/';
	path[sizeof path - 1] = '\0';
	assert_int_equal(exclude_add(x, pattern, "o", &e), 0);
	assert_null(exclude_match(x, path, false));
	for (size_t i = 0; i + 5 < sizeof pattern; i += 5)
		memcpy(pattern + i, "**/a/", 6);
	strcat(pattern, "b");
	for (size_t i = 0; i + 2 < sizeof path; i += 2)
		memcpy(path + i, "/a", 3);
	assert_int_equal(exclude_add(x, pattern, "o", &e), 0);
	assert_null(exclude_match(x, path, false));
	alarm(0);
	exclude_free(x);
}

/* The tree that git is asked about; directories end in "/". */
static const char *const tree[] = {"a/", "a/a", "a/b/", "a/b/a", "a/b/b/", "a/b/b/a", "a/b/b/b",
    "a/b/c", "a/ab", "b/", "b/a/", "b/a/a", "b/a/b/", "b/a/b/a", "b/a/b/c", "b/b", "b/aab", "c",
    "aa", "ab", "a.b", "a-b", "ba/", "ba/a", "ba/b/", "ba/b/ab", "a*b", "a]", "[a", "!a", "a\\b",
    "abab", "abba", "-", "ca/", "ca/ca/", "ca/ca/b", "ca/b"};
enum { TREE = sizeof tree / sizeof tree[0] };

static bool left_out(const struct exclude *x, const char *rel)
{
	char path[64];
	size_t n = (size_t)snprintf(path, sizeof path, "/%s", rel);
	bool is_dir = path[n - 1] == '/';

	path[n - is_dir] = '\0';
	for (char *p = path + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (exclude_match(x, path, true))
			return true;
		*p = '/';
	}
	return exclude_match(x, path, is_dir) != NULL;
}

/*
 * Git takes the literal bytes in front off before it looks for "**", so that
 * in "a**" and "/b" the stars seem to stand alone.  Its manual says otherwise, and
 * so do we: such patterns, and "**" before a quoted slash, are not compared.
 */
static bool is_quirk(const char *pattern)
{
	const char *body = pattern + (*pattern == '!');

	for (const char *p = strstr(body, "**"); p != NULL; p = strstr(p + 1, "**"))
		if ((p > body && p[-1] != '/' && p[-1] != '*') || strstr(p, "*\\/") != NULL)
			return strchr(body, '/') != NULL;
	return false;
}

static void random_pattern(uint64_t *seed, char *out)
{
	static const char *const bits[] = {"a", "b", "c", "a", "b", "*", "*", "**", "**/", "/**",
	    "/", "/", "?", "[ab]", "[!a]", "[a-c]", "[^b-]", "\\*", "\\a", "[", "]", "!", ".", "-",
	    "[[:alpha:]]", "\\", "[]a]", "/**/"};
	unsigned n = 1 + unit_rand(seed) % 5;

	out[0] = '\0';
	if (unit_rand(seed) % 6 == 0)
		strcat(out, "!");
	for (unsigned i = 0; i < n; i++)
		strcat(out, bits[unit_rand(seed) % (sizeof bits / sizeof bits[0])]);
}

static bool is_name(const char *in_tree, const char *name)
{
	size_t n = strlen(name);

	return strncmp(in_tree, name, n) == 0 &&
	       (in_tree[n] == '\0' || strcmp(in_tree + n, "/") == 0);
}

static void ask_git(const struct fix *f, bool *out)
{
	char *cmd = mem_printf("cd '%s' && GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 "
			       "git check-ignore --no-index -z --stdin <names",
	    f->dir);
	FILE *p = popen(cmd, "r");
	char *line = NULL;
	size_t cap = 0;

	assert_non_null(p);
	memset(out, 0, TREE * sizeof *out);
	while (getdelim(&line, &cap, '\0', p) > 0)
		for (size_t i = 0; i < TREE; i++)
			out[i] = out[i] || is_name(tree[i], line);
	pclose(p);
	free(line);
	free(cmd);
}

static void verdicts_are_those_of_git(void **state)
{
	struct fix *f = *state;
	char *cmd = mem_printf("git init -q '%s' 2>/dev/null", f->dir);
	const char *given = getenv("HF_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : 20260401;
	time_t end = time(NULL) + 2;
	unsigned rounds = 0, hits = 0;
	FILE *names;

	if (system(cmd) != 0) {
		free(cmd);
		skip();
	}
	free(cmd);
	printf("# seed %llu\n", (unsigned long long)seed);
	names = fopen(at(f, "names"), "w");
	for (size_t i = 0; i < TREE; i++) {
		size_t n = strlen(tree[i]);

		/* Without the slash: git looks for itself whether it is a directory. */
		fprintf(names, "%.*s%c", (int)(n - (tree[i][n - 1] == '/')), tree[i], 0);
		if (tree[i][n - 1] == '/')
			dir(f, tree[i]);
		else
			put(f, tree[i], "");
	}
	fclose(names);
	for (; rounds < 300 && time(NULL) <= end; rounds++) {
		struct exclude *x = exclude_new();
		char rules[512] = "", one[64];
		bool git[TREE];

		for (unsigned k = 1 + unit_rand(&seed) % 3; k > 0; k--) {
			do
				random_pattern(&seed, one);
			while (is_quirk(one));
			strcat(strcat(rules, one), "\n");
			/* What we refuse must be what git never matches: it stays in its file. */
			(void)!exclude_add(x, one, "o", &f->e);
		}
		put(f, ".gitignore", rules);
		ask_git(f, git);
		for (size_t i = 0; i < TREE; i++) {
			hits += git[i];
			if (git[i] != left_out(x, tree[i]))
				fail_msg("git says %d of %s, rules:\n%s", git[i], tree[i], rules);
		}
		exclude_free(x);
	}
	printf("# %u rounds, %u left out\n", rounds, hits);
	assert_true(hits > 0);
}

static void idle_rules_are_those_that_decided_nothing(void **state)
{
	struct exclude *x = exclude_new();
	struct exclude_idle idle;
	struct err e;
	size_t at = 0;

	assert_int_equal(exclude_add(x, "*.o", "t", &e), 0);
	assert_int_equal(exclude_add(x, "sub/deep", "t", &e), 0);
	assert_int_equal(exclude_add(x, "/gone", "t", &e), 0);
	assert_int_equal(exclude_add(x, "**/b/c", "t", &e), 0);
	assert_int_equal(exclude_add(x, "!keep", "t", &e), 0);
	assert_non_null(exclude_match(x, "/a/x.o", false));
	assert_null(exclude_match(x, "/a/sub/deep", false));
	assert_true(exclude_next_idle(x, &at, &idle));
	assert_string_equal(idle.pattern, "sub/deep");
	assert_string_equal(idle.text, "t: sub/deep");
	assert_true(idle.relative);
	assert_true(exclude_next_idle(x, &at, &idle));
	assert_string_equal(idle.pattern, "/gone");
	assert_false(idle.relative);
	assert_true(exclude_next_idle(x, &at, &idle));
	assert_false(idle.relative);
	assert_false(exclude_next_idle(x, &at, &idle));
	exclude_free(x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_rule_of_gitignore_holds),
	    cmocka_unit_test(the_last_match_wins_and_is_named),
	    cmocka_unit_test(patterns_that_cannot_match_are_refused),
	    cmocka_unit_test_setup_teardown(
		a_file_has_comments_blanks_and_line_numbers, fix_setup, fix_teardown),
	    cmocka_unit_test(hostile_patterns_cost_no_more_than_their_size),
	    cmocka_unit_test_setup_teardown(verdicts_are_those_of_git, fix_setup, fix_teardown),
	    cmocka_unit_test(idle_rules_are_those_that_decided_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
