/*
 * store: the checked faces of the ops, and opening by URL.  See store.h.
 */
#include "store/store.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "os/os.h"
#include "store/store_backoff.h"
#include "store/store_drivers.h"
#include "store/store_options.h"

static bool key_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '.' || c == '_' || c == '-';
}

static bool key_valid_n(const char *key, size_t n)
{
	bool first = true; /* of its component */

	if (n == 0 || n > STORE_KEY_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (key[i] == '/') {
			if (first)
				return false;
			first = true;
			continue;
		}
		if (!key_char(key[i]) || (first && key[i] == '.'))
			return false;
		first = false;
	}
	return !first &&
	       !(memcmp(key, "tmp", n < 3 ? n : 3) == 0 && (n == 3 || (n > 3 && key[3] == '/')));
}

bool store_key_valid(const char *key)
{
	return key_valid_n(key, strnlen(key, STORE_KEY_MAX + 1));
}

/* Keys may come from a hostile listing: name them without printing them raw. */
static int bad_key(struct store *s, const char *op, const char *key, struct err *e)
{
	char shown[64];
	size_t n = 0;

	for (; key[n] && n < sizeof shown - 1; n++)
		shown[n] = key[n] > 0x20 && key[n] < 0x7f ? key[n] : '?';
	shown[n] = '\0';
	return err_set(e, ERR_USAGE, "%s: %s \"%s\": not a valid object name", s->url, op, shown);
}

/*
 * Drivers may have met errors on their way to success: a file that was gone, a page asked for
 * twice.  So each is given a place of its own, and e is touched only where there is something
 * to tell.
 */
static int failed(struct err *e, const struct err *why, const struct store *s, const char *what)
{
	*e = *why;
	return err_wrap(e, "%s: %s", s->url, what);
}

static int failed_at(
    struct err *e, const struct err *why, const struct store *s, const char *op, const char *key)
{
	*e = *why;
	return err_wrap(e, "%s: %s %s", s->url, op, key);
}

int store_put(struct store *s, const char *key, struct span data, unsigned flags, struct err *e)
{
	struct err why;

	if (!store_key_valid(key))
		return bad_key(s, "put", key, e);
	if (s->ops->put(s, key, data, flags, &why) == -1)
		return failed_at(e, &why, s, "put", key);
	return 0;
}

int store_put_repair(struct store *s, const char *key, struct span data, struct err *e)
{
	struct buf back = {0};
	struct store_stat st;
	int rc = -1;

	if (store_stat(s, key, &st, e) == -1 || store_put(s, key, data, 0, e) == -1 ||
	    store_get_all(s, key, data.n, &back, e) == -1)
		goto out;
	if (back.n != data.n || (data.n > 0 && memcmp(back.p, data.p, data.n) != 0)) {
		err_set(e, ERR_IO, "%s: put %s: other bytes came back", s->url, key);
		goto out;
	}
	rc = 0;
out:
	buf_fini(&back);
	return rc;
}

int store_get(struct store *s, const char *key, uint64_t off, void *buf, size_t len, struct err *e)
{
	struct err why;

	if (!store_key_valid(key))
		return bad_key(s, "get", key, e);
	if (s->ops->get(s, key, off, buf, len, &why) == -1)
		return failed_at(e, &why, s, "get", key);
	return 0;
}

int store_stat(struct store *s, const char *key, struct store_stat *st, struct err *e)
{
	struct err why;

	*st = (struct store_stat){0};
	if (!store_key_valid(key))
		return bad_key(s, "stat", key, e);
	if (s->ops->stat(s, key, st, &why) == -1)
		return failed_at(e, &why, s, "stat", key);
	return 0;
}

int store_del(struct store *s, const char *key, struct err *e)
{
	struct err why;

	if (!store_key_valid(key))
		return bad_key(s, "delete", key, e);
	if (s->ops->del(s, key, &why) == -1)
		return failed_at(e, &why, s, "delete", key);
	return 0;
}

int store_list(struct store *s, const char *prefix, store_visit *visit, void *arg, struct err *e)
{
	size_t n = strnlen(prefix, STORE_KEY_MAX + 2);
	struct err why;

	if (n && (prefix[n - 1] != '/' || !key_valid_n(prefix, n - 1)))
		return bad_key(s, "list", prefix, e);
	if (s->ops->list(s, prefix, visit, arg, &why) == -1)
		return failed_at(e, &why, s, "list", n ? prefix : "all");
	return 0;
}

int store_raw_begin(struct store *s, struct store_upload **up, struct err *e)
{
	return s->ops->begin ? s->ops->begin(s, up, e) : store_spool_begin(s, up, e);
}

int store_raw_append(struct store_upload *up, struct span data, struct err *e)
{
	const struct store_ops *ops = up->store->ops;

	return ops->begin ? ops->append(up, data, e) : store_spool_append(up, data, e);
}

int store_raw_commit(struct store_upload *up, const char *key, unsigned flags, struct err *e)
{
	const struct store_ops *ops = up->store->ops;

	return ops->begin ? ops->commit(up, key, flags, e) : store_spool_commit(up, key, flags, e);
}

int store_raw_sync(struct store *s, struct err *e)
{
	return s->ops->sync ? s->ops->sync(s, e) : 0;
}

int store_begin(struct store *s, struct store_upload **up, struct err *e)
{
	struct err why;

	*up = NULL;
	if (store_raw_begin(s, up, &why) == -1)
		return failed(e, &why, s, "begin an upload");
	return 0;
}

int store_append(struct store_upload *up, struct span data, struct err *e)
{
	struct err why;

	if (store_raw_append(up, data, &why) == -1)
		return failed(e, &why, up->store, "upload");
	return 0;
}

int store_commit(struct store_upload *up, const char *key, unsigned flags, struct err *e)
{
	struct store *s = up->store;
	struct err why;

	if (!store_key_valid(key)) {
		store_abort(up);
		return bad_key(s, "put", key, e);
	}
	if (store_raw_commit(up, key, flags, &why) == -1)
		return failed_at(e, &why, s, "put", key);
	return 0;
}

void store_abort(struct store_upload *up)
{
	struct err ignored;

	if (up)
		store_raw_commit(up, NULL, 0, &ignored);
}

int store_sync(struct store *s, struct err *e)
{
	struct err why;

	if (store_raw_sync(s, &why) == -1)
		return failed(e, &why, s, "sync");
	return 0;
}

unsigned store_parallel(const struct store *s)
{
	while (s->parallel == 0 && s->under)
		s = s->under;
	return s->parallel ? s->parallel : 1;
}

int store_now(struct store *s, int64_t *ns, struct err *e)
{
	int rc = store_fs_now(s, ns, e);

	return rc == 0 ? store_s3_now(s, ns, e) : rc;
}

void store_close(struct store *s)
{
	if (s)
		s->ops->close(s);
}

static int get_all_once(struct store *s, const char *key, size_t max, struct store_stat *st,
    struct buf *out, struct err *e)
{
	if (store_stat(s, key, st, e) == -1)
		return -1;
	if (st->size > max)
		return err_set(e, ERR_CORRUPT, "%s: get %s: %llu bytes, more than %zu allowed",
		    s->url, key, (unsigned long long)st->size, max);
	buf_reserve(out, st->size + 1); /* an empty object has an address as well */
	return store_get(s, key, 0, buf_extend(out, st->size), st->size, e);
}

int store_get_all(struct store *s, const char *key, size_t max, struct buf *out, struct err *e)
{
	size_t start = out->n;
	/* Names without a folder may be replaced between stat and get. */
	bool may_change = strchr(key, '/') == NULL;
	struct store_stat st, now;
	int rc;

	for (int tries = 0;; tries++) {
		out->n = start;
		rc = get_all_once(s, key, max, &st, out, e);
		if (!may_change || tries == 8 || (rc == -1 && e->kind != ERR_CORRUPT))
			break;
		struct err e2;
		if (store_stat(s, key, &now, &e2) == 0 && now.size == st.size &&
		    now.mtime_ns == st.mtime_ns)
			break;
	}
	if (rc == -1)
		out->n = start;
	return rc;
}

/* Schemes that other versions know: better named than taken for a path. */
static const char *const later[] = {
    "ssh", "b2", "swift", "http", "https", "rest", "rclone", "smb", "nfs"};

/* Behind a wire; `rest` is what follows the scheme and its colon. */
static const struct {
	const char *name;
	int (*open)(const char *rest, bool create, const struct store_given *,
	    const struct store_far *, struct ctx *, struct store **, struct err *);
	const struct store_option_table *options;
} far_away[] = {
    {"s3", store_s3_open, &store_s3_options},
    {"sftp", store_sftp_open, &store_sftp_options},
    {"azure", store_azure_open, &store_azure_options},
    {"gcs", store_gcs_open, &store_gcs_options},
    {"gs", store_gcs_open, &store_gcs_options},
    {"ftp", store_ftp_open, &store_ftp_options},
    {"ftps", store_ftps_open, &store_ftp_options},
    {"webdav", store_webdav_open, &store_webdav_options},
    {"webdavs", store_webdavs_open, &store_webdav_options},
    {"dav", store_webdav_open, &store_webdav_options},
    {"davs", store_webdavs_open, &store_webdav_options},
};

static const char *after_scheme(const char *url, const char *scheme)
{
	size_t n = strlen(scheme);

	return strncmp(url, scheme, n) == 0 && url[n] == ':' ? url + n + 1 : NULL;
}

static int no_empty_kit(const char *url, struct err *e)
{
	err_set(e, ERR_USAGE, "%s: a kit is not made empty", url);
	return err_hint(e, "holdfast kit export --single-file makes one of a snapshot");
}

int store_open(const char *url, bool create, struct ctx *ctx, struct store **out, struct err *e)
{
	static const struct store_params none;

	return store_open_with(url, create, &none, ctx, out, e);
}

enum { UPLOADS = 8 }; /* at a time, to a store far away: what it takes to hide 50 ms */

/* Behind a wire: tried again for a minute, left alone when it is dead, fed meanwhile. */
static struct store *wrap_far(struct store *s, const struct store_far *far, struct ctx *ctx)
{
	struct store_pace pace = store_pace_far;
	int64_t n = far->connections;

	if (far->retries)
		pace.more = (int)far->retries;
	s = store_retry_new(s, ctx);
	store_retry_pace(s, &pace);
	s = store_breaker_new(s, ctx);
	return store_queue_new(s, n && n < UPLOADS ? (unsigned)n : UPLOADS);
}

static int no_options(const struct store_given *given, struct err *e)
{
	if (given->n == 0)
		return 0;
	return err_set(e, ERR_USAGE, "-o %.*s: this store has no options",
	    (int)strcspn(given->v[0], "="), given->v[0]);
}

static int refuse_later(const char *url, struct err *e)
{
	for (size_t i = 0; i < sizeof later / sizeof *later; i++)
		if (after_scheme(url, later[i])) {
			err_set(e, ERR_UNSUPPORTED, "%s: is not supported", later[i]);
			return err_hint(e,
			    "there are paths, s3:, sftp:, azure:, gcs:, webdavs://, ftp:// and "
			    "ftps:// (a path "
			    "of that name is ./%s:...)",
			    later[i]);
		}
	return 0;
}

/* The driver alone; *far is filled in where there is a wire. */
static int open_driver(const char *url, bool create, const struct store_given *given,
    struct ctx *ctx, struct store_far *far, bool *remote, struct store **out, struct err *e)
{
	const char *rest;

	*remote = false;
	if (refuse_later(url, e) == -1)
		return -1;
	for (size_t i = 0; i < sizeof far_away / sizeof *far_away; i++)
		if ((rest = after_scheme(url, far_away[i].name))) {
			*remote = true;
			os_hide_core(); /* before there are credentials */
			if (store_options_read(
				store_far_options, store_far_options_n, given, far, e) == -1)
				return -1;
			if (far_away[i].open(rest, create, given, far, ctx, out, e) == -1)
				return -1;
			if ((*out)->parallel == 0)
				(*out)->parallel = far->connections ? (unsigned)far->connections
								    : UPLOADS;
			return 0;
		}
	if ((rest = after_scheme(url, "kit")))
		return create                       ? no_empty_kit(url, e)
		       : no_options(given, e) == -1 ? -1
						    : store_kit_open(rest, out, e);
	if ((rest = after_scheme(url, "mem")))
		return no_options(given, e) == -1 ? -1 : store_mem_open(rest, create, out, e);
	rest = after_scheme(url, "fs");
	return store_fs_open_given(rest ? rest : url, create, given, out, e);
}

int store_check(const char *url, const struct store_given *given, struct err *e)
{
	if (refuse_later(url, e) == -1)
		return -1;
	for (size_t i = 0; i < sizeof far_away / sizeof *far_away; i++)
		if (after_scheme(url, far_away[i].name))
			return store_options_check(far_away[i].options, given, e);
	if (after_scheme(url, "kit") || after_scheme(url, "mem"))
		return no_options(given, e);
	return store_options_check(&store_fs_options, given, e);
}

int store_open_with(const char *url, bool create, const struct store_params *p, struct ctx *ctx,
    struct store **out, struct err *e)
{
	struct store_given given = {p->options, p->noptions};
	struct store_far far = {0};
	struct store *s = NULL;
	bool remote;

	*out = NULL;
	if (open_driver(url, create, &given, ctx, &far, &remote, &s, e) == -1)
		return -1;
	if (p->limits.upload || p->limits.download || p->limits.upload_in || p->limits.download_in)
		s = store_limit_new(s, &p->limits, ctx);
	*out = remote ? wrap_far(s, &far, ctx) : store_retry_new(s, ctx);
	return 0;
}
