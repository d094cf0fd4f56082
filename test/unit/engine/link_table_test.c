/* link_table: every group comes back with its own name, in little memory. */
#include "unit/unit.h"

#include <malloc.h>
#include <stdio.h>

#include "engine/link_table.h"

enum { GROUPS = 100000 };

static uint64_t group_of(uint64_t i)
{
	/* Some uniform, some that differ in high bits only. */
	return i % 3 == 0 ? i << 44 : i * UINT64_C(0x2545f4914f6cdd1d);
}

static void place_of(uint64_t i, char dir[32], char name[32])
{
	snprintf(dir, 32, i < 10 ? "" : "dir/%llu", (unsigned long long)(i / 1000));
	snprintf(name, 32, "name-%llu", (unsigned long long)i);
}

static void add_all(struct link_table *t)
{
	char dir[32], name[32];

	for (uint64_t i = 0; i < GROUPS; i++) {
		uint32_t at;

		place_of(i, dir, name);
		assert_int_equal(link_table_find(t, group_of(i)), LINK_TABLE_NONE);
		at = link_table_add(t, group_of(i), dir, span_str(name));
		assert_int_equal(*link_table_state(t, at), 0);
		*link_table_state(t, at) = (uint8_t)(i % 4);
	}
}

static void groups_come_back_with_their_names_and_states(void **state)
{
	struct link_table *t = link_table_new();
	char dir[32], name[32], want[80];

	(void)state;
	add_all(t);
	for (uint64_t i = GROUPS; i-- > 0;) {
		uint32_t at = link_table_find(t, group_of(i));
		char *first;

		assert_int_not_equal(at, LINK_TABLE_NONE);
		place_of(i, dir, name);
		snprintf(want, sizeof want, "%s%s%s", dir, *dir ? "/" : "", name);
		first = link_table_first(t, at);
		assert_string_equal(first, want);
		free(first);
		assert_int_equal(*link_table_state(t, at), i % 4);
	}
	assert_int_equal(link_table_find(t, 12345), LINK_TABLE_NONE);
	link_table_free(t);
}

static void a_group_takes_little_memory(void **state)
{
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__clang__)
	struct mallinfo2 before = mallinfo2(), after;
	struct link_table *t = link_table_new();

	(void)state;
	add_all(t);
	after = mallinfo2();
	/* With what growing in steps leaves free; separate pieces took 170 bytes each. */
	assert_true(after.uordblks + after.hblkhd - before.uordblks - before.hblkhd < GROUPS * 64);
	link_table_free(t);
#else
	(void)state;
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(groups_come_back_with_their_names_and_states),
	    cmocka_unit_test(a_group_takes_little_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
