/* copy: what the whole program cannot show: repositories of one family, and the map. */
#include "engine_unit.h"

#include "engine/copy_map.h"
#include "engine/op_copy.h"
#include "engine/op_tree.h"
#include "repo/repo_internal.h"
#include "store/store_drivers.h"

/* As `init --family` would make them: other keys, but the same ids. */
static void make_family(struct repo *a, struct repo *b)
{
	struct domain *from = &a->domains[a->own], *to = &b->domains[b->own];

	memcpy(to->id_key, from->id_key, sizeof to->id_key);
	memcpy(to->chunker_key, from->chunker_key, sizeof to->chunker_key);
}

static void fill(struct world *w)
{
	enum { SIZE = 3 << 20 };
	uint8_t *p = mem_alloc(SIZE);
	uint64_t seed = 1;

	unit_rand_fill(&seed, p, SIZE);
	world_write(w, "big", p, SIZE);
	for (int i = 0; i < 50; i++) {
		char name[32];

		snprintf(name, sizeof name, "small%d", i);
		world_write(w, name, p + 100 * i, 90 * (size_t)i);
	}
	free(p);
}

static struct copy_result copy(struct world *from, struct world *to)
{
	struct copy_params p = {.codec = CODEC_ZSTD, .level = CODEC_AUTO, .jobs = 2};
	struct copy_result r;
	struct err e;

	OK(op_copy(from->repo, to->repo, &p, &to->ctx, &r, &e));
	return r;
}

static int sum(void *arg, struct span s, struct err *e)
{
	(void)e;
	*(uint64_t *)arg += s.n;
	return 0;
}

static uint64_t length_of(struct world *w, const char *dir, const char *name)
{
	char *path = mem_printf("%s/%s", dir, name);
	struct select_filter any = {.host = NULL};
	struct select_list l;
	uint64_t n = 0;
	struct err e;

	OK(select_all(w->repo, &any, &w->ctx, &l, &e));
	OK(op_cat(w->repo, l.v[l.n - 1], path, &w->ctx, sum, &n, &e));
	select_list_fini(&l);
	free(path);
	return n;
}

/* A store where what begins so fails, for once, as damage would. */
struct broken {
	const char *op, *key;
	enum err_kind kind;
	unsigned met;
};

static enum err_kind decide(void *arg, const char *op, const char *key, bool *after)
{
	struct broken *b = arg;

	(void)after;
	if (b->op == NULL || strcmp(op, b->op) != 0 || strncmp(key, b->key, strlen(b->key)) != 0)
		return ERR_NONE;
	b->met++;
	return b->kind;
}

static void hears(struct ctx *ctx, const struct event *ev)
{
	if (ev->id == EVENT_SNAPSHOT_HURT)
		fail_msg("told as damage of the source: %s", ev->text);
	(void)ctx;
}

static void what_fails_in_the_destination_is_no_damage_of_the_source(void **state)
{
	static const struct broken ways[] = {{"list", "marks/", ERR_CORRUPT, 0},
	    {"commit", "packs/", ERR_CORRUPT, 0}, {"commit", "meta/", ERR_ABSENT, 0},
	    {"put", "index/", ERR_ABSENT, 0}, {"get", "config", ERR_CORRUPT, 0},
	    {"put", "snapshots/", ERR_CORRUPT, 0}};
	struct world *a = world_new("mem:blame-a");

	(void)state;
	fill(a);
	world_backup(a, "h", NULL);
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		struct copy_params p = {.codec = CODEC_ZSTD, .level = CODEC_AUTO, .jobs = 2};
		char *name = mem_printf("mem:blame-%zu", i);
		struct world *b = world_new(name);
		struct broken now = ways[i];
		struct store_fault_plan plan = {decide, &now};
		struct copy_result r;
		struct err e;

		b->repo->store = store_fault_new(b->repo->store, &plan);
		b->ctx.sink = hears;
		assert_int_equal(op_copy(a->repo, b->repo, &p, &b->ctx, &r, &e), -1);
		assert_true(now.met > 0);
		assert_int_equal(e.kind, now.kind);
		assert_non_null(strstr(e.msg, "destination"));
		assert_int_equal(r.failed, 0);
		now.op = NULL;
		assert_int_equal(copy(a, b).copied, 1);
		assert_int_equal(length_of(b, a->dir, "big"), 3 << 20);
		world_free(b);
		free(name);
	}
	world_free(a);
}

static void frames_of_one_family_move_without_being_compressed_again(void **state)
{
	struct world *a = world_new("mem:family-a"), *b = world_new("mem:family-b");
	struct copy_result r;

	(void)state;
	make_family(a->repo, b->repo);
	fill(a);
	world_backup(a, "h", NULL);
	r = copy(a, b);
	assert_int_equal(r.copied, 1);
	assert_true(r.frames_kept >= 1); /* how many it is, the chunker's key decides */
	assert_true(r.bytes_read >= 3 << 20);
	assert_int_equal(length_of(b, a->dir, "big"), 3 << 20);
	assert_int_equal(length_of(b, a->dir, "small49"), 90 * 49);
	/* What is there is known by its id alone: also by another snapshot. */
	world_write(a, "one more", "x", 1);
	world_backup(a, "h", NULL);
	r = copy(a, b);
	assert_int_equal(r.copied, 1);
	assert_int_equal(r.bytes_read, 1);
	world_free(a);
	world_free(b);
}

/* Some of a frame's blobs are there already: the others go one by one. */
static void half_known_frames_of_one_family_are_taken_apart(void **state)
{
	struct world *a = world_new("mem:half-a"), *b = world_new("mem:half-b");
	struct copy_result r;

	(void)state;
	make_family(a->repo, b->repo);
	fill(b);
	world_backup(b, "h", NULL);
	fill(a);
	world_write(a, "unknown", "unknown", 7);
	world_backup(a, "h", NULL);
	r = copy(a, b);
	assert_int_equal(r.copied, 1);
	assert_int_equal(r.bytes_read, 7);
	assert_int_equal(r.frames_kept, 0);
	assert_int_equal(length_of(b, a->dir, "unknown"), 7);
	world_free(a);
	world_free(b);
}

static void strangers_share_no_ids(void **state)
{
	struct world *a = world_new("mem:strange-a"), *b = world_new("mem:strange-b");
	struct copy_result r;

	(void)state;
	fill(a);
	world_backup(a, "h", NULL);
	r = copy(a, b);
	assert_int_equal(r.copied, 1);
	assert_int_equal(r.frames_kept, 0);
	assert_int_equal(length_of(b, a->dir, "big"), 3 << 20);
	world_free(a);
	world_free(b);
}

/* As the holder of another key of `b` could put it: its word that the copy is there is no word. */
static void a_copy_in_another_domain_is_none(void **state)
{
	struct world *a = world_new("mem:lie-a"), *b = world_new("mem:lie-b");
	struct snapshot *s;
	struct id id;
	struct err e;

	(void)state;
	fill(a);
	id = world_backup(a, "h", NULL);
	OK(snapshot_load(a->repo, &id, &s, &e));
	s->has_original = true;
	s->original = id;
	memset(s->domain, 7, FORMAT_UID);
	OK(snapshot_put(b->repo, s, &e));
	snapshot_free(s);
	assert_int_equal(copy(a, b).copied, 1);
	assert_int_equal(copy(a, b).copied, 0);
	world_free(a);
	world_free(b);
}

static void the_map_gives_back_what_was_put_and_nothing_else(void **state)
{
	enum { N = 300000 }; /* more than fit into memory: a file */
	struct copy_map *m = copy_map_new(N);
	struct id from, to, got;
	uint64_t missed = 0;

	(void)state;
	for (uint64_t i = 0; i < N; i++) {
		uint64_t seed = i;

		unit_rand_fill(&seed, from.b, ID_SIZE);
		unit_rand_fill(&seed, to.b, ID_SIZE);
		copy_map_put(m, &from, &to);
	}
	for (uint64_t i = 0; i < N + 1000; i++) {
		uint64_t seed = i;
		bool has;

		unit_rand_fill(&seed, from.b, ID_SIZE);
		unit_rand_fill(&seed, to.b, ID_SIZE);
		has = copy_map_get(m, &from, &got);
		if (i >= N)
			assert_false(has);
		else if (!has)
			missed++;
		else
			assert_true(id_eq(&got, &to));
	}
	assert_true(missed < N / 100);
	copy_map_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_fails_in_the_destination_is_no_damage_of_the_source),
	    cmocka_unit_test(frames_of_one_family_move_without_being_compressed_again),
	    cmocka_unit_test(half_known_frames_of_one_family_are_taken_apart),
	    cmocka_unit_test(strangers_share_no_ids),
	    cmocka_unit_test(a_copy_in_another_domain_is_none),
	    cmocka_unit_test(the_map_gives_back_what_was_put_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
