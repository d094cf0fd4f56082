/* follow_queue: what is put when, and that nothing is called safe that is not. */
#include "unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "engine/follow_queue.h"

enum { SEG = 64 };

static const struct follow_asks both = {.small = true, .whole = true};
static const struct follow_asks wholes = {.whole = true};
static const struct follow_asks all = {.small = true, .whole = true, .flush = true};

static uint64_t safe(const struct follow_queue *q)
{
	uint32_t timeline;

	return follow_queue_safe(q, &timeline);
}

static void synchronous_commits_gather_while_one_put_is_under_way(void **state)
{
	struct follow_queue q;
	struct follow_job a, b;

	follow_queue_init(&q, SEG, true, 0);
	follow_queue_begin(&q, 1, 0, 0);
	follow_queue_got(&q, 1, 0, 10);
	assert_true(follow_queue_claim(&q, &both, 0, &a));
	assert_int_equal(a.what, FOLLOW_SMALL);
	follow_queue_got(&q, 1, 10, 12);
	follow_queue_got(&q, 1, 12, 20);
	assert_false(follow_queue_claim(&q, &both, 0, &b));
	assert_int_equal(safe(&q), 0);
	follow_queue_done(&q, &a, true);
	assert_int_equal(safe(&q), 10);
	assert_true(follow_queue_claim(&q, &both, 0, &b));
	assert_int_equal(b.start, 10);
	assert_int_equal(b.end, 20);
	follow_queue_done(&q, &b, false);
	assert_int_equal(safe(&q), 10);
	assert_true(follow_queue_claim(&q, &both, 0, &b));
	assert_int_equal(b.start, 10);
	follow_queue_done(&q, &b, true);
	assert_int_equal(safe(&q), 20);
	assert_true(follow_queue_idle(&q));
	follow_queue_fini(&q);
}

static void a_segment_that_went_in_pieces_goes_whole_after_its_end(void **state)
{
	struct follow_queue q;
	struct follow_job j;

	follow_queue_init(&q, SEG, true, 0);
	follow_queue_begin(&q, 1, 0, 0);
	follow_queue_got(&q, 1, 0, 10);
	assert_true(follow_queue_claim(&q, &both, 0, &j));
	follow_queue_done(&q, &j, true);
	follow_queue_got(&q, 1, 10, SEG);
	assert_false(follow_queue_claim(&q, &wholes, 0, &j));
	assert_true(follow_queue_claim(&q, &both, 0, &j));
	assert_int_equal(j.what, FOLLOW_SMALL);
	follow_queue_done(&q, &j, true);
	assert_int_equal(safe(&q), SEG);
	assert_false(follow_queue_idle(&q));
	assert_false(follow_queue_pop(&q, &j));
	assert_true(follow_queue_claim(&q, &wholes, 0, &j));
	assert_int_equal(j.what, FOLLOW_WHOLE);
	assert_int_equal(j.start, 0);
	assert_int_equal(j.end, SEG);
	follow_queue_done(&q, &j, true);
	assert_true(follow_queue_idle(&q));
	assert_true(follow_queue_pop(&q, &j));
	assert_int_equal(safe(&q), SEG);
	follow_queue_fini(&q);
}

static void what_catches_up_goes_whole(void **state)
{
	struct follow_queue q;
	struct follow_job a, b;

	follow_queue_init(&q, SEG, true, 0);
	follow_queue_begin(&q, 1, 0, 0);
	follow_queue_got(&q, 1, 0, SEG);
	follow_queue_got(&q, 1, SEG, 2 * SEG);
	assert_true(follow_queue_claim(&q, &both, 0, &a));
	assert_true(follow_queue_claim(&q, &both, 0, &b));
	assert_int_equal(a.what, FOLLOW_WHOLE);
	assert_int_equal(b.what, FOLLOW_WHOLE);
	follow_queue_done(&q, &b, true);
	assert_int_equal(safe(&q), 0); /* the first one is not there yet */
	follow_queue_done(&q, &a, true);
	assert_int_equal(safe(&q), 2 * SEG);
	follow_queue_fini(&q);
}

static void an_open_segment_waits_for_its_time_and_no_longer(void **state)
{
	struct follow_queue q;
	struct follow_job j;

	follow_queue_init(&q, SEG, false, 1000);
	follow_queue_begin(&q, 1, 0, 0);
	follow_queue_got(&q, 1, 0, 10);
	assert_true(follow_queue_claim(&q, &both, 5000, &j));
	follow_queue_done(&q, &j, true);
	follow_queue_got(&q, 1, 10, 20);
	assert_false(follow_queue_claim(&q, &both, 5999, &j));
	assert_int_equal(follow_queue_next_ns(&q), 6000);
	assert_true(follow_queue_claim(&q, &all, 5999, &j));
	follow_queue_done(&q, &j, false);
	assert_true(follow_queue_claim(&q, &both, 7000, &j));
	follow_queue_done(&q, &j, true);
	follow_queue_got(&q, 1, 20, SEG);
	assert_true(follow_queue_claim(&q, &both, 7001, &j));
	assert_int_equal(j.what, FOLLOW_WHOLE); /* no small one before it */
	follow_queue_fini(&q);
}

static void a_timeline_is_safe_only_with_its_history(void **state)
{
	struct follow_queue q;
	struct follow_job j, h;
	uint32_t timeline;

	follow_queue_init(&q, SEG, true, 0);
	follow_queue_begin(&q, 1, 0, 0);
	follow_queue_got(&q, 1, 0, 30);
	follow_queue_ended(&q, 1);
	follow_queue_history(&q, 2);
	follow_queue_got(&q, 2, 0, 30);
	assert_true(follow_queue_claim(&q, &wholes, 0, &j));
	assert_true(j.partial);
	assert_int_equal(j.end, 30);
	follow_queue_done(&q, &j, true);
	assert_true(follow_queue_claim(&q, &wholes, 0, &h));
	assert_int_equal(h.what, FOLLOW_HISTORY);
	assert_int_equal(h.timeline, 2);
	assert_true(follow_queue_claim(&q, &both, 0, &j));
	follow_queue_done(&q, &j, true);
	follow_queue_safe(&q, &timeline);
	assert_int_equal(timeline, 1);
	follow_queue_done(&q, &h, true);
	assert_int_equal(follow_queue_safe(&q, &timeline), 30);
	assert_int_equal(timeline, 2);
	follow_queue_fini(&q);
}

static void what_is_known_is_received_again_but_not_put_again(void **state)
{
	struct follow_queue q;
	struct follow_job j;

	follow_queue_init(&q, SEG, true, 0);
	follow_queue_begin(&q, 3, SEG + 20, SEG);
	assert_int_equal(q.at, SEG);
	assert_int_equal(safe(&q), SEG + 20);
	follow_queue_got(&q, 3, SEG, SEG + 15);
	assert_false(follow_queue_claim(&q, &both, 0, &j));
	follow_queue_got(&q, 3, SEG + 15, SEG + 25);
	assert_true(follow_queue_claim(&q, &both, 0, &j));
	assert_int_equal(j.start, SEG + 20);
	assert_int_equal(j.end, SEG + 25);
	follow_queue_fini(&q);
}

/* Against a model that knows of each byte whether it is durable. */
static void random_puts_never_make_more_safe_than_is_durable(void **state)
{
	const char *given = getenv("HOLDFAST_TEST_SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : (unsigned)time(NULL);

	printf("# HOLDFAST_TEST_SEED=%u\n", seed);
	srand(seed);
	for (int trial = 0; trial < 200; trial++) {
		static bool there[40 * SEG];
		struct follow_queue q;
		struct follow_job jobs[3], j;
		size_t n = 0;
		uint64_t at = 0, last = 0;
		int64_t now = 1;

		memset(there, 0, sizeof there);
		follow_queue_init(&q, SEG, rand() % 2, 50);
		follow_queue_begin(&q, 1, 0, 0);
		while (at < sizeof there || !follow_queue_idle(&q)) {
			uint64_t s, end = 0;

			now += rand() % 20;
			if (at < sizeof there && rand() % 2) {
				uint64_t to = at + 1 + (uint64_t)rand() % (SEG - at % SEG);

				follow_queue_got(&q, 1, at, to);
				at = to;
			}
			if (n < 3 && follow_queue_claim(&q, n ? &both : &all, now, &jobs[n]))
				n++;
			if (n > 0 && rand() % 2) {
				size_t i = (size_t)rand() % n;
				bool ok = rand() % 5 > 0;

				if (ok)
					memset(there + jobs[i].start, true,
					    jobs[i].end - jobs[i].start);
				follow_queue_done(&q, &jobs[i], ok);
				jobs[i] = jobs[--n];
			}
			while (rand() % 3 == 0 && follow_queue_pop(&q, &j))
				;
			s = safe(&q);
			while (end < sizeof there && there[end])
				end++;
			if (s > end)
				fail_msg("%u: safe at %u, durable to %u", seed, (unsigned)s,
				    (unsigned)end);
			assert_true(s >= last);
			last = s;
		}
		while (follow_queue_pop(&q, &j))
			;
		assert_int_equal(q.n, 0);
		assert_int_equal(safe(&q), sizeof there);
		follow_queue_fini(&q);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(synchronous_commits_gather_while_one_put_is_under_way),
	    cmocka_unit_test(a_segment_that_went_in_pieces_goes_whole_after_its_end),
	    cmocka_unit_test(what_catches_up_goes_whole),
	    cmocka_unit_test(an_open_segment_waits_for_its_time_and_no_longer),
	    cmocka_unit_test(a_timeline_is_safe_only_with_its_history),
	    cmocka_unit_test(what_is_known_is_received_again_but_not_put_again),
	    cmocka_unit_test(random_puts_never_make_more_safe_than_is_durable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
