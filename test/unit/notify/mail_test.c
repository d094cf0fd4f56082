/* notify_mail: what a mail server and a reader are given. */
#include "unit/unit.h"

#include "net/smtp.h"
#include "notify/notify_mail.h"
#include "notify/notify_text.h"

static const char *const to[] = {"a@example.com", "b@example.com"};
static const struct notify_channel channel = {
    .ops = &notify_email, .from = "hf@example.com", .to = to, .nto = 2};

static char *header(const char *value)
{
	struct buf b = {0};

	notify_mail_header(&b, "Subject", value);
	return (char *)(buf_cstr(&b), b.p);
}

static void headers_are_folded_and_encoded(void **state)
{
	char *plain = header("Backup of www failed");
	char *encoded = header("Sicherung f\xc3\xbcr www");
	char *forged = header("=?UTF-8?B?QmNj?=");
	char *folded = header("one two three four five six seven eight nine ten eleven twelve "
			      "thirteen fourteen fifteen");

	assert_string_equal(plain, "Subject: Backup of www failed\r\n");
	assert_string_equal(encoded, "Subject: =?UTF-8?B?U2ljaGVydW5nIGbDvHIgd3d3?=\r\n");
	assert_string_equal(forged, "Subject: =?UTF-8?B?PT9VVEYtOD9CP1FtTmo/PQ==?=\r\n");
	assert_non_null(strstr(folded, "\r\n "));
	free(plain);
	free(encoded);
	free(forged);
	free(folded);
}

/* Every line short, every header line a name or a continuation, no bare CR or LF. */
static void well_formed(struct span s)
{
	size_t line = 0;
	bool in_header = true;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\n')
			assert_true(i > 0 && s.p[i - 1] == '\r');
		if (s.p[i] == '\r')
			assert_true(i + 1 < s.n && s.p[i + 1] == '\n');
		assert_true(s.p[i] < 0x80 && (s.p[i] >= ' ' || strchr("\r\n\t", s.p[i])));
		if (s.p[i] != '\n')
			continue;
		assert_true(i - line <= 998);
		if (in_header && i - line == 1)
			in_header = false;
		else if (in_header && s.p[line] != ' ')
			assert_true(memchr(s.p + line, ':', i - line) != NULL);
		line = i + 1;
	}
	assert_int_equal(line, s.n);
	assert_false(in_header);
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;

	for (const char *p = text; (p = strstr(p, what)) != NULL; p++)
		n++;
	return n;
}

static void no_text_begins_a_header_or_ends_the_mail(void **state)
{
	const struct notify_field field = {"x\r\nBcc: a@b.c", "v\r\n.\r\nQUIT"};
	struct notify_message m = {.id = "id>\r\nBcc: a@b.c",
	    .event = "run.failed\r\nBcc: a@b.c",
	    .severity = NOTIFY_CRITICAL,
	    .system = "w\r\nBcc: a@b.c",
	    .host = "h\"\r\nBcc: a@b.c",
	    .subject = "s\r\nBcc: a@b.c\r\n\r\nbody",
	    .text = "line\n.\n..\nFrom here\nend",
	    .fields = &field,
	    .nfields = 1,
	    .at_ns = INT64_C(1795294260) * 1000000000};
	struct notify_message *clean = notify_text_message(&m, 1000);
	struct buf b = {0};
	const char *text;

	notify_mail_write(&b, &channel, clean);
	text = buf_cstr(&b);
	well_formed(buf_span(&b));
	assert_int_equal(count(text, "\nBcc:"), 0);
	assert_int_equal(count(text, "\nSubject: "), 1);
	assert_non_null(strstr(text, "Date: Sat, 21 Nov 2026 20:51:00 +0000\r\n"));
	assert_non_null(strstr(text, "To: a@example.com,\r\n b@example.com\r\n"));
	assert_non_null(strstr(text, "\r\n.\r\n..\r\n=46rom here\r\n"));
	assert_non_null(strstr(text, "Importance: high"));
	assert_non_null(strstr(text, "\r\nMessage-ID: <id...Bcc..a.b.c.holdfast@example.com>\r\n"));
	buf_fini(&b);
	notify_text_free(clean);
}

static void any_bytes_make_a_well_formed_mail(void **state)
{
	uint64_t seed = 821;

	for (int i = 0; i < 300; i++) {
		char raw[4][400];
		struct notify_message m = {.id = raw[0],
		    .event = "e",
		    .severity = NOTIFY_INFO,
		    .host = raw[1],
		    .subject = raw[2],
		    .text = raw[3],
		    .at_ns = (int64_t)(unit_rand(&seed) >> 2)};
		struct notify_message *clean;
		struct buf b = {0};

		for (int k = 0; k < 4; k++) {
			unit_rand_fill(&seed, raw[k], sizeof raw[k]);
			raw[k][unit_rand(&seed) % sizeof raw[k]] = '\0';
			raw[k][sizeof raw[k] - 1] = '\0';
		}
		clean = notify_text_message(&m, 1000);
		notify_mail_write(&b, &channel, clean);
		well_formed(buf_span(&b));
		buf_fini(&b);
		notify_text_free(clean);
	}
}

static void bodies_are_quoted_printable(void **state)
{
	struct buf b = {0};

	notify_mail_quoted(&b, "a=b \nf\xc3\xbcr\n\nend");
	assert_string_equal(buf_cstr(&b), "a=3Db=20\r\nf=C3=BCr\r\n\r\nend\r\n");
	buf_fini(&b);
}

static void addresses_and_servers_are_what_they_should_be(void **state)
{
	static const char *const good[] = {"a@b.c", "a.b+c@x-y.example", "root@localhost"};
	static const char *const bad[] = {"", "a", "@b", "a@", "a b@c", "a@b\r\nRCPT TO:<x@y>",
	    "<a@b>", "a@b>", "a@b@c", "-a@b", "b\xc3\xbc@x.y", "a@b,c@d", "\"a\"@b"};
	static const char *const urls[] = {
	    "smtp://h", "smtps://h:465", "smtp://[::1]:25", "smtp://mail.example.com:587"};
	static const char *const wrong[] = {"", "h", "http://h", "smtp://", "smtp://:25",
	    "smtps://u:p@h", "smtp://h/x", "smtp://h:", "smtp://h:0", "smtp://h:65536",
	    "smtp://h:2x", "smtp://h\n", "smtp://h?x"};
	struct err e;

	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_int_equal(smtp_address_good(good[i], &e), 0);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (smtp_address_good(bad[i], &e) == 0)
			fail_msg("taken: %s", bad[i]);
	for (size_t i = 0; i < sizeof urls / sizeof *urls; i++)
		assert_int_equal(smtp_url_good(urls[i], &e), 0);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		if (smtp_url_good(wrong[i], &e) == 0)
			fail_msg("taken: %s", wrong[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(headers_are_folded_and_encoded),
	    cmocka_unit_test(no_text_begins_a_header_or_ends_the_mail),
	    cmocka_unit_test(any_bytes_make_a_well_formed_mail),
	    cmocka_unit_test(bodies_are_quoted_printable),
	    cmocka_unit_test(addresses_and_servers_are_what_they_should_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
