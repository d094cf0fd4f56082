/* verify_rule: the score's arithmetic, and what the table's weights promise. */
#include "unit/unit.h"

#include <string.h>

#include "engine/verify_rule.h"

enum { MOST = 4 };

static void the_score_is_the_share_of_what_passed(void **state)
{
	/* P passed, F failed, - not judged; a capital letter's weight is critical. */
	static const struct {
		unsigned weight[MOST];
		const char *critical, *states;
		double score;
		bool passed;
	} rows[] = {
	    {{1, 1, 1, 1}, "    ", "PPPP", 1, true},
	    {{1, 1, 1, 1}, "    ", "PPPF", 0.75, false},
	    {{19, 1, 0, 0}, "    ", "PF--", 0.95, true},   /* just the pass mark */
	    {{94, 6, 0, 0}, "    ", "PF--", 0.94, false},  /* just below */
	    {{97, 3, 50, 50}, "    ", "PF--", 0.97, true}, /* what is not judged has no share */
	    {{97, 3, 0, 0}, " !  ", "PF--", 0.97, false},  /* critical: whatever the share */
	    {{97, 3, 0, 0}, "!   ", "PF--", 0.97, true},   /* a critical one that passed */
	    {{97, 3, 9, 0}, "  ! ", "PF--", 0.97, true},   /* one that was not judged */
	    {{1, 1, 1, 1}, "    ", "FFFF", 0, false},
	    {{1, 1, 1, 1}, "    ", "----", 0, false}, /* nothing is proven */
	    {{0, 0, 0, 0}, "    ", "PPPP", 0, false},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct verify_rule rules[MOST] = {0};
		struct verify_answer answers[MOST] = {0};
		struct verify_score s;
		double lost = 0;

		for (int k = 0; k < MOST; k++) {
			rules[k].weight = rows[i].weight[k];
			rules[k].critical = rows[i].critical[k] == '!';
			answers[k].state = rows[i].states[k] == 'P'   ? VERIFY_PASSED
					   : rows[i].states[k] == 'F' ? VERIFY_FAILED
								      : VERIFY_NOT_JUDGED;
		}
		s = verify_score(rules, answers, MOST);
		print_message("%s\n", rows[i].states);
		assert_true(s.score > rows[i].score - 1e-9 && s.score < rows[i].score + 1e-9);
		assert_int_equal(s.passed, rows[i].passed);
		/* Every point that is missing is some assertion's. */
		for (size_t k = 0; k < MOST; k++)
			lost += verify_deduction(rules, answers, MOST, k);
		if (s.score > 0)
			assert_true(s.score + lost > 1 - 1e-9 && s.score + lost < 1 + 1e-9);
	}
}

static void the_table_is_well_formed(void **state)
{
	for (size_t i = 0; i < VERIFY_IDS; i++) {
		const struct verify_rule *r = &verify_rules[i];

		assert_int_equal(r->id, i);
		assert_true(r->weight > 0 && r->name && r->says && strchr(r->name, '.'));
		assert_true(r->level == VERIFY_STANDARD || r->level == VERIFY_COMPREHENSIVE);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(r->name, verify_rules[k].name);
	}
}

/* Of all judged at that level, only this one failed. */
static bool passes_without(enum verify_level level, enum verify_id failed)
{
	struct verify_answer a[VERIFY_IDS] = {0};

	for (size_t i = 0; i < VERIFY_IDS; i++)
		if (verify_rules[i].level <= level)
			a[i].state = i == failed ? VERIFY_FAILED : VERIFY_PASSED;
	return verify_score(verify_rules, a, VERIFY_IDS).passed;
}

static void one_small_fault_is_borne_and_a_great_one_is_not(void **state)
{
	static const enum verify_id borne[] = {VERIFY_READABLE, VERIFY_ONE_GROUP, VERIFY_ERRORS,
	    VERIFY_RPO_TARGET, VERIFY_ATTRIBUTES, VERIFY_FACTS, VERIFY_RTO_TARGET};

	for (size_t i = 0; i < VERIFY_IDS; i++) {
		bool may = false;

		for (size_t k = 0; k < sizeof borne / sizeof *borne; k++)
			may |= borne[k] == i;
		print_message("%s\n", verify_rules[i].name);
		for (int level = (int)verify_rules[i].level; level <= VERIFY_COMPREHENSIVE; level++)
			assert_int_equal(passes_without((enum verify_level)level, i), may);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_score_is_the_share_of_what_passed),
	    cmocka_unit_test(the_table_is_well_formed),
	    cmocka_unit_test(one_small_fault_is_borne_and_a_great_one_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
