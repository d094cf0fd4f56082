/* world_notify: who is told, and each mistake's own message, place and hint. */
#include "unit/config/load.h"

#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "config/world_notify.h"

#define BASE                                                                                       \
	"repositories: {main: {url: /srv/a}}\n"                                                    \
	"tiers: {gold: {destinations: main}}\n"                                                    \
	"systems: {www: {tier: gold, sources: [{files: {paths: /srv/www}}]}}\n"
#define SLACK "slack: {webhook: \"env:HF_TEST_HOOK\"}"
#define MAIL  "email: {smtp: \"smtps://h\", to: a@b.c}"
#define PING  "ping: {url: \"https://h/u\"}"

static void channels_become_routes_with_what_was_left_out(void **state)
{
	struct world *w = load(
	    BASE "notify:\n"
		 "  team: {" SLACK ", fallback: boss, on: \"run.*\", systems: [www, \"w*\"]}\n"
		 "  boss:\n"
		 "    " MAIL "\n"
		 "    severity: critical\n"
		 "    quiet_hours: [\"22:00-07:00\", \"sat,sun 00:00-24:00\"]\n"
		 "    timezone: Europe/Berlin\n"
		 "    dedupe: 0s\n"
		 "    max_per_hour: 0\n"
		 "    tries: 3\n"
		 "  alive: {ping: {url: \"https://hc-ping.com/x\", every: 5m}}\n");
	struct world_routes *r;
	struct err e;

	if (world_routes_new(w, &r, &e) == -1)
		fail_msg("%s", e.msg);
	assert_int_equal(r->n, 3);
	assert_string_equal(r->v[0].channel, "team");
	assert_string_equal(r->v[0].fallback, "boss");
	assert_true(r->v[0].dedupe_ns == 3600 * CALENDAR_SECOND);
	assert_int_equal(r->v[0].max_per_hour, 60);
	assert_int_equal(r->v[0].nsystems, 2);
	assert_null(r->v[0].zone);
	assert_int_equal(r->v[1].least, NOTIFY_CRITICAL);
	assert_int_equal(r->v[1].nquiet, 2);
	assert_non_null(r->v[1].zone);
	assert_true(r->v[1].dedupe_ns == 0);
	assert_int_equal(r->v[1].max_per_hour, 0);
	assert_int_equal(r->v[1].tries, 3);
	assert_true(r->v[2].states && r->v[2].every_ns == 300 * CALENDAR_SECOND);
	assert_ptr_equal(world_channel_ops(w, world_channel(w, "alive")), &notify_ping);
	assert_null(world_channel(w, "nobody"));
	world_routes_free(r);
	world_free(w);
}

static void secrets_are_read_when_a_channel_is_made(void **state)
{
	struct world *w = load(
	    "notify:\n"
	    "  team: {" SLACK "}\n"
	    "  hook: {webhook: {url: \"env:HF_TEST_HOOK\", secret: \"env:HF_TEST_KEY\"}}\n"
	    "  boss: {" MAIL "}\n");
	struct world_notifier *n;
	struct err e;

	unsetenv("HF_TEST_HOOK");
	assert_int_equal(world_notifier_new(w, world_channel(w, "team"), &n, &e), -1);
	assert_non_null(strstr(e.msg, "webhook: env:HF_TEST_HOOK: it is not set"));
	assert_null(n);
	setenv("HF_TEST_HOOK", "https://hooks.example.com/T/B/x\nsecond line", 1);
	setenv("HF_TEST_KEY", "0123456789abcdef", 1);
	assert_int_equal(world_notifier_new(w, world_channel(w, "team"), &n, &e), 0);
	assert_string_equal(world_notifier_channel(n)->url, "https://hooks.example.com/T/B/x");
	world_notifier_free(n);
	assert_int_equal(world_notifier_new(w, world_channel(w, "hook"), &n, &e), 0);
	assert_string_equal(world_notifier_channel(n)->secret, "0123456789abcdef");
	world_notifier_free(n);
	/* What a reference held is looked at too. */
	setenv("HF_TEST_KEY", "short", 1);
	assert_int_equal(world_notifier_new(w, world_channel(w, "hook"), &n, &e), -1);
	assert_non_null(strstr(e.msg, "shorter than 16"));
	assert_null(strstr(e.msg, "short\""));
	setenv("HF_TEST_HOOK", "not a url", 1);
	assert_int_equal(world_notifier_new(w, world_channel(w, "team"), &n, &e), -1);
	assert_null(strstr(e.msg, "not a url "));
	assert_int_equal(world_notifier_new(w, world_channel(w, "boss"), &n, &e), 0);
	assert_int_equal(strncmp(world_notifier_channel(n)->from, "holdfast@", 9), 0);
	world_notifier_free(n);
	world_free(w);
}

static void each_mistake_has_its_own_message_and_hint(void **state)
{
	static const struct {
		const char *text, *message, *hint; /* text: after "notify:\n" */
	} bad[] = {
	    {" team: {}\n", "f:5:2: team: how is it told?", "email, slack, webhook"},
	    {" team: {slak: {}}\n", "there is no key 'slak'", "did you mean 'slack'?"},
	    {" team: {" SLACK ", " MAIL "}\n", "team is told in two ways, email and slack",
		"two channels"},
	    {" \"a b\": {" SLACK "}\n", "'a b' is not a name for a channel", "letters"},
	    {" team: {slack: {}}\n", "slack: 'webhook' is missing", ""},
	    {" team: {slack: {webhook: \"https://hooks.slack.com/services/T/B/x\"}}\n",
		"f:5:26: webhook: a secret stands here only by reference", "file:/PATH"},
	    {" boss: {email: {to: a@b.c}}\n", "'smtp' is missing", ""},
	    {" boss: {email: {smtp: \"smtps://h\"}}\n", "'to' is missing", ""},
	    {" boss: {email: {smtp: h, to: a@b.c}}\n",
		"f:5:23: smtp: it is not the URL of a mail server", "smtps://HOST"},
	    {" boss: {email: {smtp: \"https://h\", to: a@b.c}}\n", "not the URL of a mail server",
		"smtps://HOST"},
	    {" boss: {email: {smtp: \"smtp://u:p@h\", to: a@b.c}}\n",
		"smtp: a login stands in the URL", "user and password"},
	    {" boss: {email: {smtp: \"smtp://h:x\", to: a@b.c}}\n", "port is not a number",
		"smtps://HOST"},
	    {" boss: {email: {smtp: \"smtp://h/x\", to: a@b.c}}\n", "nothing goes after",
		"smtps://HOST"},
	    {" boss: {email: {smtp: \"smtps://h\", to: []}}\n", "to: there is nobody", ""},
	    {" boss: {email: {smtp: \"smtps://h\", to: [a@b.c, boss]}}\n",
		"to: 'boss' is not a mail address", "boss@example.com"},
	    {" boss: {email: {smtp: \"smtps://h\", to: \"Boss <a@b.c>\"}}\n",
		"to: an address holds no ' '", "one address alone"},
	    {" boss: {email: {smtp: \"smtps://h\", to: a@b\xc3\xbc.c}}\n", "beyond ASCII", "xn--"},
	    {" boss: {email: {smtp: \"smtps://h\", to: a@b.c, from: me}}\n",
		"from: 'me' is not a mail address", "boss@example.com"},
	    {" boss: {email: {smtp: \"smtps://h\", to: a@b.c, user: u}}\n",
		"f:5:16: there is a user and no password", ""},
	    {" boss: {email: {smtp: \"smtps://h\", to: a@b.c, password: \"env:P\"}}\n",
		"there is a password and no user", ""},
	    {" boss: {email: {smtp: \"smtps://h\", to: a@b.c, user: u, password: geheim}}\n",
		"password: a secret stands here only by reference", "env:NAME"},
	    {" boss: {email: {smtp: \"smtp://h\", to: a@b.c, user: u, password: \"env:P\", tls: "
	     "optional}}\n",
		"tls: optional, and a password could go in the clear", "leave out tls"},
	    {" boss: {email: {smtp: \"smtp://h\", to: a@b.c, tls: never}}\n",
		"tls: there is no 'never'", "required|optional"},
	    {" boss: {email: {smtp: \"smtp://h\", to: a@b.c, ca_file: ca.pem}}\n",
		"ca_file: 'ca.pem' is not an absolute path", ""},
	    {" boss: {email: {smtp: \"smtp://h\", to: a@b.c, timeout: 1h}}\n",
		"timeout: a try takes from 1s to 10m", ""},
	    {" hook: {webhook: {url: h}}\n", "url: it is not a URL", "https://"},
	    {" hook: {webhook: {url: \"https://\"}}\n", "url: the URL has no host", ""},
	    {" hook: {webhook: {url: \"https://h/a b\"}}\n", "a URL holds no blanks", "%20"},
	    {" hook: {webhook: {url: \"https://u:p@h/\"}}\n", "a login stands in the URL", "token"},
	    {" hook: {webhook: {url: \"http://h/\", token: \"env:T\"}}\n",
		"a secret would go there in the clear", "write https://"},
	    {" hook: {webhook: {url: \"https://h/\", token: \"env:T\", user: u, password: "
	     "\"env:P\"}}\n",
		"there are a token and a password", ""},
	    {" sms: {sms: {user: AC1, password: \"env:P\", from: Holdfast, to: \"0151 123\"}}\n",
		"to: '0151 123' is not a telephone number", "+49"},
	    {" sms: {sms: {user: AC1, password: \"env:P\", from: \"much too long a name\", to: "
	     "\"+4915112345678\"}}\n",
		"from: it is neither a number nor a name", "11 letters"},
	    {" push: {ntfy: {url: \"https://ntfy.sh\"}}\n", "url: it does not end in a topic",
		"https://ntfy.sh/TOPIC"},
	    {" push: {ntfy: {url: \"https://ntfy.sh/a.b\"}}\n", "does not end in a topic", "TOPIC"},
	    {" p: {ping: {url: \"https://h/u\", every: 1s}}\n", "every: from 10s", ""},
	    {" p: {ping: {url: \"https://h/u\", fail: x}}\n", "fail: it is not a URL", "https://"},
	    {" p: {" PING ", severity: info}\n", "f:5:44: a ping has no 'severity'", "every run"},
	    {" p: {" PING ", quiet_hours: \"22:00-07:00\"}\n", "a ping has no 'quiet_hours'", ""},
	    {" p: {ping: {url: \"https://h/u\", every: 1m}, systems: www}\n",
		"says nothing of systems", "leave out systems"},
	    {" team: {" SLACK ", severity: warn}\n", "severity: there is no 'warn'",
		"info|warning|critical"},
	    {" team: {" SLACK ", on: [\"run failed\"]}\n", "'run failed' is no name and no pattern",
		"letters"},
	    {" team: {" SLACK ", on: \"run.[a\"}\n", "'run.[a' is no name and no pattern", ""},
	    {" team: {" SLACK ", systems: wwww}\n", "there is no system 'wwww'",
		"did you mean 'www'?"},
	    {" team: {" SLACK ", systems: \"db-*\"}\n", "no system's name is like 'db-*'", ""},
	    {" team: {" SLACK ", quiet_hours: 22-7}\n", "'22-7' is not a window", ""},
	    {" team: {" SLACK ", quiet_hours: \"00:00-24:00\"}\n", "quiet_hours: they never end",
		"leave it an hour"},
	    {" team: {" SLACK ", timezone: UTC}\n", "timezone: there are no quiet_hours", ""},
	    {" team: {" SLACK ", hold_critical: yes}\n", "hold_critical: there are no quiet_hours",
		""},
	    {" team: {" SLACK ", quiet_hours: \"22:00-07:00\", timezone: Europe/Berln}\n",
		"no time zone 'Europe/Berln'", "Europe/Berlin"},
	    {" team: {" SLACK ", dedupe: 2y}\n", "dedupe: at most a year", ""},
	    {" team: {" SLACK ", dedupe: 60}\n", "a unit is missing", ""},
	    {" team: {" SLACK ", tries: 0}\n", "tries: from 1 to 50", "an hour"},
	    {" team: {" SLACK ", max_per_hour: many}\n", "'many' is not a number", ""},
	    {" team: {" SLACK ", fallback: bos}\n boss: {" MAIL "}\n",
		"f:5:57: there is no channel 'bos'", "did you mean 'boss'?"},
	    {" team: {" SLACK ", fallback: team}\n", "team is its own fallback", ""},
	    {" team: {" SLACK ", fallback: p}\n p: {" PING "}\n", "a ping tells nobody", "people"},
	    {" a: {" SLACK ", fallback: b}\n b: {" MAIL ", fallback: c}\n c: {" MAIL
	     ", fallback: a}\n",
		"the fallbacks of a lead back to it", "has none"},
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		char *text = mem_printf("%snotify:\n%s", BASE, bad[i].text);
		struct world *w;
		struct err e = {0};

		if (world_of_text(span_str(text), "f", &w, &e) == 0)
			fail_msg("taken: %s", bad[i].text);
		assert_null(w);
		assert_int_equal(e.kind, ERR_USAGE);
		if (strncmp(e.msg, "f:", 2) != 0 || strncmp(e.msg, "f:0", 3) == 0 ||
		    strstr(e.msg, bad[i].message) == NULL)
			fail_msg("'%s' lacks '%s'", e.msg, bad[i].message);
		if (strstr(e.hint, bad[i].hint) == NULL)
			fail_msg("%s: hint '%s' lacks '%s'", e.msg, e.hint, bad[i].hint);
		assert_null(strstr(e.msg, "geheim"));
		free(text);
	}
}

static void more_channels_than_there_can_be_are_refused(void **state)
{
	struct buf b = {0};
	struct world *w;
	struct err e;

	buf_printf(&b, "notify:\n");
	for (int i = 0; i < 65; i++)
		buf_printf(&b, " c%d: {" MAIL "}\n", i);
	assert_int_equal(world_of_text(buf_span(&b), "f", &w, &e), -1);
	assert_non_null(strstr(e.msg, "notify: more than 64 channels"));
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(channels_become_routes_with_what_was_left_out),
	    cmocka_unit_test(secrets_are_read_when_a_channel_is_made),
	    cmocka_unit_test(each_mistake_has_its_own_message_and_hint),
	    cmocka_unit_test(more_channels_than_there_can_be_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
