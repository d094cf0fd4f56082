/* client: remembered from run to run; whatever is in its way, a run goes on. */
#include "../store/store_dir.h"

#include "make_snapshot.h"

#include "repo/client.h"

struct t {
	struct ctx ctx;
	struct make_events events;
	char place[32];
	char *dir;
	struct repo *r;
};

static void begin(struct t *t, bool cache)
{
	memset(t, 0, sizeof *t);
	make_ctx(&t->ctx, &t->events);
	t->dir = dir_make();
	t->r = make_repo(&t->ctx, t->place, cache ? t->dir : NULL);
}

static void end(struct t *t)
{
	repo_close(t->r);
	dir_remove(t->dir);
}

static void what_is_saved_comes_back(void **state)
{
	struct client c, again;
	struct err e;
	struct t t;

	begin(&t, true);
	OK(client_open(t.r, &c, &e));
	assert_int_equal(c.sequence, 0);
	assert_false(c.has_last);
	c.sequence = UINT64_MAX;
	c.has_last = true;
	memset(&c.last, 0xab, sizeof c.last);
	OK(client_save(&c, &e));
	client_close(&c);
	OK(client_open(t.r, &again, &e));
	assert_memory_equal(&again.author, &c.author, sizeof c.author);
	assert_true(again.sequence == UINT64_MAX);
	assert_true(again.has_last);
	assert_true(id_eq(&again.last, &c.last));
	/* A shorter line leaves nothing of the longer behind. */
	again.sequence = 1;
	again.has_last = false;
	OK(client_save(&again, &e));
	client_close(&again);
	OK(client_open(t.r, &c, &e));
	assert_int_equal(c.sequence, 1);
	assert_false(c.has_last);
	client_close(&c);
	end(&t);
}

static void without_a_cache_it_is_a_new_client_each_time(void **state)
{
	struct client a, b;
	struct err e;
	struct t t;

	begin(&t, false);
	OK(client_open(t.r, &a, &e));
	OK(client_save(&a, &e));
	client_close(&a);
	OK(client_open(t.r, &b, &e));
	assert_memory_not_equal(a.author.client, b.author.client, FORMAT_UID);
	client_close(&b);
	end(&t);
}

static void anything_else_in_the_file_is_no_memory(void **state)
{
	static const char *const rows[] = {"", "\n", "x", "00 1 -", "nothex nothex nothex",
	    "0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef 5",
	    "0123456789abcdef0123456789abcdeg 5 -", "\377\376\375 5 -"};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct client c;
		char name[32];
		struct err e;
		struct t t;

		begin(&t, true);
		assert_int_equal(os_mkdirs(repo_cache_dir(t.r), 0700, &e), 0);
		snprintf(name, sizeof name, "client.%.8s", repo_key_holder(t.r));
		dir_write(repo_cache_dir(t.r), name, rows[i]);
		OK(client_open(t.r, &c, &e));
		assert_int_equal(c.sequence, 0);
		assert_false(c.has_last);
		client_close(&c);
		end(&t);
	}
}

static void a_cache_that_cannot_be_used_is_no_matter(void **state)
{
	struct client c;
	struct err e;
	struct t t;

	begin(&t, true);
	/* A file where the folder should be. */
	dir_write(t.dir, repo_id_text(t.r), "x");
	OK(client_open(t.r, &c, &e));
	assert_int_equal(c.fd, -1);
	OK(client_save(&c, &e));
	client_close(&c);
	end(&t);
}

static void commits_number_snapshots(void **state)
{
	struct writer_params p = {CODEC_NONE, 0, false};
	struct id last;
	struct err e;
	struct t t;

	begin(&t, true);
	for (uint64_t i = 1; i <= 3; i++) {
		struct snapshot *s = make_snapshot((int64_t)i), *got;
		struct writer *w;

		OK(writer_begin(t.r, &p, &w, &e));
		OK(writer_finish(w, &e));
		OK(writer_commit(w, s, &e));
		writer_free(w);
		OK(snapshot_load(t.r, &s->id, &got, &e));
		assert_int_equal(got->sequence, i);
		assert_int_equal(got->has_previous, i > 1);
		if (i > 1)
			assert_true(id_eq(&got->previous, &last));
		last = s->id;
		snapshot_free(got);
		snapshot_free(s);
	}
	end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_saved_comes_back),
	    cmocka_unit_test(without_a_cache_it_is_a_new_client_each_time),
	    cmocka_unit_test(anything_else_in_the_file_is_no_memory),
	    cmocka_unit_test(a_cache_that_cannot_be_used_is_no_matter),
	    cmocka_unit_test(commits_number_snapshots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
