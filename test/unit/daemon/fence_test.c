/* daemon_share: who cannot renew the leases of its runs stops them before another begins them. */
#include "unit/unit.h"

#include "daemon/daemon_internal.h"
#include "db/db.h"

static bool server;
static int stopped;

bool __wrap_db_is_server(const struct db *d);
bool __wrap_db_is_server(const struct db *d)
{
	return server;
}

struct db *__wrap_catalog_db(struct catalog *c);
struct db *__wrap_catalog_db(struct catalog *c)
{
	return NULL;
}

void __wrap_child_stop(struct child *c);
void __wrap_child_stop(struct child *c)
{
	stopped++;
	c->asked_ms = 1;
}

static int64_t mono_s;

static int64_t mono(struct clock *c)
{
	return mono_s * CALENDAR_SECOND;
}

static void runs_are_stopped_before_their_leases_end(void **state)
{
	struct clock clock = {.wall_ns = mono, .mono_ns = mono};
	struct ctx ctx = {.clock = &clock};
	struct daemon_params p = {.log_json = true};
	struct child old = {.run = {.id = 1, .system = "www"}}, young = old;
	struct daemon d = {.p = &p, .ctx = &ctx, .children = &old, .leased_mono_s = 1000};

	assert_int_equal(uv_loop_init(&d.loop), 0);
	old.next = &young;
	young.started_ms = (int64_t)uv_now(&d.loop);
	old.started_ms = young.started_ms - DAEMON_LEASE_S * 1000;
	server = true;
	mono_s = 1000 + DAEMON_FENCE_S;
	daemon_fence(&d); /* the last renewal was long ago, but none failed: it slept */
	assert_int_equal(stopped, 0);
	d.unrenewed = true;
	mono_s--;
	daemon_fence(&d);
	assert_int_equal(stopped, 0);
	mono_s++;
	server = false;
	daemon_fence(&d); /* a file has no other end */
	assert_int_equal(stopped, 0);
	server = true;
	daemon_fence(&d);
	assert_int_equal(stopped, 1);
	assert_true(old.fenced && !young.fenced); /* the young one's lease began with it */
	daemon_fence(&d);
	assert_int_equal(stopped, 1);
	assert_true(DAEMON_FENCE_S + 2 * DAEMON_LOOK_MS / 1000 < DAEMON_LEASE_S);
	uv_loop_close(&d.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(runs_are_stopped_before_their_leases_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
