/*
 * store_sftp_put: objects written in tmp/ and then given their name.
 *
 * Never over another: hardlink@openssh.com, which fails where there is one; a
 * plain rename where links are denied or unknown, with a look before and a look
 * after, for servers differ on whether it replaces; and where both are denied,
 * as to a login that may only add, the object is written under its own name,
 * which must be new.  What is left of that if the connection ends midway is known
 * by its hash not to be the object, and a later run writes its data anew elsewhere.
 *
 * Over another: posix-rename@openssh.com, or a plain rename where that replaces.
 * Where neither does there is no way that leaves one of the two at any moment.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "base/hex.h"
#include "base/mem.h"
#include "crypto/crypto.h"
#include "store/store_sftp.h"
#include "store/store_web.h"

enum { WRITES = 64 }; /* under way: 2 MiB */

static const struct span nothing;

static bool is_no(int status)
{
	return status == SFTP_PERMISSION_DENIED || status == SFTP_OP_UNSUPPORTED;
}

/* ---- Extended requests. */

static void send_extended(struct sftp *c, struct sftp_wait *w, const char *name, struct span fields)
{
	struct buf b = {0};

	sftp_put_string(&b, span_str(name));
	buf_put_span(&b, fields);
	sftp_send(c, w, SFTP_EXTENDED, buf_span(&b), nothing);
	buf_fini(&b);
}

static int ask_two_paths(
    struct sftp *c, const char *extension, const char *from, const char *to, struct err *e)
{
	struct sftp_wait w = {0};
	struct buf b = {0};

	sftp_put_string(&b, span_str(from));
	sftp_put_string(&b, span_str(to));
	if (extension)
		send_extended(c, &w, extension, buf_span(&b));
	else
		sftp_send(c, &w, SFTP_RENAME, buf_span(&b), nothing);
	buf_fini(&b);
	return sftp_wait_status(c, &w, e);
}

/* Version 3 says "failure" for a full disk as well: is it one? */
static bool is_full(struct store_sftp *s, struct sftp *c, size_t wanted)
{
	struct sftp_wait w = {.wants = SFTP_EXTENDED_REPLY};
	struct buf b = {0};
	struct err ignored;
	uint64_t field[8];
	bool full = false;

	if (!(sftp_extensions(c) & SFTP_HAS_STATVFS))
		return false;
	sftp_put_string(&b, span_str(s->place.path));
	send_extended(c, &w, "statvfs@openssh.com", buf_span(&b));
	buf_fini(&b);
	if (sftp_wait(c, &w, &ignored) == 0 && w.status == SFTP_OK) {
		struct cursor body = cursor_of(buf_span(&w.body));

		/* bsize frsize blocks bfree bavail files ffree favail */
		for (size_t i = 0; i < 8; i++)
			field[i] = sftp_read_u64(&body);
		full = !body.bad && (field[4] <= wanted / (field[1] ? field[1] : 1) ||
					(field[5] > 0 && field[7] == 0));
	}
	sftp_wait_fini(&w);
	return full;
}

static int write_refused(struct store_sftp *s, struct sftp *c, int status, size_t wanted,
    const char *what, struct err *e)
{
	if (status == SFTP_FAILURE && is_full(s, c, wanted)) {
		err_set(e, ERR_NO_SPACE, "%s: the server's disk is full", what);
		return err_hint(e, "make room there, or `holdfast prune`");
	}
	sftp_refused(status, e, what);
	if (e->kind == ERR_ABSENT) /* who puts is not to think that his object is missing */
		e->kind = ERR_FAILED;
	return -1;
}

/* ---- Folders. */

static char *parent_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return NULL;
	return slash == path ? mem_strdup("/") : mem_strndup(path, (size_t)(slash - path));
}

/*
 * OpenSSH opens folders as well, and so can make their entries durable.  Who may
 * only add may not be let read a folder, and another server may not know how:
 * then it is the server's own business.
 */
static void send_folder_open(struct sftp *c, struct sftp_wait *w, const char *path)
{
	*w = (struct sftp_wait){0};
	if (sftp_extensions(c) & SFTP_HAS_FSYNC)
		sftp_send_open(c, w, path, SFTP_FOR_READ);
}

/* Some file systems make no folder durable by itself: "bad message" is OpenSSH's EINVAL. */
static bool has_none(int status)
{
	return status == SFTP_OP_UNSUPPORTED || status == SFTP_BAD_MESSAGE;
}

/* After send_folder_open, even if nothing is to be synced any more. */
static int folder_sync(struct sftp *c, struct sftp_wait *open, bool wanted, struct err *e)
{
	struct sftp_wait sync = {0};
	struct buf handle = {0};
	struct err ignored;
	int rc;

	if (!(sftp_extensions(c) & SFTP_HAS_FSYNC))
		return 0;
	rc = sftp_wait_handle(c, open, &handle, wanted ? e : &ignored);
	if (rc == SFTP_OK && wanted) {
		send_extended(c, &sync, "fsync@openssh.com", buf_span(&handle));
		rc = sftp_wait_status(c, &sync, e);
		if (rc != SFTP_OK && rc != -1 && !has_none(rc)) {
			rc = err_set(e, ERR_IO, "sync a folder: the server answers %d", rc);
			e->sys = EIO; /* told once: who asks again is told that all is well */
		}
	}
	if (handle.n > 0)
		sftp_send_close(c, NULL, &handle);
	buf_fini(&handle);
	return wanted && rc == -1 ? -1 : 0;
}

int sftp_folder_make(struct store_sftp *s, struct sftp *c, const char *path, struct err *e)
{
	static const uint8_t mode[8] = {0, 0, 0, 4, 0, 0, 0x01, 0xc0}; /* 0700 */
	struct sftp_attrs a;
	char *parent = NULL;
	int rc;

	if (store_folders_has(&s->folders, path))
		return 0;
	rc = sftp_ask_path(c, SFTP_MKDIR, path, span_of(mode, sizeof mode), e);
	if (rc == SFTP_NO_SUCH_FILE && (parent = parent_of(path)) != NULL) {
		rc = sftp_folder_make(s, c, parent, e);
		if (rc == 0)
			rc = sftp_ask_path(c, SFTP_MKDIR, path, span_of(mode, sizeof mode), e);
	}
	free(parent);
	if (rc > SFTP_OK) { /* is there already? */
		int look = sftp_look(c, path, &a, e);

		if (look == SFTP_OK && (a.mode & 0170000) == 0040000)
			rc = 0;
		else
			return write_refused(s, c, look == -1 ? -1 : rc, 4096, "make a folder", e);
	} else if (rc == 0 && (parent = parent_of(path)) != NULL) {
		struct sftp_wait open;

		send_folder_open(c, &open, parent);
		rc = folder_sync(c, &open, true, e);
		free(parent);
	}
	if (rc == 0)
		store_folders_add(&s->folders, path);
	return rc;
}

/* ---- Writing. */

static void send_write(
    struct sftp *c, struct sftp_wait *w, const struct buf *handle, uint64_t off, struct span data)
{
	struct buf b = {0};

	*w = (struct sftp_wait){0};
	buf_put_span(&b, buf_span(handle));
	sftp_put_u64(&b, off);
	sftp_send(c, w, SFTP_WRITE, buf_span(&b), data);
	buf_fini(&b);
}

/*
 * All pieces, then fsync and close, which a server takes in that order: the
 * first status that is not good.
 */
static int write_all(struct sftp *c, const struct buf *handle, struct span data, struct err *e)
{
	size_t all = (data.n + SFTP_PIECE - 1) / SFTP_PIECE, sent = 0;
	bool fsync = sftp_extensions(c) & SFTP_HAS_FSYNC;
	struct sftp_wait w[WRITES], sync = {0}, end = {0};
	struct err ignored;
	int rc = 0, one;

	for (size_t i = 0; i < all && (rc == 0 || i < sent); i++) {
		for (; rc == 0 && sent < all && sent < i + WRITES; sent++) {
			size_t at = sent * SFTP_PIECE;

			send_write(c, &w[sent % WRITES], handle, at,
			    span_of(
				data.p + at, data.n - at < SFTP_PIECE ? data.n - at : SFTP_PIECE));
			if (sent + 1 == all && fsync)
				send_extended(c, &sync, "fsync@openssh.com", buf_span(handle));
			if (sent + 1 == all)
				sftp_send_close(c, &end, handle);
		}
		one = sftp_wait_status(c, &w[i % WRITES], rc ? &ignored : e);
		rc = rc ? rc : one;
	}
	if (sync.id) {
		one = sftp_wait_status(c, &sync, rc ? &ignored : e);
		rc = rc ? rc : one;
	}
	if (end.id == 0)
		sftp_send_close(c, &end, handle);
	one = sftp_wait_status(c, &end, rc ? &ignored : e);
	return rc ? rc : one;
}

/* A new file with this content; e is set if it is not SFTP_OK. */
static int write_file(
    struct store_sftp *s, struct sftp *c, const char *path, struct span data, struct err *e)
{
	struct sftp_wait w = {0};
	struct buf handle = {0};
	int rc;

	sftp_send_open(c, &w, path, SFTP_FOR_NEW);
	rc = sftp_wait_handle(c, &w, &handle, e);
	if (rc == SFTP_NO_SUCH_FILE) { /* the folder is missing */
		char *folder = parent_of(path);

		store_folders_forget(&s->folders);
		rc = sftp_folder_make(s, c, folder, e);
		free(folder);
		if (rc == 0) {
			w = (struct sftp_wait){0};
			sftp_send_open(c, &w, path, SFTP_FOR_NEW);
			rc = sftp_wait_handle(c, &w, &handle, e);
		}
	}
	if (rc == SFTP_OK) {
		rc = write_all(c, &handle, data, e);
		if (rc != SFTP_OK) {
			write_refused(s, c, rc, data.n, "write", e);
			sftp_send_path(c, NULL, SFTP_REMOVE, path, nothing);
		}
	} else {
		write_refused(s, c, rc, data.n, "make a file", e);
	}
	buf_fini(&handle);
	return rc;
}

/* ---- Names. */

static int name_once(
    struct sftp *c, const char *tmp, const char *path, enum sftp_way way, bool fresh, struct err *e)
{
	unsigned has = sftp_extensions(c);
	struct sftp_attrs a;
	int rc;

	if (fresh && way == SFTP_LINKED)
		return has & SFTP_HAS_HARDLINK
			   ? ask_two_paths(c, "hardlink@openssh.com", tmp, path, e)
			   : SFTP_OP_UNSUPPORTED;
	if (fresh) {
		rc = sftp_look(c, path, &a, e);
		return rc == SFTP_OK             ? SFTP_FAILURE
		       : rc == SFTP_NO_SUCH_FILE ? ask_two_paths(c, NULL, tmp, path, e)
						 : rc;
	}
	if (has & SFTP_HAS_POSIX_RENAME)
		return ask_two_paths(c, "posix-rename@openssh.com", tmp, path, e);
	return ask_two_paths(c, NULL, tmp, path, e);
}

/* Refused, but not for want of rights: because there is one? */
static int name_refused(
    struct store_sftp *s, struct sftp *c, const char *path, bool fresh, int rc, struct err *e)
{
	struct sftp_attrs a;
	struct err other;

	if (fresh && sftp_look(c, path, &a, &other) == SFTP_OK)
		return err_set(e, ERR_EXISTS, "it is there already");
	if (rc == SFTP_FAILURE && !(sftp_extensions(c) & SFTP_HAS_POSIX_RENAME) &&
	    sftp_look(c, path, &a, &other) == SFTP_OK) {
		err_set(
		    e, ERR_UNSUPPORTED, "the server has no way to replace a file at one moment");
		return err_hint(e,
		    "OpenSSH has (posix-rename@openssh.com): is that another server, "
		    "or was it denied there?");
	}
	return write_refused(s, c, rc, 4096, "give it its name", e);
}

/* 0, or e is set; *denied: this way is closed to us. */
static int give_name(struct store_sftp *s, struct sftp *c, const char *tmp, const char *path,
    enum sftp_way way, bool fresh, bool *denied, struct err *e)
{
	char *folder = parent_of(path);
	struct sftp_wait open;
	int rc;

	send_folder_open(c, &open, folder);
	rc = name_once(c, tmp, path, way, fresh, e);
	if (rc == SFTP_NO_SUCH_FILE) {
		folder_sync(c, &open, false, e);
		store_folders_forget(&s->folders);
		rc = sftp_folder_make(s, c, folder, e);
		send_folder_open(c, &open, folder);
		if (rc == 0)
			rc = name_once(c, tmp, path, way, fresh, e);
	}
	*denied = is_no(rc);
	if (fresh && way == SFTP_LINKED)
		sftp_send_path(c, NULL, SFTP_REMOVE, tmp, nothing);
	if (folder_sync(c, &open, rc == SFTP_OK, e) == -1)
		rc = -1;
	if (rc > SFTP_OK)
		rc = name_refused(s, c, path, fresh, rc, e);
	free(folder);
	return rc == SFTP_OK ? 0 : -1;
}

static int put_named(struct store_sftp *s, struct sftp *c, const char *path, struct span data,
    enum sftp_way way, bool fresh, bool *denied, struct err *e)
{
	uint8_t random[8];
	char hex[17], key[40];
	struct buf b = {0};
	struct err ignored;
	const char *tmp;
	int rc = -1;

	*denied = false;
	crypto_random(random, sizeof random);
	snprintf(key, sizeof key, "tmp/%s", hex_encode(hex, random, sizeof random));
	tmp = sftp_path(s, key, &b);
	if (write_file(s, c, tmp, data, e) == SFTP_OK) {
		rc = give_name(s, c, tmp, path, way, fresh, denied, e);
		if (rc == -1)
			sftp_ask_path(c, SFTP_REMOVE, tmp, nothing, &ignored);
	}
	buf_fini(&b);
	return rc;
}

/* Of two, one makes the file, and the other meets it. */
static int put_direct(
    struct store_sftp *s, struct sftp *c, const char *path, struct span data, struct err *e)
{
	struct sftp_wait open;
	struct sftp_attrs a;
	struct err other;
	char *folder;
	int rc = write_file(s, c, path, data, e);

	if (rc == SFTP_FAILURE && e->kind == ERR_FAILED &&
	    sftp_look(c, path, &a, &other) == SFTP_OK)
		return err_set(e, ERR_EXISTS, "it is there already");
	if (rc != SFTP_OK)
		return -1;
	folder = parent_of(path);
	send_folder_open(c, &open, folder);
	rc = folder_sync(c, &open, true, e);
	free(folder);
	return rc;
}

static int put_by_any_way(struct store_sftp *s, struct sftp *c, const char *path, struct span data,
    bool fresh, struct err *e)
{
	bool denied = true;
	int rc = -1;

	if (!fresh) {
		rc = put_named(s, c, path, data, SFTP_RENAMED, false, &denied, e);
		if (rc == 0 || !denied)
			return rc;
		rc = put_direct(s, c, path, data, e); /* not there yet, perhaps */
		if (rc == -1 && e->kind == ERR_EXISTS)
			return err_set(e, ERR_DENIED, "the server denies to replace it");
		return rc;
	}
	for (int way = s->way; rc == -1 && denied && way <= SFTP_DIRECT; way++) {
		denied = false;
		rc = way == SFTP_DIRECT ? put_direct(s, c, path, data, e)
					: put_named(s, c, path, data, way, true, &denied, e);
		if (rc == 0 && way > s->way)
			s->way = way;
	}
	return rc;
}

int sftp_put(struct store *st, const char *key, struct span data, unsigned flags, struct err *e)
{
	struct store_sftp *s = (struct store_sftp *)st;
	struct sftp_line *l = sftp_line_get(s, e);
	struct buf b = {0};
	int rc;

	if (l == NULL)
		return -1;
	rc = put_by_any_way(s, l->conn, sftp_path(s, key, &b), data, flags & STORE_NEW, e);
	sftp_line_give(s, l);
	buf_fini(&b);
	if (rc == 0 && (flags & STORE_NEW) && s->way == SFTP_RENAMED)
		return web_still_ours(st, key, data, e);
	return rc;
}
