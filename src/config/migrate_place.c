/* migrate_place: destinations of other programs as repositories of ours. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/migrate.h"

/* How a URL begins, whose it is, and how ours begins; NULL: as it is. */
static const struct form {
	const char *begins, *type, *ours;
} forms[] = {
    {"s3://", "s3", "s3:s3.amazonaws.com/"},
    {"gs://", "gcs", "gcs:"},
    {"gcs://", "gcs", "gcs:"},
    {"file://", "local", ""},
    {"/", "local", "/"},
    {"ftp://", "ftp", "ftp://"},
    {"ftps://", "ftp", "ftps://"},
    {"webdav://", "webdav", "webdav://"},
    {"webdavs://", "webdav", "webdavs://"},
};

static const struct form *form_of(const char *url)
{
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
		if (strncmp(url, forms[i].begins, strlen(forms[i].begins)) == 0)
			return &forms[i];
	return NULL;
}

const char *migrate_type(const struct node *d, struct err *e)
{
	static const char *const types[] = {"s3", "gcs", "azure", "local", "ftp"};
	const char *type = migrate_text(d, "type");
	const struct form *f = d->kind == NODE_TEXT ? form_of(d->text) : NULL;

	for (size_t i = 0; type != NULL && i < sizeof types / sizeof *types; i++)
		if (strcmp(type, types[i]) == 0)
			return types[i];
	if (f != NULL)
		return f->type;
	if (d->kind == NODE_TEXT) /* a URL may hold a password: it is not repeated */
		node_fail(d->at, e, "this destination cannot be migrated");
	else
		node_fail(d->at, e, "a destination's type is not '%.64s'", type ? type : "");
	err_hint(e, "known are s3, gcs, azure, local and ftp, and URLs of s3://, gs://, file://, "
		    "ftp(s)://, webdav(s):// and absolute paths");
	return NULL;
}

static void put_url(struct buf *out, struct buf *url)
{
	buf_printf(out, "    url: ");
	migrate_put_text(out, buf_cstr(url));
	buf_printf(out, "\n");
}

/* A password or query in it is left out. */
static void put_from_text(const char *text, struct buf *out)
{
	const struct form *f = form_of(text);
	const char *rest = text + strlen(f->begins);
	size_t n = strcspn(rest, "?#"), host = strcspn(rest, "/"), at = 0, user;
	bool local = strcmp(f->type, "local") == 0;
	struct buf url = {0};

	if (local)
		n = strlen(rest);
	for (size_t i = 0; !local && i < host && i < n; i++)
		if (rest[i] == '@')
			at = i;
	user = at ? strcspn(rest, ":@") : 0;
	buf_printf(&url, "%s%.*s%.*s", f->ours, (int)user, rest, (int)(n - at), rest + at);
	put_url(out, &url);
	if (at > user || rest[n] != '\0')
		buf_printf(out, "    # TODO: what stood in the URL besides is left out: a secret "
				"goes where doc/stores.md says\n");
	if (strcmp(f->type, "s3") == 0)
		buf_printf(out, "    # TODO: the bucket's region: s3.eu-west-1.amazonaws.com\n");
	buf_fini(&url);
}

static const char *need(const struct node *d, const char *name, struct err *e)
{
	const char *v = migrate_text(node_get(d, "config"), name);

	if (v == NULL)
		node_fail(d->at, e, "a destination's config has no '%s'", name);
	return v;
}

static int put_bucket(const struct node *d, const char *type, struct buf *url, struct err *e)
{
	const struct node *c = node_get(d, "config");
	const char *bucket, *region = migrate_text(c, "region"),
			    *prefix = migrate_text(c, "prefix");

	bucket = need(d, strcmp(type, "azure") == 0 ? "container" : "bucket", e);
	if (bucket == NULL)
		return -1;
	if (strcmp(type, "azure") == 0) {
		const char *account = need(d, "account", e);

		if (account == NULL)
			return -1;
		buf_printf(url, "azure:%s/%s", account, bucket);
	} else if (strcmp(type, "gcs") == 0) {
		buf_printf(url, "gcs:%s", bucket);
	} else {
		buf_printf(url, "s3:s3%s%s.amazonaws.com/%s", region ? "." : "",
		    region ? region : "", bucket);
	}
	if (prefix != NULL)
		buf_printf(url, "/%s", prefix);
	return 0;
}

static int put_server(const struct node *d, struct buf *url, struct err *e)
{
	const struct node *c = node_get(d, "config");
	const char *host = need(d, "host", e), *path = migrate_text(c, "path");
	const char *user = migrate_text(c, "user"), *port = migrate_text(c, "port");

	if (host == NULL)
		return -1;
	buf_printf(url, "ftp://%s%s%s%s%s%s%s", user ? user : "", user ? "@" : "", host,
	    port ? ":" : "", port ? port : "", path && path[0] == '/' ? "" : "/", path ? path : "");
	return 0;
}

static int put_from_map(const struct node *d, const char *type, struct buf *out, struct err *e)
{
	static const char *const outer[] = {"type", "config", "priority", "encryption", NULL};
	static const char *const inner[] = {"bucket", "region", "prefix", "container", "account",
	    "path", "host", "port", "user", NULL};
	const char *priority = migrate_text(d, "priority"), *path;
	struct buf url = {0};
	int rc = 0;

	if (strcmp(type, "local") == 0) {
		path = need(d, "path", e);
		rc = path ? 0 : -1;
		buf_printf(&url, "%s", path ? path : "");
	} else {
		rc = strcmp(type, "ftp") == 0 ? put_server(d, &url, e)
					      : put_bucket(d, type, &url, e);
	}
	if (rc == 0) {
		put_url(out, &url);
		if (priority != NULL) {
			buf_printf(out, "    priority: ");
			migrate_put_text(out, priority);
			buf_printf(out, "\n");
		}
		migrate_put_others(out, "    ", d, outer);
		migrate_put_others(out, "    ", node_get(d, "config"), inner);
	}
	buf_fini(&url);
	return rc;
}

int migrate_repository(const struct node *d, const char *name, struct buf *out, struct err *e)
{
	const char *type = migrate_type(d, e), *encryption = migrate_text(d, "encryption");

	buf_printf(out, "  %s:\n", name);
	if (d->kind == NODE_TEXT)
		put_from_text(d->text, out);
	else if (put_from_map(d, type, out, e) == -1)
		return -1;
	if (strcmp(type, "local") != 0)
		buf_printf(out, "    # TODO: what opens the store goes where doc/stores.md says\n");
	if (encryption != NULL)
		buf_printf(out, "    encryption: %s   # every repository is encrypted\n",
		    strcmp(encryption, "true") == 0 ? "required" : "optional");
	buf_printf(out, "    password: file:/etc/holdfast/%s.pw   # TODO: put one there\n", name);
	return 0;
}
