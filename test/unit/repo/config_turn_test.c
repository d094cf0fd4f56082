/* config_turn: config is put in its turn or not at all, and nothing that nobody could read. */
#include "make_repo.h"

#include "repo/config_lease.h"
#include "repo/repo_parity.h"

static const int64_t SLEEP_NS = 40 * INT64_C(1000000000);

struct sleepy {
	struct clock clock;
	int64_t now;
	const char *before; /* what is put when it falls asleep: how the name begins; NULL: awake */
	struct store *thief; /* where another takes its lease over instead; NULL: nobody does */
};

static int64_t now_of(struct clock *c)
{
	return ((struct sleepy *)c)->now++;
}

static int take_over(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	return store_put(arg, key, span_str("another's"), 0, e);
}

static enum err_kind sleep_before(void *arg, const char *op, const char *key, bool *after)
{
	struct sleepy *s = arg;

	*after = false;
	struct err e;

	if (!s->before || strcmp(op, "put") != 0 || strncmp(key, s->before, strlen(s->before)) != 0)
		return ERR_NONE;
	if (s->thief)
		OK(store_list(s->thief, "leases/", take_over, s->thief, &e));
	else
		s->now += SLEEP_NS;
	return ERR_NONE;
}

struct t {
	struct ctx ctx;
	struct make_events events;
	struct sleepy sleepy;
	char place[32];
	struct repo *r;
};

static void begin(struct t *t)
{
	struct store_fault_plan plan = {sleep_before, &t->sleepy};
	struct err e;

	memset(t, 0, sizeof *t);
	make_ctx(&t->ctx, &t->events);
	t->sleepy = (struct sleepy){{now_of, now_of}, 1763700000000000000, NULL, NULL};
	t->ctx.clock = &t->sleepy.clock;
	t->r = make_repo(&t->ctx, t->place, NULL);
	OK(repo_set_parity(t->r, 100, &e));
	t->r->store = store_fault_new(t->r->store, &plan);
}

static uint64_t stored_revision(struct t *t)
{
	uint64_t revision, epoch;
	struct err e;

	OK(repo_peek_config(t->r, &revision, &epoch, &e));
	return revision;
}

static void who_sleeps_over_the_parity_puts_no_config(void **state)
{
	uint64_t was;
	struct err e;
	struct t t;

	begin(&t);
	was = stored_revision(&t);
	t.sleepy.before = "parity/config/";
	FAILS(repo_key_rotate(t.r, &e), ERR_BUSY);
	assert_int_equal(stored_revision(&t), was);
	repo_close(t.r);
}

static void who_lost_its_lease_to_another_puts_no_config(void **state)
{
	struct store *under;
	uint64_t was;
	struct err e;
	struct t t;

	begin(&t);
	was = stored_revision(&t);
	under = t.r->store->under;
	t.sleepy.before = "parity/config/";
	t.sleepy.thief = under;
	FAILS(repo_key_rotate(t.r, &e), ERR_BUSY);
	assert_int_equal(stored_revision(&t), was);
	assert_int_equal(make_count(t.r, "leases/"), 1); /* it is the other's */
	repo_close(t.r);
}

static void who_sleeps_over_the_put_says_so_and_leaves_others_parity(void **state)
{
	size_t parities;
	uint64_t was;
	struct err e;
	struct t t;

	begin(&t);
	was = stored_revision(&t);
	parities = make_count(t.r, "parity/config/");
	t.sleepy.before = "config";
	FAILS(repo_key_rotate(t.r, &e), ERR_BUSY);
	assert_non_null(strstr(e.msg, "later than its turn"));
	assert_int_equal(stored_revision(&t), was + 1);
	assert_int_equal(make_count(t.r, "parity/config/"), parities + 1);
	repo_close(t.r);
}

static void a_config_that_nobody_could_read_is_not_put(void **state)
{
	char *big = mem_alloc(CONFIG_MAX);
	struct config_lease l;
	struct err e;
	uint64_t was;
	struct t t;

	begin(&t);
	was = stored_revision(&t);
	memset(big, 'x', CONFIG_MAX);
	OK(repo_config_begin(t.r, &l, &e));
	json_object_set_new(t.r->config.json, "later", json_stringn(big, CONFIG_MAX));
	config_set_parity(&t.r->config, 200);
	FAILS(repo_config_commit(t.r, &l, &e), ERR_FAILED);
	repo_config_abort(&l);
	assert_int_equal(stored_revision(&t), was);
	free(big);
	repo_close(t.r);
}

static void assert_opens(struct t *t, enum err_kind want)
{
	struct repo_cred cred = make_cred();
	struct repo *r;
	struct err e;

	if (want == ERR_NONE) {
		OK(repo_open(make_store(t->place, false), &cred, NULL, &t->ctx, &r, &e));
		repo_close(r);
	} else {
		FAILS(repo_open(make_store(t->place, false), &cred, NULL, &t->ctx, &r, &e), want);
	}
}

/* A crash left the parity of the one before. */
static void no_older_parity_mends_a_config_of_a_later_version(void **state)
{
	struct buf later = {0};
	struct err e;
	struct t t;

	(void)state;
	begin(&t);
	make_damage(t.r->store, "config", 40, 1);
	assert_opens(&t, ERR_NONE); /* what parity is for */
	make_later(t.r, "required", "[\"later\"]");
	assert_opens(&t, ERR_UNSUPPORTED);
	/* Damaged, it comes back by its own parity; the older one is not taken for it. */
	OK(store_get_all(t.r->store, "config", CONFIG_MAX, &later, &e));
	OK(repo_config_parity(t.r, buf_span(&later), &e));
	make_damage(t.r->store, "config", 40, 1);
	assert_int_equal(make_count(t.r, "parity/config/"), 2);
	assert_opens(&t, ERR_CORRUPT);
	buf_fini(&later);
	repo_close(t.r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_older_parity_mends_a_config_of_a_later_version),
	    cmocka_unit_test(who_sleeps_over_the_parity_puts_no_config),
	    cmocka_unit_test(who_lost_its_lease_to_another_puts_no_config),
	    cmocka_unit_test(who_sleeps_over_the_put_says_so_and_leaves_others_parity),
	    cmocka_unit_test(a_config_that_nobody_could_read_is_not_put),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
