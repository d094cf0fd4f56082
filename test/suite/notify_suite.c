/*
 * notify_suite: what notify.h promises, as tests that every driver passes unchanged:
 * notify_suite DRIVER, with the servers of test/servers/with_notify.py.
 */
#include "unit/unit.h"

#include <jansson.h>
#include <pthread.h>

#include "base/calendar.h"
#include "base/mem.h"
#include "net/http.h"
#include "notify/notify.h"
#include "os/os.h"

#define EVIL "M\xc3\xbcller & <S\xc3\xb6hne>\r\nBcc: x@example.com\r\n\r\n.\r\nQUIT \xff"
#define SEEN "M\xc3\xbcller & <S\xc3\xb6hne>  Bcc: x@example.com    .  QUIT ?"

/* Where drivers differ: what each mistake is to them. */
struct driver {
	const char *name;
	enum err_kind wrong_login, broken, huge;
	bool keeps_severity;
};
static const struct driver drivers[] = {
    {"email", ERR_DENIED, ERR_FAILED, ERR_UNREACHABLE, true},
    {"slack", ERR_ABSENT, ERR_UNREACHABLE, ERR_CORRUPT, true},
    {"webhook", ERR_DENIED, ERR_UNREACHABLE, ERR_CORRUPT, true},
    {"sms", ERR_DENIED, ERR_UNREACHABLE, ERR_CORRUPT, false},
    {"ntfy", ERR_DENIED, ERR_UNREACHABLE, ERR_CORRUPT, true},
    {"ping", ERR_ABSENT, ERR_UNREACHABLE, ERR_CORRUPT, false},
};
static const struct driver *driver;
static struct ctx ctx;

/* ---- A channel to the server that is in that mode. */

static const char *const mail_to[] = {"boss@example.com", "team@example.com"};
static const char *const busy_to[] = {"busy@example.com"};
static const char *const phones[] = {"+4915112345678", "+15551234567"};

static const char *env(const char *name)
{
	char var[64];
	const char *v;

	snprintf(var, sizeof var, "HOLDFAST_SUITE_%s", name);
	v = getenv(var);
	if (v == NULL)
		fail_msg("%s is not set", var);
	return v;
}

static struct notify_channel channel(const char *mode)
{
	struct notify_channel c = {.name = "it",
	    .ops = notify_ops_of(driver->name),
	    .url = env(mode),
	    .ca_file = env("CA"),
	    .timeout_ns = 20 * CALENDAR_SECOND};

	if (c.ops == &notify_email) {
		bool busy = strcmp(mode, "BUSY") == 0;

		c.from = "holdfast@example.com";
		c.to = busy ? busy_to : mail_to;
		c.nto = busy ? 1 : 2;
		c.user = "holdfast";
		c.password = env("PASSWORD");
	} else if (c.ops == &notify_sms) {
		c.from = "Holdfast";
		c.to = phones;
		c.nto = 1;
		c.user = env("SID");
		c.password = env("PASSWORD");
	} else if (c.ops == &notify_webhook || c.ops == &notify_ntfy) {
		c.token = env("TOKEN");
		c.secret = c.ops == &notify_webhook ? env("SECRET") : NULL;
	}
	return c;
}

static struct notify_message message(void)
{
	static const struct notify_field fields[] = {{"run", "42"}, {"why <so>", "disk & more"}};

	return (struct notify_message){.id = "id-1",
	    .event = "run.failed",
	    .severity = NOTIFY_CRITICAL,
	    .state = NOTIFY_FAILED,
	    .system = "orders-db",
	    .host = "db1",
	    .subject = EVIL,
	    .text = "first line\n.\n..\n\xe2\x82\xac 5 = 50 %\nlast",
	    .fields = fields,
	    .nfields = 2,
	    .at_ns = os_clock()->wall_ns(os_clock())};
}

static int send(const struct notify_channel *c, struct notify_result *r, struct err *e)
{
	struct notify_message m = message();

	return notify_deliver(c, &m, r, &ctx, e);
}

/* What came there: how many, and the last one (borrowed from *all). */
static json_t *got(size_t *n, json_t **all)
{
	struct http *h;
	struct http_answer a;
	struct err e;

	h = http_new(&(struct http_params){.direct = true}, &ctx, &e);
	if (h == NULL ||
	    http_do(h, &(struct http_request){.method = "GET", .url = env("GOT")}, &a, &e) == -1)
		fail_msg("%s", e.msg);
	*all = json_loadb((const char *)a.body.p, a.body.n, 0, NULL);
	assert_non_null(*all);
	*n = (size_t)json_integer_value(json_object_get(*all, "n"));
	http_answer_fini(&a);
	http_free(h);
	return json_object_get(*all, "last");
}

static size_t count(void)
{
	json_t *all;
	size_t n;

	got(&n, &all);
	json_decref(all);
	return n;
}

/* It fails so, with a message, and nothing arrives. */
static struct notify_result fails(struct notify_channel c, enum err_kind kind, bool hint)
{
	struct notify_result r = {0};
	struct err e = {0};
	size_t before = count();

	if (send(&c, &r, &e) == 0)
		fail_msg("it was sent");
	if (e.kind != kind)
		fail_msg("wrong kind %s: %s", err_info(e.kind)->name, e.msg);
	if (hint && e.hint[0] == '\0')
		fail_msg("no hint: %s", e.msg);
	for (const char *p = e.msg; *p; p++)
		assert_true((unsigned char)*p >= ' ' && *p != 0x7f);
	assert_null(strstr(e.msg, env("PASSWORD")));
	assert_null(strstr(e.msg, env("TOKEN")));
	assert_int_equal(count(), before);
	return r;
}

/* ---- What is promised. */

static void a_message_arrives_whole_and_forges_nothing(void **state)
{
	struct notify_channel c = channel("GOOD");
	struct notify_result r = {0};
	json_t *all, *last;
	const char *severity;
	struct err e;
	size_t before = count(), n;

	if (send(&c, &r, &e) == -1)
		fail_msg("%s", e.msg);
	assert_string_equal(r.note, "");
	last = got(&n, &all);
	assert_int_equal(n, before + 1);
	assert_string_equal(json_string_value(json_object_get(last, "subject")), SEEN);
	assert_non_null(strstr(json_string_value(json_object_get(last, "text")),
	    "first line\n.\n..\n\xe2\x82\xac 5 = 50 %\nlast"));
	severity = json_string_value(json_object_get(last, "severity"));
	if (driver->keeps_severity)
		assert_string_equal(severity, "critical");
	json_decref(all);
}

static void long_texts_are_cut_and_taken(void **state)
{
	struct notify_channel c = channel("GOOD");
	struct notify_message m = message();
	struct notify_result r = {0};
	struct buf b = {0};
	struct err e;

	for (int i = 0; i < 20000; i++)
		buf_printf(&b, "\xc3\xbc%d\n", i);
	m.text = m.subject = buf_cstr(&b);
	if (notify_deliver(&c, &m, &r, &ctx, &e) == -1)
		fail_msg("%s", e.msg);
	buf_fini(&b);
}

static void a_wrong_login_is_told_as_that(void **state)
{
	struct notify_channel c = channel("GOOD");
	char *url = mem_strdup(c.url);

	if (c.password)
		c.password = "wrong";
	else if (c.token)
		c.token = "wrong";
	else
		memset(strrchr(url, '/') + 1, 'x', 8); /* the URL is the secret */
	c.url = url;
	fails(c, driver->wrong_login, true);
	free(url);
}

static void a_certificate_that_is_not_good_is_refused(void **state)
{
	struct notify_channel unknown = channel("GOOD"), none = channel("GOOD");

	fails(channel("ENDED"), ERR_DENIED, true);
	fails(channel("OTHER"), ERR_DENIED, true);
	fails(channel("STRANGER"), ERR_DENIED, true);
	unknown.ca_file = NULL;
	fails(unknown, ERR_DENIED, true);
	none.ca_file = "/nonexistent.pem";
	fails(none, ERR_USAGE, true);
}

static void who_is_busy_is_asked_again_when_it_said(void **state)
{
	struct notify_result r = fails(channel("BUSY"), ERR_BUSY, false);

	if (notify_ops_of(driver->name) != &notify_email)
		assert_true(r.retry_after_ns == 7 * CALENDAR_SECOND);
}

static void a_server_that_fails_hangs_up_or_never_ends_is_told(void **state)
{
	fails(channel("BROKEN"), driver->broken, false);
	fails(channel("CUT"), ERR_UNREACHABLE, false);
	fails(channel("CLOSED"), ERR_UNREACHABLE, true);
	fails(channel("HUGE"), driver->huge, false);
}

static void a_silent_server_is_left_when_the_time_is_over(void **state)
{
	struct notify_channel c = channel("SILENT");

	c.timeout_ns = CALENDAR_SECOND / 2;
	fails(c, ERR_TIMEOUT, false);
}

static void what_is_cancelled_is_not_sent(void **state)
{
	ctx.cancel = true;
	struct notify_channel c = channel("GOOD");
	struct notify_result r = {0};
	struct err e;

	assert_int_equal(send(&c, &r, &e), -1);
	assert_int_equal(e.kind, ERR_CANCELLED);
	ctx.cancel = false;
}

static void what_is_missing_is_named_before_anything_is_sent(void **state)
{
	struct notify_channel c = channel("GOOD");
	struct err e;

	assert_int_equal(notify_check(&c, &e), 0);
	c.url = c.user = NULL; /* sms may do without the URL */
	assert_int_equal(notify_check(&c, &e), -1);
	assert_int_equal(e.kind, ERR_USAGE);
	c = channel("GOOD");
	c.url = "ftp://127.0.0.1/x";
	assert_int_equal(notify_check(&c, &e), -1);
}

static void *send_many(void *arg)
{
	struct notify_channel c = channel("GOOD");
	size_t *failed = arg;

	for (int i = 0; i < 3; i++) {
		struct notify_result r = {0};
		struct err e;

		*failed += send(&c, &r, &e) != 0;
	}
	return NULL;
}

static void threads_send_at_the_same_time(void **state)
{
	pthread_t t[4];
	size_t failed[4] = {0}, before = count();

	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, send_many, &failed[i]), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(t[i], NULL);
		assert_int_equal(failed[i], 0);
	}
	assert_int_equal(count(), before + 12);
}

/* ---- What only those with several recipients promise. */

static void one_bad_recipient_keeps_nobody_else_from_hearing(void **state)
{
	static const char *const mixed[] = {"refused@example.com", "boss@example.com"};
	static const char *const numbers[] = {"+4915100000999", "+4915112345678"};
	static const char *const nobody[] = {"refused@example.com"};
	static const char *const bad[] = {"+4915100000999"};
	struct notify_channel c = channel("GOOD");
	bool mail = c.ops == &notify_email;
	struct notify_result r = {0};
	size_t before = count();
	struct err e;

	c.to = mail ? mixed : numbers;
	c.nto = 2;
	if (send(&c, &r, &e) == -1)
		fail_msg("%s", e.msg);
	assert_int_equal(count(), before + 1);
	assert_non_null(strstr(r.note, mail ? "no such user" : "Invalid 'To'"));
	c.to = mail ? nobody : bad;
	c.nto = 1;
	fails(c, ERR_FAILED, false);
}

/* Only for those who pay for each message: the tries of one are told who has it. */
static void who_has_it_is_not_told_again(void **state)
{
	static const char *const numbers[] = {"+4915112345678", "+4915100000888"};
	struct notify_channel c = channel("GOOD");
	struct notify_result r = {0};
	size_t before = count();
	struct err e;

	c.to = numbers;
	c.nto = 2;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(send(&c, &r, &e), -1);
		assert_int_equal(e.kind, ERR_BUSY);
		assert_int_equal(r.done, 1);
		assert_int_equal(count(), before + 1);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_message_arrives_whole_and_forges_nothing),
	    cmocka_unit_test(long_texts_are_cut_and_taken),
	    cmocka_unit_test(a_wrong_login_is_told_as_that),
	    cmocka_unit_test(a_certificate_that_is_not_good_is_refused),
	    cmocka_unit_test(who_is_busy_is_asked_again_when_it_said),
	    cmocka_unit_test(a_server_that_fails_hangs_up_or_never_ends_is_told),
	    cmocka_unit_test(a_silent_server_is_left_when_the_time_is_over),
	    cmocka_unit_test(what_is_cancelled_is_not_sent),
	    cmocka_unit_test(what_is_missing_is_named_before_anything_is_sent),
	    cmocka_unit_test(threads_send_at_the_same_time),
	    /* only those with several recipients; only those who pay for each */
	    cmocka_unit_test(one_bad_recipient_keeps_nobody_else_from_hearing),
	    cmocka_unit_test(who_has_it_is_not_told_again),
	};

	size_t n = sizeof tests / sizeof *tests;

	for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++)
		if (argc > 1 && strcmp(argv[1], drivers[i].name) == 0)
			driver = &drivers[i];
	if (driver == NULL) {
		fprintf(stderr, "usage: %s DRIVER\n", argv[0]);
		return 2;
	}
	if (strcmp(driver->name, "sms") != 0)
		n -= strcmp(driver->name, "email") == 0 ? 1 : 2;
	return _cmocka_run_group_tests("notify", tests, n, NULL, NULL);
}
