/* world: what is declared, and each mistake's own message. */
#include "unit/config/load.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/world.h"

#define REPOS                                                                                      \
	"repositories:\n"                                                                          \
	"  main: {url: /srv/a, role: primary, location: dc-a, password: \"file:/pw\"}\n"           \
	"  far: {url: \"s3:h/b\", role: offsite, location: aws-eu, object_lock: 30d}\n"
#define TIER  REPOS "tiers: {gold: {destinations: [main, far]}}\n"
#define FILES "systems: {www: {tier: gold, sources: [{files: {paths: /srv/www}}]}}\n"

#define CHECKS(c)                                                                                  \
	TIER "systems: {www: {tier: gold, sources: [{files: {paths: /a}}], checks: [" c "]}}\n"
#define FREEZE(how)                                                                                \
	TIER "systems: {www: {tier: gold, sources: [{files: {paths: /srv/www, freeze: " how        \
	     "}}]}}\n"

static void the_declared_world_is_bound_to_structs(void **state)
{
	struct world *w = load(
	    "repositories:\n"
	    "  slow: {url: /srv/z, priority: 9}\n"
	    "  fast: {url: \"fs:/srv/y\", priority: 2, media: tape, family: f, key: \"env:K\",\n"
	    "    limit_upload: {\"mon-fri 08:00-18:00\": 20MB/s, \"sat 00:00-24:00\": 1MiB},\n"
	    "    limit_download: 5, options: {fs.mount: /srv, connections: 4}}\n"
	    "  main: {url: /srv/x, role: primary, encryption: required}\n"
	    "tiers:\n"
	    "  gold:\n"
	    "    destinations: [slow, fast, main]\n"
	    "    residency: dc-a\n"
	    "    retention: {last: 96, daily: 30, within: 1y6mo}\n"
	    "systems:\n"
	    "  www:\n"
	    "    tier: gold\n"
	    "    sources:\n"
	    "      - files: {paths: [/a, /b], exclude: [\"*.tmp\"], one_file_system: yes}\n");
	const struct world_repository *fast = world_repository(w, "fast"), *to[3];
	const struct world_tier *gold = world_tier(w, "gold");
	const struct world_source *src = world_system(w, "www")->sources.v;

	assert_int_equal(fast->limit_upload.n, 2);
	assert_int_equal(fast->limit_upload.v[0].rate, 20000000);
	assert_int_equal(fast->limit_download.always, 5 * 1024);
	assert_string_equal(fast->key, "env:K");
	assert_int_equal(fast->options.n, 2);
	assert_string_equal(fast->options.v[1], "connections=4");
	assert_int_equal(gold->retention.last, 96);
	assert_int_equal(gold->retention.within.months, 18);
	assert_string_equal(src->files.paths.v[1], "/b");
	assert_true(src->files.one_file_system);
	assert_false(src->files.exclude_caches);
	world_destinations(w, gold, to);
	assert_string_equal(to[0]->item.name, "main");
	assert_string_equal(to[1]->item.name, "fast");
	assert_string_equal(to[2]->item.name, "slow");
	assert_false(world_may_reside(gold, fast));
	assert_null(world_system(w, "other"));
	world_free(w);
}

static void each_mistake_has_its_own_message_and_hint(void **state)
{
	static const struct {
		const char *text, *message, *hint;
	} bad[] = {
	    {"repositorys: {}\n", "f:1:1: there is no key 'repositorys' here",
		"did you mean 'repositories'?"},
	    {"xyzzy: 1\n", "no key 'xyzzy'", "there can be: repositories, tiers, systems"},
	    {"kpis: {}\n", "f:1:1: 'kpis' is not taken yet", "does not pretend"},
	    {"catalog: postgresql://u:pw@h/d\n", "f:1:10: catalog: a password does not stand here",
		"~/.pgpass"},
	    {"catalog: \"postgresql://h/d?password=x\"\n", "a password does not stand", ""},
	    {"catalog: mysql://h/d\n", "f:1:10: catalog: this is no place for it", "absolute path"},
	    {"catalog: catalog.db\n", "catalog: this is no place for it", "absolute path"},
	    {"repositories: [a]\n", "f:1:15: repositories has to be a mapping of names", ""},
	    {"repositories: x\n", "repositories has to be a mapping", ""},
	    {"repositories: {a: 1}\n", "f:1:19: a has to be a mapping of keys", ""},
	    {"repositories: {a: {role: primary}}\n", "f:1:16: a: 'url' is missing", ""},
	    {"repositories: {a: {url: [1]}}\n", "f:1:25: url has to be a text, not a list", ""},
	    {"repositories: {a: {url: }}\n", "url has no value", ""},
	    {"repositories: {a: {url: /x, object_lock: 30d}}\n", "only a bucket of s3 locks",
		"check --tamper"},
	    {"repositories: {a: {url: \"webdavs://u:pw@h/x\"}}\n", "a password stands in it",
		"variable"},
	    {"repositories: {a: {url: \"s3:h/b\", offline: yes}}\n", "a bucket is never away", ""},
	    {"repositories: {a: {url: \"s3:h/b\", options: {s3.regoin: x}}}\n", "no such option",
		""},
	    {"repositories: {a: {url: \"s3:h/b\", options: {retries: many}}}\n", "retries", ""},
	    {"repositories: {a: {url: \"b2:h/b\"}}\n", "is not supported", "there are paths"},
	    {"repositories: {a: {url: /x, options: [a=b]}}\n",
		"f:1:38: options has to be a mapping of names", ""},
	    {"repositories: {a: {url: /x, options: {ab: [c]}}}\n",
		"ab has to be a text, not a list", ""},
	    {"repositories: {a: {url: srv}}\n", "'srv' is not an absolute path", "any folder"},
	    {"repositories: {a: {url: \"fs:srv\"}}\n", "'fs:srv' is not an absolute path", ""},
	    {"repositories: {a: {url: /x, role: primry}}\n", "f:1:35: role: there is no 'primry'",
		"primary|secondary|archive|offsite"},
	    {"repositories: {a: {url: /x, priority: -1}}\n", "'-1' is not a number", ""},
	    {"repositories: {a: {url: /x, priority: 1e9}}\n", "'1e9' is not a number", ""},
	    {"repositories: {a: {url: /x, object_lock: 30}}\n", "a unit is missing", "12h"},
	    {"repositories: {a: {url: /x, limit_upload: fast}}\n", "'fast' is not a rate",
		"20MB/s"},
	    {"repositories: {a: {url: /x, limit_upload: {weekdays: 1}}}\n",
		"f:1:54: weekdays: 'weekdays' is not a window", "mon-fri"},
	    {"repositories: {a: {url: /x, password: hunter2}}\n",
		"password: a secret stands here only by reference", "env:NAME"},
	    {"repositories: {a: {url: /x, password: \"env:A\", key: \"env:B\"}}\n",
		"has a key and a password", ""},
	    {"repositories: {a: {url: /x}, b: {url: /x}}\n", "b and a are the same place", ""},
	    {"repositories: {\"a b\": {url: /x}}\n", "'a b' is not a name", "letters"},
	    {"repositories: {-x: {url: /x}}\n", "'-x' is not a name", ""},
	    {"tiers: {gold: {}}\n" FILES, "there is no repository for www", "repositories:"},
	    {REPOS "tiers: {gold: {residency: mars}}\n", "residency leaves gold no repository", ""},
	    {REPOS "tiers: {gold: {destinations: []}}\n", "gold has no destinations", ""},
	    {REPOS "tiers: {gold: {destinations: [mian]}}\n",
		"f:4:31: there is no repository 'mian'", "did you mean 'main'?"},
	    {REPOS "tiers: {gold: {destinations: [main, main]}}\n", "'main' stands here twice", ""},
	    {REPOS "tiers: {gold: {destinations: main, rpo: 5m}}\n",
		"rpo has to be a mapping of keys", ""},
	    {REPOS "tiers: {gold: {destinations: main, drill: {level: standard}}}\n",
		"drill: neither every nor within", "every: 7d"},
	    {REPOS "tiers: {gold: {destinations: main, drill: {every: 7d, may_shrink: 0}}}\n",
		"'0' is not a percentage", ""},
	    {"drill: {directory: srv}\n", "'srv' is not an absolute path", ""},
	    {"drill: {directory: /}\n", "/ is no folder for what is thrown away", ""},
	    {"drill: {memory: 1MiB}\n", "no server starts", ""},
	    {"drill: {budget: 4h}\n", "a budget without within", "proven once"},
	    {"drill: {within: 30d, budget: 25h}\n", "a day has 24h", ""},
	    {"drill: {within: 3s}\n", "within: less than a day", "every: 6h"},
	    {REPOS "tiers: {gold: {destinations: main, drill: {within: 23h}}}\n",
		"within: less than a day", "every: 6h"},
	    {"drill: {disk: much}\n", "disk", ""},
	    {CHECKS("{sql: \"select 1\", expect: 1}"), "www has none", ""},
	    {CHECKS("{}"), "neither sql nor command nor file", "min: 1"},
	    {CHECKS("{sql: a, file: /b}"), "not several", ""},
	    {CHECKS("{file: b}"), "'b' is not an absolute path", ""},
	    {CHECKS("{file: /b, min: 1}"), "a file has sha256 and min_size", ""},
	    {CHECKS("{file: /b, sha256: abc}"), "64 lower-case hex digits", ""},
	    {CHECKS("{command: a, min_size: 1}"), "are of a file", ""},
	    {CHECKS("{command: a, min: x}"), "'x' is not a number", ""},
	    {CHECKS("{command: a, min: 2, max: 1}"), "min 2 is more than max 1", ""},
	    {CHECKS("{command: a, database: b}"), "a database is asked by sql", ""},
	    {TIER "systems: {db: {tier: gold, sources: [{postgresql: {user: a}}], checks: [{sql: "
		  "b}]}}\n",
		"what does 'b' have to say?", "proves nothing"},
	    {TIER "systems: {db: {tier: gold, sources: [{postgresql: {user: a, dump: shop}}], "
		  "checks: "
		  "[{sql: b, min: 1}]}}\n",
		"of a dump, all that db has, a drill starts none", "pg_restore -l"},
	    {TIER "systems: {db: {tier: gold, sources: [{part: bills, postgresql: {user: a}}], "
		  "checks: [{sql: b, expect: c, part: bill}]}}\n",
		"db has no source of PostgreSQL called 'bill'", "part: bills"},
	    {REPOS "tiers: {gold: {destinations: main, retention: {dayly: 1}}}\n", "no key 'dayly'",
		"did you mean 'daily'?"},
	    {TIER "systems: {www: {tier: gold}}\n", "www: 'sources' is missing", ""},
	    {TIER "systems: {www: {tier: gild, sources: [{files: {paths: /a}}]}}\n",
		"there is no tier 'gild'", "did you mean 'gold'?"},
	    {TIER "systems: {www: {tier: gold, sources: []}}\n", "www has no sources", ""},
	    {TIER "systems: {www: {tier: gold, sources: [{}]}}\n", "a source of nothing", ""},
	    {TIER "systems: {www: {tier: gold, sources: [{files: {}}]}}\n", "'paths' is missing",
		""},
	    {TIER "systems: {www: {tier: gold, sources: [{files: {paths: srv}}]}}\n",
		"'srv' is not an absolute path", ""},
	    {FREEZE("{freeze: a}"), "freeze without thaw", "has to be thawed"},
	    {FREEZE("{thaw: a}"), "thaw without freeze", "has to be thawed"},
	    {FREEZE("{btrfs: yes, timeout: 1m}"), "timeout is for commands", ""},
	    {FREEZE("{btrfs: yes, read: {/srv: /x}}"), "read goes with what a freeze command makes",
		"where to read is known"},
	    {FREEZE("{freeze: a, thaw: b, read: {srv: /x}}"), "'srv=/x' and its place", ""},
	    {FREEZE("{freeze: a, thaw: b, read: {/srv: x}}"), "'/srv=x' and its place", ""},
	    {FREEZE("{freeze: a, thaw: b, read: {/var: /x}}"), "'/var' is no folder of what",
		"above or below it"},
	    {FREEZE("{freeze: a, thaw: b, read: {/srv/w: /x}}"), "'/srv/w' is no folder of what",
		""},
	    {FREEZE("{freeze: a, thaw: b, read: {/srv/www/: /x}}"), "is no folder of what", ""},
	    {FREEZE("{zfs: yes}"), "no key 'zfs'", "btrfs, freeze, thaw"},
	    {TIER "systems: {www: {tier: gold, sources: [{mariadb: {}}]}}\n",
		"'mariadb' is not taken yet", ""},
	    {TIER "systems: {www: {tier: gold, sources: [{files: {paths: /a, one_file_system: "
		  "1}}]}}\n",
		"'1' is neither yes nor no", ""},
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct world *w;
		struct err e = {0};

		if (world_of_text(span_str(bad[i].text), "f", &w, &e) == 0)
			fail_msg("taken: %s", bad[i].text);
		assert_null(w);
		assert_int_equal(e.kind, ERR_USAGE);
		if (strncmp(e.msg, "f:", 2) != 0 || strstr(e.msg, bad[i].message) == NULL)
			fail_msg("'%s' lacks '%s'", e.msg, bad[i].message);
		if (strstr(e.hint, bad[i].hint) == NULL)
			fail_msg("'%s': hint '%s' lacks '%s'", e.msg, e.hint, bad[i].hint);
		assert_null(strstr(e.msg, "hunter2"));
	}
	world_free(load(TIER FILES));
	world_free(load(""));
}

static void put(const char *dir, const char *name, const char *text)
{
	char *path = mem_printf("%s/%s", dir, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	free(path);
}

static char *fake_env(const char *name)
{
	static char url[] = "/srv/env";

	return strcmp(name, "HOLDFAST_REPOSITORIES_MAIN_URL") == 0 ? url : NULL;
}

static void drop_ins_and_the_environment_go_before_the_file(void **state)
{
	char dir[] = "/tmp/world.XXXXXX", *path, *command;
	struct world *w;
	struct err e = {0};

	assert_non_null(mkdtemp(dir));
	path = mem_printf("%s/h.yaml", dir);
	put(dir, "h.yaml", "repositories: {main: {url: /srv/file, role: primary}}\n");
	command = mem_printf("%s/h.d", dir);
	assert_int_equal(mkdir(command, 0700), 0);
	put(command, "20.yaml", "repositories: {main: {location: b}}\n");
	put(command, "10.yaml", "repositories: {main: {location: a}, two: {url: /srv/2}}\n");
	put(command, "30.yaml.bak", "nonsense\n");
	put(command, ".40.yaml", "nonsense\n");
	assert_int_equal(world_load(path, fake_env, NULL, &w, &e), 0);
	assert_string_equal(world_repository(w, "main")->location, "b");
	assert_string_equal(world_repository(w, "main")->url, "/srv/env");
	assert_int_equal(world_repository(w, "main")->role, WORLD_PRIMARY);
	assert_non_null(world_repository(w, "two"));
	world_free(w);
	put(command, "50.yaml", "tires: {}\n");
	assert_int_equal(world_load(path, fake_env, NULL, &w, &e), -1);
	assert_non_null(strstr(e.msg, "h.d/50.yaml:1:1: there is no key 'tires'"));
	free(command);
	command = mem_printf("%s/none.yaml", dir);
	assert_int_equal(world_load(command, fake_env, NULL, &w, &e), -1);
	assert_int_equal(e.kind, ERR_USAGE);
	free(command);
	free(path);
	command = mem_printf("rm -r %s", dir);
	assert_int_equal(system(command), 0);
	free(command);
}

static void the_schema_has_what_the_tables_have(void **state)
{
	json_t *s = field_schema(&world_table), *repo, *url;

	assert_non_null(s);
	repo = json_object_get(json_object_get(json_object_get(s, "properties"), "repositories"),
	    "additionalProperties");
	url = json_object_get(json_object_get(repo, "properties"), "url");
	assert_string_equal(json_string_value(json_object_get(url, "type")), "string");
	assert_true(json_is_false(json_object_get(repo, "additionalProperties")));
	assert_string_equal(
	    json_string_value(json_array_get(json_object_get(repo, "required"), 0)), "url");
	assert_null(json_object_get(json_object_get(s, "properties"), "nodes"));
	json_decref(s);
}

static char *said(const char *name)
{
	return strcmp(name, "HOLDFAST_CATALOG") == 0 ? (char *)"/said/c.db" : NULL;
}

static void the_catalog_is_where_it_is_said_to_be_and_no_password_stands_there(void **state)
{
	static const char *const bad[] = {"catalog: postgresql://me:pw@db/x\n",
	    "catalog: postgresql://db/x?password=pw\n", "catalog: relative.db\n"};
	struct world *w = load("catalog: postgresql://me@db/x\n");
	struct err e;
	char *url;

	assert_int_equal(world_catalog(w, NULL, &url, &e), 0);
	assert_string_equal(url, "postgresql://me@db/x");
	free(url);
	assert_int_equal(world_catalog(w, said, &url, &e), 0);
	assert_string_equal(url, "/said/c.db");
	free(url);
	world_free(w);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(world_of_text(span_str(bad[i]), "f", &w, &e), -1);
		assert_true(e.kind == ERR_USAGE && e.hint[0] && !strstr(e.msg, "pw"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_declared_world_is_bound_to_structs),
	    cmocka_unit_test(each_mistake_has_its_own_message_and_hint),
	    cmocka_unit_test(drop_ins_and_the_environment_go_before_the_file),
	    cmocka_unit_test(the_schema_has_what_the_tables_have),
	    cmocka_unit_test(the_catalog_is_where_it_is_said_to_be_and_no_password_stands_there),
	};

	return cmocka_run_group_tests_name("world", tests, NULL, NULL);
}
