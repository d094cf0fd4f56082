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
#include "store/store_web.h"

static const int64_t SECOND = 1000000000, EARLY = 300, PAUSE = 30;

struct found {
	struct s3_keys keys;
	int64_t until_ns; /* wall clock; 0: for ever */
};

struct s3_creds {
	const char *profile;
	struct ctx *ctx;
	pthread_mutex_t lock; /* guards what follows */
	struct found have;
	int64_t ask_ns; /* not again before that, while what we have is good */
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
	s3_keys_fini(&c->have.keys);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static char *env_copy(const char *name)
{
	const char *v = web_env(name);

	return v ? mem_strdup(v) : NULL;
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

/* ---- From services: JSON over HTTP, never by a proxy. */

static char *text_of(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s && *s ? mem_strdup(s) : NULL;
}

static int keys_of_json(struct found *f, struct span text, struct err *e)
{
	json_t *o = json_loadb((const char *)text.p, text.n, 0, NULL);
	const char *until = json_string_value(json_object_get(o, "Expiration"));
	struct calendar_time t;
	struct err bad;
	int rc = 0;

	f->keys.access = text_of(o, "AccessKeyId");
	f->keys.secret = text_of(o, "SecretAccessKey");
	f->keys.token = text_of(o, "Token");
	if (until && calendar_parse_time(until, &t, &bad) == 0)
		f->until_ns = t.ns;
	if (!complete(&f->keys))
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
		rc = err_set(e, a.status >= 500 || a.status == 429 ? ERR_UNREACHABLE : ERR_DENIED,
		    "%s answered %d", url, a.status);
	else
		buf_put_span(out, buf_span(&a.body));
	http_answer_fini(&a);
	return rc;
}

/* Is a token safe there?  With TLS, or no further away than this machine or its host. */
static bool near(const char *url)
{
	static const char *const hosts[] = {
	    "127.0.0.1", "localhost", "[::1]", "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"};
	static const char http[] = "http://";

	if (strncmp(url, "https://", 8) == 0)
		return true;
	if (strncmp(url, http, strlen(http)) != 0)
		return false;
	url += strlen(http);
	for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
		size_t n = strlen(hosts[i]);

		/* Digits of a port, then the path: no "@" comes before it. */
		if (strncmp(url, hosts[i], n) == 0) {
			const char *at = url + n;

			at += *at == ':' ? 1 + strspn(at + 1, "0123456789") : 0;
			return *at == '/' || *at == '\0';
		}
	}
	return false;
}

static int container_url(struct buf *url, struct err *e)
{
	const char *full = web_env("AWS_CONTAINER_CREDENTIALS_FULL_URI");
	const char *relative = web_env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");

	if (relative && relative[0] != '/')
		return err_set(
		    e, ERR_USAGE, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not begin with '/'");
	if (relative) {
		buf_printf(url, "http://169.254.170.2%s", relative);
		return 0;
	}
	if (!near(full)) {
		err_set(e, ERR_USAGE,
		    "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https:// nor on this machine");
		return err_hint(e, "credentials go over no network in clear");
	}
	buf_printf(url, "%s", full);
	return 0;
}

/* The token that the service wants; a file's is read each time, for it is replaced. */
static int container_token(struct buf *header, struct err *e)
{
	const char *token = web_env("AWS_CONTAINER_AUTHORIZATION_TOKEN");
	const char *file = web_env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	struct buf text = {0};
	int rc = 0;

	if (file) {
		rc = os_read_file(file, 64 << 10, &text, e);
		token = buf_cstr(&text);
	}
	if (rc == 0 && token)
		buf_printf(header, "authorization: %.*s", (int)strcspn(token, "\r\n"), token);
	if (text.p)
		crypto_wipe(text.p, text.cap);
	buf_fini(&text);
	return rc;
}

static bool in_container(void)
{
	return web_env("AWS_CONTAINER_CREDENTIALS_FULL_URI") ||
	       web_env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
}

static int from_container(struct found *f, struct http *h, struct err *e)
{
	struct buf url = {0}, header = {0}, body = {0};
	int rc = -1;

	if (container_url(&url, e) == 0 && container_token(&header, e) == 0 &&
	    ask(h, "GET", buf_cstr(&url), header.n ? buf_cstr(&header) : NULL, &body, e) == 0)
		rc = keys_of_json(f, buf_span(&body), e);
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
static int from_instance(struct found *f, struct http *h, struct err *e)
{
	const char *base = web_env("AWS_EC2_METADATA_SERVICE_ENDPOINT");
	struct buf url = {0}, token = {0}, header = {0}, role = {0}, body = {0};
	int rc = -1;

	if (base == NULL)
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
	rc = keys_of_json(f, buf_span(&body), e);
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

static int from_services(struct s3_creds *c, struct found *f, struct err *e)
{
	static const struct http_params quick = {.connect_ns = 1000000000,
	    .stall_ns = 5000000000,
	    .deadline_ns = 10000000000,
	    .direct = true};
	const char *off = web_env("AWS_EC2_METADATA_DISABLED");
	struct http *h = http_new(&quick, c->ctx, e);
	int rc;

	if (h == NULL)
		return -1;
	if (in_container())
		rc = from_container(f, h, e);
	else if (off && strcmp(off, "true") == 0)
		rc = err_set(e, ERR_DENIED, "the metadata service is not to be asked");
	else
		rc = from_instance(f, h, e);
	http_free(h);
	return rc;
}

static int find(struct s3_creds *c, struct found *f, struct err *e)
{
	struct err why;

	/* A profile that was named on the command line is meant more than the environment. */
	if ((c->profile == NULL && from_environment(&f->keys)) ||
	    from_profile(c->profile, &f->keys))
		return 0;
	if (c->profile) {
		err_set(e, ERR_DENIED, "no credentials for S3 in the profile \"%s\"", c->profile);
		return err_hint(e, "it belongs into ~/.aws/credentials, or the file that "
				   "AWS_SHARED_CREDENTIALS_FILE names");
	}
	if (from_services(c, f, &why) == 0)
		return 0;
	/* A service that is there, or was, is out for a moment; else there is none. */
	if (why.kind == ERR_CANCELLED || why.kind == ERR_USAGE ||
	    ((c->have.keys.access || in_container()) && err_info(why.kind)->retry)) {
		*e = why;
		return err_wrap(e, "credentials for S3");
	}
	err_set(e, ERR_DENIED, "no credentials for S3 (%s)", why.msg);
	return err_hint(e, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE");
}

/* With the lock.  What we have goes only once there is something newer, or it has ended. */
static int renew(struct s3_creds *c, int64_t now, struct err *e)
{
	struct found f = {0};

	if (find(c, &f, e) == 0) {
		s3_keys_fini(&c->have.keys);
		c->have = f;
		return 0;
	}
	if (c->have.keys.access == NULL || now >= c->have.until_ns || e->kind == ERR_CANCELLED)
		return -1;
	c->ask_ns = now + PAUSE * SECOND;
	return 0;
}

int s3_creds_get(struct s3_creds *c, struct s3_keys *out, struct err *e)
{
	struct clock *clock = os_clock_of(c->ctx);
	const struct found *have = &c->have;
	int64_t now = clock->wall_ns(clock), early;
	int rc = 0;

	memset(out, 0, sizeof *out);
	pthread_mutex_lock(&c->lock);
	early = have->until_ns - EARLY * SECOND;
	if (have->keys.access == NULL || (have->until_ns && now > early && now >= c->ask_ns))
		rc = renew(c, now, e);
	if (rc == 0) {
		out->access = mem_strdup(have->keys.access);
		out->secret = mem_strdup(have->keys.secret);
		out->token = have->keys.token ? mem_strdup(have->keys.token) : NULL;
	}
	pthread_mutex_unlock(&c->lock);
	return rc;
}
