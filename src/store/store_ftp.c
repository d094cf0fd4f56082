/*
 * store_ftp: a folder on an FTP server.
 *
 * FTP has no way to give a name only if it is free, nor to make a file durable:
 * a look before and a look after stand in for the first (doc/stores.md, "Two
 * looks"); the second is the server's own business.  Objects are written in tmp/ and
 * renamed; an upload that was cut goes on where it ended.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "crypto/crypto.h"
#include "store/store_drivers.h"
#include "store/store_ftp.h"
#include "store/store_options.h"

static const int64_t SECOND = 1000000000;

/* ---- Folders. */

static int commands(struct store_ftp *s, const char *first, const char *second, struct err *e)
{
	struct ftp_call c = {.op = FTP_COMMANDS, .path = "", .commands = {first, second}};

	return ftp_do(s->ftp, &c, e);
}

/* All folders of a path.  One that is there is refused like one that may not be: a put will tell.
 */
static int make_folders(struct store_ftp *s, const char *path, struct err *e)
{
	int rc = 0;

	for (const char *slash = strchr(path, '/'); slash && rc == 0;
	     slash = strchr(slash + 1, '/')) {
		char *folder = mem_strndup(path, (size_t)(slash - path));
		char *command = mem_printf("*MKD %s", folder);

		if (!store_folders_has(&s->folders, folder) &&
		    (rc = commands(s, command, NULL, e)) == 0)
			store_folders_add(&s->folders, folder);
		free(command);
		free(folder);
	}
	return rc;
}

/* ---- Read and delete. */

int ftp_look(struct store_ftp *s, const char *key, struct store_stat *out, struct err *e)
{
	char *path = mem_printf("%s%s", s->path, key);
	struct ftp_call c = {.op = FTP_LOOK, .path = path};
	int rc = ftp_do(s->ftp, &c, e);

	free(path);
	if (rc == -1)
		return -1;
	/* What is not there, or a folder, was answered by 550: here it is busy, or cannot tell. */
	if (c.size < 0 || c.mtime_s < 0)
		return err_set(e, ERR_UNREACHABLE, "the server does not tell size and time now");
	*out = (struct store_stat){.size = (uint64_t)c.size, .mtime_ns = c.mtime_s * SECOND};
	return 0;
}

static int ftp_stat(struct store *st, const char *key, struct store_stat *out, struct err *e)
{
	return ftp_look((struct store_ftp *)st, key, out, e);
}

static int ftp_get(
    struct store *st, const char *key, uint64_t off, void *out, size_t len, struct err *e)
{
	struct store_ftp *s = (struct store_ftp *)st;
	char *path;
	struct ftp_call c = {.op = FTP_GET, .off = off, .into = out, .into_n = len};
	struct store_stat there = {0};
	struct err other = {0};
	int rc;

	if (web_range_odd(off, len))
		return web_get_odd(st, key, off, len, e);
	path = mem_printf("%s%s", s->path, key);
	c.path = path;
	rc = ftp_do(s->ftp, &c, e);
	free(path);
	if (rc == 0 && c.got == len)
		return 0;
	if (rc == 0)
		rc = err_set(e, ERR_UNREACHABLE, "%zu of %zu bytes came", c.got, len);
	if (e->kind == ERR_CANCELLED || e->kind == ERR_ABSENT)
		return -1;
	/* Cut, or is there no more? */
	if (ftp_look(s, key, &there, &other) == -1 && other.kind == ERR_ABSENT)
		return err_set(e, ERR_ABSENT, "%s", other.msg);
	if (other.kind == ERR_NONE && off + len > there.size)
		return err_set(e, ERR_CORRUPT, "the object ends before");
	return -1;
}

static int ftp_del(struct store *st, const char *key, struct err *e)
{
	struct store_ftp *s = (struct store_ftp *)st;
	char *command = mem_printf("DELE %s%s", s->path, key);
	int rc = commands(s, command, NULL, e);
	struct store_stat there = {0};
	struct err other;

	free(command);
	if (rc == 0)
		return 0;
	/* What is not there is deleted; the server says the same of what it denies. */
	if (e->kind == ERR_FAILED) {
		if (ftp_look(s, key, &there, &other) == -1 && other.kind == ERR_ABSENT) {
			err_clear(e);
			return 0;
		}
		e->kind = ERR_DENIED;
	}
	return -1;
}

/* ---- Put. */

/* Whole, or on from where it ended: then *resumed. */
static int upload(
    struct store_ftp *s, const char *path, struct span data, bool *resumed, struct err *e)
{
	struct ftp_call c = {.op = FTP_PUT, .path = path, .body = data};

	for (int tries = 1; ftp_do(s->ftp, &c, e) == -1; tries++) {
		if (e->kind == ERR_FAILED) {
			err_wrap(e, "make a file");
			e->kind = ERR_DENIED;
			return err_hint(e, "does the folder belong to the user that we log in as?");
		}
		if (!store_backoff(&s->pace, s->ctx, tries, "put", path, e))
			return -1;
		*resumed = c.resume = true;
	}
	return 0;
}

/* It must be whole before it gets its name: resuming relies on what the server has. */
static int upload_surely(struct store_ftp *s, const char *tmp, struct span data, struct err *e)
{
	char *path = mem_printf("%s%s", s->path, tmp);
	struct store_stat there = {.size = data.n};
	bool resumed = false;
	int rc = make_folders(s, path, e);

	if (rc == 0)
		rc = upload(s, path, data, &resumed, e);
	if (rc == 0 && resumed)
		rc = ftp_look(s, tmp, &there, e);
	if (rc == 0 && there.size != data.n)
		rc = err_set(e, ERR_UNREACHABLE, "%llu of %zu bytes arrived",
		    (unsigned long long)there.size, data.n);
	free(path);
	return rc;
}

static int rename_to(struct store_ftp *s, const char *tmp, const char *key, struct err *e)
{
	char *path = mem_printf("%s%s", s->path, key);
	char *from = mem_printf("RNFR %s%s", s->path, tmp), *to = mem_printf("RNTO %s", path);
	int rc = make_folders(s, path, e);

	if (rc == 0)
		rc = commands(s, from, to, e);
	if (rc == -1 && e->kind == ERR_FAILED)
		e->kind = ERR_DENIED;
	free(path);
	free(from);
	free(to);
	return rc == -1 ? err_wrap(e, "give it its name") : 0;
}

/* Of an upload (store_uploads_sweep). */
static void tmp_name(char *out, size_t size)
{
	uint8_t random[8];
	char hex[17];

	crypto_random(random, sizeof random);
	snprintf(out, size, "tmp/%s", hex_encode(hex, random, sizeof random));
}

static int ftp_put(
    struct store *st, const char *key, struct span data, unsigned flags, struct err *e)
{
	struct store_ftp *s = (struct store_ftp *)st;
	struct store_stat there = {0};
	char tmp[40];
	char *gone;
	struct err ignored;
	int rc;

	if (flags & STORE_NEW) {
		if (ftp_look(s, key, &there, e) == 0)
			return err_set(e, ERR_EXISTS, "it is there already");
		if (e->kind != ERR_ABSENT)
			return -1;
		err_clear(e);
	}
	tmp_name(tmp, sizeof tmp);
	rc = upload_surely(s, tmp, data, e);
	if (rc == 0)
		rc = rename_to(s, tmp, key, e);
	if (rc == 0)
		return flags & STORE_NEW ? web_still_ours(st, key, data, e) : 0;
	if (e->kind == ERR_ABSENT)
		e->kind = ERR_FAILED; /* who puts is not to think that his object is missing */
	gone = mem_printf("*DELE %s%s", s->path, tmp);
	if (!err_info(e->kind)->retry)
		commands(s, gone, NULL, &ignored);
	free(gone);
	return -1;
}

/* ---- Open and close. */

static void ftp_close(struct store *st)
{
	struct store_ftp *s = (struct store_ftp *)st;

	ftp_free(s->ftp);
	store_folders_fini(&s->folders);
	free(s->path);
	free(st->url);
	free(s);
}

struct told {
	const char *key;
	int64_t mtime_ns; /* 0: not found */
};

static int take_time(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	struct told *t = arg;

	(void)e;
	if (strcmp(key, t->key) == 0)
		t->mtime_ns = st->mtime_ns;
	return 0;
}

/* A listing and MDTM must go by one clock, or prune takes what is new for old. */
static int compare_clocks(struct store_ftp *s, const char *key, struct err *e)
{
	struct told listed = {.key = key};
	struct store_stat st = {0};
	int64_t off;

	if (ftp_look(s, key, &st, e) == -1 ||
	    ftp_list(&s->base, "tmp/", take_time, &listed, e) == -1)
		return -1;
	off = llabs(listed.mtime_ns - st.mtime_ns) / SECOND;
	if (off <= 2 || listed.mtime_ns == 0)
		return 0;
	err_set(e, ERR_UNSUPPORTED,
	    "the server's listings (MLSD) and its file times (MDTM) differ by %lld s",
	    (long long)off);
	return err_hint(
	    e, "both must be in UTC: of proftpd TimesGMT on, of vsftpd use_localtime=NO");
}

static int try_clocks(struct store_ftp *s, struct err *e)
{
	char key[40];
	struct err ignored;
	int rc;

	tmp_name(key, sizeof key);
	rc = ftp_put(&s->base, key, span_str("time"), 0, e);
	if (rc == 0)
		rc = compare_clocks(s, key, e);
	ftp_del(&s->base, key, &ignored);
	return rc;
}

static int find_root(struct store_ftp *s, bool create, struct err *e)
{
	int rc = create ? make_folders(s, s->path, e) : 0;

	if (rc == 0)
		rc = ftp_find_folder(s, e);
	if (rc == -1 && e->kind == ERR_ABSENT) {
		err_set(
		    e, create ? ERR_DENIED : ERR_NO_REPOSITORY, "there is no folder %s", s->path);
		err_hint(e, "is the path right? It begins where the login does");
	}
	if (rc == 0 && create && !s->no_mlsd)
		rc = try_clocks(s, e);
	return rc;
}

static const struct store_ops ops = {
    .scheme = "ftp",
    .durability = "the server's own: what it has confirmed",
    .put = ftp_put,
    .get = ftp_get,
    .stat = ftp_stat,
    .del = ftp_del,
    .list = ftp_list,
    .close = ftp_close,
};

static const struct store_option options[] = {
    {"ftp.plain", STORE_OPTION_FLAG, offsetof(struct ftp_options, plain), NULL,
	"go on without TLS where the server has none"},
    {"ftp.password-file", STORE_OPTION_TEXT, offsetof(struct ftp_options, password_file), NULL,
	"file whose first line is the password; else HOLDFAST_FTP_PASSWORD"},
};
enum { OPTIONS = sizeof options / sizeof *options };
const struct store_option_table store_ftp_options = {options, OPTIONS, sizeof(struct ftp_options)};

static int connect_to(struct store_ftp *s, const char *rest, const struct ftp_options *o,
    struct ftp_params *p, struct err *e)
{
	struct ftp_place place;

	if (ftp_place_parse(&place, rest, o, e) == -1)
		return -1;
	p->host = place.host;
	p->user = place.user;
	p->password = place.password;
	p->plain = o->plain;
	s->ftp = ftp_new(p, s->ctx, e);
	s->path = place.path;
	place.path = NULL;
	ftp_place_fini(&place);
	return s->ftp ? 0 : -1;
}

static int open_any(bool implicit, const char *rest, bool create, const struct store_given *given,
    const struct store_far *far, struct ctx *ctx, struct store **out, struct err *e)
{
	struct store_ftp *s = mem_zalloc(sizeof *s);
	struct ftp_options o = {0};
	struct ftp_params p = {.implicit = implicit,
	    .ca_file = far->ca_file,
	    .connect_ns = far->connect_ns,
	    .stall_ns = far->stall_ns,
	    .deadline_ns = far->deadline_ns};

	s->base.ops = &ops;
	s->base.leaves_uploads = true;
	s->base.url = mem_printf("ftp%s:%s", implicit ? "s" : "", rest);
	s->ctx = ctx;
	s->pace = web_pace(far);
	store_folders_init(&s->folders);
	if (store_options_read(options, OPTIONS, given, &o, e) == -1 ||
	    store_options_known(options, OPTIONS, given, e) == -1 ||
	    connect_to(s, rest, &o, &p, e) == -1)
		goto out;
	if (find_root(s, create, e) == -1) {
		err_wrap(e, "%s", s->base.url);
		goto out;
	}
	*out = &s->base;
	return 0;
out:
	ftp_close(&s->base);
	return -1;
}

int store_ftp_open(const char *rest, bool create, const struct store_given *given,
    const struct store_far *far, struct ctx *ctx, struct store **out, struct err *e)
{
	return open_any(false, rest, create, given, far, ctx, out, e);
}

int store_ftps_open(const char *rest, bool create, const struct store_given *given,
    const struct store_far *far, struct ctx *ctx, struct store **out, struct err *e)
{
	return open_any(true, rest, create, given, far, ctx, out, e);
}
