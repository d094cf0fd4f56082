/* sheet: what is printed comes back, however long it is; what is refused leaves nothing. */
#include "make_repo.h"

#include "repo/sheet.h"

static void a_sheet_of_any_config_comes_back(void **state)
{
	static const size_t sizes[] = {1, 30, 29000, 31000, 1 << 20, 4 << 20};

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct buf bytes = {0}, text = {0}, got = {0};
		uint64_t seed = i;
		struct err e;

		/* Random bytes are those that compress least. */
		unit_rand_fill(&seed, buf_extend(&bytes, sizes[i]), sizes[i]);
		sheet_encode(SHEET_CONFIG, buf_span(&bytes), &text);
		assert_int_equal(sheet_decode(SHEET_CONFIG, buf_span(&text), &got, &e), 1);
		assert_int_equal(got.n, bytes.n);
		assert_memory_equal(got.p, bytes.p, got.n);
		buf_fini(&bytes);
		buf_fini(&text);
		buf_fini(&got);
	}
}

static struct repo *make_with_sheet(char place[32], struct buf *sheet)
{
	static struct ctx ctx;
	static struct make_events events;
	struct repo *r;
	struct err e;

	make_ctx(&ctx, &events);
	r = make_repo(&ctx, place, NULL);
	OK(sheet_export(r, true, sheet, &e));
	return r;
}

static void a_sheet_of_elsewhere_puts_no_key_back(void **state)
{
	struct buf sheet = {0}, ours = {0};
	struct sheet_import done;
	char a[32], b[32];
	struct repo *r;
	struct err e;

	repo_close(make_with_sheet(a, &sheet));
	r = make_with_sheet(b, &ours);
	FAILS(sheet_import(r->store, buf_span(&sheet), r->ctx, &done, &e), ERR_EXISTS);
	assert_int_equal(make_count(r, "keys/"), 1);
	FAILS(sheet_import(r->store, buf_span(&ours), r->ctx, &done, &e), ERR_EXISTS);
	repo_close(r);
	buf_fini(&sheet);
	buf_fini(&ours);
}

static void an_unsigned_config_leaves_the_store_as_it_was(void **state)
{
	struct buf sheet = {0}, text = {0};
	struct sheet_import done;
	struct store *s = make_store("unsigned", true);
	size_t n = 0;
	char place[32];
	struct ctx ctx = {.clock = NULL};
	struct err e;

	repo_close(make_with_sheet(place, &sheet));
	sheet_encode(SHEET_CONFIG, span_str("{}"), &text);
	/* The key's lines of the sheet, and another's config. */
	buf_put_span(&text, span_str(strstr(buf_cstr(&sheet), "\nK01")));
	FAILS(sheet_import(s, buf_span(&text), &ctx, &done, &e), ERR_USAGE);
	OK(store_list(s, "", make_count_visit, &n, &e));
	assert_int_equal(n, 0);
	store_close(s);
	buf_fini(&sheet);
	buf_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_sheet_of_any_config_comes_back),
	    cmocka_unit_test(a_sheet_of_elsewhere_puts_no_key_back),
	    cmocka_unit_test(an_unsigned_config_leaves_the_store_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
