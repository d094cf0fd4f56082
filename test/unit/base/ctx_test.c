#include "unit/unit.h"

#include "base/ctx.h"

static void the_table_of_events_is_well_formed(void **state)
{
	for (int i = 0; i < EVENT_COUNT; i++) {
		const struct event_info *t = event_info((enum event_id)i);

		assert_int_equal(t->id, i);
		assert_non_null(t->name);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(t->name, event_info((enum event_id)j)->name);
	}
}

static void keep(struct ctx *ctx, const struct event *ev)
{
	snprintf(
	    ctx->sink_arg, 64, "%d|%.*s|%s", (int)ev->id, (int)ev->path.n, ev->path.p, ev->text);
}

static void events_reach_the_sink(void **state)
{
	char got[64] = "", want[64];
	struct ctx ctx = {0};

	event_emit(&ctx, EVENT_NOTICE, span_str("p"), "nobody listens");
	ctx.sink = keep;
	ctx.sink_arg = got;
	event_emit(&ctx, EVENT_FILE_FAILED, span_str("/a"), "no %d", 5);
	snprintf(want, sizeof want, "%d|/a|no 5", EVENT_FILE_FAILED);
	assert_string_equal(got, want);
}

static void cancel_is_an_error_of_its_own(void **state)
{
	struct ctx ctx = {0};
	struct err e;

	assert_int_equal(ctx_check(&ctx, &e), 0);
	ctx.cancel = true;
	assert_int_equal(ctx_check(&ctx, &e), -1);
	assert_int_equal(e.kind, ERR_CANCELLED);
}

static void check_item(const char *path, const char *want)
{
	struct ctx ctx = {0};
	char got[300];

	ctx_item(&ctx, span_str(path));
	ctx_item_get(&ctx, got, sizeof got);
	assert_string_equal(got, want);
}

static void an_item_cannot_steer_a_terminal(void **state)
{
	check_item("", "");
	check_item("a b", "a b");
	check_item("a\x1b[31m\n\x7f", "a?[31m??");
	check_item("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
	    "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
	check_item("\xff\x80 \xc2\x9b"
		   "31m \xc3",
	    "?? ??31m ?");
}

static void a_long_item_is_cut(void **state)
{
	struct ctx ctx = {0};
	char path[1000], got[1000], small[4];

	memset(path, 'x', sizeof path);
	ctx_item(&ctx, span_of(path, sizeof path));
	ctx_item_get(&ctx, got, sizeof got);
	assert_int_equal(strlen(got), sizeof ctx.progress.item - 1);
	ctx_item_get(&ctx, small, sizeof small);
	assert_string_equal(small, "xxx");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_table_of_events_is_well_formed),
	    cmocka_unit_test(events_reach_the_sink),
	    cmocka_unit_test(cancel_is_an_error_of_its_own),
	    cmocka_unit_test(an_item_cannot_steer_a_terminal),
	    cmocka_unit_test(a_long_item_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
