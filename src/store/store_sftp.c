/*
 * store_sftp: a folder on a host that we log in to with SSH.
 *
 * Over a spawned ssh rather than a library (libcurl's SFTP has no link that
 * never replaces, no fsync and one request at a time; libssh2 would have to
 * learn again what ~/.ssh/config says): keys, agents, known hosts and jump
 * hosts are ssh's own, and the secrets never enter this process.
 *
 * Whoever finds a connection dead leaves it; store_retry tries again, which
 * makes another.
 */
#include "store/store_sftp.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cursor.h"
#include "base/mem.h"
#include "store/store_options.h"

static const int64_t SECOND = 1000000000;

/* ---- Connections. */

static int line_open(struct store_sftp *s, struct sftp_line *l, struct err *e)
{
	struct sftp_argv argv;

	sftp_place_argv(&s->place, s->command, s->params.connect_ns, &argv);
	l->conn = sftp_open(argv.v, &s->params, s->ctx, e);
	return l->conn ? 0 : -1;
}

struct sftp_line *sftp_line_get(struct store_sftp *s, struct err *e)
{
	struct sftp_line *best = NULL, *empty = NULL;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < SFTP_LINES; i++) {
		struct sftp_line *l = &s->line[i];

		if (l->conn && l->users == 0 && !sftp_alive(l->conn)) {
			sftp_close(l->conn);
			l->conn = NULL;
		}
		if (l->conn == NULL)
			empty = empty ? empty : l;
		else if (sftp_alive(l->conn) && (best == NULL || l->users < best->users))
			best = l;
	}
	if (empty && (best == NULL || best->users > 1) && line_open(s, empty, e) == 0)
		best = empty;
	else if (best == NULL && empty == NULL)
		err_set(e, ERR_UNREACHABLE, "the connections ended");
	if (best)
		best->users++;
	pthread_mutex_unlock(&s->lock);
	return best;
}

void sftp_line_give(struct store_sftp *s, struct sftp_line *l)
{
	pthread_mutex_lock(&s->lock);
	l->users--;
	pthread_mutex_unlock(&s->lock);
}

/* ---- Requests. */

const char *sftp_path(const struct store_sftp *s, const char *key, struct buf *b)
{
	buf_reset(b);
	if (*key == '\0')
		buf_printf(b, "%s", s->place.path);
	else
		buf_printf(b, "%s/%s", strcmp(s->place.path, "/") == 0 ? "" : s->place.path, key);
	return buf_cstr(b);
}

void sftp_send_path(
    struct sftp *c, struct sftp_wait *w, enum sftp_type type, const char *path, struct span more)
{
	struct buf b = {0};

	sftp_put_string(&b, span_str(path));
	buf_put_span(&b, more);
	sftp_send(c, w, type, buf_span(&b), span_of(NULL, 0));
	buf_fini(&b);
}

int sftp_wait_status(struct sftp *c, struct sftp_wait *w, struct err *e)
{
	int status = sftp_wait(c, w, e) == -1 ? -1 : (int)w->status;

	sftp_wait_fini(w);
	return status;
}

int sftp_ask_path(
    struct sftp *c, enum sftp_type type, const char *path, struct span more, struct err *e)
{
	struct sftp_wait w = {0};

	sftp_send_path(c, &w, type, path, more);
	return sftp_wait_status(c, &w, e);
}

void sftp_send_open(struct sftp *c, struct sftp_wait *w, const char *path, unsigned how)
{
	enum { HAS_MODE = 4 };
	struct buf b = {0};

	sftp_put_u32(&b, how);
	/* Not to be written again, not even by us: that is what keeps append-only logins honest. */
	sftp_put_u32(&b, how == SFTP_FOR_READ ? 0 : HAS_MODE);
	if (how != SFTP_FOR_READ)
		sftp_put_u32(&b, 0400);
	sftp_send_path(c, w, SFTP_OPEN, path, buf_span(&b));
	buf_fini(&b);
}

/* The handle as a field: with its length in front. */
int sftp_wait_handle(struct sftp *c, struct sftp_wait *w, struct buf *handle, struct err *e)
{
	int status = sftp_wait(c, w, e) == -1 ? -1 : (int)w->status;

	if (status == SFTP_OK) {
		struct cursor body = cursor_of(buf_span(&w->body));
		struct span s = sftp_read_string(&body);

		buf_reset(handle);
		sftp_put_string(handle, s);
		if (body.bad || s.n == 0 || s.n > 256)
			status = err_set(e, ERR_FAILED, "the server gave no handle");
	}
	sftp_wait_fini(w);
	return status;
}

void sftp_send_close(struct sftp *c, struct sftp_wait *w, const struct buf *handle)
{
	sftp_send(c, w, SFTP_CLOSE, buf_span(handle), span_of(NULL, 0));
}

int sftp_look(struct sftp *c, const char *path, struct sftp_attrs *a, struct err *e)
{
	struct sftp_wait w = {0};
	int status;

	sftp_send_path(c, &w, SFTP_STAT, path, span_of(NULL, 0));
	status = sftp_wait(c, &w, e) == -1 ? -1 : (int)w.status;
	if (status == SFTP_OK) {
		struct cursor body = cursor_of(buf_span(&w.body));

		if (!sftp_read_attrs(&body, a))
			status = err_set(e, ERR_FAILED, "the server told no attributes");
	}
	sftp_wait_fini(&w);
	return status;
}

int sftp_refused(int status, struct err *e, const char *what)
{
	switch (status) {
	case -1:
		return -1;
	case SFTP_NO_SUCH_FILE:
		return err_set(e, ERR_ABSENT, "%s: no such file", what);
	case SFTP_PERMISSION_DENIED:
		err_set(e, ERR_DENIED, "%s: the server denies it", what);
		return err_hint(e, "does the folder belong to the user that we log in as?");
	case SFTP_OP_UNSUPPORTED:
		return err_set(e, ERR_UNSUPPORTED, "%s: the server can't", what);
	default:
		return err_set(
		    e, ERR_FAILED, "%s: the server answers \"failure\" (%d)", what, status);
	}
}

/* ---- Reading. */

static int look_at(struct store_sftp *s, const char *key, struct store_stat *out, struct err *e)
{
	struct sftp_line *l = sftp_line_get(s, e);
	struct sftp_attrs a;
	struct buf b = {0};
	int rc;

	if (l == NULL)
		return -1;
	rc = sftp_look(l->conn, sftp_path(s, key, &b), &a, e);
	sftp_line_give(s, l);
	buf_fini(&b);
	if (rc != SFTP_OK)
		return sftp_refused(rc, e, "stat");
	if (S_ISDIR(a.mode))
		return err_set(e, ERR_ABSENT, "it is a folder");
	/* A time that is none would look like 1970, and old enough for prune. */
	if (!a.whole)
		return err_set(e, ERR_UNSUPPORTED, "the server does not tell size and time");
	*out = (struct store_stat){.size = a.size, .mtime_ns = a.mtime_s * SECOND};
	return 0;
}

static int sftp_stat(struct store *st, const char *key, struct store_stat *out, struct err *e)
{
	return look_at((struct store_sftp *)st, key, out, e);
}

enum { READS = 64 }; /* under way: 2 MiB, which is 40 MB/s at 50 ms */

static void send_read(struct sftp *c, struct sftp_wait *w, const struct buf *handle, uint64_t off,
    uint8_t *into, size_t n)
{
	struct buf b = {0};

	*w = (struct sftp_wait){.into = into, .into_n = n};
	buf_put_span(&b, buf_span(handle));
	sftp_put_u64(&b, off);
	sftp_put_u32(&b, (uint32_t)n);
	sftp_send(c, w, SFTP_READ, buf_span(&b), span_of(NULL, 0));
	buf_fini(&b);
}

/* One answer; a short one is asked on for, by itself. */
static int take_read(
    struct sftp *c, struct sftp_wait *w, const struct buf *handle, uint64_t off, struct err *e)
{
	for (;;) {
		size_t left = w->into_n;
		int status = sftp_wait(c, w, e) == -1 ? -1 : (int)w->status;

		sftp_wait_fini(w);
		if (status == SFTP_EOF)
			return err_set(e, ERR_CORRUPT, "the object ends before");
		if (status != SFTP_OK)
			return sftp_refused(status, e, "read");
		if (w->got == left)
			return 0;
		if (w->got == 0)
			return err_set(e, ERR_FAILED, "the server answers a read with nothing");
		off += w->got;
		send_read(c, w, handle, off, w->into + w->got, left - w->got);
	}
}

/* All pieces, up to READS of them under way; after a failure the rest is only waited for. */
static int read_range(
    struct sftp *c, const struct buf *handle, uint64_t off, uint8_t *out, size_t len, struct err *e)
{
	struct sftp_wait w[READS];
	size_t all = (len + SFTP_PIECE - 1) / SFTP_PIECE, sent = 0;
	struct err ignored;
	int rc = 0;

	for (size_t i = 0; i < all && (rc == 0 || i < sent); i++) {
		for (; rc == 0 && sent < all && sent < i + READS; sent++) {
			size_t at = sent * SFTP_PIECE;

			send_read(c, &w[sent % READS], handle, off + at, out + at,
			    len - at < SFTP_PIECE ? len - at : SFTP_PIECE);
		}
		if (take_read(c, &w[i % READS], handle, off + i * SFTP_PIECE, rc ? &ignored : e) ==
		    -1)
			rc = -1;
	}
	return rc;
}

static int get_range(struct store_sftp *s, struct sftp *c, const char *path, uint64_t off,
    uint8_t *out, size_t len, struct err *e)
{
	struct sftp_wait w = {0};
	struct sftp_attrs a;
	struct buf handle = {0};
	struct err why;
	int rc;

	sftp_send_open(c, &w, path, SFTP_FOR_READ);
	rc = sftp_wait_handle(c, &w, &handle, e);
	if (rc == SFTP_OK) {
		rc = read_range(c, &handle, off, out, len, e);
		sftp_send_close(c, NULL, &handle);
	} else {
		rc = sftp_refused(rc, e, "open");
	}
	buf_fini(&handle);
	/* Some open folders as well, and fail later without saying why. */
	if (rc == -1 && e->kind == ERR_FAILED && sftp_look(c, path, &a, &why) == SFTP_OK &&
	    S_ISDIR(a.mode))
		return err_set(e, ERR_ABSENT, "it is a folder");
	return rc;
}

static int sftp_get(
    struct store *st, const char *key, uint64_t off, void *out, size_t len, struct err *e)
{
	struct store_sftp *s = (struct store_sftp *)st;
	struct sftp_line *l;
	struct store_stat there = {0};
	struct buf b = {0};
	int rc;

	if (len == 0 || off > INT64_MAX - len) { /* no read says that */
		if (look_at(s, key, &there, e) == -1)
			return -1;
		return len == 0 && off <= there.size
			   ? 0
			   : err_set(e, ERR_CORRUPT, "the object ends before");
	}
	if ((l = sftp_line_get(s, e)) == NULL)
		return -1;
	rc = get_range(s, l->conn, sftp_path(s, key, &b), off, out, len, e);
	sftp_line_give(s, l);
	buf_fini(&b);
	return rc;
}

static int sftp_del(struct store *st, const char *key, struct err *e)
{
	struct store_sftp *s = (struct store_sftp *)st;
	struct sftp_line *l = sftp_line_get(s, e);
	struct sftp_attrs a;
	struct buf b = {0};
	const char *path;
	int rc;

	if (l == NULL)
		return -1;
	path = sftp_path(s, key, &b);
	rc = sftp_ask_path(l->conn, SFTP_REMOVE, path, span_of(NULL, 0), e);
	/* A folder is no object, and some say so without saying it. */
	if (rc > SFTP_OK && rc != SFTP_NO_SUCH_FILE && sftp_look(l->conn, path, &a, e) == SFTP_OK &&
	    S_ISDIR(a.mode))
		rc = SFTP_OK;
	sftp_line_give(s, l);
	buf_fini(&b);
	return rc == SFTP_OK || rc == SFTP_NO_SUCH_FILE ? 0 : sftp_refused(rc, e, "remove");
}

/* ---- Open and close. */

static void sftp_store_close(struct store *st)
{
	struct store_sftp *s = (struct store_sftp *)st;

	for (size_t i = 0; i < SFTP_LINES; i++) {
		assert(s->line[i].users == 0);
		sftp_close(s->line[i].conn);
	}
	store_folders_fini(&s->folders);
	pthread_mutex_destroy(&s->lock);
	sftp_place_fini(&s->place);
	free(st->url);
	free(s);
}

static int find_root(struct store_sftp *s, bool create, struct err *e)
{
	struct sftp_line *l = sftp_line_get(s, e);
	struct sftp_attrs a;
	int rc;

	if (l == NULL)
		return -1;
	rc = sftp_look(l->conn, s->place.path, &a, e);
	if (rc == SFTP_NO_SUCH_FILE && create) {
		rc = sftp_folder_make(s, l->conn, s->place.path, e);
	} else if (rc == SFTP_NO_SUCH_FILE) {
		rc = err_set(e, ERR_NO_REPOSITORY, "there is no folder %s", s->place.path);
		err_hint(
		    e, "is the path right? Without a '/' in front it begins in the home folder");
	} else if (rc != SFTP_OK) {
		rc = sftp_refused(rc, e, s->place.path);
	} else if (!S_ISDIR(a.mode)) {
		rc = err_set(e, ERR_NO_REPOSITORY, "%s is not a folder", s->place.path);
	}
	sftp_line_give(s, l);
	return rc;
}

static const struct store_ops ops = {
    .scheme = "sftp",
    .durability = "fsync of file and folder where the server offers it (OpenSSH does), else "
		  "what the server has confirmed",
    .put = sftp_put,
    .get = sftp_get,
    .stat = sftp_stat,
    .del = sftp_del,
    .list = sftp_list,
    .close = sftp_store_close,
};

static const struct store_option options[] = {
    {"sftp.command", STORE_OPTION_TEXT, offsetof(struct store_sftp, command), NULL,
	"run this instead of ssh; ssh's options, the host and \"sftp\" follow"},
};
enum { OPTIONS = sizeof options / sizeof *options };
const struct store_option_table store_sftp_options = {options, OPTIONS, sizeof(struct store_sftp)};

int store_sftp_open(const char *rest, bool create, const struct store_given *given,
    const struct store_far *far, struct ctx *ctx, struct store **out, struct err *e)
{
	struct store_sftp *s = mem_zalloc(sizeof *s);

	if (store_options_read(options, OPTIONS, given, s, e) == -1 ||
	    store_options_known(options, OPTIONS, given, e) == -1 ||
	    sftp_place_parse(&s->place, rest, e) == -1) {
		free(s);
		return -1;
	}
	s->pace = store_pace_far;
	if (far->retries)
		s->pace.more = (int)far->retries;
	s->params.connect_ns = far->connect_ns ? far->connect_ns : 15 * SECOND;
	s->params.stall_ns = far->stall_ns;
	s->params.deadline_ns = far->deadline_ns;
	s->base.ops = &ops;
	s->base.leaves_uploads = true;
	s->base.url = mem_printf("sftp:%s", rest);
	s->ctx = ctx;
	pthread_mutex_init(&s->lock, NULL);
	store_folders_init(&s->folders);
	if (find_root(s, create, e) == -1) {
		err_wrap(e, "%s", s->base.url);
		sftp_store_close(&s->base);
		return -1;
	}
	*out = &s->base;
	return 0;
}
