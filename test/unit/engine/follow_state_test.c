/* follow_state: what is written is read, whatever a server says. */
#include "unit/unit.h"

#include <unistd.h>

#include "base/mem.h"
#include "engine/follow_state.h"
#include "os/os.h"

static struct err e;

static void what_is_written_is_read(void **state)
{
	struct follow_state s = {.phase = FOLLOW_DIVERGED,
	    .system = "orders",
	    .source = "postgresql",
	    .slot = "holdfast",
	    .synchronous = true,
	    .sync_why = "synchronous_standby_names is empty",
	    .timeline = 3,
	    .received = UINT64_C(0x1234567890),
	    .lag_ns = 5,
	    .why = "gelöscht"};
	struct follow_state got;
	char place[] = "/tmp/hf-state-XXXXXX", *cmd;

	assert_non_null(mkdtemp(place));
	s.pid = getpid();
	s.at_ns = os_clock()->wall_ns(os_clock());
	assert_int_equal(follow_state_write(place, &s, &e), 0);
	assert_int_equal(follow_state_read(place, "orders", "postgresql", &got, &e), 0);
	assert_int_equal(got.phase, FOLLOW_DIVERGED);
	assert_true(got.synchronous);
	assert_false(got.sync_had);
	assert_string_equal(got.sync_why, s.sync_why);
	assert_int_equal(got.received, s.received);
	assert_string_equal(got.why, s.why);
	/* Cut within a letter, and of another encoding. */
	snprintf(s.why, sizeof s.why, "gel\xc3");
	snprintf(s.sync_why, sizeof s.sync_why, "r\xf4le");
	assert_int_equal(follow_state_write(place, &s, &e), 0);
	assert_int_equal(follow_state_read(place, "orders", "postgresql", &got, &e), 0);
	assert_string_equal(got.why, "gel?");
	assert_string_equal(got.sync_why, "r?le");
	assert_int_equal(follow_state_read(place, "orders", "other", &got, &e), -1);
	assert_int_equal(e.kind, ERR_ABSENT);
	cmd = mem_printf("rm -rf %s", place);
	assert_int_equal(system(cmd), 0);
	free(cmd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_written_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
