/*
 * The S3 driver before a server of the test's own: what it puts in parts and
 * how, and what it does not believe.
 */
#include "store/s3.h"
#include "store/store_options.h"
#include "store/store_rules.h"
#include "web_server.h"

enum { MIB = 1 << 20 };

static struct ctx ctx;
static struct err e;
static uint8_t data[40 * MIB];

/* A bucket of which only what the tests look at is kept. */
static struct bucket {
	char note[200];              /* tmp/s3.json; "": none */
	const char *whole;           /* the answer to the end of an upload */
	size_t cut;                  /* so much of it is not sent */
	int fails;                   /* this part, once; 0: none */
	int begun, parts, completed; /* requests */
	int probes;
	const char *uploads[3]; /* pages of a list of them */
	int pages;
	char aborted[200];
	char rules[1024];
	int rules_put;
} b;

#define MADE "<CompleteMultipartUploadResult><ETag>x-2</ETag></CompleteMultipartUploadResult>"

static void parts(const struct web_asked *q, struct web_reply *r)
{
	const char *number = strstr(q->target, "partNumber=");

	if (strcmp(q->method, "DELETE") == 0) {
		strncat(b.aborted, q->target, sizeof b.aborted - strlen(b.aborted) - 1);
	} else if (strncmp(q->target, "/bucket?", 8) == 0) {
		web_say(r, 200, b.uploads[b.pages++]);
	} else if (number) {
		b.parts++;
		if (b.fails == atoi(number + 11)) {
			b.fails = 0;
			r->status = 500;
		}
		snprintf(r->headers, sizeof r->headers, "etag: \"t\"\r\n");
	} else if (strstr(q->target, "?uploads")) {
		b.begun++;
		web_say(r, 200, "<R><UploadId>u</UploadId></R>");
	} else if (strcmp(q->method, "POST") == 0) {
		b.completed++;
		web_say(r, 200, b.whole);
		r->cut = b.cut;
	}
}

static void answer(void *arg, const struct web_asked *q, struct web_reply *r)
{
	if (strstr(q->target, "?lifecycle") || strstr(q->target, "?retention")) {
		b.rules_put += strcmp(q->method, "GET") != 0;
		web_say(r, 200, b.rules);
	} else if (strchr(q->target, '?')) {
		parts(q, r);
	} else if (strcmp(q->target, "/bucket/tmp/s3.json") == 0) {
		if (strcmp(q->method, "PUT") == 0)
			snprintf(
			    b.note, sizeof b.note, "%.*s", (int)q->body.n, (const char *)q->body.p);
		else
			web_say(r, b.note[0] ? 200 : 404, b.note);
	} else if (strstr(q->target, "/tmp/probe-")) {
		b.probes++;
		if (web_asked_has(q, "if-none-match: *") && b.probes % 3 == 2)
			r->status = 412;
	} else if (strcmp(q->method, "HEAD") == 0) {
		r->status = 404;
	}
}

static struct web_server server;

static struct store *open_s3(void)
{
	static const struct store_given none;
	static const struct store_far far;
	char *rest = mem_printf("%s/bucket", server.endpoint);
	struct store *s;

	setenv("AWS_ACCESS_KEY_ID", "AK", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "SK", 1);
	OK(store_s3_open(rest, false, &none, &far, &ctx, &s, &e), &e);
	free(rest);
	return s;
}

static int put(struct store *s, const char *key, size_t n)
{
	return s->ops->put(s, key, span_of(data, n), STORE_NEW, &e);
}

static int setup(void **state)
{
	memset(&b, 0, sizeof b);
	memset(data, 'x', sizeof data);
	web_start(&server, answer, NULL);
	b.whole = MADE;
	*state = open_s3();
	return 0;
}

static int teardown(void **state)
{
	store_close(*state);
	web_stop(&server);
	return 0;
}

static void only_what_has_no_time_that_matters_goes_in_parts(void **state)
{
	static const char *const whole[] = {
	    "index/a", "marks/a", "snapshots/a", "notes/a.b", "config", "keys/a", "packsx/a"};
	static const char *const in_parts[] = {"packs/aa/a", "meta/aa/a", "parity/packs/a"};

	for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
		OK(put(*state, whole[i], 17 * MIB), &e);
	assert_int_equal(b.begun, 0);
	for (size_t i = 0; i < sizeof in_parts / sizeof *in_parts; i++)
		OK(put(*state, in_parts[i], 17 * MIB), &e);
	assert_int_equal(b.begun, 3);
	assert_int_equal(b.parts, 6);
}

static void an_upload_is_whole_only_if_the_store_says_so(void **state)
{
	static const char *const odd[] = {
	    "", "<R/>", "<html>it works</html>", "<R><ETag/></R>", "<R><ETag>x</ETag>"};

	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
		b.whole = odd[i];
		FAILS(put(*state, "packs/aa/a", 17 * MIB), ERR_UNREACHABLE, &e);
	}
	b.whole = MADE;
	b.cut = 20;
	FAILS(put(*state, "packs/aa/a", 17 * MIB), ERR_UNREACHABLE, &e);
	b.cut = 0;
	OK(put(*state, "packs/aa/a", 17 * MIB), &e);
	/* The parts were sent once. */
	assert_int_equal(b.begun, 1);
	assert_int_equal(b.parts, 2);
}

static void an_upload_that_has_ended_is_begun_anew(void **state)
{
	b.whole = "<Error><Code>NoSuchUpload</Code></Error>";
	FAILS(put(*state, "packs/aa/a", 17 * MIB), ERR_UNREACHABLE, &e);
	b.whole = MADE;
	OK(put(*state, "packs/aa/a", 17 * MIB), &e);
	assert_int_equal(b.begun, 2);
}

static void an_upload_goes_on_with_the_same_object_alone(void **state)
{
	b.fails = 2;
	FAILS(put(*state, "parity/packs/a", 17 * MIB), ERR_UNREACHABLE, &e);
	data[17 * MIB - 1] = 'y';
	OK(put(*state, "parity/packs/a", 17 * MIB), &e);
	assert_int_equal(b.begun, 2);
	data[17 * MIB - 1] = 'x';
	OK(put(*state, "parity/packs/a", 17 * MIB), &e);
	assert_int_equal(b.begun, 2);
	assert_int_equal(b.parts, 2 + 2 + 1);
}

static void word_of_another_store_is_not_believed(void **state)
{
	struct store *s;

	snprintf(
	    b.note, sizeof b.note, "{\"if_none_match\":true,\"endpoint\":\"elsewhere.example\"}\n");
	OK(put(*state, "config", 1), &e);
	assert_int_equal(b.probes, 3);
	assert_non_null(strstr(b.note, server.endpoint + strlen("http://")));
	assert_non_null(strstr(b.note, "true"));
	s = open_s3();
	OK(put(s, "config", 1), &e); /* its own is */
	assert_int_equal(b.probes, 3);
	store_close(s);
}

#define UPLOAD(key, id, time)                                                                      \
	"<Upload><Key>" key "</Key><UploadId>" id "</UploadId><Initiated>" time                    \
	"</Initiated></Upload>"
#define MORE(key, id)                                                                              \
	"<IsTruncated>true</IsTruncated><NextKeyMarker>" key "</NextKeyMarker>"                    \
	"<NextUploadIdMarker>" id "</NextUploadIdMarker>"

static void uploads_that_nobody_ends_are_aborted_once_they_are_old(void **state)
{
	const int64_t before = INT64_C(1793440800) * 1000000000; /* 2026-10-31T10:00:00Z */
	uint64_t n;

	b.uploads[0] = "<R>" MORE("k", "i") UPLOAD("packs/a", "old", "2026-10-31T09:59:59.000Z")
	    UPLOAD("packs/b", "young", "2026-10-31T10:00:01.000Z")
		UPLOAD("theirs/packs/c", "theirs", "2020-01-01T00:00:00Z") "</R>";
	b.uploads[1] = "<R>" UPLOAD("meta/d", "also&amp;old", "2026-10-31T10:00:00Z")
	    UPLOAD("index/e", "never", "2020-01-01T00:00:00Z") "</R>";
	OK(store_uploads_sweep(*state, before, &n, &e), &e);
	assert_int_equal(n, 2);
	assert_string_equal(
	    b.aborted, "/bucket/packs/a?uploadId=old/bucket/meta/d?uploadId=also%26old");
	assert_int_equal(b.pages, 2);
	b.pages = 0;
	b.uploads[1] = b.uploads[0];
	FAILS(store_uploads_sweep(*state, before, &n, &e), ERR_CORRUPT, &e);
	assert_int_equal(b.pages, 2);
}

static void rules_that_are_not_understood_are_left_alone(void **state)
{
	static const char *const odd[] = {
	    "<L><Rule a='1'><ID>theirs</ID><Expiration><Days>3</Days></Expiration></Rule></L>",
	    "<x:L xmlns:x='y'><x:Rule><x:ID>theirs</x:ID></x:Rule></x:L>",
	    "<L><Rule><ID>a</ID></Rule><Rule ><ID>b</ID></Rule></L>"};
	static const struct store_rule rule = {.folder = "packs/", .unfinished_days = 7};

	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
		snprintf(b.rules, sizeof b.rules, "%s", odd[i]);
		FAILS(store_rules_put(*state, &rule, 1, &e), ERR_UNSUPPORTED, &e);
	}
	assert_int_equal(b.rules_put, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* Who does not know the question gives the object, and would take the answer for one. */
static void a_store_without_locks_is_never_told_of_one(void **state)
{
	static const char *const said[] = {"bytes of a pack", "", "<ListBucketResult/>"};
	struct store *s = *state;
	bool done;

	for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
		strcpy(b.rules, said[i]);
		FAILS(store_lock_extend(s, "packs/a", NULL, 1, 2, &done, &e), ERR_UNSUPPORTED, &e);
	}
	assert_int_equal(b.rules_put, 0);
	strcpy(b.rules, "<Retention></Retention>");
	OK(store_lock_extend(s, "packs/a", NULL, 1000000000, 2000000000, &done, &e), &e);
	assert_true(done && b.rules_put == 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    T(only_what_has_no_time_that_matters_goes_in_parts),
	    T(an_upload_is_whole_only_if_the_store_says_so),
	    T(an_upload_that_has_ended_is_begun_anew),
	    T(an_upload_goes_on_with_the_same_object_alone),
	    T(word_of_another_store_is_not_believed),
	    T(uploads_that_nobody_ends_are_aborted_once_they_are_old),
	    T(a_store_without_locks_is_never_told_of_one),
	    T(rules_that_are_not_understood_are_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
