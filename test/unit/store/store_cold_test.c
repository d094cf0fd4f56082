/*
 * What sleeps, as Amazon and Microsoft document it, before a server of the test's own: the
 * headers that tell it, and the words that wake it, which no emulator looks at.
 */
#include "store/store_cold.h"

#include "store/store_drivers.h"
#include "store/store_options.h"
#include "web_server.h"

static struct ctx ctx;
static struct err e;
static struct web_server server;

/* What HEAD says, what a request to thaw is answered with, and what it was. */
static struct object {
	const char *headers, *refusal;
	int status, thaws, reads;
	bool awake; /* whatever its class is called */
	char asked[512], words[512];
} o;

#define ALWAYS "last-modified: Sat, 21 Nov 2026 10:00:00 GMT\r\n"

static void answer(void *arg, const struct web_asked *q, struct web_reply *r)
{
	if (strcmp(q->method, "HEAD") == 0) {
		web_say(r, 200, "12345");
		snprintf(r->headers, sizeof r->headers, ALWAYS "%s", o.headers);
	} else if (strcmp(q->method, "GET") == 0) {
		o.reads++;
		if (o.awake) {
			web_say(r, 206, "x");
			snprintf(r->headers, sizeof r->headers, "content-range: bytes 0-0/5\r\n");
		} else {
			web_say(r, 403, "<Error><Code>InvalidObjectState</Code></Error>");
		}
	} else {
		o.thaws++;
		snprintf(o.asked, sizeof o.asked, "%s %s", q->method, q->target);
		snprintf(o.words, sizeof o.words, "%.*s%s", (int)q->body.n,
		    q->body.n ? (const char *)q->body.p : "",
		    web_asked_has(q, "x-ms-access-tier: hot") ? "hot" : "");
		if (web_asked_has(q, "x-ms-rehydrate-priority: high"))
			strcat(o.words, " high");
		web_say(r, o.status ? o.status : 202, o.refusal ? o.refusal : "");
	}
}

static struct store *open_s3(void)
{
	static const struct store_given none;
	static const struct store_far far = {.retries = 1};
	char *rest = mem_printf("%s/bucket", server.endpoint);
	struct store *s;

	setenv("AWS_ACCESS_KEY_ID", "AK", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "SK", 1);
	OK(store_s3_open(rest, false, &none, &far, &ctx, &s, &e), &e);
	free(rest);
	return s;
}

static struct store *open_azure(void)
{
	static const struct store_far far = {.retries = 1};
	char *endpoint = mem_printf("azure.endpoint=%s/acme", server.endpoint);
	const char *const v[] = {endpoint};
	struct store_given given = {v, 1};
	struct store *s;

	setenv("AZURE_STORAGE_KEY", "a2V5", 1);
	OK(store_azure_open("acme/box", false, &given, &far, &ctx, &s, &e), &e);
	free(endpoint);
	return s;
}

static int setup(void **state)
{
	memset(&o, 0, sizeof o);
	web_start(&server, answer, NULL);
	return 0;
}

static int teardown(void **state)
{
	store_close(*state);
	web_stop(&server);
	return 0;
}

static struct store_cold look(struct store *s, const char *headers)
{
	struct store_cold now;

	o.headers = headers;
	OK(store_cold_look(s, "packs/00/a", &now, &e), &e);
	assert_int_equal(now.size, 5);
	return now;
}

static void s3_headers_tell_what_sleeps(void **state)
{
	struct store *s = *state = open_s3();
	struct store_cold now = look(s, "");

	assert_int_equal(now.state, STORE_HOT);
	assert_int_equal(look(s, "x-amz-storage-class: GLACIER_IR\r\n").state, STORE_HOT);
	assert_int_equal(look(s, "x-amz-storage-class: A_NEW_ONE\r\n").state, STORE_HOT);
	now = look(s, "x-amz-storage-class: GLACIER\r\n");
	assert_int_equal(now.state, STORE_COLD);
	assert_int_equal(now.class, STORE_CLASS_S3_GLACIER);
	now = look(
	    s, "x-amz-storage-class: GLACIER\r\nx-amz-restore: ongoing-request=\"true\"\r\n");
	assert_int_equal(now.state, STORE_THAWING);
	now = look(s, "x-amz-storage-class: DEEP_ARCHIVE\r\nx-amz-restore: ongoing-request="
		      "\"false\", expiry-date=\"Fri, 21 Dec 2012 00:00:00 GMT\"\r\n");
	assert_int_equal(now.state, STORE_THAWED);
	assert_int_equal(now.until_ns, INT64_C(1356048000) * 1000000000);
	/* Nonsense is no promise that it can be read. */
	now = look(s, "x-amz-storage-class: GLACIER\r\nx-amz-restore: expiry-date=\"x\"\r\n");
	assert_int_equal(now.state, STORE_COLD);
	now = look(s, "x-amz-storage-class: INTELLIGENT_TIERING\r\n");
	assert_int_equal(now.state, STORE_HOT);
	now = look(s, "x-amz-storage-class: INTELLIGENT_TIERING\r\n"
		      "x-amz-archive-status: DEEP_ARCHIVE_ACCESS\r\n");
	assert_int_equal(now.state, STORE_COLD);
}

/* Of each class one byte is read: then it is known. */
static void a_name_of_a_class_is_no_sleep(void **state)
{
	struct store *s = *state = open_s3();

	o.awake = true;
	assert_int_equal(look(s, "x-amz-storage-class: GLACIER\r\n").state, STORE_HOT);
	assert_int_equal(look(s, "x-amz-storage-class: GLACIER\r\n").state, STORE_HOT);
	assert_int_equal(o.reads, 1);
	o.awake = false;
	assert_int_equal(look(s, "x-amz-storage-class: DEEP_ARCHIVE\r\n").state, STORE_COLD);
	assert_int_equal(look(s, "x-amz-storage-class: DEEP_ARCHIVE\r\n").state, STORE_COLD);
	assert_int_equal(o.reads, 2);
}

static void s3_is_told_how_fast_and_for_how_long(void **state)
{
	struct store *s = *state = open_s3();
	struct store_thaw how = {STORE_BULK, 9};
	struct store_cold now = look(s, "x-amz-storage-class: DEEP_ARCHIVE\r\n");

	OK(store_cold_thaw(s, "packs/00/a", &now, &how, &e), &e);
	assert_non_null(strstr(o.asked, "POST /bucket/packs/00/a?restore"));
	assert_non_null(strstr(o.words, "<Days>9</Days>"));
	assert_non_null(strstr(o.words, "<Tier>Bulk</Tier>"));
	how.speed = STORE_EXPEDITED;
	FAILS(store_cold_thaw(s, "packs/00/a", &now, &how, &e), ERR_USAGE, &e);
	assert_int_equal(o.thaws, 1);
	/* What is tiered by itself may not be told for how long. */
	now = look(s, "x-amz-storage-class: INTELLIGENT_TIERING\r\n"
		      "x-amz-archive-status: ARCHIVE_ACCESS\r\n");
	OK(store_cold_thaw(s, "packs/00/a", &now, &how, &e), &e);
	assert_null(strstr(o.words, "<Days>"));
	assert_non_null(strstr(o.words, "<Tier>Expedited</Tier>"));
}

static void what_s3_was_asked_for_by_another_is_no_error(void **state)
{
	struct store *s = *state = open_s3();
	struct store_thaw how = {STORE_STANDARD, 1};
	struct store_cold now = look(s, "x-amz-storage-class: GLACIER\r\n");

	o.status = 409;
	o.refusal = "<Error><Code>RestoreAlreadyInProgress</Code></Error>";
	OK(store_cold_thaw(s, "packs/00/a", &now, &how, &e), &e);
	o.status = 403;
	o.refusal = "<Error><Code>AccessDenied</Code></Error>";
	FAILS(store_cold_thaw(s, "packs/00/a", &now, &how, &e), ERR_DENIED, &e);
	o.thaws = 0;
	now = look(
	    s, "x-amz-storage-class: GLACIER\r\nx-amz-restore: ongoing-request=\"true\"\r\n");
	OK(store_cold_thaw(s, "packs/00/a", &now, &how, &e), &e);
	assert_int_equal(o.thaws, 0);
}

static void azure_headers_tell_what_sleeps_since_when(void **state)
{
	struct store *s = *state = open_azure();
	struct store_cold now = look(s, "x-ms-access-tier: Hot\r\n");

	assert_int_equal(now.state, STORE_HOT);
	now = look(s, "x-ms-access-tier: Archive\r\nx-ms-access-tier-change-time: Fri, 21 Dec "
		      "2012 00:00:00 GMT\r\n");
	assert_int_equal(now.state, STORE_COLD);
	assert_int_equal(now.class_ns, INT64_C(1356048000) * 1000000000);
	now = look(s, "x-ms-access-tier: Archive\r\nx-ms-archive-status: "
		      "rehydrate-pending-to-hot\r\n");
	assert_int_equal(now.state, STORE_THAWING);
	assert_true(now.class_ns > INT64_C(1356048000) * 1000000000); /* when it was written */
	assert_int_equal(look(s, "x-ms-access-tier: Cool\r\n").state, STORE_HOT);
}

static void azure_is_told_how_urgent_it_is(void **state)
{
	struct store *s = *state = open_azure();
	struct store_thaw how = {STORE_EXPEDITED, 1};
	struct store_cold now = look(s, "x-ms-access-tier: Archive\r\n");

	OK(store_cold_thaw(s, "packs/00/a", &now, &how, &e), &e);
	assert_non_null(strstr(o.asked, "PUT /acme/box/packs/00/a?comp=tier"));
	assert_string_equal(o.words, "hot high");
	how.speed = STORE_STANDARD;
	OK(store_cold_thaw(s, "packs/00/a", &now, &how, &e), &e);
	assert_string_equal(o.words, "hot");
	how.speed = STORE_BULK;
	FAILS(store_cold_thaw(s, "packs/00/a", &now, &how, &e), ERR_USAGE, &e);
	how.speed = STORE_STANDARD;
	o.status = 409;
	o.refusal = "<Error><Code>BlobBeingRehydrated</Code></Error>";
	OK(store_cold_thaw(s, "packs/00/a", &now, &how, &e), &e);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    T(s3_headers_tell_what_sleeps),
	    T(a_name_of_a_class_is_no_sleep),
	    T(s3_is_told_how_fast_and_for_how_long),
	    T(what_s3_was_asked_for_by_another_is_no_error),
	    T(azure_headers_tell_what_sleeps_since_when),
	    T(azure_is_told_how_urgent_it_is),
	};

	return cmocka_run_group_tests_name("store_cold", tests, NULL, NULL);
}
