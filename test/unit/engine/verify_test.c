/* op_verify: each assertion fails where it should, and only there. */
#include "engine/op_tree.h"
#include "engine/op_verify.h"
#include "engine_unit.h"
#include "repo/repo_object.h"

enum { HOUR = 3600 };

/* A clock that stands still. */
struct fake_clock {
	struct clock clock;
	int64_t now_ns;
};

static int64_t fake_wall(struct clock *c)
{
	return ((struct fake_clock *)c)->now_ns;
}

static int64_t fake_mono(struct clock *c)
{
	return ((struct fake_clock *)c)->now_ns;
}

static struct fake_clock fake = {{fake_wall, fake_mono}, 0};

static struct verify_params usual(struct world *w)
{
	return (struct verify_params){.system = "www",
	    .level = VERIFY_COMPREHENSIVE,
	    .sample_bytes = 64 << 20,
	    .seed = 7,
	    .jobs = 1};
}

static struct verify_result verify(struct world *w, const struct verify_params *p)
{
	struct verify_result r;
	struct err e;

	OK(op_verify(w->repo, p, &w->ctx, &r, &e));
	return r;
}

static void expect(const struct verify_result *r, enum verify_id id, enum verify_state state)
{
	if (r->answers[id].state != state)
		fail_msg(
		    "%s: %d '%s'", verify_rules[id].name, r->answers[id].state, r->answers[id].why);
}

/* All that was judged passed, but for these. */
static void expect_failed(const struct verify_result *r, uint32_t failed)
{
	for (size_t i = 0; i < VERIFY_IDS; i++)
		if ((r->answers[i].state == VERIFY_FAILED) != (failed >> i & 1))
			fail_msg("%s: %d '%s'", verify_rules[i].name, r->answers[i].state,
			    r->answers[i].why);
}

static struct world *made(const char *store)
{
	struct world *w = world_new(store);
	char *data = mem_zalloc(600000), *a, *b;

	for (int i = 0; i < 600000; i++)
		data[i] = (char)((unsigned)i * 7919u >> 5 ^ (unsigned)i);
	world_mkdir(w, "a");
	world_mkdir(w, "a/odd *[x] name ");
	world_write(w, "a/one", "1", 1);
	world_write(w, "a/odd *[x] name /two? #", "22", 2);
	world_write(w, "a/large", data, 600000);
	a = world_path(w, "a/one");
	b = world_path(w, "a/other");
	assert_int_equal(link(a, b), 0);
	free(b);
	b = world_path(w, "a/link");
	assert_int_equal(symlink("one", b), 0);
	free(a);
	free(b);
	free(data);
	return w;
}

static void a_whole_snapshot_passes_and_its_sample_comes_back(void **state)
{
	struct world *w = made("mem:verify-whole");
	struct verify_params p = usual(w);
	char *scratch = world_path(w, "scratch");
	const char *paths[] = {w->dir};
	struct verify_result r;

	world_backup(w, "h", "www");
	p.scratch = scratch;
	p.paths = paths;
	p.npaths = 1;
	p.read_data = true;
	p.rto_target_s = p.rpo_target_s = HOUR;
	r = verify(w, &p);
	expect_failed(&r, 0);
	for (size_t i = 0; i < VERIFY_IDS; i++)
		expect(
		    &r, (enum verify_id)i, i == VERIFY_NEWEST ? VERIFY_NOT_JUDGED : VERIFY_PASSED);
	assert_true(r.score.passed && r.score.score == 1);
	assert_int_equal(r.sample_files, 5); /* all of them: small, large, odd, and a link */
	assert_int_equal(r.files, 4);
	assert_true(r.packs > 0 && r.packs_read == r.packs && r.restore_seconds > 0);
	/* The scratch is gone. */
	assert_int_equal(rmdir(scratch), 0);
	free(scratch);
	world_free(w);
}

static void standard_judges_nothing_of_the_deeper_level(void **state)
{
	struct world *w = made("mem:verify-standard");
	struct verify_params p = usual(w);
	struct verify_result r;

	world_backup(w, "h", "www");
	p.level = VERIFY_STANDARD;
	r = verify(w, &p);
	assert_true(r.score.passed);
	for (size_t i = 0; i < VERIFY_IDS; i++)
		if (verify_rules[i].level == VERIFY_COMPREHENSIVE)
			assert_true(
			    r.answers[i].state == VERIFY_NOT_JUDGED && r.answers[i].why[0] == '\0');
	/* What is not declared is left, and says why. */
	expect(&r, VERIFY_RPO, VERIFY_NOT_JUDGED);
	assert_non_null(strstr(r.answers[VERIFY_RPO].why, "no rpo"));
	assert_non_null(strstr(r.answers[VERIFY_DATA].why, "all_data_within"));
	world_free(w);
}

static void a_system_without_a_snapshot_fails(void **state)
{
	struct world *w = made("mem:verify-none");
	struct verify_params p = usual(w);
	struct verify_result r;

	world_backup(w, "h", "other");
	r = verify(w, &p);
	assert_false(r.score.passed || r.has_snapshot);
	expect_failed(&r, 1u << VERIFY_SNAPSHOT);
	world_free(w);
}

static void a_declared_path_that_is_not_in_it_fails(void **state)
{
	struct world *w = made("mem:verify-paths");
	struct verify_params p = usual(w);
	char *there = mem_printf("%s/a/", w->dir);
	const char *paths[] = {there, "/srv/nowhere"};
	struct verify_result r;

	world_backup(w, "h", "www");
	p.paths = paths;
	p.npaths = 1;
	r = verify(w, &p);
	expect(&r, VERIFY_SOURCES, VERIFY_PASSED);
	p.npaths = 2;
	r = verify(w, &p);
	expect_failed(&r, 1u << VERIFY_SOURCES);
	assert_non_null(strstr(r.answers[VERIFY_SOURCES].why, "/srv/nowhere"));
	assert_false(r.score.passed);
	free(there);
	world_free(w);
}

static void its_age_is_held_against_the_rpo(void **state)
{
	struct world *w = made("mem:verify-age");
	struct verify_params p = usual(w);
	struct verify_result r;

	world_backup(w, "h", "www");
	r = verify(w, &p);
	fake.now_ns = r.start_ns + 2 * HOUR * INT64_C(1000000000);
	w->ctx.clock = &fake.clock;
	p.rpo_target_s = HOUR;
	p.rpo_acceptable_s = 3 * HOUR;
	r = verify(w, &p);
	expect_failed(&r, 1u << VERIFY_RPO_TARGET);
	assert_true(r.score.passed && r.score.score < 1);
	p.rpo_acceptable_s = 0; /* then the target is what is borne */
	r = verify(w, &p);
	expect_failed(&r, 1u << VERIFY_RPO_TARGET | 1u << VERIFY_RPO);
	assert_false(r.score.passed);
	world_free(w);
}

static void a_file_that_could_not_be_read_is_a_deduction(void **state)
{
	struct world *w = made("mem:verify-errors");
	const char *paths[] = {w->dir, "/nowhere/to/be/seen"};
	struct verify_params p = usual(w);
	struct backup_params bp = {
	    .paths = paths, .npaths = 2, .host = "h", .system = "www", .jobs = 1};
	struct backup_result br;
	struct verify_result r;
	struct err e;

	OK(op_backup(w->repo, &bp, &w->ctx, &br, &e));
	assert_true(br.has_snapshot);
	r = verify(w, &p);
	expect_failed(&r, 1u << VERIFY_ERRORS);
	assert_non_null(strstr(r.answers[VERIFY_ERRORS].why, "/nowhere"));
	assert_true(r.score.passed);
	world_free(w);
}

static void two_hosts_of_one_name_are_told(void **state)
{
	struct world *w = made("mem:verify-groups");
	struct verify_params p = usual(w);
	struct verify_result r;

	world_backup(w, "h", "www");
	world_backup(w, "h2", "www");
	r = verify(w, &p);
	expect_failed(&r, 1u << VERIFY_ONE_GROUP);
	assert_non_null(strstr(r.answers[VERIFY_ONE_GROUP].why, "h2"));
	world_free(w);
}

static void only_an_archive_may_be_empty_and_only_if_none_is_known(void **state)
{
	struct world *w = made("mem:verify-empty");
	struct verify_params p = usual(w);
	struct verify_result r;

	r = verify(w, &p);
	expect(&r, VERIFY_SNAPSHOT, VERIFY_FAILED);
	p.may_be_empty = true;
	r = verify(w, &p);
	assert_true(r.empty && !r.is_named && r.score.judged == 0);
	p.known.start_ns = 1;
	r = verify(w, &p);
	expect(&r, VERIFY_SNAPSHOT, VERIFY_FAILED);
	assert_true(!r.empty && !r.score.passed);
	p.known.start_ns = 0;
	world_backup(w, "h", "www");
	r = verify(w, &p);
	assert_true(r.is_named && !r.empty && r.score.passed);
	world_free(w);
}

static void one_that_was_stored_and_is_not_there_is_missed(void **state)
{
	struct world *w = made("mem:verify-newest");
	struct verify_params p = usual(w);
	struct verify_result r;

	p.known.id = world_backup(w, "h", "www");
	p.known.start_ns = INT64_MAX;
	r = verify(w, &p);
	expect(&r, VERIFY_NEWEST, VERIFY_PASSED);
	p.known.id.b[0] ^= 1;
	r = verify(w, &p);
	expect_failed(&r, 1u << VERIFY_NEWEST);
	/* An older one may be gone: there is a newer. */
	p.known.start_ns = 1;
	r = verify(w, &p);
	expect(&r, VERIFY_NEWEST, VERIFY_PASSED);
	world_free(w);
}

/* ---- Damage. */

struct pick_pack {
	enum format_type type;
	struct id id, not ;
	uint64_t size;
	bool found;
};

static int take_pack(void *arg, enum format_type type, const struct id *id,
    const struct store_stat *st, struct err *e)
{
	struct pick_pack *x = arg;

	if (type == x->type && !id_eq(id, &x->not ) && !x->found) {
		x->id = *id;
		x->size = st->size;
		x->found = true;
	}
	return 0;
}

/* A pack of content; another one than that. */
static struct pick_pack pack_of(struct world *w, const struct id * not )
{
	struct pick_pack x = {.type = FORMAT_PACK};
	struct err e;

	if (not != NULL)
		x.not = *not ;
	OK(repo_list_packs(w->repo, take_pack, &x, &e));
	assert_true(x.found);
	return x;
}

static void change(struct world *w, const struct pick_pack *x, bool cut)
{
	struct store *s = repo_store(w->repo);
	char name[REPO_NAME_MAX];
	uint8_t *p = mem_alloc((size_t)x->size);
	struct err e;

	repo_object_name(name, x->type, &x->id);
	OK(store_get(s, name, 0, p, (size_t)x->size, &e));
	p[x->size / 2] ^= 1;
	OK(store_del(s, name, &e));
	OK(store_put(s, name, span_of(p, (size_t)x->size - cut), 0, &e));
	free(p);
}

static void a_pack_that_it_needs_is_missed_and_named(void **state)
{
	struct world *w = made("mem:verify-missing");
	struct verify_params p = usual(w);
	char *scratch = world_path(w, "scratch"), name[REPO_NAME_MAX];
	struct verify_result r;
	struct pick_pack x;
	struct err e;

	world_backup(w, "h", "www");
	x = pack_of(w, NULL);
	repo_object_name(name, x.type, &x.id);
	change(w, &x, true);
	r = verify(w, &p);
	expect_failed(&r, 1u << VERIFY_PACKS);
	OK(store_del(repo_store(w->repo), name, &e));
	p.scratch = scratch;
	r = verify(w, &p);
	expect(&r, VERIFY_PACKS, VERIFY_FAILED);
	expect(&r, VERIFY_SAMPLE, VERIFY_FAILED);
	assert_non_null(strstr(r.answers[VERIFY_PACKS].why, name));
	assert_false(r.score.passed);
	assert_int_equal(rmdir(scratch), 0);
	free(scratch);
	world_free(w);
}

static void damage_elsewhere_is_told_and_is_not_its_failure(void **state)
{
	struct world *w = made("mem:verify-elsewhere");
	struct verify_params p = usual(w);
	struct verify_result r;
	struct pick_pack first, second;
	struct err e;

	world_backup(w, "h", "www");
	first = pack_of(w, NULL);
	world_write(w, "a/large", "what another system has", 23);
	world_backup(w, "h", "other");
	second = pack_of(w, &first.id);
	change(w, &second, false);
	p.all_data_within_s = 24 * HOUR; /* so that all are read now */
	r = verify(w, &p);
	expect_failed(&r, 0);
	assert_true(r.score.passed);
	assert_int_equal(r.damaged_elsewhere, 1);
	expect(&r, VERIFY_DATA, VERIFY_PASSED);
	/* And of whose it is it is. */
	p.system = "other";
	r = verify(w, &p);
	expect(&r, VERIFY_DATA, VERIFY_FAILED);
	assert_false(r.score.passed);
	/* Missing altogether it is no matter of the first either. */
	{
		char name[REPO_NAME_MAX];

		OK(store_del(
		    repo_store(w->repo), repo_object_name(name, second.type, &second.id), &e));
	}
	p.system = "www";
	p.all_data_within_s = 0;
	r = verify(w, &p);
	expect_failed(&r, 0);
	world_free(w);
}

static void flipped_bits_are_found_where_data_are_read(void **state)
{
	struct world *w = made("mem:verify-flipped");
	struct verify_params p = usual(w);
	char *scratch = world_path(w, "scratch");
	struct verify_result r;
	struct pick_pack x;

	world_backup(w, "h", "www");
	x = pack_of(w, NULL);
	change(w, &x, false);
	r = verify(w, &p);
	expect(&r, VERIFY_PACKS, VERIFY_PASSED);
	p.read_data = true;
	r = verify(w, &p);
	expect(&r, VERIFY_DATA, VERIFY_FAILED);
	p.read_data = false;
	p.scratch = scratch;
	r = verify(w, &p);
	expect(&r, VERIFY_SAMPLE, VERIFY_FAILED);
	free(scratch);
	world_free(w);
}

static void a_restore_that_takes_too_long_misses_the_rto(void **state)
{
	struct world *w = made("mem:verify-rto");
	struct verify_params p = usual(w);
	struct verify_result r;

	world_backup(w, "h", "www");
	p.rto_target_s = 1;
	p.rto_acceptable_s = 2;
	r = verify(w, &p);
	expect(&r, VERIFY_RTO, VERIFY_NOT_JUDGED);
	assert_non_null(strstr(r.answers[VERIFY_RTO].why, "no sample"));
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_whole_snapshot_passes_and_its_sample_comes_back),
	    cmocka_unit_test(standard_judges_nothing_of_the_deeper_level),
	    cmocka_unit_test(a_system_without_a_snapshot_fails),
	    cmocka_unit_test(a_declared_path_that_is_not_in_it_fails),
	    cmocka_unit_test(its_age_is_held_against_the_rpo),
	    cmocka_unit_test(a_file_that_could_not_be_read_is_a_deduction),
	    cmocka_unit_test(two_hosts_of_one_name_are_told),
	    cmocka_unit_test(only_an_archive_may_be_empty_and_only_if_none_is_known),
	    cmocka_unit_test(one_that_was_stored_and_is_not_there_is_missed),
	    cmocka_unit_test(a_pack_that_it_needs_is_missed_and_named),
	    cmocka_unit_test(damage_elsewhere_is_told_and_is_not_its_failure),
	    cmocka_unit_test(flipped_bits_are_found_where_data_are_read),
	    cmocka_unit_test(a_restore_that_takes_too_long_misses_the_rto),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
