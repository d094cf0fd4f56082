/*
 * store_sftp_list: all objects below a folder.
 *
 * Many folders are asked for at once: 256 of packs one after the other would
 * cost 256 times three round trips.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cursor.h"
#include "base/mem.h"
#include "store/store_sftp.h"
#include "store/store_walk.h"

enum { OPEN_MAX = 32 };

struct walk {
	struct store_sftp *s;
	struct sftp *c;
	store_visit *visit;
	void *arg;
	struct store_walk below;
	bool some; /* were visited of those that are read now */
};

struct found {
	char *key;
	struct store_stat st;
};

/* A folder while it is read. */
struct reading {
	char *folder;
	struct sftp_wait w;
	struct buf handle, last; /* what was answered last */
	struct found *v;
	size_t n, cap;
	bool asked, open, done;
};

/* What else is there is not ours, and no key. */
static void take_entry(
    struct walk *k, struct reading *r, struct span name, const struct sftp_attrs *a)
{
	char *key;

	if (name.n == 0 || name.n > STORE_KEY_MAX || memchr(name.p, 0, name.n) ||
	    memchr(name.p, '/', name.n))
		return;
	key = mem_printf("%s%.*s", r->folder, (int)name.n, (const char *)name.p);
	if (!store_key_listed(r->folder, key)) {
		free(key);
	} else if (S_ISDIR(a->mode)) {
		store_walk_add(&k->below, key);
		free(key);
	} else if (S_ISREG(a->mode)) {
		if (r->n == r->cap)
			r->v = mem_realloc(r->v, (r->cap = r->cap * 2 + 16) * sizeof *r->v);
		r->v[r->n++] = (struct found){
		    key, {.size = a->size, .mtime_ns = a->mtime_s * 1000000000}};
	} else {
		free(key);
	}
}

static int take_entries(struct walk *k, struct reading *r, struct err *e)
{
	struct cursor c = cursor_of(buf_span(&r->w.body));
	uint32_t n = sftp_read_u32(&c);
	struct sftp_attrs a;

	if (span_eq(buf_span(&r->w.body), buf_span(&r->last)))
		return err_set(e, ERR_FAILED, "the server's listing has no end");
	buf_reset(&r->last);
	buf_put_span(&r->last, buf_span(&r->w.body));
	for (; n > 0 && !c.bad; n--) {
		struct span name = sftp_read_string(&c);

		sftp_read_string(&c); /* as `ls -l` shows it */
		if (!sftp_read_attrs(&c, &a))
			break;
		if (!a.whole)
			return err_set(e, ERR_UNSUPPORTED,
			    "the server's listing does not tell sizes, kinds and times");
		if (store_walk_count(&k->below, e) == -1)
			return -1;
		take_entry(k, r, name, &a);
	}
	return c.bad ? err_set(e, ERR_FAILED, "a listing that is none") : 0;
}

static void ask_entries(struct walk *k, struct reading *r)
{
	r->w = (struct sftp_wait){0};
	r->asked = true;
	sftp_send(k->c, &r->w, SFTP_READDIR, buf_span(&r->handle), span_of(NULL, 0));
}

/* The next answer for this folder, and the next question. */
static int step(struct walk *k, struct reading *r, struct err *e)
{
	int rc;

	r->asked = false;
	if (!r->open) {
		rc = sftp_wait_handle(k->c, &r->w, &r->handle, e);
		if (rc == SFTP_NO_SUCH_FILE) { /* or gone meanwhile */
			r->done = true;
			return 0;
		}
		if (rc != SFTP_OK)
			return sftp_refused(rc, e, "open a folder");
		r->open = true;
	} else {
		rc = sftp_wait(k->c, &r->w, e) == -1 ? -1 : (int)r->w.status;
		if (rc == SFTP_OK)
			rc = take_entries(k, r, e);
		sftp_wait_fini(&r->w);
		if (rc == SFTP_EOF) {
			sftp_send_close(k->c, NULL, &r->handle);
			r->done = true;
			return 0;
		}
		if (rc != SFTP_OK)
			return sftp_refused(rc, e, "read a folder");
	}
	ask_entries(k, r);
	return 0;
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct found *)a)->key, ((const struct found *)b)->key);
}

/* A folder that changes while it is read may show a name twice. */
static int visit_all(struct walk *k, struct reading *r, struct err *e)
{
	int rc = 0;

	if (r->n > 1)
		qsort(r->v, r->n, sizeof *r->v, by_key);
	for (size_t i = 0; rc == 0 && i < r->n; i++)
		if (i == 0 || strcmp(r->v[i - 1].key, r->v[i].key) != 0) {
			k->some = true;
			rc = k->visit(k->arg, r->v[i].key, &r->v[i].st, e);
		}
	return rc;
}

static void reading_fini(struct reading *r)
{
	for (size_t i = 0; i < r->n; i++)
		free(r->v[i].key);
	free(r->v);
	buf_fini(&r->handle);
	buf_fini(&r->last);
}

static void begin(struct walk *k, struct reading *r)
{
	struct buf b = {0};

	sftp_path(k->s, r->folder, &b);
	if (b.n > 1 && b.p[b.n - 1] == '/')
		b.n--;
	r->asked = true;
	sftp_send_path(k->c, &r->w, SFTP_OPENDIR, buf_cstr(&b), span_of(NULL, 0));
	buf_fini(&b);
}

/* Visit what was found, or wait for what is under way, and put the folder back for another try. */
static int end(struct walk *k, struct reading *r, int rc, struct err *e)
{
	struct err ignored;

	if (r->asked) {
		sftp_wait(k->c, &r->w, &ignored);
		sftp_wait_fini(&r->w);
	}
	if (rc == 0)
		rc = visit_all(k, r, e);
	if (rc == -1 && !k->some)
		store_walk_put_back(&k->below, r->folder);
	else
		free(r->folder);
	reading_fini(r);
	return rc;
}

/* Up to OPEN_MAX folders, from the end of the list; what is below them comes after. */
static int read_some(struct walk *k, struct err *e)
{
	struct reading r[OPEN_MAX] = {0};
	size_t n = 0, left, below;
	int rc = 0;

	while (n < OPEN_MAX && (r[n].folder = store_walk_next(&k->below)) != NULL)
		n++;
	below = k->below.n;
	for (size_t i = 0; i < n; i++)
		begin(k, &r[i]);
	for (left = n; rc == 0 && left > 0;)
		for (size_t i = left = 0; rc == 0 && i < n; i++) {
			if (!r[i].done)
				rc = step(k, &r[i], e);
			left += !r[i].done;
		}
	while (rc == -1 && k->below.n > below) /* found so far: they will be again */
		free(store_walk_next(&k->below));
	for (size_t i = 0; i < n; i++)
		rc = end(k, &r[i], rc, e);
	return rc;
}

/* On a connection of its own, which may end: then on another, if none of these was visited. */
static int read_some_surely(struct walk *k, bool first, struct err *e)
{
	for (int tries = 1;; tries++) {
		struct sftp_line *l = sftp_line_get(k->s, e);
		int rc = -1;

		k->some = false;
		if (l) {
			k->c = l->conn;
			rc = read_some(k, e);
			sftp_line_give(k->s, l);
		}
		/* Of the first folder store_retry takes care. */
		if (rc == 0 || k->some || first ||
		    !store_backoff(&k->s->pace, k->s->ctx, tries, "list", "", e))
			return rc;
	}
}

int sftp_list(struct store *st, const char *prefix, store_visit *visit, void *arg, struct err *e)
{
	struct walk k = {.s = (struct store_sftp *)st, .visit = visit, .arg = arg};
	int rc;

	store_walk_put_back(&k.below, mem_strdup(prefix));
	rc = read_some_surely(&k, true, e);
	while (rc == 0 && k.below.n > 0)
		rc = read_some_surely(&k, false, e);
	store_walk_fini(&k.below);
	return rc;
}
