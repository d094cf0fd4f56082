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

/* Import what must not replace the config that is there. */
static void assert_refused(struct repo *r, struct span sheet, enum err_kind want)
{
	struct buf had = {0}, is = {0};
	struct sheet_import done;
	struct err e;

	OK(store_get_all(r->store, "config", CONFIG_MAX, &had, &e));
	FAILS(sheet_import(r->store, sheet, r->ctx, &done, &e), want);
	OK(store_get_all(r->store, "config", CONFIG_MAX, &is, &e));
	assert_true(span_eq(buf_span(&had), buf_span(&is)));
	assert_int_equal(make_count(r, "leases/"), 0);
	buf_fini(&had);
	buf_fini(&is);
}

/* Rightly signed, and newer than the sheet: that it cannot be read here makes it no wreck. */
static void a_newer_config_that_this_program_cannot_read_is_not_replaced(void **state)
{
	static const char *const later[][2] = {{"required", "[\"later\"]"}, {"format", "2"},
	    {"writers", "7"}, {"epoch", "\"later\""}, {"required_to_write", "[\"later\"]"}};

	(void)state;
	for (size_t i = 0; i < sizeof later / sizeof *later; i++) {
		struct buf sheet = {0}, text = {0};
		char place[32];
		struct repo *r = make_with_sheet(place, &sheet);

		config_text(&r->config, &text);
		make_later(r, later[i][0], later[i][1]);
		assert_refused(r, buf_span(&text), ERR_EXISTS);
		buf_fini(&sheet);
		buf_fini(&text);
		repo_close(r);
	}
}

/* Of another way: what was stored by the epoch that is there could not be opened by it. */
static void a_config_of_a_lower_epoch_replaces_none_of_a_higher(void **state)
{
	struct buf sheet = {0}, other = {0};
	char place[32];
	struct repo *r = make_with_sheet(place, &sheet);
	struct err e;

	(void)state;
	make_later(r, "revision", "9");
	OK(store_get_all(r->store, "config", CONFIG_MAX, &other, &e));
	buf_reset(&sheet);
	config_text(&r->config, &sheet);
	OK(store_put(r->store, "config", buf_span(&sheet), 0, &e));
	OK(repo_key_rotate(r, &e));
	assert_refused(r, buf_span(&other), ERR_EXISTS);
	buf_fini(&sheet);
	buf_fini(&other);
	repo_close(r);
}

static void no_key_is_put_where_this_program_may_not_write(void **state)
{
	static const char *const later[] = {"required", "required_to_write"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		char place[32], name[REPO_NAME_MAX];
		struct buf sheet = {0};
		struct repo *r = make_with_sheet(place, &sheet);
		struct id_list keys = make_list(r, FORMAT_KEY);
		struct err e;

		make_later(r, later[i], "[\"later\"]");
		OK(store_del(r->store, repo_object_name(name, FORMAT_KEY, &keys.v[0]), &e));
		assert_refused(r, buf_span(&sheet), ERR_UNSUPPORTED);
		assert_int_equal(make_count(r, "keys/"), 0);
		id_list_fini(&keys);
		buf_fini(&sheet);
		repo_close(r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_newer_config_that_this_program_cannot_read_is_not_replaced),
	    cmocka_unit_test(a_config_of_a_lower_epoch_replaces_none_of_a_higher),
	    cmocka_unit_test(no_key_is_put_where_this_program_may_not_write),
	    cmocka_unit_test(a_sheet_of_any_config_comes_back),
	    cmocka_unit_test(a_sheet_of_elsewhere_puts_no_key_back),
	    cmocka_unit_test(an_unsigned_config_leaves_the_store_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
