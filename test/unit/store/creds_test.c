/*
 * Credentials from services next to the machine, which the test is: containers,
 * instances (version 2), and Google's; and what happens while they are out.
 */
#include "crypto/secret.h"
#include "store/gcs.h"
#include "store/s3.h"
#include "web_server.h"

static const int64_t SECOND = 1000000000;

static struct err e;

/* The clock goes on as it does, from where the test sets it. */
static int64_t later;

static int64_t wall(struct clock *c)
{
	return os_clock()->wall_ns(os_clock()) + later;
}

static int64_t mono(struct clock *c)
{
	return os_clock()->mono_ns(os_clock()) + later;
}

static struct clock moved = {wall, mono};
static struct ctx ctx = {.clock = &moved};

static struct service {
	int out;    /* answers with this status; 0: as it should */
	int life_s; /* of the credentials, from the first answer */

	char key[16];

} service;

static void put_time(struct buf *b, int64_t ns)
{
	time_t t = (time_t)(ns / SECOND);
	char text[40];
	struct tm tm;

	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &tm));
	buf_printf(b, "%s", text);
}

static void say_keys(struct web_reply *r)
{
	buf_printf(&r->body,
	    "{\"AccessKeyId\":\"%s\",\"SecretAccessKey\":\"S\",\"Token\":\"T\","
	    "\"Expiration\":\"",
	    service.key);
	put_time(&r->body, wall(NULL) + service.life_s * SECOND);
	buf_printf(&r->body, "\"}");
}

static void answer(void *arg, const struct web_asked *q, struct web_reply *r)
{
	static const char role[] = "/latest/meta-data/iam/security-credentials/";

	r->status = 404;
	if (service.out) {
		r->status = service.out;
	} else if (strcmp(q->target, "/container") == 0) {
		if (web_asked_has(q, "\r\nauthorization: secret word\r\n")) {
			r->status = 200;
			say_keys(r);
		}
	} else if (strcmp(q->target, "/latest/api/token") == 0) {
		if (strcmp(q->method, "PUT") == 0 &&
		    web_asked_has(q, "\r\nx-aws-ec2-metadata-token-ttl-seconds: "))
			web_say(r, 200, "TOKEN");
	} else if (strncmp(q->target, role, strlen(role)) == 0) {
		if (!web_asked_has(q, "\r\nx-aws-ec2-metadata-token: token\r\n"))
			return;
		r->status = 200;
		if (strcmp(q->target + strlen(role), "the-role") == 0)
			say_keys(r);
		else
			web_say(r, 200, "the-role\n");
	} else if (strstr(q->target, "/service-accounts/default/token")) {
		if (web_asked_has(q, "\r\nmetadata-flavor: google\r\n")) {
			r->status = 200;
			buf_printf(&r->body, "{\"access_token\":\"%s\",\"expires_in\":%d}",
			    service.key, service.life_s);
		}
	}
}

static struct web_server server;

static int setup(void **state)
{
	static const char *const names[] = {"AWS_ACCESS_KEY_ID", "AWS_PROFILE", "HOME",
	    "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "AWS_EC2_METADATA_DISABLED",
	    "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
	    "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
	    "AWS_EC2_METADATA_SERVICE_ENDPOINT", "GOOGLE_OAUTH_ACCESS_TOKEN",
	    "GOOGLE_APPLICATION_CREDENTIALS", "no_proxy", "NO_PROXY"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		unsetenv(names[i]);
	later = 0;
	service = (struct service){.life_s = 3600, .key = "ONE"};
	web_start(&server, answer, NULL);
	/* A proxy that is not there: whoever asks it gets nothing. */
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	return 0;
}

static int teardown(void **state)
{
	web_stop(&server);
	return 0;
}

static void set_url(const char *name, const char *path)
{
	char *url = mem_printf("%s%s", server.endpoint, path);

	setenv(name, url, 1);
	free(url);
}

static void has_key(struct s3_creds *c, const char *access)
{
	struct s3_keys k;

	OK(s3_creds_get(c, &k, &e), &e);
	assert_string_equal(k.access, access);
	assert_string_equal(k.secret, "S");
	assert_string_equal(k.token, "T");
	s3_keys_fini(&k);
}

static void an_instance_s_keys_come_by_no_proxy(void **state)
{
	struct s3_creds *c = s3_creds_new(NULL, &ctx);

	set_url("AWS_EC2_METADATA_SERVICE_ENDPOINT", "");
	has_key(c, "ONE");
	has_key(c, "ONE");
	assert_int_equal(server.asked, 3);
	s3_creds_free(c);
}

static void a_container_s_keys_come_by_its_token(void **state)
{
	char *dir = dir_make(), *file = mem_printf("%s/token", dir);
	struct s3_creds *c = s3_creds_new(NULL, &ctx);
	struct s3_keys k;

	set_url("AWS_CONTAINER_CREDENTIALS_FULL_URI", "/container");
	FAILS(s3_creds_get(c, &k, &e), ERR_DENIED, &e);
	setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "secret word", 1);
	has_key(c, "ONE");
	s3_creds_free(c);
	unsetenv("AWS_CONTAINER_AUTHORIZATION_TOKEN");
	dir_write(dir, "token", "secret word\n");
	setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file, 1);
	c = s3_creds_new(NULL, &ctx);
	has_key(c, "ONE");
	s3_creds_free(c);
	free(file);
	dir_remove(dir);
}

static void a_container_s_token_goes_to_nobody_else(void **state)
{
	static const char *const bad[] = {"http://example.com/x", "http://169.254.169.254/x",
	    "http://127.0.0.1@example.com/", "http://127.0.0.1:1@example.com/", "ftp://127.0.0.1/",
	    "http://127.0.0.1.example.com/", "http://localhost.example.com/", "127.0.0.1/x"};
	struct s3_creds *c = s3_creds_new(NULL, &ctx);
	struct s3_keys k;

	setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "secret word", 1);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", bad[i], 1);
		FAILS(s3_creds_get(c, &k, &e), ERR_USAGE, &e);
		assert_true(e.hint[0] != '\0');
	}
	setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "@example.com/", 1);
	FAILS(s3_creds_get(c, &k, &e), ERR_USAGE, &e);
	s3_creds_free(c);
}

static void keys_are_kept_until_there_are_new_ones(void **state)
{
	struct s3_creds *c = s3_creds_new(NULL, &ctx);
	struct s3_keys k;
	int asked;

	set_url("AWS_EC2_METADATA_SERVICE_ENDPOINT", "");
	has_key(c, "ONE");
	later = (3600 - 200) * SECOND; /* they end soon */
	service.out = 503;
	strcpy(service.key, "TWO");
	has_key(c, "ONE");
	asked = server.asked;
	has_key(c, "ONE");
	assert_int_equal(server.asked, asked); /* and it is not asked each time */
	later = (3600 + 1) * SECOND;
	FAILS(s3_creds_get(c, &k, &e), ERR_UNREACHABLE, &e);
	service.out = 0;
	has_key(c, "TWO");
	s3_creds_free(c);
}

static void a_machine_without_a_service_has_no_keys(void **state)
{
	struct s3_creds *c = s3_creds_new(NULL, &ctx);
	struct s3_keys k;

	set_url("AWS_EC2_METADATA_SERVICE_ENDPOINT", "");
	service.out = 503;
	FAILS(s3_creds_get(c, &k, &e), ERR_DENIED, &e);
	assert_non_null(strstr(e.hint, "AWS_ACCESS_KEY_ID"));
	s3_creds_free(c);
}

static void has_token(struct gcs_token *t, const char *want)
{
	char *got = gcs_token_get(t, &e);

	if (got == NULL)
		fail_msg("%s", e.msg);
	assert_string_equal(got + strlen("Bearer "), want);
	secret_free(got);
}

static void google_s_token_comes_by_no_proxy_and_is_kept(void **state)
{
	struct http_params none = {0};
	struct http *h = http_new(&none, &ctx, &e);
	struct gcs_token *t = gcs_token_new(h, &ctx);

	setenv("GCE_METADATA_HOST", server.endpoint + strlen("http://"), 1);
	has_token(t, "ONE");
	later = (3600 - 30) * SECOND;
	service.out = 503;
	strcpy(service.key, "TWO");
	has_token(t, "ONE");
	later = (3600 + 1) * SECOND;
	assert_null(gcs_token_get(t, &e));
	assert_int_equal(e.kind, ERR_UNREACHABLE);
	service.out = 0;
	has_token(t, "TWO");
	gcs_token_free(t);
	http_free(h);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    T(an_instance_s_keys_come_by_no_proxy),
	    T(a_container_s_keys_come_by_its_token),
	    T(a_container_s_token_goes_to_nobody_else),
	    T(keys_are_kept_until_there_are_new_ones),
	    T(a_machine_without_a_service_has_no_keys),
	    T(google_s_token_comes_by_no_proxy_and_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
