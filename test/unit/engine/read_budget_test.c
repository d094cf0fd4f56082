/* read_budget: simulated days, on which all packs are read in time, and no more than their share.
 */
#include "unit/unit.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/read_budget.h"
#include "os/os.h"

enum { DAY = 86400, WITHIN = 30, MOST = 600 };

struct sim {
	struct read_memory *memory;
	struct read_pack packs[MOST];
	int64_t read_s[MOST]; /* last, or made */
	uint64_t total, spent;
	size_t n, made;
	uint64_t random;
	int64_t now_s;
	char path[64];
};

static uint64_t draw(struct sim *s)
{
	uint64_t z = s->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static void add(struct sim *s, size_t n)
{
	for (; n > 0 && s->n < MOST; n--, s->n++) {
		struct read_pack *p = &s->packs[s->n];

		*p = (struct read_pack){.size = (1 << 20) + draw(s) % (15 << 20)};
		for (size_t i = 0; i < sizeof p->id.b; i += 8) {
			uint64_t x = draw(s);

			memcpy(p->id.b + i, &x, 8);
		}
		s->read_s[s->n] = s->now_s;
		s->total += p->size;
	}
}

static void drop(struct sim *s, size_t i)
{
	s->total -= s->packs[i].size;
	s->packs[i] = s->packs[--s->n];
	s->read_s[i] = s->read_s[s->n];
}

static struct sim *sim_new(size_t packs)
{
	struct sim *s = mem_zalloc(sizeof *s);
	bool lost;

	s->random = 20261122;
	s->now_s = 1000000 * (int64_t)DAY;
	s->memory = read_memory_load(NULL, &lost);
	add(s, packs);
	snprintf(s->path, sizeof s->path, "/tmp/hf-reads-XXXXXX");
	assert_int_equal(close(mkstemp(s->path)), 0);
	assert_int_equal(unlink(s->path), 0);
	return s;
}

static void sim_free(struct sim *s)
{
	char lock[80];

	read_memory_free(s->memory);
	snprintf(lock, sizeof lock, "%s.lock", s->path);
	unlink(lock);
	unlink(s->path);
	free(s);
}

/* One verification; the bytes that it read. */
static uint64_t run(struct sim *s)
{
	const struct read_times t = {s->now_s, WITHIN * (int64_t)DAY, DAY};
	uint64_t bytes = 0;

	read_budget_choose(s->memory, s->packs, s->n, &t);
	for (size_t i = 0; i < s->n; i++)
		if (s->packs[i].chosen) {
			read_memory_note(s->memory, &s->packs[i].id, s->now_s, READ_SOUND);
			s->read_s[i] = s->now_s;
			bytes += s->packs[i].size;
		}
	s->spent += bytes;
	return bytes;
}

static void restart(struct sim *s)
{
	struct err e;
	bool lost;

	assert_int_equal(read_memory_save(s->memory, s->path, &e), 0);
	read_memory_free(s->memory);
	s->memory = read_memory_load(s->path, &lost);
	assert_false(lost);
}

static int64_t oldest(const struct sim *s)
{
	int64_t age = 0;

	for (size_t i = 0; i < s->n; i++)
		if (s->now_s - s->read_s[i] > age)
			age = s->now_s - s->read_s[i];
	return age;
}

static void all_is_read_once_in_its_days_and_evenly(void **state)
{
	struct sim *s = sim_new(400);
	uint64_t share = s->total / WITHIN;

	for (int day = 0; day < WITHIN; day++, s->now_s += DAY) {
		uint64_t bytes = run(s);

		assert_true(bytes < share + 17 * (1 << 20));
		assert_true(bytes > share - 17 * (1 << 20) || day == WITHIN - 1);
	}
	assert_int_equal(read_memory_sound(s->memory, s->now_s - WITHIN * (int64_t)DAY), 400);
	assert_true(s->spent < s->total + 17 * (1 << 20));
	/* And on for ever: none is ever older than its days. */
	for (int day = 0; day < 100; day++, s->now_s += DAY) {
		run(s);
		assert_true(oldest(s) <= WITHIN * (int64_t)DAY);
	}
	sim_free(s);
}

static void many_small_turns_read_no_more_than_one_a_day(void **state)
{
	struct sim *s = sim_new(100);

	run(s);
	s->spent = 0;
	/* A thousand systems in one repository, each once a day, for ten days. */
	for (int i = 0; i < 10000; i++) {
		s->now_s += DAY / 1000;
		run(s);
	}
	assert_true(s->spent > s->total / 3 - s->total / 20);
	assert_true(s->spent < s->total / 3 + s->total / 20);
	sim_free(s);
}

/* Days without a run, restarts, packs that come and go, a clock that is set back for an hour. */
static void restarts_and_missed_days_lose_nothing(void **state)
{
	struct sim *s = sim_new(200);
	int64_t last_s = s->now_s;

	for (int day = 0; day < 200; day++, s->now_s += DAY) {
		if (draw(s) % 4 == 0)
			continue;
		if (day % 20 == 0)
			restart(s);
		add(s, draw(s) % 8);
		for (int i = 0; i < 4 && s->n > 100; i++)
			drop(s, (size_t)(draw(s) % s->n));
		run(s);
		/* What could be too old is by no more than the time in which nobody asked. */
		assert_true(oldest(s) <= WITHIN * (int64_t)DAY + (s->now_s - last_s));
		last_s = s->now_s;
		if (draw(s) % 50 == 0) {
			s->now_s -= 3600;
			run(s);
			s->now_s += 3600;
		}
	}
	sim_free(s);
}

static void after_a_long_pause_all_is_read_at_once(void **state)
{
	struct sim *s = sim_new(50);

	run(s);
	restart(s);
	s->now_s += 2 * WITHIN * (int64_t)DAY;
	run(s);
	assert_true(oldest(s) == 0);
	sim_free(s);
}

static void what_was_bad_is_read_again_until_it_is_gone(void **state)
{
	struct sim *s = sim_new(100);
	const struct id bad = s->packs[7].id;

	run(s);
	read_memory_note(s->memory, &bad, s->now_s, READ_BAD);
	for (int i = 0; i < 3; i++) {
		restart(s);
		assert_int_equal(read_memory_bad(s->memory), 1);
		s->now_s += 60;
		read_budget_choose(
		    s->memory, s->packs, s->n, &(struct read_times){s->now_s, WITHIN * DAY, DAY});
		assert_true(s->packs[7].chosen);
		read_memory_note(s->memory, &bad, s->now_s, READ_BAD);
	}
	drop(s, 7);
	run(s);
	assert_int_equal(read_memory_bad(s->memory), 0);
	sim_free(s);
}

/* Of two that run at once each keeps what the other has found, whichever is over last. */
static void two_at_once_keep_each_others_memory(void **state)
{
	struct sim *s = sim_new(100);
	struct read_memory *other;
	struct err e;
	bool lost;

	run(s);
	read_memory_note(s->memory, &s->packs[9].id, s->now_s, READ_BAD);
	restart(s);
	other = read_memory_load(s->path, &lost);
	s->now_s += DAY;
	run(s);
	read_memory_note(other, &s->packs[7].id, s->now_s - 1, READ_BAD);
	read_memory_note(other, &s->packs[8].id, s->now_s - 1, READ_SOUND);
	read_memory_note(s->memory, &s->packs[7].id, s->now_s, READ_SOUND);
	read_memory_note(s->memory, &s->packs[9].id, s->now_s, READ_SOUND);
	assert_int_equal(read_memory_save(other, s->path, &e), 0);
	read_memory_free(other);
	restart(s);
	/* 7 is bad, for one has said so; 9 was mended; 8 was read by the other. */
	assert_int_equal(read_memory_bad(s->memory), 1);
	add(s, 1);
	read_budget_choose(
	    s->memory, s->packs, s->n, &(struct read_times){s->now_s, WITHIN * DAY, DAY});
	assert_true(s->packs[7].chosen);
	assert_false(s->packs[8].chosen || s->packs[9].chosen);
	/* What another saw first stays, and what is gone does not come back. */
	other = read_memory_load(s->path, &lost);
	drop(s, 7);
	add(s, 1);
	run(s);
	assert_int_equal(read_memory_save(other, s->path, &e), 0);
	read_memory_free(other);
	restart(s);
	assert_int_equal(read_memory_bad(s->memory), 0);
	sim_free(s);
}

static void a_damaged_memory_is_told_and_begins_anew(void **state)
{
	struct sim *s = sim_new(30);
	struct buf b = {0};
	struct err e;
	bool lost;

	run(s);
	restart(s);
	assert_int_equal(os_read_file(s->path, 1 << 20, &b, &e), 0);
	for (size_t i = 0; i < b.n; i += 1 + b.n / 8) {
		b.p[i] ^= 1;
		assert_int_equal(os_file_replace(s->path, buf_span(&b), 0600, &e), 0);
		read_memory_free(s->memory);
		s->memory = read_memory_load(s->path, &lost);
		assert_true(lost);
		b.p[i] ^= 1;
	}
	b.n /= 2;
	assert_int_equal(os_file_replace(s->path, buf_span(&b), 0600, &e), 0);
	read_memory_free(s->memory);
	s->memory = read_memory_load(s->path, &lost);
	assert_true(lost);
	assert_true(run(s) > 0);
	buf_fini(&b);
	sim_free(s);
}

static void nothing_is_chosen_of_nothing(void **state)
{
	struct sim *s = sim_new(0);

	assert_int_equal(run(s), 0);
	s->now_s += DAY;
	assert_int_equal(run(s), 0);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_is_read_once_in_its_days_and_evenly),
	    cmocka_unit_test(many_small_turns_read_no_more_than_one_a_day),
	    cmocka_unit_test(restarts_and_missed_days_lose_nothing),
	    cmocka_unit_test(after_a_long_pause_all_is_read_at_once),
	    cmocka_unit_test(what_was_bad_is_read_again_until_it_is_gone),
	    cmocka_unit_test(two_at_once_keep_each_others_memory),
	    cmocka_unit_test(a_damaged_memory_is_told_and_begins_anew),
	    cmocka_unit_test(nothing_is_chosen_of_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
