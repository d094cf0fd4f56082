/* recover_place: see recover_internal.h. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/instant.h"
#include "engine/op_restore.h"
#include "engine/op_tree.h"
#include "engine/recover_internal.h"
#include "os/os.h"

enum { CONF_MAX = 16 << 20 };

static int own(struct recovering *g, const char *path, struct err *e)
{
	if (g->as_user && lchown(path, g->uid, g->gid) == -1)
		return err_sys(e, "%s: give it to user %u", path, (unsigned)g->uid);
	return 0;
}

static int put_file(struct recovering *g, const char *name, struct span text, struct err *e)
{
	char *path = mem_printf("%s/%s", g->data, name);
	int rc = os_file_replace(path, text, 0600, e);

	if (rc == 0)
		rc = own(g, path, e);
	free(path);
	return rc;
}

static int remove_file(struct recovering *g, const char *name, struct err *e)
{
	char *path = mem_printf("%s/%s", g->data, name);
	int rc = os_unlinkat(AT_FDCWD, path, 0);

	if (rc == -1)
		rc = errno == ENOENT ? 0 : err_sys(e, "remove %s", path);
	free(path);
	return rc;
}

/* ---- Restoring. */

static int restore_part(struct recovering *g, const char *path, const char *target,
    const struct exclude *without, struct err *e)
{
	struct restore_params p = {
	    .snapshot = g->pl.base->snapshot,
	    .path = path,
	    .target = target,
	    .overwrite = g->p->delta ? TARGET_ALWAYS : TARGET_REFUSE,
	    .delete = g->p->delta,
	    .delta = g->p->delta,
	    .exclude = without,
	    .give = g->p->give,
	    .uid = g->p->uid,
	    .gid = g->p->gid,
	    .jobs = g->p->jobs,
	};
	struct restore_result r;

	if (op_restore(g->repo, &p, g->ctx, &r, e) == -1)
		return -1;
	g->out->bytes += r.bytes;
	g->out->bytes_there += r.compared;
	if (r.damaged > 0) {
		err_set(e, ERR_DAMAGE_FOUND, "%llu files are damaged in the repository",
		    (unsigned long long)r.damaged);
		return err_hint(e, "--base takes another base backup (holdfast log list); holdfast "
				   "repair mends what has parity or a copy");
	}
	/* Who is not root cannot give files to others, and need not. */
	if (geteuid() != 0)
		r.problems -= r.bare;
	if (r.problems > 0) {
		err_set(e, ERR_FAILED, "%llu files could not be restored as they were",
		    (unsigned long long)r.problems);
		return err_hint(e, "each is named above, with its reason; the same command with "
				   "--delta goes on");
	}
	return 0;
}

/* The data belong to whom the files do. */
static int find_owner(struct recovering *g, struct err *e)
{
	char *path = mem_printf("%s/global/pg_control", g->data);
	struct stat st;
	int rc = 0;

	if (stat(path, &st) == -1) {
		rc = err_sys(e, "%s", path);
	} else if (geteuid() == 0) {
		g->as_user = true;
		g->uid = st.st_uid;
		g->gid = st.st_gid;
	}
	if (rc == 0 && chmod(g->data, st.st_mode & S_IRGRP ? 0750 : 0700) == -1)
		rc = err_sys(e, "%s", g->data);
	free(path);
	return rc == 0 ? own(g, g->data, e) : -1;
}

/* A link of a tablespace that is not in the backup. */
static int remove_links(struct recovering *g, const char *dir, struct err *e)
{
	DIR *d = opendir(dir);
	struct dirent *de;
	int rc = 0;

	if (d == NULL)
		return errno == ENOENT ? os_mkdirs(dir, 0700, e) : err_sys(e, "%s", dir);
	while (rc == 0 && (de = readdir(d)) != NULL) {
		bool ours = de->d_name[0] == '.' || de->d_type != DT_LNK;

		for (size_t i = 0; i < g->nspaces; i++)
			ours |= strtoul(de->d_name, NULL, 10) == g->spaces[i].oid;
		if (!ours && os_unlinkat(dirfd(d), de->d_name, 0) == -1)
			rc = err_sys(e, "remove %s/%s", dir, de->d_name);
	}
	closedir(d);
	return rc;
}

static int put_link(
    struct recovering *g, const char *dir, const struct recover_space *s, struct err *e)
{
	char *link = mem_printf("%s/%u", dir, (unsigned)s->oid);
	int rc = 0;

	if (os_unlinkat(AT_FDCWD, link, 0) == -1 && errno != ENOENT)
		rc = err_sys(e, "remove %s", link);
	if (rc == 0 && symlink(s->location, link) == -1)
		rc = err_sys(e, "%s", link);
	if (rc == 0)
		rc = own(g, link, e);
	free(link);
	return rc;
}

struct looked {
	char oid[12];
	bool there;
};

static int look_at_space(void *arg, struct span path, const struct entry *en, struct err *e)
{
	struct looked *x = arg;

	x->there |= span_eq(en->name, span_str(x->oid));
	return 0;
}

/* One that was dropped while the backup ran may be in its map alone. */
static int is_in_base(
    struct recovering *g, const struct recover_space *s, bool *there, struct err *e)
{
	const char *top = strcmp(g->pl.path, "/") == 0 ? "" : g->pl.path;
	char *path = mem_printf("%s/pg_tblspc", top);
	struct looked x = {.there = false};
	int rc;

	snprintf(x.oid, sizeof x.oid, "%u", (unsigned)s->oid);
	rc = op_ls(g->repo, g->pl.base->snapshot, path, false, g->ctx, look_at_space, &x, e);
	free(path);
	*there = x.there;
	return rc;
}

static void warn_of_empty(const struct recovering *g, const struct recover_space *s)
{
	event_emit(g->ctx, EVENT_WARNING, span_str(s->location),
	    "tablespace %s (%u) has no files in the base backup and comes back as an empty folder: "
	    "right if it was dropped while that backup ran, else what it held is missing",
	    s->name, (unsigned)s->oid);
}

/*
 * The link comes before the files: by it the next --delta knows a half filled folder for its own.
 * The folder is made so that its owner can come through what is above it.
 */
static int restore_space(
    struct recovering *g, const char *dir, const struct recover_space *s, struct err *e)
{
	const char *top = strcmp(g->pl.path, "/") == 0 ? "" : g->pl.path;
	char *path = mem_printf("%s/pg_tblspc/%u", top, (unsigned)s->oid);
	bool there = false;
	int rc = s->later ? 0 : is_in_base(g, s, &there, e);

	if (rc == 0 && !there && !s->later)
		warn_of_empty(g, s);
	if (rc == 0)
		rc = os_mkdirs(s->location, 0711, e);
	if (rc == 0)
		rc = put_link(g, dir, s, e);
	if (rc == 0 && there)
		rc = restore_part(g, path, s->location, NULL, e);
	else if (rc == 0 && chmod(s->location, 0700) == -1)
		rc = err_sys(e, "%s", s->location);
	if (rc == 0)
		rc = own(g, s->location, e);
	if (rc == -1)
		err_wrap(e, "tablespace %s", s->name);
	free(path);
	return rc;
}

/* The server makes its links anew from this file when it finds a backup's label. */
static int put_map(struct recovering *g, struct err *e)
{
	struct buf b = {0};
	int rc;

	for (size_t i = 0; i < g->nspaces; i++) {
		buf_printf(&b, "%u ", (unsigned)g->spaces[i].oid);
		for (const char *p = g->spaces[i].location; *p; p++)
			buf_printf(&b, strchr("\\\r\n", *p) ? "\\%c" : "%c", *p);
		buf_printf(&b, "\n");
	}
	rc = b.n > 0 ? put_file(g, "tablespace_map", buf_span(&b), e) : 0;
	buf_fini(&b);
	return rc;
}

static int restore_spaces(struct recovering *g, struct err *e)
{
	char *dir = mem_printf("%s/pg_tblspc", g->data);
	int rc = remove_links(g, dir, e);

	if (rc == 0)
		rc = own(g, dir, e);
	for (size_t i = 0; i < g->nspaces && rc == 0; i++)
		rc = restore_space(g, dir, &g->spaces[i], e);
	free(dir);
	return rc == 0 ? put_map(g, e) : -1;
}

/*
 * What PostgreSQL asks for first is what comes last: nothing but a whole recovery, with its
 * settings and its log, can be started, wherever we are broken off.  Where its content is not
 * known, backup_label and the missing log have to do.
 */
static bool holds_back(const struct recovering *g)
{
	return g->pl.major > 0 && !g->p->instant;
}

static int hold_back(struct recovering *g, struct err *e)
{
	int fd, rc;

	if (!holds_back(g))
		return 0;
	if (remove_file(g, "PG_VERSION", e) == -1)
		return -1;
	fd = os_open(g->data, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd == -1)
		return errno == ENOENT ? 0 : err_sys(e, "%s", g->data);
	rc = os_fsync(fd) == -1 ? err_sys(e, "sync %s", g->data) : 0;
	os_close(fd);
	return rc;
}

static int let_go(struct recovering *g, struct err *e)
{
	char text[16];

	if (!holds_back(g))
		return 0;
	snprintf(text, sizeof text, "%d\n", g->pl.major);
	/* All of it was restored by now, also what another attempt had begun. */
	return remove_file(g, ".holdfast-unfinished", e) == -1
		   ? -1
		   : put_file(g, "PG_VERSION", span_str(text), e);
}

static int leave_out(
    struct recovering *g, struct exclude *x, const char *what, const char *why, struct err *e)
{
	const char *top = strcmp(g->pl.path, "/") == 0 ? "" : g->pl.path;
	char *pattern = mem_printf("%s/%s", top, what);
	int rc = exclude_add(x, pattern, why, e);

	free(pattern);
	return rc;
}

int recover_restore(struct recovering *g, struct err *e)
{
	struct exclude *without = exclude_new();
	int rc = 0;

	if (g->nspaces > 0)
		rc = leave_out(g, without, "pg_tblspc/*", "tablespaces", e);
	if (rc == 0 && holds_back(g))
		rc = leave_out(g, without, "PG_VERSION", "last", e);
	if (rc == 0)
		rc = hold_back(g, e);
	if (rc == 0)
		rc = g->p->instant ? recover_show(g, e)
				   : restore_part(g, g->pl.path, g->data,
					 g->nspaces > 0 || holds_back(g) ? without : NULL, e);
	exclude_free(without);
	if (rc == -1 || find_owner(g, e) == -1)
		return -1;
	/* The folders of tablespaces are in it: no map, which would make links of them. */
	if (g->p->instant)
		return remove_file(g, "tablespace_map", e);
	if (restore_spaces(g, e) == -1)
		return -1;
	recover_say(g, "%llu MiB written, %llu MiB were right",
	    (unsigned long long)g->out->bytes >> 20, (unsigned long long)g->out->bytes_there >> 20);
	return 0;
}

/* ---- Settings. */

/*
 * postgresql.auto.conf without what we have set there before, and with this behind it.  The server
 * may run already, and its user have put anything there.
 */
static int rewrite_conf(struct recovering *g, struct span more, struct err *e)
{
	char *path = mem_printf("%s/postgresql.auto.conf", g->data);
	struct buf was = {0}, is = {0};
	int rc = 0;

	if (os_read_plain(AT_FDCWD, path, g->as_user ? g->uid : geteuid(), CONF_MAX, &was, e) ==
		-1 &&
	    e->kind != ERR_ABSENT) {
		rc = -1;
	} else {
		recover_settings_strip(buf_cstr(&was), &is);
		if (is.n > 0 && is.p[is.n - 1] != '\n')
			buf_printf(&is, "\n");
		buf_put_span(&is, more);
		rc = put_file(g, "postgresql.auto.conf", buf_span(&is), e);
	}
	buf_fini(&was);
	buf_fini(&is);
	free(path);
	return rc;
}

static int put_settings(struct recovering *g, const char *command, struct err *e)
{
	struct recover_settings s = {.to = g->pl.to,
	    .timeline = g->pl.timeline,
	    .action = recover_promotes_early(g) ? RECOVER_PAUSE : g->p->action,
	    .restore_command = command,
	    .major = g->pl.major,
	    .shown = g->p->instant,
	    .spaces_inside = g->p->instant && g->nspaces > 0};
	struct buf b = {0};
	int rc;

	recover_settings_text(&s, &b);
	rc = rewrite_conf(g, buf_span(&b), e);
	buf_fini(&b);
	return rc;
}

/* Who starts the server himself is asked nothing afterwards: it may come up without an error. */
static void warn_of_broken(struct recovering *g)
{
	uint64_t at = recover_feed_broken(g->feed);
	char is[RECOVER_LSN_TEXT], last[RECOVER_LSN_TEXT];

	if (g->pl.to.kind != RECOVER_LATEST || at == 0 || !g->pl.last.there || at > g->pl.last.lsn)
		return;
	event_emit(g->ctx, EVENT_WARNING, span_str(g->data),
	    "the stored log is none at LSN %s, and its last commit is at %s: the server may end "
	    "its replay there without an error; see pg_last_wal_replay_lsn()",
	    recover_lsn_text(at, is), recover_lsn_text(g->pl.last.lsn, last));
}

int recover_settle(struct recovering *g, struct err *e)
{
	bool ahead = g->p->start || g->p->scratch;
	const char *signal = g->pl.to.kind == RECOVER_LATEST && recover_promotes_early(g)
				 ? "standby.signal"
				 : "recovery.signal";
	/* Not through the mount: it shows what is new below it. */
	char *shown = g->p->instant ? instant_data(g->data) : NULL,
	     *wal = shown ? mem_printf("%s/pg_wal", shown) : NULL;
	struct recover_feed_params p = {.repo = g->repo,
	    .stream = g->pl.base->part->stream,
	    .reach = &g->pl.reach,
	    .at = g->pl.at,
	    .nat = g->pl.nat,
	    .segment = g->pl.segment,
	    .data = g->data,
	    .wal = wal,
	    .as_user = g->as_user,
	    .uid = g->uid,
	    .gid = g->gid,
	    .ahead = ahead,
	    .jobs = g->p->jobs,
	    .patches = g->patches,
	    .npatches = g->npatches,
	    .record = recover_watch,
	    .arg = g};

	int rc = 0;

	if (remove_file(g, "standby.signal", e) == -1 ||
	    remove_file(g, "recovery.signal", e) == -1 ||
	    remove_file(g, "postmaster.pid", e) == -1 ||
	    put_settings(g, ahead ? RECOVER_FEED_COMMAND : "false", e) == -1 ||
	    recover_feed_start(&p, g->ctx, &g->feed, e) == -1)
		rc = -1;
	free(wal);
	free(shown);
	if (rc == -1)
		return -1;
	/* Without it the server would come up as of the base, or of as much log as is there. */
	if (put_file(g, signal, span_of(NULL, 0), e) == -1 ||
	    (!ahead && recover_feed_wait(g->feed, e) == -1) || let_go(g, e) == -1)
		return -1;
	if (!ahead)
		warn_of_broken(g);
	recover_say(g, ahead ? "the log is given while it replays" : "%zu segments in pg_wal",
	    g->pl.reach.n);
	return 0;
}

int recover_unsettle(struct recovering *g, bool all, struct err *e)
{
	return all ? rewrite_conf(g, span_of(NULL, 0), e) : put_settings(g, "false", e);
}

/* ---- Is it a database? */

int recover_verify(struct recovering *g, struct err *e)
{
	const char *id = recover_fact_text(g->pl.facts, "system_identifier");
	char *label = mem_printf("%s/backup_label", g->data);
	bool labelled = access(label, R_OK) == 0;
	struct pg_control c;
	int major;

	free(label);
	if (!labelled) {
		err_set(e, ERR_CORRUPT, "the backup has no backup_label: it cannot be recovered");
		return err_hint(e, "--base takes another base backup: holdfast log list");
	}
	if (pg_version_of(g->data, &major, e) == -1)
		return -1;
	if (g->bin == NULL) {
		recover_say(g, "PostgreSQL %d, pg_control not looked at", major);
		return 0;
	}
	if (pg_control_read(g->bin, g->data, g->ctx, &c, e) == -1)
		return -1;
	if (id != NULL && c.system_identifier != strtoull(id, NULL, 10)) {
		err_set(e, ERR_CORRUPT, "pg_control is of system %llu, not %s",
		    (unsigned long long)c.system_identifier, id);
		return err_hint(e, "--base takes another base backup: holdfast log list");
	}
	recover_say(
	    g, "PostgreSQL %d, system %llu", major, (unsigned long long)c.system_identifier);
	return 0;
}
