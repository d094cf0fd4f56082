/* s3: places, options, profiles and answers as texts; the requests are the conformance suite's. */
#include "store/s3.h"
#include "store_dir.h"

static struct err e;

static const struct s3_options none;

static void no_variables(void)
{
	static const char *const names[] = {"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE",
	    "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "HOME"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		unsetenv(names[i]);
}

static void is_place(const char *rest, const struct s3_options *o, const char *host,
    const char *prefix, const char *region)
{
	struct s3_place p;

	no_variables();
	OK(s3_place_parse(&p, rest, o, &e), &e);
	assert_string_equal(p.host, host);
	assert_string_equal(p.prefix, prefix);
	assert_string_equal(p.region, region);
	s3_place_fini(&p);
}

static void a_place_tells_host_prefix_and_region(void **state)
{
	is_place("s3.eu-west-1.amazonaws.com/acme/a/b", &none, "acme.s3.eu-west-1.amazonaws.com",
	    "a/b/", "eu-west-1");
	is_place("s3.amazonaws.com/acme", &none, "acme.s3.amazonaws.com", "", "us-east-1");
	is_place("s3.dualstack.eu-north-1.amazonaws.com/acme", &none,
	    "acme.s3.dualstack.eu-north-1.amazonaws.com", "", "eu-north-1");
	is_place("storage.googleapis.com/acme/a", &none, "storage.googleapis.com", "a/", "auto");
	is_place("http://127.0.0.1:9000/acme//a//", &none, "127.0.0.1:9000", "a/", "us-east-1");
	is_place("h/acme", &(struct s3_options){.lookup = "dns", .region = "x"}, "acme.h", "", "x");
}

static void a_bucket_with_dots_is_no_part_of_a_host_s_name(void **state)
{
	struct s3_options dns = {.lookup = "dns"};
	struct s3_place p;

	is_place("s3.amazonaws.com/a.b.c", &none, "s3.amazonaws.com", "", "us-east-1");
	FAILS(s3_place_parse(&p, "https://s3.amazonaws.com/a.b.c", &dns, &e), ERR_USAGE, &e);
	assert_non_null(strstr(e.msg, "certificate"));
}

static void what_is_no_place_is_refused(void **state)
{
	static const char *const bad[] = {"", "h", "h/", "h/ab", "h/-abc", "h/a b c", "k:s@h/abc",
	    "h h/abc", "h/abc\n", "/abc", "h/a%2fb/c"};
	struct s3_place p;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		FAILS(s3_place_parse(&p, bad[i], &none, &e), ERR_USAGE, &e);
}

static void read_options(struct s3_options *o, const char *text)
{
	OK(s3_options_read(o, &(struct store_given){&text, 1}, &e), &e);
}

static void refuses_option(const char *text, const char *words)
{
	struct s3_options o;

	FAILS(s3_options_read(&o, &(struct store_given){&text, 1}, &e), ERR_USAGE, &e);
	if (strstr(e.msg, words) == NULL)
		fail_msg("%s: %s", text, e.msg);
}

static void options_come_from_the_line_before_the_environment(void **state)
{
	struct s3_options o;

	setenv("HOLDFAST_S3_REGION", "there", 1);
	OK(s3_options_read(&o, NULL, &e), &e);
	assert_string_equal(o.region, "there");
	read_options(&o, "s3.region=here");
	assert_string_equal(o.region, "here");
	unsetenv("HOLDFAST_S3_REGION");
	read_options(&o, "retries=3"); /* of every store: not ours to mind */
	assert_null(o.region);
}

static void options_that_mean_nothing_are_refused(void **state)
{
	refuses_option("s3.colour=red", "no such option");
	refuses_option("s3.region", "no such option");
	refuses_option("s3.sse=rot13", "none of");
	refuses_option("s3.object-lock=soon", "soon");
	refuses_option("s3.object-lock=1mo", "fixed length");
	refuses_option("s3.object-lock-mode=governance", "needs");
	refuses_option("s3.tags=a=b\r\nx-amz-acl: public-read", "control character");
	refuses_option("hush=topsecret", "hush");
	assert_null(strstr(e.msg, "topsecret"));
}

static bool has(const struct http_headers *h, const char *line)
{
	for (size_t i = 0; i < h->n; i++)
		if (strcmp(h->v[i], line) == 0)
			return true;
	return false;
}

static void options_become_headers_where_they_belong(void **state)
{
	const struct s3_options o = {.storage_class = "GLACIER",
	    .sse = "aws:kms",
	    .kms_key = "k1",
	    .tags = "a=b",
	    .lock_ns = INT64_C(86400000000000)};
	struct http_headers pack = {0}, tree = {0}, lease = {0};
	const char *until = "x-amz-object-lock-retain-until-date: 1970-01-03T00:00:00Z";

	s3_options_headers(&o, "packs/ab/abcd", 0, &pack);
	s3_options_headers(&o, "meta/ab/abcd", 0, &tree);
	s3_options_headers(&o, "leases/x", 0, &lease);
	assert_true(has(&pack, "x-amz-storage-class: GLACIER"));
	assert_true(has(&pack, "x-amz-server-side-encryption: aws:kms"));
	assert_true(has(&pack, "x-amz-server-side-encryption-aws-kms-key-id: k1"));
	assert_true(has(&pack, "x-amz-tagging: a=b"));
	assert_true(has(&pack, "x-amz-object-lock-mode: COMPLIANCE"));
	assert_true(has(&pack, until));
	assert_false(has(&tree, "x-amz-storage-class: GLACIER"));
	assert_true(has(&tree, until));
	assert_false(has(&lease, until));
	http_headers_fini(&pack);
	http_headers_fini(&tree);
	http_headers_fini(&lease);
}

static void profile_has(const char *text, const char *profile, const char *name, const char *want)
{
	char *v = s3_profile_find(span_str(text), profile, name);

	if (want)
		assert_string_equal(v, want);
	else
		assert_null(v);
	free(v);
}

static void profiles_are_read_as_others_write_them(void **state)
{
	const char *text = "# a = b\nx = 0\n[default]\r\naws_access_key_id=A\r\n"
			   "[ profile two ]\n  region = eu \n;region = no\n[two]\nx = =1=\n[three";

	profile_has(text, "default", "aws_access_key_id", "A");
	profile_has(text, "two", "region", "eu");
	profile_has(text, "two", "x", "=1=");
	profile_has(text, "default", "x", NULL);
	profile_has(text, "three", "x", NULL);
	profile_has("", "default", "x", NULL);
}

struct seen {
	char keys[256];
	uint64_t bytes;
};

static int see(void *arg, const char *key, const struct store_stat *st, struct err *err)
{
	struct seen *s = arg;

	strcat(strcat(s->keys, key), " ");
	s->bytes += st->size;
	return 0;
}

#define ENTRY(key, size)                                                                           \
	"<Contents><Key>" key "</Key><LastModified>2026-11-21T09:41:07.123Z</LastModified>"        \
	"<Size>" size "</Size></Contents>"

static void a_page_holds_our_keys_and_how_to_go_on(void **state)
{
	struct seen s = {0};
	struct s3_page p;

	OK(s3_page_read(
	       span_str("<R>" ENTRY("a/b/x", "1") ENTRY("a/b/bad key", "2") ENTRY("a/bb", "4")
		       ENTRY("a/b/packs/&quot;", "8") ENTRY("a/b/tmp/y", "16") ENTRY("a/b/packs/1",
			   "32") "<IsTruncated>true</IsTruncated>"
				 "<NextContinuationToken>t&amp;1</NextContinuationToken></R>"),
	       "a/b/", see, &s, &p, &e),
	    &e);
	assert_string_equal(s.keys, "x packs/1 ");
	assert_int_equal(s.bytes, 33);
	assert_true(p.more);
	assert_string_equal(p.token, "t&1");
}

static void a_page_that_is_none_is_corrupt(void **state)
{
	static const char *const bad[] = {"", "x", "<R>", "<R>" ENTRY("a", "-1") "</R>",
	    "<R>" ENTRY("a", "1x") "</R>", "<R><IsTruncated>true</IsTruncated></R>",
	    "<R><Contents><LastModified>soon</LastModified></Contents></R>",
	    "<!DOCTYPE R [<!ENTITY a 'a'>]><R>&a;</R>"};
	struct seen s = {0};
	struct s3_page p;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		FAILS(s3_page_read(span_str(bad[i]), "", see, &s, &p, &e), ERR_CORRUPT, &e);
}

static void refusal(int status, const char *body, enum err_kind kind, const char *hint)
{
	char here[] = "here";
	struct s3 s = {.place.region = here};
	struct s3_call c = {.method = "GET"};
	struct http_answer a = {.status = status};

	buf_put_span(&a.body, span_str(body));
	FAILS(s3_refusal(&s, &c, &a, &e), kind, &e);
	if (strstr(e.hint, hint) == NULL)
		fail_msg("%d %s: hint %s", status, body, e.hint);
	buf_fini(&a.body);
}

#define CODE(c) "<Error><Code>" c "</Code><Message>m</Message></Error>"

static void each_refusal_has_a_kind_and_a_hint(void **state)
{
	refusal(403, CODE("RequestTimeTooSkewed"), ERR_DENIED, "clock");
	refusal(403, CODE("InvalidAccessKeyId"), ERR_DENIED, "access key");
	refusal(403, CODE("SignatureDoesNotMatch"), ERR_DENIED, "secret");
	refusal(400, CODE("ExpiredToken"), ERR_DENIED, "session has ended");
	refusal(403, CODE("AccessDenied"), ERR_DENIED, "permission");
	refusal(404, CODE("NoSuchBucket"), ERR_NO_REPOSITORY, "bucket");
	refusal(400,
	    "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>",
	    ERR_DENIED, "AWS_REGION=eu-west-1");
	refusal(301, CODE("PermanentRedirect"), ERR_USAGE, "another region");
	refusal(503, CODE("SlowDown"), ERR_UNREACHABLE, "");
	refusal(500, "<html>", ERR_UNREACHABLE, "");
	refusal(403, "", ERR_DENIED, "credentials");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_place_tells_host_prefix_and_region),
	    cmocka_unit_test(a_bucket_with_dots_is_no_part_of_a_host_s_name),
	    cmocka_unit_test(what_is_no_place_is_refused),
	    cmocka_unit_test(options_come_from_the_line_before_the_environment),
	    cmocka_unit_test(options_that_mean_nothing_are_refused),
	    cmocka_unit_test(options_become_headers_where_they_belong),
	    cmocka_unit_test(profiles_are_read_as_others_write_them),
	    cmocka_unit_test(a_page_holds_our_keys_and_how_to_go_on),
	    cmocka_unit_test(a_page_that_is_none_is_corrupt),
	    cmocka_unit_test(each_refusal_has_a_kind_and_a_hint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
