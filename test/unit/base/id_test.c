#include "unit/unit.h"

#include "base/id.h"

static void an_id_is_64_digits(void **state)
{
	struct id a, b;
	char text[ID_HEX];

	for (int i = 0; i < ID_SIZE; i++)
		a.b[i] = (uint8_t)(i * 9);
	assert_int_equal(strlen(id_hex(text, &a)), 64);
	assert_true(id_parse(&b, text));
	assert_true(id_eq(&a, &b));
	text[63] = '\0';
	assert_false(id_parse(&b, text));
}

static struct id make_id(uint32_t i)
{
	uint64_t seed = i;
	struct id id;

	unit_rand_fill(&seed, id.b, ID_SIZE);
	return id;
}

static void what_was_put_is_found_and_nothing_else(void **state)
{
	enum { N = 20000 };
	struct idmap *m = idmap_new(sizeof(uint32_t));
	bool was;

	for (uint32_t i = 0; i < N; i++) {
		struct id id = make_id(i);
		uint32_t *v = idmap_put(m, &id, &was);

		assert_false(was);
		assert_int_equal(*v, 0);
		*v = i + 1;
	}
	assert_int_equal(idmap_count(m), N);
	for (uint32_t i = 0; i < 2 * N; i++) {
		struct id id = make_id(i);
		uint32_t *v = idmap_get(m, &id);

		assert_int_equal(v != NULL, i < N);
		if (v != NULL)
			assert_int_equal(*v, i + 1);
	}
	idmap_free(m);
}

static void putting_again_gives_the_same_value(void **state)
{
	struct idmap *m = idmap_new(8);
	struct id id = make_id(1);
	bool was;

	memcpy(idmap_put(m, &id, NULL), "12345678", 8);
	assert_memory_equal(idmap_put(m, &id, &was), "12345678", 8);
	assert_true(was);
	assert_int_equal(idmap_count(m), 1);
	idmap_free(m);
}

static void ids_of_one_hash_are_kept_apart(void **state)
{
	struct idmap *m = idmap_new(1);
	struct id id = {{0}};

	for (unsigned i = 0; i < 200; i++) {
		id.b[0] = (uint8_t)i;
		*(uint8_t *)idmap_put(m, &id, NULL) = (uint8_t)i;
	}
	for (unsigned i = 0; i < 200; i++) {
		id.b[0] = (uint8_t)i;
		assert_int_equal(*(uint8_t *)idmap_get(m, &id), i);
	}
	id.b[0] = 255;
	assert_null(idmap_get(m, &id));
	idmap_free(m);
}

static void a_walk_visits_each_once(void **state)
{
	enum { N = 500 };
	struct idmap *m = idmap_new(sizeof(uint32_t));
	size_t pos = 0, seen = 0;
	struct id id;
	uint32_t *v;

	for (uint32_t i = 0; i < N; i++) {
		id = make_id(i);
		*(uint32_t *)idmap_put(m, &id, NULL) = i;
	}
	while ((v = idmap_next(m, &pos, &id)) != NULL) {
		struct id want = make_id(*v & 0xffff);

		assert_true(id_eq(&id, &want));
		assert_int_equal(*v >> 16, 0);
		*v |= 1 << 16;
		seen++;
	}
	assert_int_equal(seen, N);
	idmap_free(m);
}

static void a_set_needs_no_values(void **state)
{
	struct idmap *m = idmap_new(0);
	struct id a = make_id(1), b = make_id(2);

	assert_non_null(idmap_put(m, &a, NULL));
	assert_non_null(idmap_get(m, &a));
	assert_null(idmap_get(m, &b));
	idmap_free(m);
	idmap_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_id_is_64_digits),
	    cmocka_unit_test(what_was_put_is_found_and_nothing_else),
	    cmocka_unit_test(putting_again_gives_the_same_value),
	    cmocka_unit_test(ids_of_one_hash_are_kept_apart),
	    cmocka_unit_test(a_walk_visits_each_once),
	    cmocka_unit_test(a_set_needs_no_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
