/*
 * Locks and rules of a real S3 store: s3_rules_main, with HOLDFAST_SUITE_URL at
 * an empty place in a bucket that has object lock.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "os/os.h"
#include "store/s3.h"
#include "store/store_drivers.h"
#include "store/store_rules.h"

static const int64_t SECOND = 1000000000, HOUR = 3600 * INT64_C(1000000000);

static struct ctx ctx;
static struct err e;

#define OK(call)                                                                                   \
	do {                                                                                       \
		if ((call) != 0)                                                                   \
			fail_msg("line %d: %s: %s", __LINE__, #call, e.msg);                       \
	} while (0)

static struct store *open_with(const char *const *options, size_t n)
{
	const char *url = getenv("HOLDFAST_SUITE_URL");
	struct store_params p = {.options = options, .noptions = n};
	struct store *s = NULL;

	if (url == NULL)
		fail_msg("HOLDFAST_SUITE_URL is not set");
	OK(store_open_with(url, true, &p, &ctx, &s, &e));
	return s;
}

static int64_t now(void)
{
	struct clock *c = os_clock();

	return c->wall_ns(c);
}

static int64_t lock_of(struct store *s, const char *key)
{
	struct store_lock lock;

	OK(store_lock_get(s, key, NULL, &lock, &e));
	assert_true(lock.until_ns == 0 || lock.loose); /* governance */
	return lock.until_ns;
}

static void what_is_put_is_locked_and_can_be_locked_longer(void **state)
{
	static const char *const options[] = {
	    "s3.object-lock=1h", "s3.object-lock-mode=governance", "s3.tags=team=a&cost=b"};
	struct store *s = open_with(options, 3);
	int64_t until;
	bool done;

	OK(store_put(s, "packs/a", span_str("1"), STORE_NEW, &e));
	OK(store_put(s, "leases/a", span_str("1"), 0, &e));
	until = lock_of(s, "packs/a");
	/* Twice the period. */
	assert_true(
	    until > now() + 2 * HOUR - 60 * SECOND && until < now() + 2 * HOUR + 60 * SECOND);
	assert_true(store_lock_period(s) == HOUR);
	assert_int_equal(lock_of(s, "leases/a"), 0);
	OK(store_lock_extend(s, "packs/a", NULL, until + HOUR, until + HOUR, &done, &e));
	assert_true(done);
	assert_int_equal(lock_of(s, "packs/a"), until + HOUR);
	/* Never shorter. */
	OK(store_lock_extend(s, "packs/a", NULL, until, until + 2 * HOUR, &done, &e));
	assert_false(done);
	assert_int_equal(lock_of(s, "packs/a"), until + HOUR);
	store_close(s);
}

static void a_large_object_is_locked_too(void **state)
{
	static const char *const options[] = {
	    "s3.object-lock=1h", "s3.object-lock-mode=governance"};
	struct store *s = open_with(options, 2);
	size_t n = (16 << 20) + 5;
	uint8_t *p = calloc(1, n);

	OK(store_put(s, "packs/large", span_of(p, n), STORE_NEW, &e));
	assert_true(lock_of(s, "packs/large") > now());
	free(p);
	store_close(s);
}

static void a_lock_of_nothing_is_absent(void **state)
{
	struct store *s = open_with(NULL, 0);
	struct store_lock lock;

	assert_int_equal(store_lock_get(s, "packs/none", NULL, &lock, &e), -1);
	assert_int_equal(e.kind, ERR_ABSENT);
	store_close(s);
}

/* The rules of the bucket as text. */
static void rules_of(struct store *s, const char *method, const char *body, struct buf *out)
{
	struct url_param p = {"lifecycle", NULL};
	struct s3_call c = {.method = method, .params = &p, .nparams = 1, .body = span_str(body)};
	struct http_answer a;

	if (s3_do(store_s3_of(s), &c, &a, &e) == -1)
		return;
	buf_put_span(out, buf_span(&a.body));
	http_answer_fini(&a);
}

static void rules_are_put_and_others_stay(void **state)
{
	static const struct store_rule rules[] = {
	    {.folder = "", .unfinished_days = 7, .old_days = 30},
	    {.folder = "tmp/", .old_days = 2}};
	static const struct store_rule others[] = {
	    {.folder = "", .unfinished_days = 30, .old_days = 7},
	    {.folder = "tmp/", .old_days = 2}};
	static const char theirs[] =
	    "<LifecycleConfiguration><Rule><ID>theirs</ID><Filter><Prefix>x/</Prefix></Filter>"
	    "<Status>Enabled</Status><Expiration><Days>9</Days></Expiration></Rule>"
	    "</LifecycleConfiguration>";
	struct store *s = open_with(NULL, 0);
	struct buf b = {0};

	rules_of(s, "PUT", theirs, &b);
	OK(store_rules_put(s, rules, 2, &e));
	OK(store_rules_put(s, rules, 2, &e)); /* again: the same two */
	rules_of(s, "GET", "", &b);
	assert_non_null(strstr(buf_cstr(&b), "<ID>theirs</ID>"));
	assert_non_null(strstr(buf_cstr(&b), "<NoncurrentDays>30</NoncurrentDays>"));
	assert_non_null(strstr(buf_cstr(&b), "<DaysAfterInitiation>7</DaysAfterInitiation>"));
	buf_reset(&b);
	/* Of as many days in all, and yet others. */
	OK(store_rules_put(s, others, 2, &e));
	rules_of(s, "GET", "", &b);
	assert_non_null(strstr(buf_cstr(&b), "<NoncurrentDays>7</NoncurrentDays>"));
	assert_null(strstr(buf_cstr(&b), "<NoncurrentDays>30</NoncurrentDays>"));
	buf_reset(&b);
	OK(store_rules_put(s, NULL, 0, &e));
	rules_of(s, "GET", "", &b);
	assert_non_null(strstr(buf_cstr(&b), "theirs"));
	assert_null(strstr(buf_cstr(&b), "holdfast-"));
	buf_fini(&b);
	store_close(s);
}

static void other_stores_have_neither(void **state)
{
	struct store *s;
	struct store_lock lock;

	OK(store_mem_open("rules", true, &s, &e));
	assert_int_equal(store_lock_get(s, "a", NULL, &lock, &e), -1);
	assert_int_equal(e.kind, ERR_UNSUPPORTED);
	assert_int_equal(store_rules_put(s, NULL, 0, &e), -1);
	assert_int_equal(e.kind, ERR_UNSUPPORTED);
	store_close(s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_put_is_locked_and_can_be_locked_longer),
	    cmocka_unit_test(a_large_object_is_locked_too),
	    cmocka_unit_test(a_lock_of_nothing_is_absent),
	    cmocka_unit_test(rules_are_put_and_others_stay),
	    cmocka_unit_test(other_stores_have_neither),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
