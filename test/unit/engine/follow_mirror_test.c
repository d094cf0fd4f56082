/* follow_mirror: a destination that is away holds nobody up, and threads do not meet.  (TSan.) */
#include "unit/unit.h"

#include <stdatomic.h>

#include "base/mem.h"
#include "engine/follow_mirror.h"
#include "os/os.h"

enum { SEG = 1 << 20, JOBS = 20 };

static struct err e;
static struct ctx ctx;
static atomic_uint opens, behind;
static _Atomic int64_t takes_ns = 50000000;

#define OK(x)                                                                                      \
	do {                                                                                       \
		if ((x) != 0)                                                                      \
			fail_msg("%s: %s", #x, e.msg);                                             \
	} while (0)

static int open_none(void *arg, const char *name, struct repo **out, struct err *err)
{
	atomic_fetch_add(&opens, 1);
	os_sleep_ns(&ctx, atomic_load(&takes_ns));
	return err_set(err, ERR_UNREACHABLE, "%s is away", name);
}

static void tell(void *arg, const char *event, enum event_level level, const char *text)
{
	if (strcmp(event, "log.behind") == 0)
		atomic_fetch_add(&behind, 1);
}

static void who_is_away_is_told_once_and_let_go(void **state)
{
	static const char *const names[] = {"second", "third"};
	struct follow_params p = {.others = names, .nothers = 2, .open = open_none, .tell = tell};
	struct follow_spool *spool;
	struct follow_spooled *v;
	struct follow_mirror *m;
	struct follow_job j;
	char dir[64] = "/tmp/hf-mirror-XXXXXX", *cmd;
	uint8_t *bytes = mem_zalloc(SEG);
	size_t n;

	assert_non_null(mkdtemp(dir));
	OK(follow_spool_open(dir, "boot", &spool, &e));
	OK(follow_spool_of(spool, "1", SEG, &e));
	OK(follow_spool_list(spool, &v, &n, &e));
	OK(follow_mirror_start(&p, spool, &m, &e));
	for (uint64_t i = 0; i < JOBS; i++) {
		OK(follow_spool_append(spool, 1, i * SEG, span_of(bytes, SEG), &e));
		follow_mirror_add(m,
		    &(struct follow_job){FOLLOW_WHOLE, 1, i * SEG, i * SEG, (i + 1) * SEG, false});
		assert_false(follow_mirror_taken(m, &j));
	}
	while (atomic_load(&behind) < 2)
		os_sleep_ns(&ctx, 1000000);
	assert_int_equal(atomic_load(&behind), 2);
	follow_mirror_give_up(m, true);
	for (n = 0; n < JOBS;)
		if (follow_mirror_taken(m, &j))
			assert_int_equal(j.start, n++ * SEG);
	assert_int_equal(atomic_load(&behind), 4); /* that they are let go, once each */
	follow_mirror_stop(m);
	/* It ends while one is tried for the first time: nobody is told. */
	atomic_store(&opens, 0);
	atomic_store(&takes_ns, INT64_C(2000000000)); /* it has to be told to end before that */
	OK(follow_mirror_start(&p, spool, &m, &e));
	follow_mirror_add(m, &(struct follow_job){FOLLOW_WHOLE, 1, 0, 0, SEG, false});
	while (atomic_load(&opens) == 0)
		os_sleep_ns(&ctx, 1000000);
	follow_mirror_stop(m);
	assert_int_equal(atomic_load(&behind), 4);
	OK(follow_spool_empty(spool, &e));
	follow_spool_close(spool);
	free(bytes);
	cmd = mem_printf("rm -rf %s", dir);
	assert_int_equal(system(cmd), 0);
	free(cmd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(who_is_away_is_told_once_and_let_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
