/* sigv4 and url against the examples that AWS publishes ("Signature Calculations for the
 * Authorization Header"). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "net/sigv4.h"
#include "net/url.h"

static const struct sigv4_key key = {
    .access = "AKIAIOSFODNN7EXAMPLE", .secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"};

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* 2013-05-24T00:00:00Z; their example bucket. */
static void signs(const char *method, const char *path, const char *query, const char *payload,
    const char *header, const char *signature)
{
	struct sigv4_request r = {method, "examplebucket.s3.amazonaws.com", path, query, payload,
	    "us-east-1", "s3", INT64_C(1369353600000000000)};
	struct http_headers h = {0};
	const char *got = "";

	if (header)
		http_headers_add(&h, "%s", header);
	sigv4_sign(&key, &r, &h);
	for (size_t i = 0; i < h.n; i++)
		if (strncmp(h.v[i], "authorization:", 14) == 0)
			got = strstr(h.v[i], "Signature=");
	assert_non_null(got);
	assert_string_equal(got + 10, signature);
	http_headers_fini(&h);
}

static void the_published_examples_come_out(void **state)
{
	signs("GET", "/", "lifecycle=", EMPTY, NULL,
	    "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
	signs("GET", "/", "max-keys=2&prefix=J", EMPTY, NULL,
	    "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

static void a_token_is_signed_too(void **state)
{
	struct sigv4_key with = key;
	struct sigv4_request r = {"GET", "h", "/", "", EMPTY, "r", "s3", 0};
	struct http_headers h = {0};
	bool named = false;

	with.token = "tok";
	sigv4_sign(&with, &r, &h);
	for (size_t i = 0; i < h.n; i++)
		named = named || strstr(h.v[i], ";x-amz-security-token,") != NULL;
	assert_true(named);
	http_headers_fini(&h);
}

static void odd_bytes_are_encoded_and_queries_sorted(void **state)
{
	struct buf b = {0};

	url_encode(&b, span_str("a/b c+&=~\xc3\xbc%'()*!"), true);
	assert_string_equal(buf_cstr(&b), "a/b%20c%2B%26%3D~%C3%BC%25%27%28%29%2A%21");
	buf_reset(&b);
	url_query(&b, (struct url_param[]){{"uploads", NULL}, {"a", "1 2"}, {"b-c", "x"}}, 3);
	assert_string_equal(buf_cstr(&b), "a=1%202&b-c=x&uploads=");
	buf_fini(&b);
}

static void dates_of_http_are_read(void **state)
{
	assert_int_equal(http_date_ns("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777000000000);
	assert_int_equal(http_date_ns("yesterday"), -1);
	assert_int_equal(http_date_ns("Sun, 06 Nov 1994 08:49:37 GMT+1"), -1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_published_examples_come_out),
	    cmocka_unit_test(a_token_is_signed_too),
	    cmocka_unit_test(odd_bytes_are_encoded_and_queries_sorted),
	    cmocka_unit_test(dates_of_http_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
