/* pg_stream: see pg_stream.h. */
#include "source/pg_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "codec/crc32c.h"
#include "os/os.h"
#include "source/pg_increment.h"
#include "source/pg_label.h"
#include "source/pg_layout.h"
#include "source/pg_manifest.h"
#include "source/pg_tar.h"

enum {
	START_S = 3600, /* a checkpoint of much takes long */
	SILENT_S = 600, /* of a stream that began */
	SPACES_MAX = 1000,
	UPLOAD_PIECE = 64 << 10,
	LEFT = 20 /* a part of this many of the room stays for others */
};
#define SECOND 1000000000LL

struct fetching {
	const struct pg_stream_params *p;
	struct pg_streamed *out;
	struct pg_tar tar;
	bool in_tar, in_manifest;
	char below[32]; /* where the archive at hand belongs: "", "pg_tblspc/16400" */
	/* Before 15 each archive is a stream of its own, in this order; 0: the data directory. */
	uint32_t spaces[SPACES_MAX];
	size_t nspaces, stream;
	int positions; /* rows with a position that came: begin, end */
	struct pg_manifest_file *file;
	uint64_t spooled;                     /* bytes in the spool */
	uint64_t most;                        /* that may come; 0: nobody can tell */
	struct pg_manifest_reading *manifest; /* NULL: it has not begun */
	int fd;
	bool own; /* files are given to this user */
	uid_t uid;
	gid_t gid;
};

static int corrupt(const char *what, struct err *e)
{
	return err_set(e, ERR_CORRUPT, "the server's base backup: %s", what);
}

/* ---- Into the folder. */

static char *path_of(const struct fetching *f, const char *name)
{
	return mem_printf("%s%s%s", f->below, f->below[0] ? "/" : "", name);
}

static int make_folder(struct fetching *f, const char *path, struct err *e)
{
	int rc = os_mkdirs(path, 0700, e);

	if (rc == 0 && f->own && lchown(path, f->uid, f->gid) == -1)
		rc = err_sys(e, "%s: owner", path);
	return rc;
}

/* A folder that no entry named before what is in it. */
static int make_above(struct fetching *f, const char *path, struct err *e)
{
	char *above = mem_strndup(path, (size_t)(strrchr(path, '/') - path));
	int rc = access(above, F_OK) == 0 ? 0 : make_folder(f, above, e);

	free(above);
	return rc;
}

/* A relation's file, behind those that came before. */
static void begin_spooled(struct fetching *f, const char *name)
{
	f->file = pg_manifest_add(&f->out->files, name);
	f->file->spooled = true;
	f->file->at = f->spooled;
}

static bool is_relation(const char *name)
{
	const char *slash = strrchr(name, '/');
	char *folder = mem_strndup(name, slash ? (size_t)(slash - name) : 0);
	bool yes = pg_layout_has_relations(folder) && strcmp(name, "global/pg_control") != 0;

	free(folder);
	return yes;
}

static int begin_file(struct fetching *f, const char *path, const char *name, struct err *e)
{
	if (make_above(f, path, e) == -1)
		return -1;
	if (is_relation(name)) {
		begin_spooled(f, name);
		return 0;
	}
	f->fd = os_open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	if (f->fd == -1)
		return err_sys(e, "%s", path);
	if (f->own && fchown(f->fd, f->uid, f->gid) == -1)
		return err_sys(e, "%s: owner", path);
	f->file = pg_manifest_add(&f->out->files, name);
	return 0;
}

/* Links are those of tablespaces: what they lead to comes as an archive of its own. */
static int on_entry(void *arg, const struct pg_tar_entry *en, struct err *e)
{
	struct fetching *f = arg;
	char *name = path_of(f, en->name), *path = mem_printf("%s/%s", f->p->dir, name);
	int rc = en->type == ENTRY_FILE ? begin_file(f, path, name, e) : make_folder(f, path, e);

	free(path);
	free(name);
	return rc;
}

/* How much an increment is nobody knows before; a full one may be more than was asked for. */
static int check_room(const struct fetching *f, size_t n, struct err *e)
{
	if (f->most == 0 || f->out->bytes + n <= f->most)
		return 0;
	err_set(e, ERR_NO_SPACE, "%s has no room for more than %llu MiB of it", f->p->dir,
	    (unsigned long long)(f->most >> 20));
	return err_hint(e, "HOLDFAST_CACHE_DIR names another folder; or run on the server's host");
}

static int on_data(void *arg, struct span s, struct err *e)
{
	struct fetching *f = arg;

	if (check_room(f, s.n, e) == -1)
		return -1;
	f->file->crc = crc32c(f->file->crc, s.p, s.n);
	f->file->size += s.n;
	f->out->bytes += s.n;
	if (os_write_all(f->file->spooled ? f->out->spool : f->fd, s.p, s.n) == -1)
		return err_sys(e, "%s: write", f->file->path);
	f->spooled += f->file->spooled ? s.n : 0;
	return 0;
}

static int on_end(void *arg, struct err *e)
{
	struct fetching *f = arg;
	int fd = f->fd;

	if (f->file->spooled)
		return 0;
	f->fd = -1;
	if (os_close_written(fd) == -1)
		return err_sys(e, "%s: write", f->file->path);
	return 0;
}

static const struct pg_tar_ops tar_ops = {on_entry, on_data, on_end};

static int begin_archive(struct fetching *f, uint32_t space, struct err *e)
{
	if (f->manifest != NULL)
		return corrupt("an archive behind its manifest", e);
	f->in_tar = true;
	f->in_manifest = false;
	f->tar = (struct pg_tar){.ops = &tar_ops, .arg = f};
	f->below[0] = '\0';
	if (space != 0)
		snprintf(f->below, sizeof f->below, "pg_tblspc/%u", space);
	return 0;
}

static int end_archive(struct fetching *f, struct err *e)
{
	if (f->in_tar && pg_tar_finish(&f->tar, e) == -1)
		return -1;
	f->in_tar = false;
	return 0;
}

static int take_manifest(struct fetching *f, struct span s, struct err *e)
{
	if (f->manifest == NULL)
		f->manifest = pg_manifest_read(&f->out->files);
	return pg_manifest_feed(f->manifest, s, e);
}

/* ---- What comes. */

/* Positions (two values), and tablespaces (three, of which the first is null for the directory). */
static int on_row(void *arg, const char *const *v, size_t n, struct err *e)
{
	struct fetching *f = arg;
	uint64_t lsn;

	if (n == 2 && v[0] != NULL && v[1] != NULL && pg_lsn_parse(v[0], &lsn)) {
		if (f->positions++ == 0) {
			f->out->start = lsn;
			f->out->timeline = (uint32_t)strtoul(v[1], NULL, 10);
		} else {
			f->out->stop = lsn;
		}
		return 0;
	}
	if (n != 3 || f->nspaces == SPACES_MAX)
		return corrupt("an answer that was not expected", e);
	f->spaces[f->nspaces++] = v[0] ? (uint32_t)strtoul(v[0], NULL, 10) : 0;
	return 0;
}

/* Since 15 one stream has all: "n" a new archive, "d" data, "m" the manifest, "p" progress. */
static int on_message(struct fetching *f, struct span m, struct err *e)
{
	struct span rest = span_of(m.p + 1, m.n - 1);
	unsigned long oid;

	switch (m.p[0]) {
	case 'n':
		if (memchr(rest.p, '\0', rest.n) == NULL || end_archive(f, e) == -1)
			return corrupt("an archive without a name", e);
		oid = strtoul((const char *)rest.p, NULL, 10); /* "base.tar", "16400.tar" */
		return begin_archive(f, (uint32_t)oid, e);
	case 'm':
		f->in_manifest = true;
		return end_archive(f, e);
	case 'd':
		if (f->in_manifest)
			return take_manifest(f, rest, e);
		if (!f->in_tar)
			return corrupt("data of nothing", e);
		return pg_tar_feed(&f->tar, rest, e);
	case 'p':
		return 0;
	default:
		return corrupt("a message that is none", e);
	}
}

static int read_stream(struct fetching *f, struct pg *g, bool messages, struct err *e)
{
	enum pg_copied got = PG_MESSAGE;
	struct span m;

	for (;;) {
		if (pg_copy_read(g, SILENT_S * SECOND, &got, &m, e) == -1)
			return -1;
		if (got == PG_NOTHING)
			return err_set(
			    e, ERR_TIMEOUT, "nothing came from the server for %d s", SILENT_S);
		if (got == PG_END)
			return end_archive(f, e);
		if (m.n == 0)
			continue;
		if (messages         ? on_message(f, m, e) == -1
		    : f->in_manifest ? take_manifest(f, m, e) == -1
				     : pg_tar_feed(&f->tar, m, e) == -1)
			return -1;
	}
}

static int read_streams(struct fetching *f, struct pg *g, struct err *e)
{
	bool messages = pg_version(g) >= 150000, more = true;

	for (f->stream = 0; more; f->stream++) {
		if (!messages && f->stream < f->nspaces)
			begin_archive(f, f->spaces[f->stream], e);
		else if (!messages)
			f->in_manifest = true;
		if (read_stream(f, g, messages, e) == -1 ||
		    pg_copy_end(g, on_row, f, &more, e) == -1)
			return -1;
	}
	if (f->positions != 2 || f->out->stop < f->out->start)
		return corrupt("its end is not told", e);
	if (f->manifest == NULL)
		return corrupt("it has no manifest", e);
	return pg_manifest_end(f->manifest, e);
}

static const char sql_15[] = "BASE_BACKUP (LABEL 'holdfast', CHECKPOINT 'fast', WAL true, "
			     "WAIT false, TABLESPACE_MAP true, VERIFY_CHECKSUMS false, "
			     "MANIFEST 'yes', MANIFEST_CHECKSUMS 'CRC32C')";
static const char sql_13[] = "BASE_BACKUP LABEL 'holdfast' FAST WAL NOWAIT TABLESPACE_MAP "
			     "NOVERIFY_CHECKSUMS MANIFEST 'yes' MANIFEST_CHECKSUMS 'CRC32C'";

/* As a server's files are owned, where there is such a user and we may give them to him. */
static void find_owner(struct fetching *f)
{
	char room[4096];
	struct passwd pw, *user = NULL;

	if (geteuid() != 0 || getpwnam_r("postgres", &pw, room, sizeof room, &user) != 0 ||
	    user == NULL)
		return;
	f->own = true;
	f->uid = user->pw_uid;
	f->gid = user->pw_gid;
}

static const char sql_increment[] =
    "BASE_BACKUP (LABEL 'holdfast', CHECKPOINT 'fast', WAL true, WAIT false, TABLESPACE_MAP true, "
    "VERIFY_CHECKSUMS false, MANIFEST 'yes', MANIFEST_CHECKSUMS 'CRC32C', INCREMENTAL)";

static int upload(struct pg *g, struct span text, struct err *e)
{
	if (pg_copy_begin(g, "UPLOAD_MANIFEST", NULL, NULL, e) == -1)
		return -1;
	for (size_t at = 0, n; at < text.n; at += n) {
		n = text.n - at < UPLOAD_PIECE ? text.n - at : UPLOAD_PIECE;
		if (pg_copy_write(g, span_of(text.p + at, n), e) == -1)
			return -1;
	}
	return pg_copy_end(g, NULL, NULL, NULL, e);
}

static int fetch_all(struct fetching *f, struct pg *g, struct err *e)
{
	const char *sql = f->p->manifest.n          ? sql_increment
			  : pg_version(g) >= 150000 ? sql_15
						    : sql_13;

	pg_patience(g, START_S);
	if (f->own && lchown(f->p->dir, f->uid, f->gid) == -1)
		return err_sys(e, "%s: owner", f->p->dir);
	if (f->p->manifest.n && upload(g, f->p->manifest, e) == -1)
		return -1;
	return pg_copy_begin(g, sql, on_row, f, e) == -1 ? -1 : read_streams(f, g, e);
}

/* What came differs from the backup before; the rest is as it was. */
static int make_map(struct fetching *f, struct err *e)
{
	int rc = 0;

	f->out->map = wal_map_new();
	for (size_t i = 0; rc == 0 && i < f->out->files.n; i++) {
		const struct pg_manifest_file *x = &f->out->files.v[i];

		if (x->spooled)
			rc = pg_increment_note(
			    f->out->spool, x->at, x->size, x->path, f->p->relation, f->out->map, e);
	}
	return rc;
}

static int open_spool(struct fetching *f, struct err *e)
{
	char *path = mem_printf("%s/.relations", f->p->dir);
	struct statvfs v;
	int rc = 0;

	if (statvfs(f->p->dir, &v) == 0)
		f->most = (uint64_t)v.f_bavail * v.f_frsize / LEFT * (LEFT - 1) + 1;
	f->out->spool = os_open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	if (f->out->spool == -1 || os_unlinkat(AT_FDCWD, path, 0) == -1)
		rc = err_sys(e, "%s", path);
	free(path);
	return rc;
}

void pg_streamed_fini(struct pg_streamed *s)
{
	wal_map_free(s->map);
	s->map = NULL;
	pg_manifest_fini(&s->files);
	if (s->spool != -1)
		os_close(s->spool);
	s->spool = -1;
}

int pg_stream_fetch(const struct pg_stream_params *p, struct pg_streamed *out, struct err *e)
{
	struct fetching *f = mem_zalloc(sizeof *f);
	int rc;

	*out = (struct pg_streamed){.spool = -1};
	f->p = p;
	f->out = out;
	f->fd = -1;
	find_owner(f);
	rc = open_spool(f, e);
	if (rc == 0)
		rc = fetch_all(f, p->g, e);
	if (rc == 0 && p->manifest.n)
		rc = make_map(f, e);
	if (f->fd != -1)
		os_close(f->fd);
	pg_manifest_free(f->manifest);
	free(f);
	if (rc == -1)
		pg_streamed_fini(out);
	return rc == 0 ? 0 : err_wrap(e, "base backup over the connection");
}
