/* world_server: what is declared of the API, and each mistake's own message. */
#include "unit/unit.h"

#include "config/world.h"

static void the_section_is_bound(void **state)
{
	static const char text[] =
	    "server: {listen: \"0.0.0.0:8420\", rate_limit: 20, socket_group: adm, socket_scope: "
	    "operator,\n  tls: {cert: /etc/h/tls.pem, key: \"file:/etc/h/tls.key\"}}\n";
	struct world *w;
	struct err e = {0};

	assert_int_equal(world_of_text(span_str(text), "f", &w, &e), 0);
	assert_string_equal(w->server.listen, "0.0.0.0:8420");
	assert_string_equal(w->server.tls.cert, "/etc/h/tls.pem");
	assert_string_equal(w->server.tls.key, "file:/etc/h/tls.key");
	assert_int_equal(w->server.rate_limit, 20);
	assert_int_equal(w->server.socket_scope, 2);
	world_free(w);
	assert_int_equal(
	    world_of_text(span_str("server: {listen: \"[::1]:1\"}\n"), "f", &w, &e), 0);
	world_free(w);
}

static void each_mistake_has_its_own_message_and_hint(void **state)
{
	static const struct {
		const char *text, *message, *hint;
	} bad[] = {
	    {"server: {listen: here}\n", "f:1:18: listen: 'here' is no address and port",
		"127.0.0.1:8420"},
	    {"server: {listen: \"localhost:x\"}\n", "f:1:18: listen: 'localhost:x' is no", ""},
	    {"server: {listen: \":80\"}\n", "listen: ':80' is no address and port", ""},
	    {"server: {listen: \"[::1:80\"}\n", "listen: '[::1:80' is no address and port", ""},
	    {"server: {listen: \"example.com:80\"}\n", "'example.com' is no address", "in digits"},
	    {"server: {listen: \"127.0.0.1:0\"}\n", "a port is a number from 1 to 65535", ""},
	    {"server: {listen: \"127.0.0.1:65536\"}\n", "a port is a number from 1", ""},
	    {"server: {listen: \"0.0.0.0:80\"}\n", "f:1:18: listen: beyond loopback",
		"declare server.tls"},
	    {"server: {listen: \"[::]:80\"}\n", "beyond loopback", "127.0.0.1:80"},
	    {"server: {tls: {key: \"file:/k\"}}\n", "cert", ""},
	    {"server: {tls: {cert: /c}}\n", "key", ""},
	    {"server: {tls: {cert: /c, key: secret}}\n", "f:1:31:", ""},
	    {"server: {listen: \"127.0.0.1:1\", tls: {cert: c, key: \"file:/k\"}}\n",
		"tls: cert: 'c' is not an absolute path", ""},
	    {"server: {tls: {cert: /c, key: \"file:/k\"}}\n", "nothing to serve by it", "listen:"},
	    {"server: {rate_limit: 0}\n", "f:1:22: rate_limit: with 0 nobody is served", ""},
	    {"server: {rate_limit: many}\n", "f:1:22: rate_limit", ""},
	    {"server: {socket_scope: viewer}\n", "f:1:24: socket_scope: nobody has it",
		"socket_group"},
	    {"server: {socket_group: adm, socket_scope: admin}\n", "socket_scope", "viewer"},
	    {"server: {port: 80}\n", "there is no key 'port' here", ""},
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct world *w = NULL;
		struct err e = {0};

		assert_int_equal(world_of_text(span_str(bad[i].text), "f", &w, &e), -1);
		if (!strstr(e.msg, bad[i].message) || !strstr(e.hint, bad[i].hint))
			fail_msg("%s -> %s (%s)", bad[i].text, e.msg, e.hint);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_section_is_bound),
	    cmocka_unit_test(each_mistake_has_its_own_message_and_hint),
	};

	return cmocka_run_group_tests_name("world_server", tests, NULL, NULL);
}
