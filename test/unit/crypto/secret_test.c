#include "unit/unit.h"

#include "crypto/secret.h"

static void a_secret_starts_as_zeros_and_can_be_written(void **state)
{
	static const size_t size[] = {0, 1, 32, 4031, 4032, 4033, 100000};

	for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
		uint8_t *p = secret_new(size[i]);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % 16, 0);
		for (size_t j = 0; j < size[i]; j++)
			assert_int_equal(p[j], 0);
		memset(p, 0xff, size[i]);
		secret_free(p);
	}
	secret_free(NULL);
}

/* The flags that the kernel shows of the mapping that holds p. */
static bool mapping_has(const void *p, const char *flag)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	char line[512];
	bool inside = false, found = false;

	assert_non_null(f);
	while (fgets(line, sizeof line, f)) {
		unsigned long lo, hi;

		if (sscanf(line, "%lx-%lx ", &lo, &hi) == 2)
			inside = (uintptr_t)p >= lo && (uintptr_t)p < hi;
		else if (inside && strncmp(line, "VmFlags:", 8) == 0)
			found = strstr(line, flag) != NULL;
	}
	fclose(f);
	return found;
}

static void a_secret_is_left_out_of_core_dumps(void **state)
{
	void *p = secret_new(32), *q = malloc(32);

	/* Some sandboxes show no flags at all. */
	if (!mapping_has(q, " rd "))
		skip();
	assert_true(mapping_has(p, " dd "));
	assert_false(mapping_has(q, " dd "));
	secret_free(p);
	free(q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_secret_starts_as_zeros_and_can_be_written),
	    cmocka_unit_test(a_secret_is_left_out_of_core_dumps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
