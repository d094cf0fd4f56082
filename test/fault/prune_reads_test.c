/* What a repack reads does not grow with the number of keys that its packs have. */
#include "fault.h"

enum { RUNS = 20 }; /* more small packs of a kind than prune leaves alone */

static const uint8_t maintenance_secret[32] = {9, 9, 9};

struct reads {
	unsigned packs; /* gets of packs of either kind */
};

static enum err_kind count(void *arg, const char *op, const char *key, bool *after)
{
	struct reads *r = arg;

	if (strcmp(op, "get") == 0 &&
	    (strncmp(key, "packs/", 6) == 0 || strncmp(key, "meta/", 5) == 0))
		r->packs++;
	return ERR_NONE;
}

static struct repo *open_counting(
    struct world *w, const char *place, struct reads *reads, bool maintenance)
{
	struct store_fault_plan fp = {count, reads};
	struct repo_cred cred = make_cred();
	struct repo *r;
	struct err e;

	if (maintenance)
		cred.secret = span_of(maintenance_secret, 32);
	OK(repo_open(store_fault_new(make_store(place, false), &fp), &cred, NULL, &w->ctx, &r, &e));
	return r;
}

/* Each run has keys of its own, and leaves a small pack of content and one of trees. */
static void begin(struct world *w, char place[32])
{
	struct repo_key_params p = {
	    .cred = {true, span_of(maintenance_secret, 32)}, .role = ROLE_MAINTENANCE};
	struct backup_result res;
	struct repo *r;
	struct id id;
	struct err e;

	world_begin(w);
	r = make_repo(&w->ctx, place, w->cache);
	OK(repo_key_add(r, &p, &id, &e));
	for (unsigned i = 0; i < RUNS; i++) {
		world_file(w, "small", 3000, 100 + i);
		OK(world_backup(w, r, &res, &e));
	}
	assert_int_equal(make_count(r, "packs/"), RUNS);
	assert_int_equal(make_count(r, "meta/"), RUNS);
	repo_close(r);
}

static void a_repack_reads_each_pack_once_whatever_the_number_of_keys(void **state)
{
	for (int maintenance = 0; maintenance < 2; maintenance++) {
		struct prune_params p = {.exclusive = true, .max_unused = 0};
		struct prune_result res;
		struct reads reads = {0};
		struct world w;
		char place[32];
		struct repo *r;
		struct err e;

		begin(&w, place);
		r = open_counting(&w, place, &reads, maintenance);
		OK(op_prune(r, &p, &w.ctx, &res, &e));
		assert_int_equal(res.packs_repacked, 2 * RUNS);
		print_message("# %s: %u reads for %u packs\n", maintenance ? "maintenance" : "full",
		    reads.packs, 2 * RUNS);
		/* A look at its trees, its hash, and its frames of each kind. */
		assert_true(reads.packs <= 4 * 2 * RUNS);
		/* What comes of it is a pack or two. */
		assert_true(make_count(r, "packs/") <= 2 && make_count(r, "meta/") <= 2);
		repo_close(r);
		r = open_repo(&w.ctx, place, w.cache);
		world_holds(&w, r, "afterwards");
		repo_close(r);
		world_end(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_repack_reads_each_pack_once_whatever_the_number_of_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
