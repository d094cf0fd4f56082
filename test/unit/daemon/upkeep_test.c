/* daemon_upkeep: a prune is of the host that has the repository. */
#include "unit/unit.h"

#include "daemon/daemon_internal.h"

static const char *node_of(const char *url, const char *www, const char *db)
{
	static char node[32];
	char text[512];
	const char *found;
	struct world *w;
	struct err e;

	snprintf(text, sizeof text,
	    "repositories: {main: {url: \"%s\"}, other: {url: /srv/o}}\n"
	    "tiers: {gold: {destinations: [main, other]}, iron: {destinations: other}}\n"
	    "systems:\n"
	    "  www: {tier: gold, %s sources: [{files: {paths: /w}}]}\n"
	    "  db: {tier: gold, %s sources: [{files: {paths: /d}}]}\n"
	    "  elsewhere: {tier: iron, node: c, sources: [{files: {paths: /e}}]}\n",
	    url, www, db);
	if (world_of_text(span_str(text), "f", &w, &e) == -1)
		fail_msg("%s", e.msg);
	found = daemon_upkeep_node(w, world_repository(w, "main"));
	snprintf(node, sizeof node, "%s", found ? found : "");
	world_free(w);
	return node;
}

static void a_path_is_pruned_by_the_host_that_its_systems_name(void **state)
{
	assert_string_equal(node_of("/srv/a", "node: a,", "node: a,"), "a");
	assert_string_equal(node_of("fs:/srv/a", "node: a,", "node: a,"), "a");
	assert_string_equal(node_of("/srv/a", "node: a,", "node: b,"), "");
	assert_string_equal(node_of("/srv/a", "node: a,", ""), "");
	assert_string_equal(node_of("/srv/a", "", ""), "");
	assert_string_equal(node_of("sftp:u@h:/srv/a", "node: a,", "node: a,"), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_path_is_pruned_by_the_host_that_its_systems_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
