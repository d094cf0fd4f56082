/* world_postgresql: what a source of PostgreSQL's says, and what is refused. */
#include "unit/config/load.h"

#include "config/world.h"

#define HEAD                                                                                       \
	"repositories: {main: {url: /srv/a}}\n"                                                    \
	"tiers: {gold: {destinations: main}}\n"                                                    \
	"systems: {db: {tier: gold, sources: ["
#define TAIL     "]}}\n"
#define PG(keys) HEAD "{postgresql: {" keys "}}" TAIL

static void a_server_is_bound_with_what_is_left_out(void **state)
{
	struct world *w = load(
	    HEAD "{files: {paths: /a}}, {files: {paths: /b}},"
		 "{postgresql: {host: /run/pg, port: 5433, user: hf, password: \"env:HF_PW\","
		 " spool_limit: 2GiB, receive: {enabled: yes, slot: s_1, synchronous: yes,"
		 " synchronous_wait: 10s}}}, {part: second, postgresql: {}}" TAIL);
	const struct world_system *s = world_system(w, "db");
	const struct world_source *pg = world_source_of(s, WORLD_POSTGRESQL);
	struct world_pg_place at;
	struct err e;

	assert_ptr_equal(pg, world_source_at(s, 2));
	assert_int_equal(world_source_at(s, 0)->kind, WORLD_FILES);
	assert_string_equal(world_source_at(s, 1)->part, "files");
	assert_string_equal(pg->part, "postgresql");
	assert_string_equal(world_source_at(s, 3)->part, "second");
	assert_int_equal(pg->postgresql.spool_limit, 2ull << 30);
	assert_true(pg->postgresql.receive.synchronous);
	assert_string_equal(world_postgresql_slot(&pg->postgresql), "s_1");
	assert_string_equal(world_postgresql_slot(&world_source_at(s, 3)->postgresql), "holdfast");
	setenv("HF_PW", "se:cret @/1\n", 1);
	assert_int_equal(world_postgresql_place(&pg->postgresql, &at, &e), 0);
	assert_string_equal(at.target.host, "/run/pg");
	assert_string_equal(at.target.port, "5433");
	assert_string_equal(at.target.password, "se:cret @/1");
	world_pg_place_fini(&at);
	unsetenv("HF_PW");
	assert_int_equal(world_postgresql_place(&pg->postgresql, &at, &e), -1);
	assert_non_null(strstr(e.msg, "HF_PW"));
	assert_int_equal(world_postgresql_place(&world_source_at(s, 3)->postgresql, &at, &e), 0);
	assert_null(at.target.host);
	assert_null(at.target.port);
	world_pg_place_fini(&at);
	world_free(w);
}

static void each_mistake_of_a_server_has_its_own_message(void **state)
{
	static const struct {
		const char *text, *message, *hint;
	} bad[] = {
	    {HEAD "{files: {paths: /a}, postgresql: {}}" TAIL, "files or postgresql, not both",
		"two sources"},
	    {HEAD "{part: x}" TAIL, "a source of nothing", "files, postgresql"},
	    {HEAD "{postgresql: {}}, {postgresql: {}}" TAIL, "two sources called 'postgresql'",
		"part: NAME"},
	    {HEAD "{part: a/b, postgresql: {}}" TAIL, "f:3:45: part: this is no name of a part",
		"letters"},
	    {HEAD "{part: .., postgresql: {}}" TAIL, "no name of a part", ""},
	    {PG("port: 65536"), "ports end at 65535", ""},
	    {PG("prot: 1"), "no key 'prot'", "did you mean 'port'?"},
	    {PG("password: hunter2"), "only by reference", ""},
	    {PG("sslmode: yes"), "sslmode: there is no such mode", "verify-full"},
	    {PG("method: copy"), "there is no 'copy'", "direct|stream"},
	    {PG("method: stream, data_directory: /d"), "method: stream reads no files", ""},
	    {PG("data_directory: d"), "data_directory: this is not an absolute path", ""},
	    {PG("bin_directory: d"), "bin_directory: this is not an absolute path", ""},
	    {PG("sslrootcert: d"), "sslrootcert: this is not an absolute path", ""},
	    {PG("spool_limit: 5"), "two segments of WAL are more", "32MiB"},
	    {PG("spool_limit: much"), "spool_limit: 'much' is not a size", "512MiB"},
	    {PG("receive: {synchronous: yes}"), "without a receiver", "enabled: yes"},
	    {PG("receive: {slot: x}"), "nothing is received without enabled", "enabled: yes"},
	    {PG("receive: {enabled: yes, slot: A}"), "this is no name of a slot",
		"lower-case letters"},
	    {PG("receive: {enabled: yes, synchronous_wait: 1s}"), "no commit waits", ""},
	    {PG("receive: {enabled: yes, synchronous: yes, synchronous_wait: 1mo}"),
		"not said in months", ""},
	    {PG("exact_rows: 3"), "'3' is neither yes nor no", ""},
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct world *w;
		struct err e = {0};

		if (world_of_text(span_str(bad[i].text), "f", &w, &e) == 0)
			fail_msg("taken: %s", bad[i].text);
		if (strncmp(e.msg, "f:3:", 4) != 0 || strstr(e.msg, bad[i].message) == NULL)
			fail_msg("'%s' lacks '%s'", e.msg, bad[i].message);
		if (strstr(e.hint, bad[i].hint) == NULL)
			fail_msg("'%s': hint '%s' lacks '%s'", e.msg, e.hint, bad[i].hint);
		assert_null(strstr(e.msg, "hunter2"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_server_is_bound_with_what_is_left_out),
	    cmocka_unit_test(each_mistake_of_a_server_has_its_own_message),
	};

	return cmocka_run_group_tests_name("world_postgresql", tests, NULL, NULL);
}
