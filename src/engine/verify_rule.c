/* verify_rule: see verify_rule.h. */
#include "engine/verify_rule.h"

/* clang-format off */
const struct verify_rule verify_rules[VERIFY_IDS] = {
    {VERIFY_SNAPSHOT, "integrity.snapshot", VERIFY_STANDARD, 10, true, "there is a snapshot of it, signed, that counts"},
    {VERIFY_READABLE, "integrity.readable", VERIFY_STANDARD, 2, false, "no snapshot object in the repository is damaged or foreign: it could be a newer one"},
    {VERIFY_ONE_GROUP, "integrity.one_group", VERIFY_STANDARD, 1, false, "all snapshots of that name are one client's and one host's"},
    {VERIFY_NEWEST, "integrity.newest", VERIFY_STANDARD, 8, true, "the newest one that the catalog knows is there"},
    {VERIFY_TREE, "integrity.tree", VERIFY_STANDARD, 10, true, "each folder can be read, and all that they name is in an index"},
    {VERIFY_PACKS, "integrity.packs", VERIFY_STANDARD, 10, true, "each pack that it needs is there, in its size"},
    {VERIFY_DATA, "integrity.data", VERIFY_STANDARD, 10, true, "what was read of its packs is byte for byte what was stored"},
    {VERIFY_SEALED, "encryption.sealed", VERIFY_STANDARD, 5, true, "what is stored is sealed: it opens by its key, with a bit changed it does not, and it is not the plain bytes"},
    {VERIFY_KEYS, "encryption.keys", VERIFY_STANDARD, 5, true, "each pack that it needs is sealed to keys that the repository's config knows"},
    {VERIFY_OUTCOME, "completeness.outcome", VERIFY_STANDARD, 5, true, "its backup came to its end"},
    {VERIFY_SOURCES, "completeness.sources", VERIFY_STANDARD, 8, true, "each declared path is in it"},
    {VERIFY_COUNTS, "completeness.counts", VERIFY_STANDARD, 8, true, "it holds as many files, folders and bytes as it says"},
    {VERIFY_ERRORS, "completeness.errors", VERIFY_STANDARD, 3, false, "its backup left nothing out"},
    {VERIFY_RPO_TARGET, "completeness.rpo_target", VERIFY_STANDARD, 4, false, "it is not older than the rpo's target"},
    {VERIFY_RPO, "completeness.rpo", VERIFY_STANDARD, 8, true, "it is not older than the rpo accepts"},
    {VERIFY_SAMPLE, "restore.sample", VERIFY_COMPREHENSIVE, 15, true, "a sample of its files comes back with the content that it has"},
    {VERIFY_ATTRIBUTES, "restore.attributes", VERIFY_COMPREHENSIVE, 4, false, "and with size, mode, owner, time and target"},
    {VERIFY_SIZES, "consistency.sizes", VERIFY_COMPREHENSIVE, 6, true, "each file's pieces add up to its size"},
    {VERIFY_LINKS, "consistency.links", VERIFY_COMPREHENSIVE, 6, true, "all names of a hard-linked file say the same of it"},
    {VERIFY_FACTS, "consistency.facts", VERIFY_COMPREHENSIVE, 3, false, "its times and numbers fit each other"},
    {VERIFY_RTO_TARGET, "performance.rto_target", VERIFY_COMPREHENSIVE, 4, false, "by the rate measured all of it is back within the rto's target"},
    {VERIFY_RTO, "performance.rto", VERIFY_COMPREHENSIVE, 8, false, "by the rate measured all of it is back within what the rto accepts"},
};
/* clang-format on */

static unsigned weight_of(
    const struct verify_rule *rules, const struct verify_answer *a, size_t n, enum verify_state s)
{
	unsigned sum = 0;

	for (size_t i = 0; i < n; i++)
		if (a[i].state == s)
			sum += rules[i].weight;
	return sum;
}

struct verify_score verify_score(
    const struct verify_rule *rules, const struct verify_answer *answers, size_t n)
{
	unsigned passed = weight_of(rules, answers, n, VERIFY_PASSED);
	unsigned failed = weight_of(rules, answers, n, VERIFY_FAILED);
	struct verify_score s = {0};

	for (size_t i = 0; i < n; i++) {
		s.judged += answers[i].state != VERIFY_NOT_JUDGED;
		s.failed += answers[i].state == VERIFY_FAILED;
		s.critical += answers[i].state == VERIFY_FAILED && rules[i].critical;
	}
	if (passed + failed > 0)
		s.score = (double)passed / (passed + failed);
	s.passed = s.judged > 0 && s.critical == 0 && s.score >= VERIFY_PASS_MARK;
	return s;
}

double verify_deduction(
    const struct verify_rule *rules, const struct verify_answer *answers, size_t n, size_t which)
{
	unsigned all = weight_of(rules, answers, n, VERIFY_PASSED) +
		       weight_of(rules, answers, n, VERIFY_FAILED);

	if (answers[which].state != VERIFY_FAILED || all == 0)
		return 0;
	return (double)rules[which].weight / all;
}
