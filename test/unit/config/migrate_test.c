/* migrate: what comes of another program's configuration is one of ours, without its secrets. */
#include "unit/unit.h"

#include <string.h>

#include "config/migrate.h"
#include "config/world.h"

static int migrate(const char *text, struct buf *out, struct err *e)
{
	struct node *n = NULL;
	int rc = node_parse(span_str(text), "f", &n, e);

	if (rc == 0)
		rc = migrate_config(n, out, e);
	node_free(n);
	return rc;
}

static struct world *migrated(const char *text, struct buf *out)
{
	struct world *w = NULL;
	struct err e = {0};

	if (migrate(text, out, &e) == -1 || world_of_text(buf_span(out), "out", &w, &e) == -1)
		fail_msg("%s", e.msg);
	return w;
}

static void has(struct buf *out, const char *what)
{
	if (strstr(buf_cstr(out), what) == NULL)
		fail_msg("'%s' is not in\n%s", what, buf_cstr(out));
}

static void hides(struct buf *out, const char *what)
{
	if (strstr(buf_cstr(out), what) != NULL)
		fail_msg("'%s' is in\n%s", what, buf_cstr(out));
}

static void the_simple_form_becomes_a_tier_and_a_repository(void **state)
{
	struct buf out = {0};
	struct world *w = migrated(
	    "{schedule: 0 2 * * *, retention: 30, destination: \"s3://backup-bucket\"}", &out);
	const struct world_tier *t = world_tier(w, "main");

	assert_string_equal(world_repository(w, "s3")->url, "s3:s3.amazonaws.com/backup-bucket");
	assert_string_equal(world_repository(w, "s3")->password, "file:/etc/holdfast/s3.pw");
	assert_string_equal(t->schedule.incremental, "0 2 * * *");
	assert_true(t->retention.within.ns == 30 * 86400 * CALENDAR_SECOND);
	assert_int_equal(t->destinations.n, 1);
	has(&out, "TODO: the bucket's region");
	has(&out, "TODO: what is backed up");
	world_free(w);
	buf_fini(&out);
}

static void an_object_becomes_what_it_says(void **state)
{
	struct buf out = {0};
	struct world *w = migrated(
	    "{\"strategy\": \"incremental\",\n"
	    "\"schedule\": {\"type\": \"cron\", \"expression\": \"0 2 * * *\", \"timezone\": "
	    "\"UTC\"},\n"
	    "\"retention\": {\"daily\": 7, \"weekly\": 4, \"monthly\": 12, \"yearly\": 3},\n"
	    "\"destinations\": [\n"
	    " {\"type\": \"s3\", \"config\": {\"bucket\": \"prod-backups\", \"region\": "
	    "\"us-east-1\",\n"
	    "   \"accessKeyId\": \"AKIAX\", \"secretAccessKey\": \"hunter2\"}, \"priority\": 1,\n"
	    "   \"encryption\": true},\n"
	    " {\"type\": \"local\", \"config\": {\"path\": \"/backup/local\"}, \"priority\": 2,\n"
	    "   \"encryption\": false}],\n"
	    "\"compression\": {\"enabled\": true, \"algorithm\": \"lz4\", \"level\": 3},\n"
	    "\"verification\": {\"enabled\": true, \"testRestore\": true}}",
	    &out);
	const struct world_tier *t = world_tier(w, "main");
	const struct world_repository *s3 = world_repository(w, "s3"),
				      *local = world_repository(w, "local");

	assert_string_equal(s3->url, "s3:s3.us-east-1.amazonaws.com/prod-backups");
	assert_int_equal(s3->priority, 1);
	assert_int_equal(s3->encryption, WORLD_REQUIRED);
	assert_string_equal(local->url, "/backup/local");
	assert_int_equal(local->priority, 2);
	assert_int_equal(local->encryption, WORLD_OPTIONAL);
	assert_int_equal(t->strategy, WORLD_INCREMENTAL);
	assert_string_equal(t->schedule.incremental, "0 2 * * *");
	assert_string_equal(t->schedule.timezone, "UTC");
	assert_int_equal(t->retention.daily, 7);
	assert_int_equal(t->retention.weekly, 4);
	assert_int_equal(t->retention.monthly, 12);
	assert_int_equal(t->retention.yearly, 3);
	assert_int_equal(t->verify.level, WORLD_COMPREHENSIVE);
	assert_int_equal(t->destinations.n, 2);
	has(&out, "TODO: not carried over: \"secretAccessKey\"");
	has(&out, "--compression lz4");
	hides(&out, "AKIAX");
	hides(&out, "hunter2");
	world_free(w);
	buf_fini(&out);
}

static void the_object_may_lie_below_backup_and_have_an_interval(void **state)
{
	struct buf out = {0};
	struct world *w = migrated(
	    "{backup: {strategy: full, retention: {daily: 7},\n"
	    "schedule: {type: interval, expression: 3600000},\n"
	    "destinations: [{type: gcs, config: {bucket: b, prefix: p}},\n"
	    " {type: azure, config: {account: a, container: c}},\n"
	    " {type: ftp, config: {host: h, user: u, password: hunter2}},\n"
	    " {type: local, config: {path: /a}}, {type: local, config: {path: /b}}]},\n"
	    "enableAutomatedTesting: true}",
	    &out);

	assert_string_equal(world_tier(w, "main")->schedule.full, "1h");
	assert_string_equal(world_repository(w, "gcs")->url, "gcs:b/p");
	assert_string_equal(world_repository(w, "azure")->url, "azure:a/c");
	assert_string_equal(world_repository(w, "ftp")->url, "ftp://u@h/");
	assert_string_equal(world_repository(w, "local-2")->url, "/b");
	has(&out, "not carried over: \"enableAutomatedTesting\"");
	hides(&out, "hunter2");
	world_free(w);
	buf_fini(&out);
}

static void a_secret_in_a_url_is_left_out(void **state)
{
	static const char *const urls[][2] = {
	    {"ftp://u:hunter2@h/p", "ftp://u@h/p"},
	    {"ftp://u:hunter@2@h/p", "ftp://u@h/p"},
	    {"s3://b/p?secret=hunter2", "s3:s3.amazonaws.com/b/p"},
	    {"file:///srv/what?", "/srv/what?"},
	    {"/srv/a@b", "/srv/a@b"},
	};

	for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
		struct buf text = {0}, out = {0};
		struct world *w;

		buf_printf(
		    &text, "{schedule: daily, retention: 7, destination: \"%s\"}", urls[i][0]);
		w = migrated(buf_cstr(&text), &out);
		assert_string_equal(world_repository_at(w, 0)->url, urls[i][1]);
		hides(&out, "hunter");
		world_free(w);
		buf_fini(&out);
		buf_fini(&text);
	}
}

static void each_mistake_has_its_own_message(void **state)
{
	static const struct {
		const char *text, *msg, *hint;
	} cases[] = {
	    {"{}", "nothing that can be migrated", "{schedule, retention, destination}"},
	    {"{destinations: /a}", "nothing that can be migrated", ""},
	    {"{destination: \"rsync://u:hunter2@h\"}", "f:1:15: this destination cannot",
		"absolute"},
	    {"{destinations: [{type: tape}]}", "type is not 'tape'", "known are s3"},
	    {"{destinations: [[]]}", "type is not ''", "known are s3"},
	    {"{destinations: [{type: s3}]}", "config has no 'bucket'", ""},
	    {"{destinations: [{type: local, config: {path: a}}], schedule: daily}",
		"not an absolute path", ""},
	    {"{destination: /a, schedule: 99 * * * *}", "f:1:29: schedule:", ""},
	    {"{destination: /a, schedule: {type: cron}}", "'expression' is missing", ""},
	    {"{destination: /a, schedule: {type: sun, expression: daily}}", "not 'sun'", ""},
	    {"{destination: /a, schedule: {type: interval, expression: 1500}}", "not '1500'", ""},
	    {"{destination: /a, strategy: \"full\\nx: y\"}", "strategy: there is no",
		"differential"},
	    {"{destination: /a, retention: lots}", "'lots' is not a number of days", ""},
	    {"{destination: /a, retention: {daily: \"7\\nx: y\"}}", "is not a number", ""},
	    {"{destination: /a, schedule: {expression: daily, timezone: Mars/Base}}",
		"no time zone 'Mars/Base'", ""},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf out = {0};
		struct err e = {0};

		print_message("%s\n", cases[i].text);
		assert_int_equal(migrate(cases[i].text, &out, &e), -1);
		print_message("  %s: %s\n", e.msg, e.hint);
		assert_int_equal(e.kind, ERR_USAGE);
		assert_non_null(strstr(e.msg, cases[i].msg));
		assert_non_null(strstr(e.hint, cases[i].hint));
		assert_null(strstr(e.msg, "hunter2"));
		buf_fini(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_simple_form_becomes_a_tier_and_a_repository),
	    cmocka_unit_test(an_object_becomes_what_it_says),
	    cmocka_unit_test(the_object_may_lie_below_backup_and_have_an_interval),
	    cmocka_unit_test(a_secret_in_a_url_is_left_out),
	    cmocka_unit_test(each_mistake_has_its_own_message),
	};

	return cmocka_run_group_tests_name("migrate", tests, NULL, NULL);
}
