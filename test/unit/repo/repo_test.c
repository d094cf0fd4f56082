/* repo: opening says what is wrong; keys come, change and go. */
#include "make_repo.h"

struct t {
	struct ctx ctx;
	struct make_events events;
	char place[32];
	struct repo *r;
};

static const uint8_t second_secret[32] = {8, 8, 8};

static void begin(struct t *t)
{
	memset(t, 0, sizeof *t);
	make_ctx(&t->ctx, &t->events);
	t->r = make_repo(&t->ctx, t->place, NULL);
}

static struct repo_cred second(void)
{
	return (struct repo_cred){.key_file = true, .secret = span_of(second_secret, 32)};
}

static int try_open(struct t *t, struct repo_cred cred, struct err *e)
{
	struct repo *r;

	if (repo_open(make_store(t->place, false), &cred, NULL, &t->ctx, &r, e) == -1)
		return -1;
	repo_close(r);
	return 0;
}

static void an_empty_store_holds_no_repository(void **state)
{
	struct repo_cred cred = make_cred();
	struct make_events events;
	struct ctx ctx;
	struct repo *r;
	struct err e;

	make_ctx(&ctx, &events);
	FAILS(repo_open(make_store("nothing here", true), &cred, NULL, &ctx, &r, &e),
	    ERR_NO_REPOSITORY);
}

static void who_gives_up_is_not_made_to_wait_for_more_keys(void **state)
{
	struct err e;
	struct t t;

	begin(&t);
	t.ctx.cancel = true;
	FAILS(try_open(&t, make_cred(), &e), ERR_CANCELLED);
	t.ctx.cancel = false;
	OK(try_open(&t, make_cred(), &e));
	repo_close(t.r);
}

static void a_repository_is_not_made_twice(void **state)
{
	struct repo_init_params p = {.cred = make_cred()};
	struct repo *r;
	struct err e;
	struct t t;

	begin(&t);
	FAILS(repo_init(make_store(t.place, false), &p, NULL, &t.ctx, &r, &e), ERR_EXISTS);
	OK(try_open(&t, make_cred(), &e));
	repo_close(t.r);
}

static int add_second(struct repo *r, enum role role, struct id *id, struct err *e)
{
	struct repo_key_params p = {.cred = second(), .label = "two", .role = role};

	return repo_key_add(r, &p, id, e);
}

static void keys_come_change_and_go(void **state)
{
	static const uint8_t third_secret[32] = {9};
	struct repo_cred third = {.key_file = true, .secret = span_of(third_secret, 32)};
	struct repo_key *keys;
	struct id id;
	size_t n;
	char hex[ID_HEX];
	struct err e;
	struct t t;

	begin(&t);
	FAILS(try_open(&t, second(), &e), ERR_WRONG_KEY);
	OK(add_second(t.r, ROLE_FULL, &id, &e));
	OK(try_open(&t, second(), &e));
	OK(try_open(&t, make_cred(), &e));
	OK(repo_keys_list(t.r, &keys, &n, &e));
	assert_int_equal(n, 2);
	assert_int_equal(keys[0].current + keys[1].current, 1);
	repo_keys_free(keys, n);

	FAILS(repo_key_remove(t.r, "nope", &e), ERR_ABSENT);
	FAILS(repo_key_remove(t.r, repo_key_holder(t.r), &e), ERR_USAGE);
	OK(repo_key_remove(t.r, id_hex(hex, &id), &e));
	FAILS(try_open(&t, second(), &e), ERR_WRONG_KEY);

	OK(repo_key_passwd(t.r, &third, &id, &e));
	OK(try_open(&t, third, &e));
	FAILS(try_open(&t, make_cred(), &e), ERR_WRONG_KEY);
	assert_int_equal(make_count(t.r, "keys/"), 1);
	repo_close(t.r);
}

static void a_damaged_key_is_told_and_passed_over(void **state)
{
	char name[REPO_NAME_MAX];
	struct id_list ids;
	struct id id;
	struct err e;
	struct t t;

	begin(&t);
	ids = make_list(t.r, FORMAT_KEY);
	OK(add_second(t.r, ROLE_FULL, &id, &e));
	make_damage(t.r->store, repo_object_name(name, FORMAT_KEY, &ids.v[0]), 100, 1);
	OK(try_open(&t, second(), &e));
	FAILS(try_open(&t, make_cred(), &e), ERR_WRONG_KEY);
	assert_true(t.events.n[EVENT_OBJECT_DAMAGED] >= 1);
	make_damage(t.r->store, repo_object_name(name, FORMAT_KEY, &id), 100, 1);
	FAILS(try_open(&t, second(), &e), ERR_CORRUPT);
	id_list_fini(&ids);
	repo_close(t.r);
}

static enum err_kind fail_keys(void *arg, const char *op, const char *key, bool *after)
{
	return strncmp(key, "keys/", 5) == 0 ? *(enum err_kind *)arg : ERR_NONE;
}

/* Exit statuses tell these apart, and so must the message: nothing is damaged. */
static void a_store_that_fails_is_not_told_as_damage(void **state)
{
	enum err_kind kinds[] = {ERR_UNREACHABLE, ERR_IO, ERR_DENIED, ERR_TIMEOUT};
	struct repo_cred cred = make_cred();
	struct t t;

	begin(&t);
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		struct store_fault_plan fp = {fail_keys, &kinds[i]};
		struct store *s = store_fault_new(make_store(t.place, false), &fp);
		struct repo *r;
		struct err e;

		FAILS(repo_open(s, &cred, NULL, &t.ctx, &r, &e), kinds[i]);
		assert_int_equal(t.events.n[EVENT_OBJECT_DAMAGED], 0);
	}
	repo_close(t.r);
}

static enum err_kind fail_key_gets(void *arg, const char *op, const char *key, bool *after)
{
	return strcmp(op, "get") == 0 || strcmp(op, "stat") == 0 ? fail_keys(arg, op, key, after)
								 : ERR_NONE;
}

static void a_key_that_cannot_be_read_is_not_told_as_damage(void **state)
{
	enum err_kind kinds[] = {ERR_UNREACHABLE, ERR_IO, ERR_DENIED};
	struct repo_cred cred = make_cred();
	struct t t;

	begin(&t);
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		struct store_fault_plan fp = {fail_key_gets, &kinds[i]};
		struct store *s = store_fault_new(make_store(t.place, false), &fp);
		struct repo *r;
		struct err e;

		FAILS(repo_open(s, &cred, NULL, &t.ctx, &r, &e), kinds[i]);
		assert_int_equal(t.events.n[EVENT_OBJECT_DAMAGED], 0);
	}
	repo_close(t.r);
}

static void a_config_signed_by_another_root_is_refused(void **state)
{
	struct buf text = {0};
	struct err e;
	struct t t, other;

	begin(&t);
	begin(&other);
	/* Another repository's config, and then its keys/ too: not the credential's. */
	OK(store_get_all(other.r->store, "config", CONFIG_MAX, &text, &e));
	OK(store_put(t.r->store, "config", buf_span(&text), 0, &e));
	assert_int_equal(try_open(&t, make_cred(), &e), -1);
	assert_true(e.kind == ERR_CORRUPT || e.kind == ERR_WRONG_KEY);
	buf_fini(&text);
	repo_close(t.r);
	repo_close(other.r);
}

static void key_files_are_one_line(void **state)
{
	static const struct {
		const char *tail;
		int rc;
	} rows[] = {{"", 0}, {"\n", 0}, {"\r\n", 0}, {" ", 0}, {"0", -1}, {"\nx", -1}};
	uint8_t key[32], got[32];
	char text[96];
	struct err e;

	repo_key_file_new(key, text);
	OK(repo_key_file_parse(span_str(text), got, &e));
	assert_memory_equal(key, got, 32);
	text[strlen(text) - 1] = '\0';
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char with[128];

		snprintf(with, sizeof with, "%s%s", text, rows[i].tail);
		assert_int_equal(repo_key_file_parse(span_str(with), got, &e), rows[i].rc);
	}
	for (size_t n = 0; n < strlen(text); n++)
		FAILS(repo_key_file_parse(span_of(text, n), got, &e), ERR_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_empty_store_holds_no_repository),
	    cmocka_unit_test(a_repository_is_not_made_twice),
	    cmocka_unit_test(who_gives_up_is_not_made_to_wait_for_more_keys),
	    cmocka_unit_test(keys_come_change_and_go),
	    cmocka_unit_test(a_damaged_key_is_told_and_passed_over),
	    cmocka_unit_test(a_store_that_fails_is_not_told_as_damage),
	    cmocka_unit_test(a_key_that_cannot_be_read_is_not_told_as_damage),
	    cmocka_unit_test(a_config_signed_by_another_root_is_refused),
	    cmocka_unit_test(key_files_are_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
