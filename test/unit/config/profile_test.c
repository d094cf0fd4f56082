/* profile: each one says what its document says, lies below the file, and pretends nothing. */
#include "unit/config/load.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "config/profile.h"
#include "config/world.h"
#include "config/world_monitor.h"

enum { M = 60, H = 3600, D = 86400, MO = 30 * D };

/* The documents' numbers, written out apart from profiles/: what is 0 or NULL is not said. */
static const struct want {
	const char *profile, *tier;
	int rto, rto_borne, rpo, rpo_borne;
	double availability;
	int strategy, encryption;
	const char *full, *incremental, *timezone;
	unsigned last, hourly, daily, weekly, monthly, yearly;
	int within, level;
} wants[] = {
    {"phoenix", "critical", 15 * M, 30 * M, 15 * M, 30 * M, 0, 0, WORLD_REQUIRED, NULL,
	"*/15 * * * *", NULL, 96, 0, 30, 8, 3, 0, 0, WORLD_STANDARD},
    {"phoenix", "important", 30 * M, 60 * M, 30 * M, 60 * M, 0, 0, WORLD_REQUIRED, NULL, "30m",
	NULL, 0, 0, 0, 0, 0, 0, 14 * D, WORLD_STANDARD},
    {"phoenix", "standard", 60 * M, 120 * M, 60 * M, 120 * M, 0, 0, WORLD_OPTIONAL, NULL, "60m",
	NULL, 0, 0, 0, 0, 0, 0, 7 * D, WORLD_STANDARD},
    {"phoenix", "vault", 0, 0, 0, 0, 0, 0, 0, NULL, "0 */1 * * *", NULL, 24, 0, 7, 4, 0, 0, 0,
	WORLD_STANDARD},
    {"phoenix", "git", 0, 0, 0, 0, 0, 0, 0, NULL, "0 */6 * * *", NULL, 0, 0, 0, 0, 0, 0, 0,
	WORLD_STANDARD},
    {"pothos", "critical", 30 * M, 0, 5 * M, 0, 99.9, WORLD_INCREMENTAL, WORLD_REQUIRED, NULL, NULL,
	NULL, 0, 0, 7, 4, 12, 3, 0, WORLD_STANDARD},
    {"pothos", "hourly", 0, 0, 0, 0, 99.9, WORLD_INCREMENTAL, 0, NULL, "1h", NULL, 0, 0, 7, 4, 12,
	3, 0, WORLD_STANDARD},
    {"pothos", "nightly", 0, 0, 0, 0, 99.9, WORLD_INCREMENTAL, 0, NULL, "0 2 * * *", "UTC", 0, 0, 7,
	4, 12, 3, 0, WORLD_STANDARD},
    {"enterprise", "critical", 3600, 0, 300, 15 * M, 99.99, WORLD_CONTINUOUS, WORLD_REQUIRED,
	"weekly", "15m", NULL, 0, 0, 0, 0, 7 * 12, 0, MO, WORLD_STANDARD},
    {"enterprise", "important", 14400, 0, 3600, 0, 99.9, WORLD_INCREMENTAL, WORLD_REQUIRED, "daily",
	"hourly", NULL, 0, 0, 0, 0, 3 * 12, 0, 3 * MO, WORLD_STANDARD},
    {"enterprise", "standard", 86400, 0, 14400, 0, 99.5, WORLD_INCREMENTAL, WORLD_REQUIRED,
	"weekly", "2h", NULL, 0, 0, 365, 0, 0, 1, 0, WORLD_STANDARD},
    {"enterprise", "non-critical", 72 * H, 0, 0, 0, 0, WORLD_INCREMENTAL, WORLD_REQUIRED, "weekly",
	"daily", NULL, 0, 0, 365, 0, 0, 1, 0, WORLD_STANDARD},
    {"edu", "tier0", 1 * M, 0, 1 * M, 0, 0, WORLD_CONTINUOUS, WORLD_REQUIRED, "0 3 * * *", "hourly",
	NULL, 0, 0, 30, 0, 0, 0, 7 * D, WORLD_COMPREHENSIVE},
    {"edu", "tier1", 5 * M, 0, 1 * M, 0, 0, WORLD_CONTINUOUS, WORLD_REQUIRED, "0 3 * * *", "hourly",
	NULL, 0, 0, 30, 0, 0, 0, 7 * D, WORLD_COMPREHENSIVE},
    {"edu", "tier2", 15 * M, 0, 5 * M, 0, 0, WORLD_CONTINUOUS, WORLD_REQUIRED, "0 3 * * *",
	"hourly", NULL, 0, 0, 30, 0, 0, 0, 7 * D, WORLD_COMPREHENSIVE},
    {"edu", "critical", 5 * M, 0, 1 * M, 0, 0, WORLD_CONTINUOUS, WORLD_REQUIRED, "0 3 * * *",
	"hourly", NULL, 0, 0, 30, 0, 0, 0, 7 * D, WORLD_COMPREHENSIVE},
    {"edu", "core", 15 * M, 0, 5 * M, 0, 0, WORLD_CONTINUOUS, WORLD_REQUIRED, "0 3 * * *", "hourly",
	NULL, 0, 0, 30, 0, 0, 0, 7 * D, WORLD_COMPREHENSIVE},
    {"edu", "non-critical", 30 * M, 0, 1 * H, 0, 0, WORLD_INCREMENTAL, WORLD_REQUIRED, "0 3 * * *",
	"hourly", NULL, 0, 0, 30, 0, 0, 0, 7 * D, WORLD_COMPREHENSIVE},
    {"edu", "batch", 2 * H, 0, 0, 0, 0, WORLD_INCREMENTAL, WORLD_REQUIRED, "0 3 * * *", "hourly",
	NULL, 0, 0, 30, 0, 0, 0, 7 * D, WORLD_COMPREHENSIVE},
    {"edu", "media", 0, 0, 0, 0, 0, WORLD_INCREMENTAL, WORLD_REQUIRED, NULL, "daily", NULL, 0, 0,
	30, 0, 0, 0, 7 * D, WORLD_STANDARD},
    {"edu", "system-files", 0, 0, 0, 0, 0, WORLD_FULL, WORLD_REQUIRED, "weekly", NULL, NULL, 0, 0,
	0, 0, 0, 0, 30 * D, WORLD_STANDARD},
    {"edu", "cache", 0, 0, 0, 0, 0, 0, WORLD_REQUIRED, "6h", NULL, NULL, 0, 0, 30, 0, 0, 0, 7 * D,
	WORLD_STANDARD},
    {"mem8", "memory-state", 0, 0, 0, 0, 0, WORLD_INCREMENTAL, WORLD_REQUIRED, "weekly", "hourly",
	NULL, 0, 24, 7, 4, 12, 0, 0, WORLD_COMPREHENSIVE},
};

/* Those whose keys are not taken yet: kept, and shown. */
static const struct later {
	const char *profile, *path, *value;
} laters[] = {
    {"phoenix", "failover dns provider", "route53"},
    {"phoenix", "failover dns ttl", "60"},
    {"phoenix", "failover mode", "active-passive"},
    {"phoenix", "probes region https port", "443"},
    {"phoenix", "probes region https path", "/health"},
    {"phoenix", "probes region every", "10s"},
    {"phoenix", "probes region failures", "3"},
    {"phoenix", "plans recovery steps 0 timeout", "5m"},
    {"phoenix", "plans recovery steps 0 retries", "3"},
    {"phoenix", "plans recovery steps 1 timeout", "30m"},
    {"phoenix", "plans recovery steps 1 retries", "2"},
    {"phoenix", "plans recovery steps 2 timeout", "10m"},
    {"phoenix", "plans recovery steps 2 retries", "3"},
    {"phoenix", "plans recovery steps 3 timeout", "15m"},
    {"phoenix", "plans recovery steps 3 retries", "2"},
    {"phoenix", "plans recovery steps 4 timeout", "10m"},
    {"phoenix", "plans recovery steps 4 retries", "3"},
    {"phoenix", "plans failover_testing every", "1mo"},
    {"phoenix", "plans full_dr_test every", "3mo"},
    {"pothos", "scenarios db-failure rto", "30m"},
    {"pothos", "scenarios db-failure rpo", "5m"},
    {"pothos", "scenarios db-failure triggers 0 above", "10"},
    {"pothos", "scenarios datacenter-outage rto", "60m"},
    {"pothos", "scenarios datacenter-outage rpo", "15m"},
    {"pothos", "scenarios database-corruption triggers 1 above", "0"},
    {"pothos", "plans database-recovery priority", "1"},
    {"pothos", "plans cache-rebuild priority", "2"},
    {"pothos", "plans dr-test every", "3mo"},
    {"pothos", "kpis availability target", "99.9"},
    {"pothos", "kpis availability warning", "99.5"},
    {"pothos", "kpis availability critical", "99.0"},
    {"pothos", "kpis recovery_time target", "30m"},
    {"pothos", "kpis recovery_time warning", "45m"},
    {"pothos", "kpis recovery_time critical", "60m"},
    {"pothos", "kpis recovery_point target", "5m"},
    {"pothos", "kpis backup_success target", "99.5"},
    {"pothos", "kpis backup_success warning", "97"},
    {"pothos", "kpis backup_success critical", "95"},
    {"pothos", "kpis drill_success target", "100"},
    {"pothos", "kpis compliance target", "95"},
    {"pothos", "risks assessment every", "1y"},
    {"pothos", "risks impact_analysis every", "1y"},
    {"enterprise", "sites datacenter_a capacity", "100"},
    {"enterprise", "sites datacenter_b capacity", "100"},
    {"enterprise", "sites cloud_region_c capacity", "80"},
    {"enterprise", "failover database failures", "3"},
    {"enterprise", "failover database timeout", "30s"},
    {"enterprise", "failover application failures", "5"},
    {"enterprise", "failover application timeout", "60s"},
    {"enterprise", "failover infrastructure failures", "1"},
    {"enterprise", "failover infrastructure timeout", "120s"},
    {"enterprise", "probes database every", "30s"},
    {"enterprise", "probes application every", "30s"},
    {"enterprise", "probes network every", "30s"},
    {"enterprise", "probes infrastructure every", "30s"},
    {"enterprise", "scenarios database_latency_injection amount", "500ms"},
    {"enterprise", "scenarios database_latency_injection for", "5m"},
    {"enterprise", "scenarios service_instance_termination percent", "50"},
    {"enterprise", "scenarios service_instance_termination for", "2m"},
    {"enterprise", "scenarios disk_space_exhaustion percent", "95"},
    {"enterprise", "scenarios disk_space_exhaustion for", "10m"},
    {"enterprise", "plans tabletop_exercise every", "1mo"},
    {"enterprise", "plans partial_failover every", "3mo"},
    {"enterprise", "plans full_failover every", "1y"},
    {"enterprise", "plans chaos_engineering every", "7d"},
    {"enterprise", "kpis validation_score target", "95"},
    {"edu", "failover detection", "10s"},
    {"edu", "failover switch", "1m"},
    {"edu", "failover sync", "30s"},
    {"edu", "failover recovery", "15m"},
    {"edu", "plans primary-region rto", "15m"},
    {"edu", "plans secondary-region rto", "30m"},
    {"edu", "plans complete-system rto", "1h"},
    {"edu", "plans health-check every", "1d"},
    {"edu", "plans failover-test every", "7d"},
    {"edu", "plans recovery-drill every", "1mo"},
    {"edu", "plans full-test every", "3mo"},
    {"edu", "kpis backup_time target", "4h"},
    {"edu", "kpis recovery_time target", "2h"},
    {"edu", "kpis data_loss target", "1m"},
    {"edu", "kpis verification_time target", "1h"},
    {"edu", "kpis drill_success target", "99"},
};

static struct world *load_profile(const char *name)
{
	char *text = mem_printf("profile: %s\n", name);
	struct world *w = load(text);

	free(text);
	return w;
}

static int length(struct calendar_duration d)
{
	return (int)(d.ns / CALENDAR_SECOND + d.months * (int64_t)MO);
}

static void same(const char *a, const char *b)
{
	assert_string_equal(a ? a : "not said", b ? b : "not said");
}

static void compare(const struct want *x, const struct world_tier *t)
{
	assert_int_equal(length(t->rto.target), x->rto);
	assert_int_equal(length(t->rto.acceptable), x->rto_borne);
	assert_int_equal(length(t->rpo.target), x->rpo);
	assert_int_equal(length(t->rpo.acceptable), x->rpo_borne);
	assert_true(t->availability == x->availability);
	assert_int_equal(t->strategy, x->strategy);
	assert_int_equal(t->encryption, x->encryption);
	same(t->schedule.full, x->full);
	same(t->schedule.differential, NULL);
	same(t->schedule.incremental, x->incremental);
	same(t->schedule.timezone, x->timezone);
	assert_int_equal(t->retention.last, x->last);
	assert_int_equal(t->retention.hourly, x->hourly);
	assert_int_equal(t->retention.daily, x->daily);
	assert_int_equal(t->retention.weekly, x->weekly);
	assert_int_equal(t->retention.monthly, x->monthly);
	assert_int_equal(t->retention.yearly, x->yearly);
	assert_int_equal(length(t->retention.within), x->within);
	same(t->verify.every, "daily");
	assert_int_equal(t->verify.level, x->level);
}

static void each_profile_has_its_documents_numbers(void **state)
{
	size_t n = sizeof wants / sizeof *wants, seen = 0;

	for (const struct profile *p = profiles; p->name != NULL; p++) {
		struct world *w = load_profile(p->name);
		size_t tiers = 0;

		for (size_t i = 0; i < n; i++) {
			if (strcmp(wants[i].profile, p->name) != 0)
				continue;
			print_message("%s %s\n", p->name, wants[i].tier);
			assert_non_null(world_tier(w, wants[i].tier));
			compare(&wants[i], world_tier(w, wants[i].tier));
			tiers++;
		}
		assert_int_equal(w->tiers.n, tiers);
		seen += tiers;
		world_free(w);
	}
	assert_int_equal(seen, n);
}

/* Of what they are is each system's to say. */
static void its_monitors_are_the_documents(void **state)
{
	static const struct {
		const char *tier, *name;
		int type, action, every_s;
		double threshold;
	} rows[] = {
	    {"critical", "checksum", WORLD_CHECKSUM, WORLD_ALERT_ON_MISMATCH, 15 * M, 5},
	    {"critical", "record_count", WORLD_RECORD_COUNT, WORLD_ALERT_ON_THRESHOLD, 5 * M, 5},
	    {"important", "state_hash", WORLD_STATE_HASH, WORLD_ALERT_ON_MISMATCH, 5 * M, 5},
	    {"important", "version_check", WORLD_VERSION_CHECK, WORLD_BLOCK_ON_MISMATCH, 1 * M, 5},
	};
	struct world *w = load("profile: phoenix\nrepositories: {a: {url: /a}}\nsystems:\n"
			       "  critical: {tier: critical, sources: [{files: {paths: /s}}]}\n"
			       "  important: {tier: important, sources: [{files: {paths: /s}}]}\n");
	struct world_monitor v[4];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct world_monitor *m = &v[i % 2];

		assert_int_equal(world_monitors(w, world_system(w, rows[i].tier), v), 2);
		assert_string_equal(m->item.name, rows[i].name);
		assert_int_equal(m->type, rows[i].type);
		assert_int_equal(m->action, rows[i].action);
		assert_int_equal(length(m->every), rows[i].every_s);
		assert_true(m->threshold == rows[i].threshold);
		/* Records can be counted at once: they are files, where nobody says what else. */
		assert_int_equal(
		    world_monitor_lacks(m) == NULL, rows[i].type == WORLD_RECORD_COUNT);
	}
	world_free(w);
}

/* The value at a path of names, and of places in lists. */
static const struct node *at_path(const struct node *n, const char *path, bool *later)
{
	char *words = mem_strdup(path), *rest = words, *word;

	while (n != NULL && (word = strsep(&rest, " ")) != NULL) {
		if (n->kind == NODE_LIST) {
			int i = atoi(word);

			for (n = n->first; n != NULL && i > 0; i--)
				n = n->next;
		} else {
			n = node_get(n, word);
		}
		*later = *later || (n != NULL && n->later);
	}
	free(words);
	return n;
}

static void what_is_not_taken_yet_is_kept_and_marked(void **state)
{
	for (size_t i = 0; i < sizeof laters / sizeof *laters; i++) {
		struct world *w = load_profile(laters[i].profile);
		bool later = false;
		const struct node *n = at_path(w->tree, laters[i].path, &later);

		print_message("%s %s\n", laters[i].profile, laters[i].path);
		assert_non_null(n);
		assert_string_equal(n->text, laters[i].value);
		assert_true(later);
		world_free(w);
	}
}

static void the_schema_names_the_profiles_that_there_are(void **state)
{
	struct buf b = {0};

	for (const struct profile *p = profiles; p->name != NULL; p++)
		buf_printf(&b, "%s%s", b.n ? "|" : "", p->name);
	assert_string_equal(buf_cstr(&b), WORLD_PROFILES);
	buf_fini(&b);
}

static void a_file_goes_before_its_profile_key_by_key(void **state)
{
	struct world *w = load("profile: phoenix\n"
			       "tiers: {critical: {retention: {daily: 31}}, own: {}}\n"
			       "repositories: {a: {url: /a, location: x}, b: {url: /b}}\n"
			       "systems: {s: {tier: critical, sources: [{files: {paths: /s}}]}}\n");
	const struct world_tier *t = world_tier(w, "critical");
	bool later = false;

	assert_int_equal(t->retention.daily, 31);
	assert_int_equal(t->retention.last, 96);
	assert_int_equal(length(t->rto.target), 15 * M);
	assert_string_equal(
	    at_path(w->tree, "tiers critical retention daily", &later)->at.file, "f");
	assert_string_equal(
	    at_path(w->tree, "tiers critical retention last", &later)->at.file, "profile phoenix");
	assert_int_equal(at_path(w->tree, "tiers critical retention last", &later)->at.line, 9);
	assert_non_null(world_tier(w, "own"));
	world_free(w);
}

static void a_tier_without_destinations_goes_to_all_where_it_may_be(void **state)
{
	struct world *w = load(
	    "profile: pothos\n"
	    "repositories: {a: {url: /a, location: x}, b: {url: /b, location: y}}\n"
	    "tiers: {nightly: {residency: y}, hourly: {destinations: a}}\n");
	const struct world_tier *all = world_tier(w, "critical"), *y = world_tier(w, "nightly"),
				*a = world_tier(w, "hourly");

	assert_int_equal(all->destinations.n, 2);
	assert_string_equal(all->destinations.v[0], "a");
	assert_string_equal(all->destinations.v[1], "b");
	assert_int_equal(y->destinations.n, 1);
	assert_string_equal(y->destinations.v[0], "b");
	assert_int_equal(a->destinations.n, 1);
	assert_string_equal(a->destinations.v[0], "a");
	world_free(w);
}

static void each_mistake_has_its_own_message_and_hint(void **state)
{
	static const struct {
		const char *text, *msg, *hint;
	} cases[] = {
	    {"profile: phenix\n", "f:1:10: there is no profile 'phenix'",
		"did you mean 'phoenix'?"},
	    {"profile: xyzzy\n", "f:1:10: there is no profile 'xyzzy'",
		"there are edu, enterprise, mem8, phoenix, pothos"},
	    {"profile: [phoenix]\n", "f:1:10: profile has to be the name of one", ""},
	    {"profile:\n", "profile has to be the name of one", ""},
	    {"profile: pothos\nkpis: {availability: {target: 1}}\n",
		"f:2:1: 'kpis' is not taken yet", "does not pretend"},
	    {"profile: phoenix\ntiers: {critical: {drill: {evry: 1d}}}\n", "no key 'evry'",
		"did you mean 'every'?"},
	    {"profile: phoenix\ntiers:\n  important: {schedule: {incremental: 1h}}\n",
		"f:3:25: the schedule cannot meet the rpo of 30m", "leave the schedule out"},
	    {"profile: phoenix\nrepositories: {a: {url: /a}}\n"
	     "systems: {s: {tier: critcal, sources: [{files: {paths: /s}}]}}\n",
		"there is no tier 'critcal'", "did you mean 'critical'?"},
	    {"profile: phoenix\nsystems: {s: {tier: git, sources: [{files: {paths: /s}}]}}\n",
		"there is no repository for s", "repositories:"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct world *w;
		struct err e = {0};

		assert_int_equal(world_of_text(span_str(cases[i].text), "f", &w, &e), -1);
		print_message("%s: %s\n", e.msg, e.hint);
		assert_int_equal(e.kind, ERR_USAGE);
		assert_non_null(strstr(e.msg, cases[i].msg));
		assert_non_null(strstr(e.hint, cases[i].hint));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_profile_has_its_documents_numbers),
	    cmocka_unit_test(its_monitors_are_the_documents),
	    cmocka_unit_test(what_is_not_taken_yet_is_kept_and_marked),
	    cmocka_unit_test(the_schema_names_the_profiles_that_there_are),
	    cmocka_unit_test(a_file_goes_before_its_profile_key_by_key),
	    cmocka_unit_test(a_tier_without_destinations_goes_to_all_where_it_may_be),
	    cmocka_unit_test(each_mistake_has_its_own_message_and_hint),
	};

	return cmocka_run_group_tests_name("profile", tests, NULL, NULL);
}
