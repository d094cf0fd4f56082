#include "unit/unit.h"

#include "repo/parity.h"
#include "repo/repo_internal.h"
#include "repo/repo_parity.h"
#include "store/store_drivers.h"

static struct ctx ctx;

static struct repo *make(void)
{
	static const uint8_t secret[32] = {1};
	static int n;
	struct repo_init_params p = {
	    .cred = {.key_file = true, .secret = span_of(secret, 32)}, .label = "t", .parity = 100};
	char name[16];
	struct repo *r;
	struct store *s;
	struct err e;

	snprintf(name, sizeof name, "parity%d", n++);
	assert_int_equal(store_mem_open(name, true, &s, &e), 0);
	assert_int_equal(repo_init(s, &p, NULL, &ctx, &r, &e), 0);
	return r;
}

/* An object of these bytes, its name and id. */
static void put(struct repo *r, struct span bytes, char name[REPO_NAME_MAX], struct id *id)
{
	struct err e;

	assert_int_equal(repo_put_object(r, FORMAT_MARK, bytes, id, &e), 0);
	repo_object_name(name, FORMAT_MARK, id);
}

static void damaged_is_read_and_counted_once(void **state)
{
	struct repo *r = make();
	char name[REPO_NAME_MAX];
	struct buf got = {0};
	struct id id;
	struct err e;

	(void)state;
	put(r, span_str("what was stored here"), name, &id);
	assert_int_equal(store_put(r->store, name, span_str("what was stoled"), 0, &e), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(repo_get_object(r, FORMAT_MARK, &id, &got, &e), 0);
		assert_int_equal(got.n, 20);
		assert_memory_equal(got.p, "what was stored here", 20);
	}
	assert_int_equal(repo_mended(r), 1);
	assert_string_equal(repo_mended_name(r, 0), name);
	buf_fini(&got);
	repo_close(r);
}

/* Sound in itself and naming the object, but made of other bytes. */
static void forged_parity_is_not_believed(void **state)
{
	struct repo *r = make();
	char name[REPO_NAME_MAX];
	struct buf got = {0};
	struct id id;
	struct err e;

	(void)state;
	put(r, span_str("what was stored here"), name, &id);
	assert_int_equal(repo_put_parity(r, name, &id, span_str("what was forged here"), &e), 0);
	assert_int_equal(store_put(r->store, name, span_str("what was stoled here"), 0, &e), 0);
	assert_int_equal(repo_get_object(r, FORMAT_MARK, &id, &got, &e), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
	assert_int_equal(repo_mended(r), 0);
	buf_fini(&got);
	repo_close(r);
}

static void parity_goes_with_its_object(void **state)
{
	struct repo *r = make();
	char name[REPO_NAME_MAX], parity[REPO_NAME_MAX];
	struct store_stat st;
	struct id id;
	struct err e;

	(void)state;
	put(r, span_str("x"), name, &id);
	repo_parity_name(parity, name, &id);
	assert_int_equal(store_stat(r->store, parity, &st, &e), 0);
	assert_int_equal(repo_del_named(r, name, &e), 0);
	assert_int_equal(store_stat(r->store, parity, &st, &e), -1);
	assert_int_equal(e.kind, ERR_ABSENT);
	repo_close(r);
}

/* A store whose gets, or the second delete, fail. */
struct plan {
	enum err_kind get;
	unsigned gets, dels, dels_allowed;
};

static enum err_kind decide(void *arg, const char *op, const char *key, bool *after)
{
	struct plan *p = arg;

	(void)key;
	*after = false;
	if (strcmp(op, "get") == 0 && ++p->gets)
		return p->get;
	if (strcmp(op, "del") == 0 && ++p->dels > p->dels_allowed)
		return ERR_UNREACHABLE;
	return ERR_NONE;
}

static void wrap(struct repo *r, struct plan *p)
{
	const struct store_fault_plan plan = {.decide = decide, .arg = p};

	r->store = store_fault_new(r->store, &plan);
}

static void without_parity_nothing_more_is_read(void **state)
{
	struct plan p = {.get = ERR_NONE};
	struct repo *r = make();
	char name[REPO_NAME_MAX], parity[REPO_NAME_MAX];
	struct buf got = {0};
	struct id id;
	struct err e;

	(void)state;
	put(r, span_str("x"), name, &id);
	assert_int_equal(store_del(r->store, repo_parity_name(parity, name, &id), &e), 0);
	wrap(r, &p);
	assert_false(repo_mend_object(r, name, &id, 100, &got));
	assert_int_equal(p.gets, 0);
	buf_fini(&got);
	repo_close(r);
}

/* Bad sectors are read around; a store that does not answer is asked once, and its error told. */
static void only_bad_sectors_are_read_around(void **state)
{
	static const struct {
		enum err_kind kind;
		bool around;
	} rows[] = {{ERR_IO, true}, {ERR_UNREACHABLE, false}, {ERR_DENIED, false}};
	static uint8_t big[100000];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct plan p = {.get = rows[i].kind};
		struct repo *r = make();
		char name[REPO_NAME_MAX];
		struct buf got = {0};
		struct id id;
		struct err e;

		put(r, span_of(big, sizeof big), name, &id);
		wrap(r, &p);
		assert_int_equal(repo_get_left(r, name, sizeof big, &got, &e), -1);
		assert_int_equal(e.kind, rows[i].kind);
		assert_int_equal(got.n, rows[i].around ? sizeof big : 0);
		assert_true(rows[i].around ? p.gets > 20 : p.gets == 1);
		buf_fini(&got);
		repo_close(r);
	}
}

/* Halfway an object is gone and its parity is garbage; a key's parity is gone first. */
static void a_crash_while_deleting_leaves_no_object_without_parity(void **state)
{
	(void)state;
	for (int key = 0; key < 2; key++) {
		struct plan p = {.dels_allowed = 1};
		struct repo *r = make();
		char name[REPO_NAME_MAX], parity[REPO_NAME_MAX];
		struct store_stat st;
		struct id id;
		struct err e;

		assert_int_equal(
		    repo_put_object(r, key ? FORMAT_KEY : FORMAT_MARK, span_str("x"), &id, &e), 0);
		repo_object_name(name, key ? FORMAT_KEY : FORMAT_MARK, &id);
		repo_parity_name(parity, name, &id);
		wrap(r, &p);
		assert_int_equal(repo_del_named(r, name, &e), -1);
		assert_int_equal(store_stat(r->store, key ? parity : name, &st, &e), -1);
		assert_int_equal(store_stat(r->store, key ? name : parity, &st, &e), 0);
		repo_close(r);
	}
}

static void names_follow_the_format(void **state)
{
	char name[REPO_NAME_MAX], object[REPO_NAME_MAX], want[REPO_NAME_MAX], hex[ID_HEX];
	struct id id = {{0xab}};

	(void)state;
	id_hex(hex, &id);
	repo_object_name(object, FORMAT_PACK, &id);
	snprintf(want, sizeof want, "parity/packs/%s", hex);
	assert_string_equal(repo_parity_name(name, object, NULL), want);
	snprintf(want, sizeof want, "parity/config/%s", hex);
	assert_string_equal(repo_parity_name(name, "config", &id), want);
	snprintf(object, sizeof object, "notes/%s.%s", hex, hex);
	snprintf(want, sizeof want, "parity/notes/%s.%s", hex, hex);
	assert_string_equal(repo_parity_name(name, object, NULL), want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(damaged_is_read_and_counted_once),
	    cmocka_unit_test(forged_parity_is_not_believed),
	    cmocka_unit_test(parity_goes_with_its_object),
	    cmocka_unit_test(without_parity_nothing_more_is_read),
	    cmocka_unit_test(only_bad_sectors_are_read_around),
	    cmocka_unit_test(a_crash_while_deleting_leaves_no_object_without_parity),
	    cmocka_unit_test(names_follow_the_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
