/* What is damaged of an instant recovery, however much, keeps nothing else back, and is listed. */
#include "unit/engine/engine_unit.h"

#include <stdlib.h>
#include <string.h>

#include "engine/instant.h"
#include "os/os.h"

enum { SAME = 80 << 20, OTHER = 3 << 20 };

/* One folder of the test's. */
static struct id backup_of(struct world *w, const char *name)
{
	char *path = world_path(w, name);
	const char *paths[] = {path};
	struct backup_params p = {.paths = paths, .npaths = 1, .codec = CODEC_NONE, .jobs = 1};
	struct backup_result r;
	struct err e;

	OK(op_backup(w->repo, &p, &w->ctx, &r, &e));
	free(path);
	return r.snapshot;
}

static void write_bytes(struct world *w, const char *name, size_t same, size_t other)
{
	uint8_t *p = mem_alloc(same + other);

	memset(p, 'A', same);
	for (size_t i = 0; i < other; i++)
		p[same + i] = (uint8_t)(i * i >> 7 ^ i);
	world_write(w, name, p, same + other);
	free(p);
}

struct names {
	char *v[64];
	size_t n;
};

static int note_pack(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	struct names *l = arg;

	(void)st;
	(void)e;
	assert_true(l->n < 64);
	if (strncmp(key, "packs/", 6) == 0)
		l->v[l->n++] = mem_strdup(key);
	return 0;
}

/* `large` is SAME bytes, of which no pack is left, and OTHER that are sound. */
static struct instant *open_damaged(struct world *w, char **target)
{
	struct instant_params p = {.repo = w->repo, .jobs = 1};
	struct names packs = {.n = 0};
	struct instant *in;
	struct err e;
	char *root;

	world_mkdir(w, "a");
	write_bytes(w, "a/first", SAME, 0);
	backup_of(w, "a");
	OK(store_list(repo_store(w->repo), "packs/", note_pack, &packs, &e));
	assert_true(packs.n > 0);
	world_mkdir(w, "b");
	write_bytes(w, "b/large", SAME, OTHER);
	p.snapshot = backup_of(w, "b");
	for (size_t i = 0; i < packs.n; i++) {
		OK(store_del(repo_store(w->repo), packs.v[i], &e));
		free(packs.v[i]);
	}
	p.root = root = world_path(w, "b");
	p.target = *target = world_path(w, "target");
	OK(instant_open(&p, &w->ctx, &in, &e));
	free(root);
	return in;
}

static void much_damage_keeps_nothing_else_back(void **state)
{
	struct world *w = world_new("mem:instant-copy-damage");
	char *target, *list;
	struct instant *in = open_damaged(w, &target);
	struct instant_seen seen;
	struct buf b = {0};
	uint64_t left;
	struct err e;

	assert_int_equal(instant_copy(in, &e), -1);
	assert_int_equal(e.kind, ERR_DAMAGE_FOUND);
	assert_int_equal(instant_left(in, &left), 1);
	assert_in_range(left, SAME - (8 << 20), SAME);
	OK(instant_look(target, &seen, &e));
	assert_true(seen.bad == left && seen.left == left);
	list = mem_printf("%s.holdfast/damaged", target);
	OK(os_read_file(list, 1 << 20, &b, &e));
	assert_non_null(strstr(buf_cstr(&b), "/b/large: "));
	buf_fini(&b);
	instant_close(in);
	free(list);
	free(target);
	world_free(w);
}

static void a_place_that_is_away_is_no_damage(void **state)
{
	struct world *w = world_new("mem:instant-copy-away");
	char *target, *list;
	struct instant *in = open_damaged(w, &target);
	struct instant_seen seen;
	struct err e;

	OK(store_del(repo_store(w->repo), "config", &e));
	assert_int_equal(instant_copy(in, &e), -1);
	assert_int_not_equal(e.kind, ERR_DAMAGE_FOUND);
	assert_non_null(strstr(e.msg, "away"));
	OK(instant_look(target, &seen, &e));
	assert_int_equal(seen.bad, 0);
	list = mem_printf("%s.holdfast/damaged", target);
	assert_int_equal(access(list, F_OK), -1);
	instant_close(in);
	free(list);
	free(target);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(much_damage_keeps_nothing_else_back),
	    cmocka_unit_test(a_place_that_is_away_is_no_damage),
	};

	return cmocka_run_group_tests_name("instant_copy", tests, NULL, NULL);
}
