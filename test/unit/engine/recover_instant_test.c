/* What an instant recovery left beside its target is found whatever leads there, and kept. */
#include "unit/engine/engine_unit.h"

#include <stdlib.h>
#include <string.h>

#include "engine/instant.h"
#include "engine/instant_state.h"
#include "engine/recover_internal.h"
#include "os/os.h"

/* In the test's folder. */
static void shell(const struct world *w, const char *script)
{
	char *cmd = mem_printf("cd %s && %s", w->dir, script);

	if (system(cmd) != 0)
		fail_msg("%s", cmd);
	free(cmd);
}

/* Recovered and killed: data/, state, lock, and `ready`. */
static char *leave_behind(struct world *w)
{
	char *target = mem_printf("%s/target", w->dir), *work = instant_work(target), *path;
	struct instant_state *s;
	struct id of = {{7}};
	struct err e;

	shell(w, "mkdir -p target target.holdfast/data");
	path = mem_printf("%s/state", work);
	OK(instant_state_create(path, &of, &s, &e));
	OK(instant_state_ready(s, &e));
	instant_state_close(s);
	shell(w, "cd target.holdfast && echo 1001 > data/rows && touch lock && printf / > ready");
	free(path);
	free(work);
	return target;
}

static void a_link_to_a_target_is_the_target(void **state)
{
	struct world *w = world_new("mem:recover-instant-link");
	char *target = mem_printf("%s/target", w->dir), *got;
	static const char *const ways[] = {"target", "link", "far", "target/"};

	shell(w, "mkdir target && ln -s target link && ln -s $PWD/link far");
	for (size_t i = 0; i < 4; i++) {
		char *way = mem_printf("%s/%s", w->dir, ways[i]);

		got = recover_folder(way);
		assert_string_equal(got, target);
		free(got);
		free(way);
	}
	free(target);
	/* What is not there yet is where it was said to be. */
	target = mem_printf("%s/none", w->dir);
	got = recover_folder(target);
	assert_string_equal(got, target);
	free(got);
	free(target);
	world_free(w);
}

static void what_was_recovered_is_neither_begun_anew_nor_discarded(void **state)
{
	struct world *w = world_new("mem:recover-instant-kept");
	struct snapshot snapshot = {.id = {{7}}};
	struct recover_base base = {.snapshot = &snapshot};
	struct recover_params p = {.jobs = 1};
	struct recover_result out = {.nsteps = 0};
	struct recovering g = {.repo = w->repo, .p = &p, .ctx = &w->ctx, .out = &out};
	char root[] = "/";
	struct err e;

	g.data = leave_behind(w);
	g.pl.base = &base;
	g.pl.path = root;
	assert_int_equal(recover_show(&g, &e), -1);
	assert_int_equal(e.kind, ERR_EXISTS);
	assert_non_null(strstr(e.msg, "under way"));
	assert_null(g.instant);
	assert_int_equal(instant_discard(g.data, &w->ctx, &e), -1);
	assert_int_equal(e.kind, ERR_EXISTS);
	shell(w, "grep -q 1001 target.holdfast/data/rows");
	/* One that was broken off before its database had answered is of no use. */
	shell(w, "rm target.holdfast/ready");
	OK(instant_discard(g.data, &w->ctx, &e));
	shell(w, "test -d target && test ! -e target.holdfast");
	free(g.data);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_link_to_a_target_is_the_target),
	    cmocka_unit_test(what_was_recovered_is_neither_begun_anew_nor_discarded),
	};

	return cmocka_run_group_tests_name("recover_instant", tests, NULL, NULL);
}
