/* op_tamper over a store that refuses what a test says. */
#include "unit/repo/make_repo.h"

#include "engine/op_tamper.h"
#include "repo/repo_object.h"

/* Which of them is let through. */
struct rights {
	bool replace, del, pack;
	enum err_kind refusal;
	unsigned puts, dels, pack_puts, pack_dels;
};

static enum err_kind decide(void *arg, const char *op, const char *key, bool *after)
{
	struct rights *m = arg;
	bool put = strcmp(op, "put") == 0, del = strcmp(op, "del") == 0;

	if (strstr(key, "/tamper.") != NULL) {
		m->dels += del;
		m->puts += put;
		if (put && m->puts == 2 && !m->replace)
			return m->refusal;
		return del && !m->del ? m->refusal : ERR_NONE;
	}
	if (strncmp(key, "packs/", 6) == 0) {
		m->pack_dels += del;
		m->pack_puts += put;
		return (put && !m->pack) || del ? m->refusal : ERR_NONE;
	}
	return ERR_NONE;
}

static const char pack[] = "these bytes are a pack as far as names go";

static int run(
    struct rights *m, bool damaged, struct tamper_result *out, unsigned *findings, struct err *err)
{
	static struct make_events events;
	static struct ctx ctx;
	struct store_fault_plan plan = {decide, m};
	struct span bytes = span_str(pack);
	char place[32], name[REPO_NAME_MAX];
	struct repo_cred cred = make_cred();
	struct buf back = {0};
	struct repo *r;
	struct store *s;
	struct id id;
	struct err e;
	int rc;

	make_ctx(&ctx, &events);
	r = make_repo(&ctx, place, NULL);
	repo_object_id(r, bytes, &id);
	repo_object_name(name, FORMAT_PACK, &id);
	if (damaged)
		bytes.n--;
	OK(store_put(repo_store(r), name, bytes, 0, &e));
	s = store_fault_new(make_store(place, false), &plan);
	repo_close(r);
	OK(repo_open(s, &cred, NULL, &ctx, &r, &e));
	rc = op_tamper(r, &ctx, out, err);
	*findings = events.n[EVENT_FINDING];
	/* Whatever happened, the pack is what it was. */
	OK(store_get_all(repo_store(r), name, 1000, &back, &e));
	assert_true(span_eq(buf_span(&back), bytes));
	assert_int_equal(m->pack_dels, 0);
	buf_fini(&back);
	repo_close(r);
	return rc;
}

static void what_refuses_all_passes_and_keeps_the_decoy(void **state)
{
	struct rights m = {.refusal = ERR_DENIED};
	struct tamper_result out;
	unsigned findings;
	struct err e = {0};

	assert_int_equal(run(&m, false, &out, &findings, &e), 0);
	assert_int_equal(findings, 0);
	assert_true(out.pack_tried && !out.pack_replaced && !out.replaced && !out.deleted);
	assert_non_null(strstr(out.object, "/tamper."));
	assert_int_equal(m.pack_puts, 1);
}

static void a_pack_is_not_touched_where_the_decoy_was_not_safe(void **state)
{
	struct rights replace = {.replace = true, .refusal = ERR_DENIED};
	struct rights del = {.del = true, .refusal = ERR_DENIED};
	struct tamper_result out;
	unsigned findings;
	struct err e = {0};

	assert_int_equal(run(&replace, false, &out, &findings, &e), 0);
	assert_true(out.replaced && !out.deleted && !out.pack_tried);
	assert_int_equal(findings, 1);
	assert_int_equal(replace.pack_puts, 0);
	assert_int_equal(run(&del, false, &out, &findings, &e), 0);
	assert_true(out.deleted && !out.replaced && !out.pack_tried);
	assert_string_equal(out.object, "");
	assert_int_equal(del.pack_puts, 0);
}

static void a_store_that_protects_only_the_decoy_is_found_out(void **state)
{
	struct rights m = {.pack = true, .refusal = ERR_DENIED};
	struct tamper_result out;
	unsigned findings;
	struct err e = {0};

	assert_int_equal(run(&m, false, &out, &findings, &e), 0);
	assert_true(out.pack_replaced);
	assert_int_equal(findings, 1);
}

static void a_damaged_pack_is_left_as_it_is(void **state)
{
	struct rights m = {.pack = true, .refusal = ERR_DENIED};
	struct tamper_result out;
	unsigned findings;
	struct err e = {0};

	assert_int_equal(run(&m, true, &out, &findings, &e), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
	assert_int_equal(m.pack_puts, 0);
}

/* No answer is no refusal: nothing was proven. */
static void a_malfunction_is_no_refusal(void **state)
{
	struct rights m = {.refusal = ERR_UNREACHABLE};
	struct tamper_result out;
	unsigned findings;
	struct err e = {0};

	assert_int_equal(run(&m, false, &out, &findings, &e), -1);
	assert_int_equal(e.kind, ERR_UNREACHABLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_refuses_all_passes_and_keeps_the_decoy),
	    cmocka_unit_test(a_pack_is_not_touched_where_the_decoy_was_not_safe),
	    cmocka_unit_test(a_store_that_protects_only_the_decoy_is_found_out),
	    cmocka_unit_test(a_damaged_pack_is_left_as_it_is),
	    cmocka_unit_test(a_malfunction_is_no_refusal),
	};

	return cmocka_run_group_tests_name("tamper", tests, NULL, NULL);
}
