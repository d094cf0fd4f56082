/* What an instant recovery left beside its target is found whatever leads there, and kept. */
#include "unit/engine/engine_unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "engine/instant.h"
#include "engine/instant_state.h"
#include "engine/recover_finish.h"
#include "engine/recover_internal.h"
#include "os/os.h"

/* What takes long (s) and what is done (r), in their order. */
static char calls[64];

static void call(char which)
{
	size_t n = strlen(calls);

	if (n + 1 < sizeof calls)
		calls[n] = which;
}

int fsync(int fd)
{
	call('s');
	return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	call('s');
	return (int)syscall(SYS_fdatasync, fd);
}

int syncfs(int fd)
{
	call('s');
	return (int)syscall(SYS_syncfs, fd);
}

int renameat(int dir, const char *from, int dir2, const char *to)
{
	call('r');
	return (int)syscall(SYS_renameat2, dir, from, dir2, to, 0);
}

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
	assert_int_equal(recover_refuse_shown(&g, &e), -1);
	assert_int_equal(e.kind, ERR_EXISTS);
	assert_int_equal(recover_show(&g, &e), -1);
	assert_int_equal(e.kind, ERR_EXISTS);
	assert_non_null(strstr(e.msg, "under way"));
	assert_null(g.instant);
	assert_int_equal(instant_discard(g.data, &w->ctx, &e), -1);
	assert_int_equal(e.kind, ERR_EXISTS);
	shell(w, "grep -q 1001 target.holdfast/data/rows");
	/* One that was broken off before its database had answered is of no use. */
	shell(w, "rm target.holdfast/ready");
	OK(recover_refuse_shown(&g, &e));
	OK(instant_discard(g.data, &w->ctx, &e));
	shell(w, "test -d target && test ! -e target.holdfast");
	free(g.data);
	world_free(w);
}

/* Killed behind the last step: files in their place, and beside them what told of it. */
static char *break_off_behind_the_rename(struct world *w)
{
	struct instant_params p = {.repo = w->repo, .root = w->dir, .jobs = 1};
	struct instant *in;
	char *target;
	struct err e;

	world_mkdir(w, "base");
	world_write(w, "base/rows", "1001", 4);
	p.snapshot = world_backup(w, "h", NULL);
	p.target = target = mem_printf("%s/target", w->dir);
	OK(instant_open(&p, &w->ctx, &in, &e));
	OK(instant_copy(in, &e));
	OK(instant_mark(in, &e));
	/* It cannot be removed like a file: state and lock stay, too. */
	shell(w, "mkdir target.holdfast/damaged");
	OK(instant_settle(in, &e));
	instant_close(in);
	assert_int_equal(w->warnings, 1);
	shell(w, "rmdir target.holdfast/damaged && test -e target.holdfast/state && "
		 "grep -q 1001 target/base/rows");
	return target;
}

static void what_was_put_in_its_place_is_found_there(void **state)
{
	static const char *const stores[] = {"mem:settled-0", "mem:settled-1", "mem:settled-2"};

	for (int way = 0; way < 3; way++) {
		struct world *w = world_new(stores[way]);
		char *target = break_off_behind_the_rename(w);
		char *start = mem_printf("touch %s/started", w->dir);
		struct recover_finish_params p = {.target = target, .start_command = start};
		struct instant *in = NULL;
		struct instant_seen seen;
		struct err e;

		if (way > 0)
			shell(w, "printf / > target.holdfast/ready");
		OK(instant_look(target, &seen, &e));
		assert_true(seen.begun && seen.settled && seen.ready == (way > 0));
		if (way == 2)
			OK(recover_again(w->repo, &p, &w->ctx, &in, &e));
		else
			OK(recover_finish(w->repo, &p, &w->ctx, &e));
		assert_null(in);
		/* Nobody was using it when it was put there. */
		shell(w, way == 2 ? "test -e started" : "test ! -e started");
		shell(w, "grep -q 1001 target/base/rows && test ! -e target.holdfast");
		free(start);
		free(target);
		world_free(w);
	}
}

/* Nobody finds an empty folder while something is synced. */
static void it_takes_its_place_before_anything_that_takes_long(void **state)
{
	struct world *w = world_new("mem:recover-instant-soon");
	struct instant_params p = {.repo = w->repo, .root = w->dir, .jobs = 1};
	char *target = mem_printf("%s/target", w->dir);
	struct instant *in;
	struct err e;

	world_write(w, "rows", "1001", 4);
	p.snapshot = world_backup(w, "h", NULL);
	p.target = target;
	OK(instant_open(&p, &w->ctx, &in, &e));
	OK(instant_copy(in, &e));
	memset(calls, 0, sizeof calls);
	OK(instant_settle_soon(in, &e));
	assert_int_equal(calls[0], 's');
	memset(calls, 0, sizeof calls);
	OK(instant_settle(in, &e));
	assert_int_equal(calls[0], 'r');
	assert_int_equal(calls[1], 's');
	instant_close(in);
	shell(w, "grep -q 1001 target/rows && test ! -e target.holdfast");
	free(target);
	world_free(w);
}

/* Who served it was killed; its server had been stopped before, or died of it. */
static void only_a_server_that_ran_is_started(void **state)
{
	static const char *const stores[] = {"mem:stopped-0", "mem:stopped-1"};

	for (int ran = 0; ran < 2; ran++) {
		struct world *w = world_new(stores[ran]);
		char *target = mem_printf("%s/target", w->dir);
		char *start = mem_printf("touch %s/started", w->dir);
		struct instant_params p = {.repo = w->repo, .root = w->dir, .jobs = 1};
		struct recover_finish_params fp = {.target = target, .start_command = start};
		struct instant *in;
		struct err e;

		world_write(w, "rows", "1001", 4);
		p.snapshot = world_backup(w, "h", NULL);
		p.target = target;
		OK(instant_open(&p, &w->ctx, &in, &e));
		OK(instant_mark(in, &e));
		instant_close(in);
		if (ran)
			shell(w, "echo 99999999 > target.holdfast/data/postmaster.pid");
		shell(w, "printf 'one\\ntwo\\n' > target.holdfast/log");
		OK(recover_finish(w->repo, &fp, &w->ctx, &e));
		assert_int_equal(w->warnings, 2); /* what nobody saw is passed on */
		shell(w, "grep -q 1001 target/rows && test ! -e target.holdfast");
		shell(w, ran ? "test -e started" : "test ! -e started");
		free(start);
		free(target);
		world_free(w);
	}
}

static void what_somebody_else_put_there_is_not_taken_for_it(void **state)
{
	struct world *w = world_new("mem:recover-instant-other");
	char *target = break_off_behind_the_rename(w);
	struct recover_finish_params p = {.target = target};
	struct instant_seen seen;
	struct err e;

	shell(w,
	    "printf / > target.holdfast/ready && mkdir other && mv target was && mv other target");
	OK(instant_look(target, &seen, &e));
	assert_true(seen.begun && !seen.settled);
	assert_int_equal(recover_finish(w->repo, &p, &w->ctx, &e), -1);
	shell(w, "test -e target.holdfast/state");
	free(target);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_link_to_a_target_is_the_target),
	    cmocka_unit_test(what_was_recovered_is_neither_begun_anew_nor_discarded),
	    cmocka_unit_test(what_was_put_in_its_place_is_found_there),
	    cmocka_unit_test(it_takes_its_place_before_anything_that_takes_long),
	    cmocka_unit_test(only_a_server_that_ran_is_started),
	    cmocka_unit_test(what_somebody_else_put_there_is_not_taken_for_it),
	};

	return cmocka_run_group_tests_name("recover_instant", tests, NULL, NULL);
}
