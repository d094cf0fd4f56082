/* s3_place: where a bucket is, from its URL.  See s3.h. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "store/s3.h"
#include "store/store_web.h"

static char *copy(const char *s, size_t n)
{
	char *p = mem_alloc(n + 1);

	memcpy(p, s, n);
	p[n] = '\0';
	return p;
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);

	return n >= k && strcmp(s + n - k, end) == 0;
}

/* "s3.eu-west-1.amazonaws.com" and "s3-eu-west-1..." name their region; Google's is this word. */
static char *region_of_host(const char *host)
{
	const char *r, *dot;

	if (strcmp(host, "storage.googleapis.com") == 0)
		return mem_strdup("auto");
	if (!ends_with(host, ".amazonaws.com") || strncmp(host, "s3", 2) != 0 ||
	    (host[2] != '.' && host[2] != '-'))
		return NULL;
	r = host + 3;
	if (strncmp(r, "dualstack.", 10) == 0)
		r += 10;
	dot = strchr(r, '.');
	return strcmp(r, "amazonaws.com") == 0 ? NULL : copy(r, (size_t)(dot - r));
}

static char *find_region(const char *endpoint, const struct s3_options *o)
{
	const char *v = o->region               ? o->region
			: web_env("AWS_REGION") ? web_env("AWS_REGION")
						: web_env("AWS_DEFAULT_REGION");
	char *found = v ? mem_strdup(v) : region_of_host(endpoint);

	if (found == NULL)
		found = s3_profile_value(o->profile, "region");
	return found ? found : mem_strdup("us-east-1");
}

/* DNS names only: what else could be meant is a mistake, or somebody's trick. */
static bool bucket_good(const char *b, size_t n)
{
	if (n < 3 || n > 63)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!((b[i] >= 'a' && b[i] <= 'z') || (b[i] >= '0' && b[i] <= '9') || b[i] == '-' ||
			b[i] == '.' || b[i] == '_' || (b[i] >= 'A' && b[i] <= 'Z')))
			return false;
	return b[0] != '.' && b[0] != '-';
}

static int usage(struct err *e, const char *what)
{
	err_set(e, ERR_USAGE, "%s", what);
	return err_hint(e,
	    "an S3 repository is s3:HOST/BUCKET/PREFIX, like "
	    "s3:s3.eu-west-1.amazonaws.com/acme-backup/main; or s3:http://HOST:PORT/... "
	    "without TLS");
}

/* Without a certificate for two labels a dotted bucket cannot be part of the host's name. */
static int choose_style(struct s3_place *p, const struct s3_options *o, struct err *e)
{
	const char *style = o->lookup ? o->lookup : "auto";
	bool dots = strchr(p->bucket, '.') != NULL;

	if (strcmp(style, "auto") == 0)
		p->path_style = !ends_with(p->endpoint, ".amazonaws.com") || dots;
	else if (strcmp(style, "path") == 0)
		p->path_style = true;
	else if (p->tls && dots)
		return err_set(e, ERR_USAGE,
		    "s3.bucket-lookup=dns: no certificate fits a bucket with dots (%s); use path",
		    p->bucket);
	if (p->path_style) {
		p->host = mem_strdup(p->endpoint);
	} else {
		struct buf b = {0};

		buf_printf(&b, "%s.%s", p->bucket, p->endpoint);
		p->host = copy(buf_cstr(&b), b.n);
		buf_fini(&b);
	}
	return 0;
}

int s3_place_parse(struct s3_place *p, const char *rest, const struct s3_options *o, struct err *e)
{
	size_t host, bucket;

	memset(p, 0, sizeof *p);
	p->tls = strncmp(rest, "http://", 7) != 0;
	if (!p->tls)
		rest += 7;
	else if (strncmp(rest, "https://", 8) == 0)
		rest += 8;
	else if (strncmp(rest, "//", 2) == 0)
		rest += 2;
	host = strcspn(rest, "/");
	if (memchr(rest, '@', host))
		return usage(e, "credentials do not belong into the URL");
	if (!web_host_good(rest, host))
		return usage(e, "the host is missing or not a host's name");
	if (rest[host] == '\0')
		return usage(e, "the bucket is missing");
	bucket = strcspn(rest + host + 1, "/");
	if (!bucket_good(rest + host + 1, bucket))
		return usage(e, "that is not a bucket's name");
	p->endpoint = copy(rest, host);
	p->bucket = copy(rest + host + 1, bucket);
	if ((p->prefix = web_prefix(rest + host + 1 + bucket, e)) == NULL ||
	    choose_style(p, o, e) == -1) {
		s3_place_fini(p);
		return -1;
	}
	p->region = find_region(p->endpoint, o);
	return 0;
}

void s3_place_fini(struct s3_place *p)
{
	free(p->endpoint);
	free(p->host);
	free(p->bucket);
	free(p->prefix);
	free(p->region);
	memset(p, 0, sizeof *p);
}
