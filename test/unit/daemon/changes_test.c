/* daemon_changes: what counts as a change, at what pace, and that nobody waits for a stuck thread.
 */
#include "unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "daemon/daemon_internal.h"
#include "daemon/pace.h"
#include "daemon/unread.h"
#include "os/os_watch.h"

static char dir[64];

static char *at(const char *name)
{
	static char path[4][256];
	static int i;

	i = (i + 1) % 4;
	snprintf(path[i], sizeof path[i], "%s/%s", dir, name);
	return path[i];
}

/* ---- A file system that does not answer, until it is let go. */

static int gate[2], opened[2];

int __wrap_os_watch_open(const struct os_watch_params *p, struct os_watch **out, struct err *e);
int __wrap_os_watch_open(const struct os_watch_params *p, struct os_watch **out, struct err *e)
{
	char c;

	(void)!write(opened[1], "x", 1);
	(void)!read(gate[0], &c, 1);
	return err_set(e, ERR_CANCELLED, "interrupted");
}

void __wrap_daemon_wake(struct daemon *d);
void __wrap_daemon_wake(struct daemon *d)
{
}

static void nobody_waits_for_a_thread_that_is_stuck(void **state)
{
	const char *text = "repositories: {main: {url: /srv/a}}\n"
			   "tiers: {live: {destinations: main, strategy: continuous}}\n"
			   "systems: {www: {tier: live, sources: [{files: {paths: /w}}]}}\n";
	struct daemon_params p = {.catalog = at("catalog.db"), .state_dir = at("state")};
	struct daemon d = {.p = &p};
	struct planned planned = {0};
	struct err e;
	char c;

	assert_int_equal(pipe(gate) | pipe(opened), 0);
	if (world_of_text(span_str(text), "f", &d.world, &e) == -1)
		fail_msg("%s", e.msg);
	planned.system = world_system_at(d.world, 0);
	d.systems = &planned;
	d.nsystems = 1;
	daemon_changes_start(&d);
	assert_int_equal(d.nchanges, 1);
	assert_int_equal(read(opened[0], &c, 1), 1); /* there it stays */
	alarm(60);
	daemon_changes_stop(&d);
	assert_int_equal(d.nchanges, 0);
	assert_int_equal(d.nstopping, 1);
	daemon_changes_due(&d);
	assert_int_equal(d.nstopping, 1);
	assert_int_equal(write(gate[1], "x", 1), 1);
	while (d.nstopping > 0)
		daemon_changes_due(&d);
	alarm(0);
	daemon_changes_end(&d);
	world_free(d.world);
}

/* ---- What is ours. */

static void what_is_ours_is_known_by_whatever_name(void **state)
{
	struct unread *u = unread_new();
	char *url = mem_printf("fs:%s/", at("repo"));

	assert_int_equal(symlink(at("real"), at("link")), 0);
	unread_add_url(u, url);
	unread_add(u, at("link"));
	unread_add(u, at("later"));
	unread_add_url(u, "s3:HOST/bucket/x");
	assert_true(unread_has(u, at("repo"), true));
	assert_true(unread_has(u, at("repo/data"), true));
	assert_true(unread_has(u, at("real"), true)); /* what the link leads to */
	assert_false(unread_has(u, at("repository"), true));
	assert_false(unread_has(u, at("f"), false));
	/* Under another name, when it is there. */
	assert_int_equal(symlink(dir, at("self")), 0);
	assert_false(unread_has(u, at("self/later"), true));
	assert_int_equal(mkdir(at("later"), 0700), 0);
	assert_true(unread_has(u, at("self/later"), true));
	unread_free(u);
	free(url);
}

static void a_catalogs_files_are_ours_and_its_neighbours_are_not(void **state)
{
	struct unread *u = unread_new();
	char *url = mem_printf("sqlite:%s", at("real/cat.db"));

	unread_add_catalog(u, url);
	unread_add_catalog(u, "postgresql://host/db");
	assert_true(unread_has(u, at("real/cat.db"), false));
	assert_true(unread_has(u, at("real/cat.db-wal"), false));
	assert_true(unread_has(u, at("./real/cat.db-journal"), false));
	assert_false(unread_has(u, at("real/cat.dbx"), false));
	assert_false(unread_has(u, at("real/other"), false));
	assert_false(unread_has(u, at("cat.db"), false));
	assert_false(unread_has(u, at("real"), true));
	unread_free(u);
	free(url);
}

static void some_may_follow_each_other_and_then_one_a_minute(void **state)
{
	struct pace p = {0};
	int64_t now = 5000000, n = 0;

	for (; pace_may(&p, now); n++)
		pace_take(&p, now);
	assert_int_equal(n, PACE_MOST);
	assert_false(pace_may(&p, now + PACE_EACH_MS - 1));
	assert_true(pace_may(&p, now += PACE_EACH_MS));
	pace_take(&p, now);
	assert_false(pace_may(&p, now));
	for (n = 0, now += (int64_t)10 * PACE_MOST * PACE_EACH_MS; pace_may(&p, now); n++)
		pace_take(&p, now);
	assert_int_equal(n, PACE_MOST);
}

static int setup(void **state)
{
	snprintf(dir, sizeof dir, "/tmp/changes_test.XXXXXX");
	return mkdtemp(dir) == NULL || mkdir(at("repo"), 0700) || mkdir(at("real"), 0700) ? -1 : 0;
}

static int teardown(void **state)
{
	char command[128];

	snprintf(command, sizeof command, "rm -rf %s", dir);
	return system(command);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(nobody_waits_for_a_thread_that_is_stuck),
	    T(what_is_ours_is_known_by_whatever_name),
	    T(a_catalogs_files_are_ours_and_its_neighbours_are_not),
	    T(some_may_follow_each_other_and_then_one_a_minute),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
