/*
 * store_webdav: a folder on a server that speaks WebDAV (RFC 4918).
 *
 * An object is PUT in tmp/ and given its name by MOVE, which with "Overwrite:
 * F" does not take another's; but servers look and then rename, so that of two
 * at one moment both may be told that it is theirs: a look after tells one of them.  What a server
 * does if the power fails is its own business: there is no fsync to ask for.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "crypto/crypto.h"
#include "store/store_drivers.h"
#include "store/store_folders.h"
#include "store/store_options.h"
#include "store/store_walk.h"
#include "store/webdav.h"

struct store_webdav {
	struct store base;
	struct webdav dav;
	struct ctx *ctx;
	struct store_pace pace; /* of folders of a list */
	struct store_folders folders;
};

static struct webdav *dav_of(struct store *st)
{
	return &((struct store_webdav *)st)->dav;
}

/* A call whose answer's body is of no use. */
static int call(struct webdav *d, const struct webdav_call *c, struct err *e)
{
	struct http_answer a;

	if (webdav_do(d, c, &a, e) == -1)
		return -1;
	http_answer_fini(&a);
	return 0;
}

/* ---- Folders. */

/* The folder itself: 0 if it is there now, ERR_ABSENT if the one above is not. */
static int make_one(struct webdav *d, const char *folder, struct err *e)
{
	struct webdav_call c = {.method = "MKCOL", .key = folder};
	struct http_answer a;
	int rc = webdav_ask(d, &c, &a, e);

	if (rc == -1)
		return -1;
	if (!web_good(&a) && a.status != 405) /* 405: there is something already */
		rc = webdav_refused(&a, e);
	http_answer_fini(&a);
	return rc;
}

/* All folders of a key: before a put, since some answer with 500 where one is missing. */
static int make_folders(struct store_webdav *s, const char *key, struct err *e)
{
	int rc = 0;

	for (const char *slash = strchr(key, '/'); slash && rc == 0;
	     slash = strchr(slash + 1, '/')) {
		char *folder = mem_strndup(key, (size_t)(slash + 1 - key));

		if (!store_folders_has(&s->folders, folder)) {
			rc = make_one(&s->dav, folder, e);
			if (rc == 0)
				store_folders_add(&s->folders, folder);
		}
		free(folder);
	}
	return rc == 0 ? 0 : err_wrap(e, "make a folder");
}

/* Our own folder, and those above it: from below, and up again. */
static int make_root(struct webdav *d, struct err *e)
{
	char *whole = d->path;
	int rc;

	rc = make_one(d, "", e);
	if (rc == 0 || e->kind != ERR_ABSENT || *whole == '\0')
		return rc;
	d->path = mem_strndup(whole, (size_t)(strrchr(whole, '/') - whole));
	rc = make_root(d, e);
	free(d->path);
	d->path = whole;
	return rc == 0 ? make_one(d, "", e) : -1;
}

/* ---- Put. */

/* A folder may have gone since it was made: then once more. */
static int call_in_folder(
    struct store_webdav *s, const struct webdav_call *c, const char *key, struct err *e)
{
	if (make_folders(s, key, e) == -1)
		return -1;
	if (call(&s->dav, c, e) == 0)
		return 0;
	if (e->kind != ERR_ABSENT)
		return -1;
	store_folders_forget(&s->folders);
	if (make_folders(s, key, e) == -1)
		return -1;
	err_clear(e);
	if (call(&s->dav, c, e) == 0)
		return 0;
	if (e->kind == ERR_ABSENT)
		e->kind = ERR_FAILED; /* who puts is not to think that his object is missing */
	return -1;
}

static int webdav_put(
    struct store *st, const char *key, struct span data, unsigned flags, struct err *e)
{
	struct store_webdav *s = (struct store_webdav *)st;
	struct webdav_call put = {.method = "PUT", .body = data}, gone = {.method = "DELETE"};
	struct webdav_call move = {
	    .method = "MOVE", .destination = key, .overwrite = !(flags & STORE_NEW)};
	uint8_t random[8];
	char hex[17], tmp[40];
	struct err ignored;
	int rc;

	crypto_random(random, sizeof random);
	snprintf(tmp, sizeof tmp, "tmp/%s", hex_encode(hex, random, sizeof random));
	put.key = move.key = gone.key = tmp;
	rc = call_in_folder(s, &put, tmp, e);
	if (rc == 0)
		rc = call_in_folder(s, &move, key, e);
	if (rc == 0)
		return flags & STORE_NEW ? web_still_ours(st, key, data, e) : 0;
	if (e->kind != ERR_UNREACHABLE && e->kind != ERR_TIMEOUT)
		call(&s->dav, &gone, &ignored);
	return -1;
}

/* ---- Read and delete. */

struct look {
	const char *key;
	struct store_stat st;
	bool found, folder;
};

static int take_look(
    void *arg, const char *key, bool folder, const struct store_stat *st, struct err *e)
{
	struct look *l = arg;

	(void)e;
	if (strcmp(key, l->key) == 0) {
		l->found = true;
		l->folder = folder;
		l->st = *st;
	}
	return 0;
}

static int webdav_stat(struct store *st, const char *key, struct store_stat *out, struct err *e)
{
	struct look l = {.key = key};

	if (webdav_find(dav_of(st), key, "0", take_look, &l, e) == -1)
		return -1;
	if (!l.found || l.folder)
		return err_set(e, ERR_ABSENT, "%s", l.found ? "it is a folder" : "not there");
	*out = l.st;
	return 0;
}

static int webdav_get(
    struct store *st, const char *key, uint64_t off, void *out, size_t len, struct err *e)
{
	struct webdav_call c = {
	    .method = "GET", .key = key, .off = off, .into = out, .into_n = len};
	struct http_answer a;
	int rc;

	if (web_range_odd(off, len))
		return web_get_odd(st, key, off, len, e);
	if (webdav_do(dav_of(st), &c, &a, e) == -1)
		return -1;
	rc = web_range_came(&a, len, e);
	http_answer_fini(&a);
	return rc;
}

/* "Depth: 0", lest a folder of that name goes with all that is in it: servers refuse that. */
static int webdav_del(struct store *st, const char *key, struct err *e)
{
	struct webdav_call c = {.method = "DELETE", .key = key, .depth = "0"};
	struct look l = {.key = key};
	struct err other;

	if (call(dav_of(st), &c, e) == 0)
		return 0;
	if (e->kind == ERR_USAGE || e->kind == ERR_DENIED)
		if (webdav_find(dav_of(st), key, "0", take_look, &l, &other) == 0 && l.folder)
			e->kind = ERR_ABSENT;
	if (e->kind != ERR_ABSENT)
		return -1;
	err_clear(e);
	return 0;
}

/* ---- List: folder by folder, for most servers refuse "Depth: infinity". */

struct walk {
	const char *folder; /* that is read */
	struct store_walk below;
	store_visit *visit;
	void *arg;
	bool some; /* of the folder were visited, so that it is too late to begin anew */
};

static int take_entry(
    void *arg, const char *key, bool folder, const struct store_stat *st, struct err *e)
{
	struct walk *w = arg;
	size_t n = strlen(w->folder);

	w->some = true;
	if (store_walk_count(&w->below, e) == -1)
		return -1;
	/* The folder itself, what is not ours, and no key. */
	if (strncmp(key, w->folder, n) != 0 || strchr(key + n, '/') ||
	    !store_key_listed(w->folder, key))
		return 0;
	if (!folder)
		return w->visit(w->arg, key, st, e);
	store_walk_add(&w->below, key);
	return 0;
}

static int read_folder(struct store_webdav *s, struct walk *w, bool first, struct err *e)
{
	for (int tries = 1;; tries++) {
		w->some = false;
		if (webdav_find(&s->dav, w->folder, "1", take_entry, w, e) == 0 ||
		    (e->kind == ERR_ABSENT && !w->some)) { /* or gone meanwhile */
			err_clear(e);
			return 0;
		}
		/* Of the first folder store_retry takes care. */
		if (w->some || first ||
		    !store_backoff(&s->pace, s->ctx, tries, "list", w->folder, e))
			return -1;
	}
}

static int webdav_list(
    struct store *st, const char *prefix, store_visit *visit, void *arg, struct err *e)
{
	struct walk w = {.visit = visit, .arg = arg};
	char *folder = mem_strdup(prefix);
	bool first = true;
	int rc = 0;

	while (folder) {
		w.folder = folder;
		if (rc == 0)
			rc = read_folder((struct store_webdav *)st, &w, first, e);
		first = false;
		free(folder);
		folder = store_walk_next(&w.below);
	}
	store_walk_fini(&w.below);
	return rc;
}

/* ---- Open and close. */

static void webdav_close(struct store *st)
{
	struct store_webdav *s = (struct store_webdav *)st;

	webdav_fini(&s->dav);
	store_folders_fini(&s->folders);
	free(st->url);
	free(st);
}

static int find_root(struct webdav *d, bool create, struct err *e)
{
	struct look l = {.key = ""};

	if (webdav_find(d, "", "0", take_look, &l, e) == 0) {
		if (l.found && l.folder)
			return 0;
		return err_set(e, ERR_NO_REPOSITORY, "there is no folder %s", d->path);
	}
	if (e->kind != ERR_ABSENT)
		return -1;
	if (create)
		return make_root(d, e);
	err_set(e, ERR_NO_REPOSITORY, "there is no folder %s", d->path);
	return err_hint(e, "is the path right? `holdfast init` makes it");
}

static const struct store_ops ops = {
    .scheme = "webdav",
    .durability = "the server's own: what it has confirmed",
    .put = webdav_put,
    .get = webdav_get,
    .stat = webdav_stat,
    .del = webdav_del,
    .list = webdav_list,
    .close = webdav_close,
};

static const struct store_option options[] = {
    {"webdav.user", STORE_OPTION_TEXT, offsetof(struct webdav_options, user), NULL,
	"whom to log in as, if the URL does not say"},
    {"webdav.password-file", STORE_OPTION_TEXT, offsetof(struct webdav_options, password_file),
	NULL, "file whose first line is the password; else HOLDFAST_WEBDAV_PASSWORD"},
};
enum { OPTIONS = sizeof options / sizeof *options };
const struct store_option_table store_webdav_options = {
    options, OPTIONS, sizeof(struct webdav_options)};

static int open_any(bool tls, const char *rest, bool create, const struct store_given *given,
    const struct store_far *far, struct ctx *ctx, struct store **out, struct err *e)
{
	struct store_webdav *s = mem_zalloc(sizeof *s);
	struct webdav_options o = {0};

	if (store_options_read(options, OPTIONS, given, &o, e) == -1 ||
	    store_options_known(options, OPTIONS, given, e) == -1 ||
	    webdav_init(&s->dav, tls, rest, &o, e) == -1) {
		free(s);
		return -1;
	}
	store_folders_init(&s->folders);
	s->base.ops = &ops;
	s->base.leaves_uploads = true;
	s->base.url = mem_printf("webdav%s:%s", tls ? "s" : "", rest);
	s->ctx = ctx;
	s->pace = web_pace(far);
	s->dav.http = web_http_new(far, ctx, e);
	if (s->dav.http == NULL || find_root(&s->dav, create, e) == -1) {
		if (s->dav.http)
			err_wrap(e, "%s", s->base.url);
		webdav_close(&s->base);
		return -1;
	}
	*out = &s->base;
	return 0;
}

int store_webdav_open(const char *rest, bool create, const struct store_given *given,
    const struct store_far *far, struct ctx *ctx, struct store **out, struct err *e)
{
	return open_any(false, rest, create, given, far, ctx, out, e);
}

int store_webdavs_open(const char *rest, bool create, const struct store_given *given,
    const struct store_far *far, struct ctx *ctx, struct store **out, struct err *e)
{
	return open_any(true, rest, create, given, far, ctx, out, e);
}
