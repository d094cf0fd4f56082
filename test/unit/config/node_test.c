/* node: what is read, with its place; what is refused. */
#include "unit/unit.h"

#include "base/buf.h"
#include "base/mem.h"
#include "config/node.h"

static struct node *parse(const char *text)
{
	struct node *n;
	struct err e = {0};

	if (node_parse(span_str(text), "f.yaml", &n, &e) == -1)
		fail_msg("%s", e.msg);
	return n;
}

static void refused(struct span text, const char *message)
{
	struct node *n;
	struct err e = {0};

	if (node_parse(text, "f.yaml", &n, &e) == 0)
		fail_msg("taken; wanted: %s", message);
	assert_null(n);
	assert_int_equal(e.kind, ERR_USAGE);
	if (strstr(e.msg, message) == NULL)
		fail_msg("'%s' lacks '%s'", e.msg, message);
}

static void each_value_knows_where_it_stands(void **state)
{
	struct node *n = parse("a:\n  b: [1, \"two\"]\n  c: {d: x}\n");
	struct node *b = node_get(node_get(n, "a"), "b");

	assert_int_equal(b->kind, NODE_LIST);
	assert_int_equal(b->name_at.line, 2);
	assert_int_equal(b->name_at.column, 3);
	assert_int_equal(b->n, 2);
	assert_string_equal(b->last->text, "two");
	assert_true(b->last->quoted);
	assert_int_equal(b->last->at.column, 10);
	assert_string_equal(node_get(node_get(node_get(n, "a"), "c"), "d")->text, "x");
	node_free(n);
}

static void an_empty_text_declares_nothing(void **state)
{
	static const char *const empty[] = {"", "# only words\n", "---\n", "\n\n"};

	for (size_t i = 0; i < 4; i++) {
		struct node *n = parse(empty[i]);

		assert_int_equal(n->kind, NODE_MAP);
		assert_int_equal(n->n, 0);
		node_free(n);
	}
}

static void what_comes_later_goes_before_what_came_first(void **state)
{
	struct node *n = parse("a: {b: 1, c: 2}\nd: [x, y]\n");

	node_merge(n, parse("a: {c: 3, e: 4}\nd: [z]\nf: 5\n"));
	assert_string_equal(node_get(node_get(n, "a"), "b")->text, "1");
	assert_string_equal(node_get(node_get(n, "a"), "c")->text, "3");
	assert_string_equal(node_get(node_get(n, "a"), "e")->text, "4");
	assert_int_equal(node_get(n, "d")->n, 1);
	assert_string_equal(node_get(n, "f")->text, "5");
	node_merge(n, parse("a: 1\n"));
	assert_int_equal(node_get(n, "a")->kind, NODE_TEXT);
	node_set(n, "a", "2", (struct node_at){"env", 0, 0});
	assert_string_equal(node_get(n, "a")->text, "2");
	node_free(n);
}

static void hostile_texts_are_refused_with_their_place(void **state)
{
	static const struct {
		const char *text, *message;
	} bad[] = {
	    {"a: 1\na: 2\n", "f.yaml:2:1: 'a' stands here twice, first in line 1"},
	    {"a: &x 1\nb: *x\n", "f.yaml:1:4: anchors"},
	    {"a: *x\n", "f.yaml:1:4: aliases"},
	    {"a: [&x [1], *x]\n", "anchors"},
	    {"a: !!python/object x\n", "f.yaml:1:4: anchors (&) and tags"},
	    {"a: !t {b: 1}\n", "tags"},
	    {"<<: {a: 1}\n", "merge keys"},
	    {"a: 1\n--- \nb: 2\n", "a second document"},
	    {"a:\n\tb: 1\n", "f.yaml:2:1"},
	    {"[1, 2]\n", "it begins with a value"},
	    {"hello\n", "it begins with a value"},
	    {"{[a]: 1}\n", "a name has to be a text"},
	    {"a: [1\n", "f.yaml:2"},
	    {"a: \"x\\0y\"\n", "NUL"},
	    {"\"x\\0y\": 1\n", "NUL"},
	    {"a: \xff\xfe\n", "f.yaml:1:1"},
	    {"a: 1\nb: \xc3(\n", "f.yaml:2:1"},
	    {"a: \x01\n", "f.yaml:1:1"},
	    {"%YAML 9.9\n---\na: 1\n", "f.yaml:1"},
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		refused(span_str(bad[i].text), bad[i].message);
	refused(span_of("a: x\0y\n", 7), "f.yaml:1:1");
	refused(span_of("\xff\xfe\x61\0:\0 \0b\0", 10), "f.yaml:1:1");
}

static void tabs_are_named(void **state)
{
	struct node *n;
	struct err e = {0};

	assert_int_equal(node_parse(span_str("a:\n\tb: 1\n"), "f", &n, &e), -1);
	assert_non_null(strstr(e.hint, "no tabs"));
}

static void repeated(const char *unit, size_t times, const char *tail, const char *message)
{
	struct buf b = {0};

	for (size_t i = 0; i < times; i++)
		buf_put(&b, unit, strlen(unit));
	buf_put(&b, tail, strlen(tail));
	refused(buf_span(&b), message);
	buf_fini(&b);
}

static void what_is_too_large_is_refused(void **state)
{
	struct buf b = {0};

	repeated("{a: ", 100000, "", "more than 16 levels deep");
	repeated("- ", 100000, "", "more than 16 levels deep");
	repeated("#2345678\n", NODE_FILE_MAX / 9 + 1, "", "more than 4 MiB");
	for (int i = 0; i <= NODE_NAMES_MAX; i++)
		buf_printf(&b, "n%d: 1\n", i);
	refused(buf_span(&b), "more than 10000 in one place");
	buf_reset(&b);
	for (int i = 0; i < 20; i++) {
		buf_printf(&b, "n%d: [0", i);
		for (int j = 0; j < 9000; j++)
			buf_put(&b, ",1", 2);
		buf_put(&b, "]\n", 2);
	}
	refused(buf_span(&b), "more than 100000 values");
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_value_knows_where_it_stands),
	    cmocka_unit_test(an_empty_text_declares_nothing),
	    cmocka_unit_test(what_comes_later_goes_before_what_came_first),
	    cmocka_unit_test(hostile_texts_are_refused_with_their_place),
	    cmocka_unit_test(tabs_are_named),
	    cmocka_unit_test(what_is_too_large_is_refused),
	};

	return cmocka_run_group_tests_name("node", tests, NULL, NULL);
}
