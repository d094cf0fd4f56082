#include "unit/unit.h"

#include "base/mem.h"
#include "cli/redact.h"

static const char CONFIG[] =
    "repositories:\n"
    "  main: { url: 'ftp://user:hush-hush@host/x?token=abcdef', password: 'command:echo geheim',\n"
    "          options: { s3.secret-key: verschwiegen, s3.region: eu-west-1 } }\n"
    "systems:\n"
    "  shop:\n"
    "    hooks: { before: [ { run: 'mysql -pWort', environment: { PGPASS: tacet, A: silet } } ] }\n"
    "notify:\n"
    "  team: { slack: { webhook: 'https://hooks.example.com/services/T000' } }\n"
    "  boss: { http: { headers: { X: clandestine } }, list_token: [ occultus ] }\n"
    "  dead: { ping: { url: 'https://hc-ping.com/uuid-word', fail: 'https://u:pw-word@h/x' } }\n"
    "plain: [ kept, also kept ]\n"
    "key: 'env:NAME'\n";

static struct node *parsed(void)
{
	struct node *n;
	struct err e;

	assert_int_equal(node_parse(span_str(CONFIG), "h.yaml", &n, &e), 0);
	return n;
}

static void a_configuration_is_shown_without_its_secrets(void **state)
{
	static const char *const secrets[] = {"hush-hush", "abcdef", "geheim", "verschwiegen",
	    "Wort", "tacet", "silet", "T000", "clandestine", "occultus", "uuid-word", "pw-word"};
	static const char *const kept[] = {"repositories.main.url: ftp://user@host/x  # h.yaml:2",
	    "s3.region: eu-west-1", "plain[0]: kept", "plain[1]: also kept", "key: env:NAME",
	    "password: command:<left out>", "https://hc-ping.com/<left out>"};
	struct node *n = parsed();
	struct buf b = {0};

	redact_config(n, &b);
	for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
		if (strstr(buf_cstr(&b), secrets[i]) != NULL)
			fail_msg("%s stands in\n%s", secrets[i], buf_cstr(&b));
	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
		if (strstr(buf_cstr(&b), kept[i]) == NULL)
			fail_msg("%s is missing in\n%s", kept[i], buf_cstr(&b));
	buf_fini(&b);
	node_free(n);
}

static void known_secrets_are_taken_out_of_any_text(void **state)
{
	static char *const env[] = {(char *)"MY_PASSWORD=open sesame", (char *)"PATH=/bin",
	    (char *)"TOKEN_FILE=/run/token", (char *)"https_proxy=http://u:proxy-word@h:1",
	    (char *)"SECRET=a\"b\\c\xc3\xa9", (char *)"PASS=abc", NULL};
	struct node *n = parsed();
	struct redact *r = redact_new(n, env);
	struct buf b = {0};

	buf_printf(&b, "open sesame; /bin /run/token proxy-word hush-hush abc a\"b\\c\xc3\xa9 "
		       "a\\\"b\\\\c\\u00E9 a\\\"b\\\\c\xc3\xa9 open sesameopen sesame");
	redact_text(r, &b);
	assert_string_equal(buf_cstr(&b),
	    "<secret>; /bin /run/token <secret> <secret> abc <secret> "
	    "<secret> <secret> <secret><secret>");
	buf_reset(&b);
	redact_text(r, &b);
	assert_int_equal(b.n, 0);
	buf_fini(&b);
	redact_free(r);
	redact_free(NULL);
	node_free(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_configuration_is_shown_without_its_secrets),
	    cmocka_unit_test(known_secrets_are_taken_out_of_any_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
