/* notify_router_state: what is pending survives a restart; what is damaged is refused whole. */
#include "router.h"

static const struct notify_route routes[] = {
    {.channel = "team", .dedupe_ns = H, .max_per_hour = 2, .fallback = "boss"},
    {.channel = "boss", .least = NOTIFY_CRITICAL},
    {.channel = "alive", .states = true, .every_ns = MIN},
};

/* One in line that failed once, one under way, one held, one that was counted. */
static struct notify_router *busy(void)
{
	struct notify_router *r = notify_router_new(routes, 3, NULL, NULL);
	static const struct notify_field fields[] = {{"size", "1"}, {"n\xc3\xa4me", "\"quoted\""}};
	struct notify_message m = message("first", NOTIFY_CRITICAL);

	m.fields = fields;
	m.nfields = 2;
	push(r, m, T0);
	push(r, message("first", NOTIFY_WARNING), T0 + 1);
	m.key = "other", m.subject = "second";
	push(r, m, T0 + 2);
	m.key = "third", m.subject = "third";
	push(r, m, T0 + 3);
	fails(r, T0 + 4, ERR_BUSY, 0);
	return r;
}

static void a_router_goes_on_where_the_last_one_ended(void **state)
{
	struct notify_router *a = busy(), *b = notify_router_new(routes, 3, NULL, NULL);
	struct buf x = {0}, y = {0};
	char *text, *again;
	struct err e;

	text = notify_router_save(a);
	assert_int_equal(notify_router_load(b, text, &e), 0);
	again = notify_router_save(b);
	assert_string_equal(text, again);
	assert_true(notify_router_next(a) == notify_router_next(b));
	for (int64_t now = T0 + 5; now < T0 + 3 * H; now += 10 * MIN) {
		send_all(a, now, &x);
		send_all(b, now, &y);
	}
	assert_string_equal(buf_cstr(&x), buf_cstr(&y));
	assert_non_null(strstr(buf_cstr(&x), "team: first\nteam: second\n"));
	assert_non_null(strstr(buf_cstr(&x), "team: third\n"));
	assert_non_null(strstr(buf_cstr(&x), "1 more time: first"));
	notify_router_free(a);
	notify_router_free(b);
	buf_fini(&x);
	buf_fini(&y);
	free(text);
	free(again);
}

static void what_was_under_way_is_sent_again_with_its_id(void **state)
{
	struct notify_router *a = notify_router_new(routes, 1, NULL, NULL),
			     *b = notify_router_new(routes, 1, NULL, NULL);
	struct notify_delivery *d, *twice;
	char *text;
	struct err e;

	push(a, message("x", NOTIFY_WARNING), T0);
	d = notify_router_take(a, T0);
	text = notify_router_save(a);
	assert_int_equal(notify_router_load(b, text, &e), 0);
	twice = notify_router_take(b, T0);
	assert_non_null(twice);
	assert_string_equal(d->message->id, twice->message->id);
	assert_int_equal(strlen(d->message->id), 32);
	assert_int_equal(twice->attempt, 2);
	/* The configuration was read again while a worker was at it: it may be done at either. */
	notify_router_done(b, d, NULL, T0);
	assert_int_equal(notify_router_pending(b), 0);
	notify_router_done(b, twice, NULL, T0);
	notify_router_free(a);
	notify_router_free(b);
	free(text);
}

static void channels_that_are_no_more_are_forgotten(void **state)
{
	struct notify_router *a = busy(), *b = notify_router_new(routes + 1, 1, NULL, NULL);
	char *text = notify_router_save(a);
	struct err e;

	assert_int_equal(notify_router_load(b, text, &e), 0);
	sent(b, T0 + H, "boss: first\nboss: second\nboss: third\n"); /* the critical ones */
	notify_router_free(a);
	notify_router_free(b);
	free(text);
}

/* Every prefix, and every change of one byte, is taken whole or not at all. */
static void what_is_damaged_is_refused_and_nothing_of_it_taken(void **state)
{
	static const struct {
		const char *text;
		enum err_kind kind;
	} bad[] = {
	    {"", ERR_CORRUPT},
	    {"null", ERR_CORRUPT},
	    {"[]", ERR_CORRUPT},
	    {"{}", ERR_CORRUPT},
	    {"{\"version\":2}", ERR_LATER},
	    {"{\"version\":1,\"next\":-1,\"channels\":{},\"line\":[]}", ERR_CORRUPT},
	    {"{\"version\":1,\"next\":1,\"channels\":[],\"line\":[]}", ERR_CORRUPT},
	    {"{\"version\":1,\"next\":1,\"channels\":{\"team\":{}},\"line\":[]}", ERR_CORRUPT},
	    {"{\"version\":1,\"next\":1,\"channels\":{},\"line\":[{}]}", ERR_CORRUPT},
	};
	struct notify_router *a = busy(), *b = notify_router_new(routes, 3, NULL, NULL);
	char *text = notify_router_save(a), *was = notify_router_save(b), *is;
	size_t n = strlen(text);
	struct err e;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		if (notify_router_load(b, bad[i].text, &e) != -1)
			fail_msg("taken: %s", bad[i].text);
		assert_int_equal(e.kind, bad[i].kind);
	}
	for (size_t i = 0; i < n; i++) {
		char c = text[i];

		text[i] = '\0';
		assert_int_equal(notify_router_load(b, text, &e), -1);
		text[i] = c;
	}
	is = notify_router_save(b);
	assert_string_equal(is, was);
	notify_router_free(a);
	notify_router_free(b);
	free(text);
	free(was);
	free(is);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_router_goes_on_where_the_last_one_ended),
	    cmocka_unit_test(what_was_under_way_is_sent_again_with_its_id),
	    cmocka_unit_test(channels_that_are_no_more_are_forgotten),
	    cmocka_unit_test(what_is_damaged_is_refused_and_nothing_of_it_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
