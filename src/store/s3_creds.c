/* s3_creds: whose keys sign.  See s3.h. */
#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "base/mem.h"
#include "crypto/crypto.h"
#include "os/os.h"
#include "store/s3.h"

static const int64_t SECOND = 1000000000, EARLY = 300;

struct s3_creds {
	const char *profile;
	struct ctx *ctx;
	pthread_mutex_t lock; /* guards what follows */
	struct s3_keys keys;
	int64_t until_ns; /* wall clock; 0: for ever */
};

struct s3_creds *s3_creds_new(const char *profile, struct ctx *ctx)
{
	struct s3_creds *c = mem_zalloc(sizeof *c);

	c->profile = profile;
	c->ctx = ctx;
	pthread_mutex_init(&c->lock, NULL);
	return c;
}

static void wipe(char *s)
{
	if (s)
		crypto_wipe(s, strlen(s));
	free(s);
}

void s3_keys_fini(struct s3_keys *k)
{
	wipe(k->access);
	wipe(k->secret);
	wipe(k->token);
	memset(k, 0, sizeof *k);
}

void s3_creds_free(struct s3_creds *c)
{
	if (c == NULL)
		return;
	s3_keys_fini(&c->keys);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static char *env_copy(const char *name)
{
	const char *v = getenv(name);

	return v && *v ? mem_strdup(v) : NULL;
}

static bool complete(struct s3_keys *k)
{
	if (k->access && k->secret)
		return true;
	s3_keys_fini(k);
	return false;
}

static bool from_environment(struct s3_keys *k)
{
	k->access = env_copy("AWS_ACCESS_KEY_ID");
	k->secret = env_copy("AWS_SECRET_ACCESS_KEY");
	k->token = env_copy("AWS_SESSION_TOKEN");
	return complete(k);
}

static bool from_profile(const char *profile, struct s3_keys *k)
{
	k->access = s3_profile_value(profile, "aws_access_key_id");
	k->secret = s3_profile_value(profile, "aws_secret_access_key");
	k->token = s3_profile_value(profile, "aws_session_token");
	return complete(k);
}

/* ---- From services: JSON over HTTP, never further than this machine or its host. */

static char *text_of(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s && *s ? mem_strdup(s) : NULL;
}

static int keys_of_json(struct s3_creds *c, struct span text, struct err *e)
{
	json_t *o = json_loadb((const char *)text.p, text.n, 0, NULL);
	const char *until = json_string_value(json_object_get(o, "Expiration"));
	struct calendar_time t;
	struct err bad;
	int rc = 0;

	c->keys.access = text_of(o, "AccessKeyId");
	c->keys.secret = text_of(o, "SecretAccessKey");
	c->keys.token = text_of(o, "Token");
	c->until_ns = 0;
	if (until && calendar_parse_time(until, &t, &bad) == 0)
		c->until_ns = t.ns;
	if (!complete(&c->keys))
		rc = err_set(e, ERR_DENIED, "the service's answer holds no credentials");
	json_decref(o);
	return rc;
}

/* The body of a 200, to be freed with buf_fini. */
static int ask(struct http *h, const char *method, const char *url, const char *header,
    struct buf *out, struct err *e)
{
	struct http_headers headers = {0};
	struct http_request rq = {.method = method, .url = url, .headers = &headers};
	struct http_answer a;
	int rc;

	if (header)
		http_headers_add(&headers, "%s", header);
	rc = http_do(h, &rq, &a, e);
	http_headers_fini(&headers);
	if (rc == -1)
		return -1;
	if (a.status != 200)
		rc = err_set(e, ERR_DENIED, "%s answered %d", url, a.status);
	else
		buf_put_span(out, buf_span(&a.body));
	http_answer_fini(&a);
	return rc;
}

static int from_container(struct s3_creds *c, struct http *h, bool *asked, struct err *e)
{
	const char *full = getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI");
	const char *relative = getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *token = getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN");
	struct buf url = {0}, header = {0}, body = {0};
	int rc = -1;

	*asked = (full && *full) || (relative && *relative);
	if (!*asked)
		return -1;
	if (relative && *relative)
		buf_printf(&url, "http://169.254.170.2%s", relative);
	else
		buf_printf(&url, "%s", full);
	if (token && *token)
		buf_printf(&header, "authorization: %s", token);
	if (ask(h, "GET", buf_cstr(&url), header.n ? buf_cstr(&header) : NULL, &body, e) == 0)
		rc = keys_of_json(c, buf_span(&body), e);
	if (header.p)
		crypto_wipe(header.p, header.cap);
	if (body.p)
		crypto_wipe(body.p, body.cap);
	buf_fini(&url);
	buf_fini(&header);
	buf_fini(&body);
	return rc;
}

/* Version 2: a token first, then the role's name, then its keys. */
static int from_instance(struct s3_creds *c, struct http *h, struct err *e)
{
	const char *base = getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT");
	struct buf url = {0}, token = {0}, header = {0}, role = {0}, body = {0};
	int rc = -1;

	if (base == NULL || *base == '\0')
		base = "http://169.254.169.254";
	buf_printf(&url, "%s/latest/api/token", base);
	if (ask(h, "PUT", buf_cstr(&url), "x-aws-ec2-metadata-token-ttl-seconds: 21600", &token,
		e) == -1)
		goto out;
	buf_printf(&header, "x-aws-ec2-metadata-token: %s", buf_cstr(&token));
	buf_reset(&url);
	buf_printf(&url, "%s/latest/meta-data/iam/security-credentials/", base);
	if (ask(h, "GET", buf_cstr(&url), buf_cstr(&header), &role, e) == -1)
		goto out;
	buf_printf(&url, "%.*s", (int)strcspn(buf_cstr(&role), "\r\n"), buf_cstr(&role));
	if (ask(h, "GET", buf_cstr(&url), buf_cstr(&header), &body, e) == -1)
		goto out;
	rc = keys_of_json(c, buf_span(&body), e);
out:
	if (body.p)
		crypto_wipe(body.p, body.cap);
	buf_fini(&url);
	buf_fini(&token);
	buf_fini(&header);
	buf_fini(&role);
	buf_fini(&body);
	return rc;
}

static int from_services(struct s3_creds *c, struct err *e)
{
	static const struct http_params quick = {.connect_ns = 1000000000, .stall_ns = 5000000000};
	const char *off = getenv("AWS_EC2_METADATA_DISABLED");
	struct http *h = http_new(&quick, c->ctx, e);
	bool asked;
	int rc;

	if (h == NULL)
		return -1;
	rc = from_container(c, h, &asked, e);
	if (rc == -1 && !asked) {
		if (off && strcmp(off, "true") == 0)
			err_set(e, ERR_DENIED, "the metadata service is not to be asked");
		else
			rc = from_instance(c, h, e);
	}
	http_free(h);
	return rc;
}

static int find(struct s3_creds *c, struct err *e)
{
	struct err why;

	s3_keys_fini(&c->keys);
	c->until_ns = 0;
	/* A profile that was named on the command line is meant more than the environment. */
	if ((c->profile == NULL && from_environment(&c->keys)) ||
	    from_profile(c->profile, &c->keys))
		return 0;
	if (c->profile) {
		err_set(e, ERR_DENIED, "no credentials for S3 in the profile \"%s\"", c->profile);
		return err_hint(e, "it belongs into ~/.aws/credentials, or the file that "
				   "AWS_SHARED_CREDENTIALS_FILE names");
	}
	if (from_services(c, &why) == 0)
		return 0;
	if (why.kind == ERR_CANCELLED) {
		*e = why;
		return -1;
	}
	err_set(e, ERR_DENIED, "no credentials for S3 (%s)", why.msg);
	return err_hint(e, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE");
}

int s3_creds_get(struct s3_creds *c, struct s3_keys *out, struct err *e)
{
	struct clock *clock = os_clock_of(c->ctx);
	int rc = 0;

	memset(out, 0, sizeof *out);
	pthread_mutex_lock(&c->lock);
	if (c->keys.access == NULL ||
	    (c->until_ns && clock->wall_ns(clock) > c->until_ns - EARLY * SECOND))
		rc = find(c, e);
	if (rc == 0) {
		out->access = mem_strdup(c->keys.access);
		out->secret = mem_strdup(c->keys.secret);
		out->token = c->keys.token ? mem_strdup(c->keys.token) : NULL;
	}
	pthread_mutex_unlock(&c->lock);
	return rc;
}
