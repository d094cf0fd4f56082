/*
 * store_ftp_list: all objects below a folder.
 *
 * Servers say "550" of a folder that is not there, of one that may not be
 * listed, and of a moment when they can't: so what is refused is looked for in
 * the listing of the folder above.  Who believed the first every time would
 * take a repository for empty.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/ftp_list.h"
#include "store/store_drivers.h"
#include "store/store_ftp.h"
#include "store/store_walk.h"

static const int64_t SECOND = 1000000000;

/* ---- One folder.  Paths begin where the login does and end with '/', or are "". */

/* What the server says of it, and in which format. */
static int ask(
    struct store_ftp *s, const char *path, struct buf *out, enum ftp_format *format, struct err *e)
{
	struct ftp_call c = {.op = FTP_LIST, .path = path, .listing = out};

	buf_reset(out);
	*format = FTP_MLSD;
	c.commands[0] = "MLSD";
	if (!s->no_mlsd) {
		if (ftp_do(s->ftp, &c, e) == 0)
			return 0;
		if (e->kind != ERR_UNSUPPORTED)
			return -1;
		s->no_mlsd = true;
		err_clear(e);
	}
	buf_reset(out);
	*format = FTP_LS;
	c.commands[0] = "LIST";
	if (ftp_do(s->ftp, &c, e) == -1)
		return -1;
	/* vsftpd: "226 Transfer done (but failed to open directory)." */
	if (out->n == 0 && strstr(c.reply, "failed"))
		return err_set(e, ERR_ABSENT, "the server answered %s", c.reply);
	return 0;
}

struct search {
	const char *name; /* of a folder, or of a link to one */
	bool found;
};

static int compare(void *arg, const struct ftp_entry *entry, struct err *e)
{
	struct search *s = arg;

	(void)e;
	s->found |= entry->kind != FTP_FILE && strcmp(entry->name, s->name) == 0;
	return 0;
}

/* The path of the folder above, and in *name that of this one in it. */
static char *above(const char *path, char **name)
{
	size_t end = strlen(path) - 1, n = end;

	while (n > 0 && path[n - 1] != '/')
		n--;
	*name = mem_strndup(path + n, end - n);
	return mem_strndup(path, n);
}

static int denied(struct err *e, const char *path)
{
	err_set(e, ERR_DENIED, "the server does not list the folder %s, which is there",
	    *path ? path : "that the login begins in");
	return err_hint(e, "may the user that we log in as read it? Else try again");
}

/* Is a folder there that the server would not list?  1, 0, or -1 if that cannot be told. */
static int is_there(struct store_ftp *s, const char *path, struct err *e)
{
	char *name, *parent;
	struct search search = {0};
	struct buf text = {0};
	enum ftp_format format;
	int rc;

	if (*path == '\0')
		return 1;
	parent = above(path, &name);
	search.name = name;
	rc = ask(s, parent, &text, &format, e);
	if (rc == 0)
		rc = ftp_list_read(buf_span(&text), format, compare, &search, e);
	else if (e->kind == ERR_ABSENT && (rc = is_there(s, parent, e)) == 1)
		rc = denied(e, parent);
	buf_fini(&text);
	free(parent);
	free(name);
	return rc == -1 ? -1 : search.found;
}

/* The listing; ERR_ABSENT only if the folder is surely not there. */
static int get_listing(
    struct store_ftp *s, const char *path, struct buf *out, enum ftp_format *format, struct err *e)
{
	struct err refused;
	int there;

	/* Twice, for another may have made it since. */
	for (int tries = 0; tries < 2; tries++) {
		if (ask(s, path, out, format, e) == 0)
			return 0;
		if (e->kind != ERR_ABSENT)
			return -1;
		refused = *e;
		there = is_there(s, path, e);
		if (there == 0)
			*e = refused;
		if (there != 1)
			return -1;
	}
	return denied(e, path);
}

int ftp_find_folder(struct store_ftp *s, struct err *e)
{
	struct buf text = {0};
	enum ftp_format format;
	int rc = get_listing(s, s->path, &text, &format, e);

	buf_fini(&text);
	return rc;
}

/* ---- All of them. */

struct walk {
	struct store_ftp *s;
	const char *folder;
	struct store_walk below;
	store_visit *visit;
	void *arg;
};

/* With LIST a server does not tell the time so that one could rely on it: it is asked for. */
static int take_file(struct walk *w, const char *key, const struct ftp_entry *entry, struct err *e)
{
	struct store_stat st = {.size = entry->size, .mtime_ns = entry->mtime_s * SECOND};

	if (!entry->whole && ftp_look(w->s, key, &st, e) == -1) {
		if (e->kind != ERR_ABSENT)
			return -1;
		err_clear(e); /* gone meanwhile */
		return 0;
	}
	return w->visit(w->arg, key, &st, e);
}

static int take_entry(void *arg, const struct ftp_entry *entry, struct err *e)
{
	struct walk *w = arg;
	char *key = mem_printf("%s%s", w->folder, entry->name);
	int rc = store_walk_count(&w->below, e);

	if (rc == -1 || !store_key_listed(w->folder, key)) {
		; /* too many, or not ours */
	} else if (entry->kind == FTP_FILE) {
		rc = take_file(w, key, entry, e);
	} else if (entry->kind == FTP_FOLDER) {
		store_walk_add(&w->below, key);
	}
	free(key);
	return rc;
}

/* What a folder holds, read whole before anything of it is visited. */
static int read_folder(struct walk *w, bool first, struct err *e)
{
	char *path = mem_printf("%s%s", w->s->path, w->folder);
	struct buf text = {0};
	enum ftp_format format;
	int rc;

	for (int tries = 1;; tries++) {
		rc = get_listing(w->s, path, &text, &format, e);
		/* Of the first folder store_retry takes care. */
		if (rc == 0 || e->kind == ERR_ABSENT || first ||
		    !store_backoff(&w->s->pace, w->s->ctx, tries, "list", w->folder, e))
			break;
	}
	if (rc == 0 || e->kind == ERR_ABSENT)
		err_clear(e);
	if (rc == 0)
		rc = ftp_list_read(buf_span(&text), format, take_entry, w, e);
	else if (e->kind == ERR_NONE)
		rc = 0;
	buf_fini(&text);
	free(path);
	return rc;
}

int ftp_list(struct store *st, const char *prefix, store_visit *visit, void *arg, struct err *e)
{
	struct walk w = {.s = (struct store_ftp *)st, .visit = visit, .arg = arg};
	char *folder = mem_strdup(prefix);
	bool first = true;
	int rc = 0;

	while (folder) {
		w.folder = folder;
		if (rc == 0)
			rc = read_folder(&w, first, e);
		first = false;
		free(folder);
		folder = store_walk_next(&w.below);
	}
	store_walk_fini(&w.below);
	return rc;
}
