/* pg_source: see pg_source.h.  The walk; contents are in pg_source_read.c. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/mem.h"
#include "os/os.h"
#include "source/dirlist.h"
#include "source/pg_layout.h"
#include "source/pg_page.h"
#include "source/pg_source_priv.h"

enum { CONTROL_MAX = 64 << 10, CONTROL_TRIES = 100, PAUSE_MS = 10, LINK_MAX = 4096 };

static struct pg_source *source_of(const struct source_dir *d)
{
	return (struct pg_source *)d->source;
}

const char *pg_source_folder(const struct source_dir *d)
{
	return d->path + 1;
}

char *pg_source_path(const struct source_dir *d, const char *name)
{
	return mem_printf("%s/%s", d->parent ? d->path : "", name);
}

int pg_source_memory(const struct source_dir *d, const char *name)
{
	if (d->parent == NULL && strcmp(name, "backup_label") == 0)
		return PG_LABEL;
	if (d->parent == NULL && strcmp(name, "tablespace_map") == 0)
		return PG_MAP;
	if (strcmp(d->path, "/global") == 0 && strcmp(name, "pg_control") == 0)
		return PG_CONTROL;
	return -1;
}

static void take_stat(struct source_stat *out, const struct stat *st)
{
	*out = (struct source_stat){
	    .type = os_entry_type(st->st_mode),
	    .mode = st->st_mode & 07777,
	    .uid = st->st_uid,
	    .gid = st->st_gid,
	    .size = (uint64_t)st->st_size,
	    .mtime = st->st_mtim.tv_sec,
	    .ctime = st->st_ctim.tv_sec,
	    .mtime_ns = (uint32_t)st->st_mtim.tv_nsec,
	    .ctime_ns = (uint32_t)st->st_ctim.tv_nsec,
	    .ino = st->st_ino,
	    .dev = st->st_dev,
	    .nlink = 1, /* no two names of one file are in a data directory */
	    .blocks = (uint64_t)st->st_blocks,
	};
}

static void dir_free(struct source_dir *base)
{
	os_close(((struct pg_dir *)base)->fd);
	free(base->path);
	free(base);
}

static struct pg_dir *dir_new(struct source *s, struct source_dir *parent, char *path)
{
	struct pg_dir *d = source_dir_new(sizeof *d, s, parent, path, dir_free);

	d->fd = -1;
	return d;
}

static struct source_dir *pg_root(struct source *src, struct source_stat *st, struct err *e)
{
	struct pg_source *s = (struct pg_source *)src;
	struct pg_dir *d = dir_new(src, NULL, mem_strdup("/"));

	d->fd = os_open(s->data, O_RDONLY | O_DIRECTORY, 0);
	if (d->fd == -1) {
		err_sys(e, "%s: open", s->data);
		source_dir_unref(&d->base);
		return NULL;
	}
	*st = s->st;
	return &d->base;
}

/* Files of which a part was sent go by their own names. */
static const char *own_name(const struct source_dir *d, const char *name)
{
	bool part = source_of(d)->p.older != NULL &&
		    strncmp(name, PG_INCREMENT, strlen(PG_INCREMENT)) == 0;

	return part ? name + strlen(PG_INCREMENT) : name;
}

/* What of this folder lies in the spool. */
static int list_spooled(struct source_dir *d, struct source_names *out, struct err *e)
{
	const struct pg_manifest *m = source_of(d)->p.spooled;
	char *folder = mem_printf("%s/", pg_source_folder(d));
	size_t n = strlen(folder);
	int rc = 0;

	for (size_t i = pg_manifest_find(m, folder);
	     i < m->n && strncmp(m->v[i].path, folder, n) == 0; i++)
		if (m->v[i].spooled)
			dirlist_add(out, own_name(d, m->v[i].path + n));
	free(folder);
	dirlist_sort(out);
	for (size_t i = 1; i < out->n && rc == 0; i++)
		if (strcmp(source_name(out, i - 1), source_name(out, i)) == 0)
			rc = err_set(e, ERR_CORRUPT, "%s was sent twice", source_name(out, i));
	return rc;
}

/* What is not taken goes; what is only in memory comes, where it belongs among the names. */
static void choose(struct source_dir *d, const struct source_names *all, struct source_names *out)
{
	static const char *const ours[] = {"backup_label", "tablespace_map"};
	const char *folder = pg_source_folder(d);
	size_t next = d->parent == NULL ? 0 : 2;

	for (size_t i = 0; i < all->n; i++) {
		const char *name = source_name(all, i);
		enum pg_take take = pg_layout_take(folder, name, source_of(d)->p.major);

		for (; next < 2 && strcmp(ours[next], name) < 0; next++)
			dirlist_add(out, ours[next]);
		if (next < 2 && strcmp(ours[next], name) == 0)
			next++;
		if (take != PG_LEAVE)
			dirlist_add(out, name);
	}
	for (; next < 2; next++)
		dirlist_add(out, ours[next]);
}

/* A server does not start without these, and makes neither. */
static int list_emptied(struct source_dir *d, struct source_names *out)
{
	if (strcmp(d->path, "/pg_wal") == 0)
		dirlist_add(out, "archive_status");
	return 0;
}

static int pg_list(struct source_dir *base, struct source_names *out, struct err *e)
{
	struct pg_dir *d = (struct pg_dir *)base;
	struct source_names all = {0};
	int rc;

	buf_reset(&out->text);
	out->n = 0;
	if (d->emptied)
		return list_emptied(base, out);
	rc = dirlist_read(d->fd, &all, e);
	if (rc == 0 && source_of(base)->p.spooled != NULL &&
	    pg_layout_has_relations(pg_source_folder(base)))
		rc = list_spooled(base, &all, e);
	if (rc == 0 && pg_layout_has_relations(pg_source_folder(base)))
		pg_layout_drop_unlogged(&all);
	if (rc == 0)
		choose(base, &all, out);
	source_names_fini(&all);
	return rc == 0 ? 0 : err_wrap(e, "%s", base->path);
}

/* One that is only in memory: a file of the data directory's owner. */
static void look_memory(
    struct pg_source *s, int which, struct source_stat *st, enum source_look *what)
{
	int64_t now = s->base.ctx->clock->wall_ns(s->base.ctx->clock);

	*st = s->st;
	st->type = ENTRY_FILE;
	st->mode = 0600;
	st->nlink = 1;
	st->late = true;
	st->size = s->memory[which].n;
	st->mtime = st->ctime = now / 1000000000;
	st->mtime_ns = st->ctime_ns = (uint32_t)(now % 1000000000);
	st->ino = 0;
	/* Until it is known it may come. */
	*what = s->late && s->memory[which].p == NULL ? SOURCE_SKIP : SOURCE_TAKE;
}

static int gone(struct source_dir *d, const char *name, enum source_look *what, struct err *e)
{
	char *path = pg_source_path(d, name);
	int rc = 0;

	if (errno == ENOENT)
		*what = SOURCE_SKIP; /* a table that was dropped: nothing to tell */
	else
		rc = err_sys(e, "%s: stat", path);
	free(path);
	return rc;
}

/* A file in the spool: of the data directory's owner. */
static int look_spooled(
    struct pg_source *s, const struct pg_manifest_file *f, struct source_stat *st, struct err *e)
{
	struct pg_increment x;
	struct stat sb;

	if (os_fstat(s->p.spool, &sb) == -1)
		return err_sys(e, "%s: stat", f->path);
	take_stat(st, &sb);
	st->mode = 0600;
	st->uid = s->st.uid;
	st->gid = s->st.gid;
	st->nlink = 1;
	st->size = f->size;
	if (!pg_source_is_part(f))
		return 0;
	if (pg_increment_read(s->p.spool, f->at, f->size, s->p.relation, &x, e) == -1)
		return err_wrap(e, "%s", f->path);
	st->size = x.size;
	pg_increment_fini(&x);
	return 0;
}

static int pg_look(struct source_dir *base, const char *name, struct source_stat *st,
    enum source_look *what, struct err *e)
{
	struct pg_dir *d = (struct pg_dir *)base;
	struct pg_source *s = source_of(base);
	enum pg_take take = pg_layout_take(pg_source_folder(base), name, s->p.major);
	const struct pg_manifest_file *spooled;
	int which = pg_source_memory(base, name);
	bool follow = take == PG_FOLLOWED || take == PG_EMPTY;
	struct stat sb;

	if (which != -1) {
		look_memory(s, which, st, what);
		return 0;
	}
	*what = SOURCE_TAKE;
	if (d->emptied) { /* archive_status, there or not */
		*st = s->st;
		return 0;
	}
	if ((spooled = pg_source_spooled(base, name)) != NULL)
		return look_spooled(s, spooled, st, e);
	if (os_fstatat(d->fd, name, &sb, follow ? 0 : AT_SYMLINK_NOFOLLOW) == -1)
		return gone(base, name, what, e);
	take_stat(st, &sb);
	if (st->type != ENTRY_FILE && st->type != ENTRY_DIR && st->type != ENTRY_SYMLINK)
		*what = SOURCE_SKIP;
	return 0;
}

static struct source_dir *pg_enter(
    struct source_dir *base, const char *name, const struct source_stat *st, struct err *e)
{
	struct pg_dir *parent = (struct pg_dir *)base;
	enum pg_take take = pg_layout_take(pg_source_folder(base), name, source_of(base)->p.major);
	struct pg_dir *d = dir_new(base->source, base, pg_source_path(base, name));
	int follow = take == PG_FOLLOWED ? 0 : O_NOFOLLOW;
	struct stat sb;

	d->emptied = take == PG_EMPTY || parent->emptied;
	if (d->emptied)
		return &d->base;
	d->fd = os_openat(parent->fd, name, O_RDONLY | O_DIRECTORY | follow, 0);
	if (d->fd == -1 && errno == ENOENT) {
		d->emptied = true; /* a database that was dropped: WAL has that, too */
		return &d->base;
	}
	if (d->fd == -1 || os_fstat(d->fd, &sb) == -1)
		err_sys(e, "%s: open", d->base.path);
	else if (sb.st_ino != st->ino || sb.st_dev != st->dev)
		err_set(e, ERR_ABSENT, "%s: replaced meanwhile", d->base.path);
	else
		return &d->base;
	source_dir_unref(&d->base);
	return NULL;
}

static int fill_target(struct pg_dir *d, const char *name, struct buf *hold, struct err *e)
{
	char target[LINK_MAX];
	ssize_t n = readlinkat(d->fd, name, target, sizeof target);

	if (n == -1)
		return err_sys(e, "%s/%s: read link", d->base.path, name);
	buf_put(hold, target, (size_t)n);
	return 0;
}

static int pg_fill(struct source_dir *base, const char *name, const struct source_stat *st,
    struct entry *out, struct buf *hold, struct err *e)
{
	const struct pg_source *s = source_of(base);
	size_t at = hold->n, link;

	buf_put(hold, name, strlen(name));
	link = hold->n;
	if (st->type == ENTRY_SYMLINK && fill_target((struct pg_dir *)base, name, hold, e) == -1)
		return -1;
	*out = (struct entry){
	    .type = st->type,
	    .name = span_of(hold->p + at, link - at),
	    .target = span_of(hold->p + link, hold->n - link),
	    .size = st->type == ENTRY_FILE ? st->size : 0,
	    .mode = st->mode,
	    .uid = st->uid,
	    .gid = st->gid,
	    .user = span_str(st->uid == s->st.uid && s->user ? s->user : ""),
	    .group = span_str(st->gid == s->st.gid && s->group ? s->group : ""),
	    .mtime = st->mtime,
	    .mtime_ns = st->mtime_ns,
	};
	return 0;
}

/* What is read while the server writes it may have some of either: its own checksum tells. */
static int read_control(struct pg_source *s, struct err *e)
{
	char *path = mem_printf("%s/global/pg_control", s->data);
	struct buf b = {0};
	int rc = os_read_file(path, CONTROL_MAX, &b, e);

	for (int i = 0; rc == 0 && !pg_control_good(buf_span(&b)); i++) {
		os_sleep_ns(s->base.ctx, PAUSE_MS * INT64_C(1000000));
		buf_reset(&b);
		rc = i < CONTROL_TRIES ? os_read_file(path, CONTROL_MAX, &b, e)
				       : err_set(e, ERR_CORRUPT, "%s: its checksum is wrong", path);
		if (rc == 0)
			rc = ctx_check(s->base.ctx, e);
	}
	if (rc == 0) {
		s->memory[PG_CONTROL].n = b.n;
		s->memory[PG_CONTROL].p = mem_dup(b.p, b.n);
	}
	buf_fini(&b);
	free(path);
	return rc;
}

static int pg_late(struct source *src, struct err *e)
{
	struct pg_source *s = (struct pg_source *)src;

	if (read_control(s, e) == -1 ||
	    s->p.stop(s->p.arg, &s->memory[PG_LABEL].p, &s->memory[PG_MAP].p, e) == -1)
		return -1;
	for (int i = PG_LABEL; i <= PG_MAP; i++)
		s->memory[i].n = s->memory[i].p ? strlen(s->memory[i].p) : 0;
	s->late = true;
	return 0;
}

static void pg_close_source(struct source *src)
{
	struct pg_source *s = (struct pg_source *)src;

	for (size_t i = 0; i < s->nbad; i++)
		free(s->bad[i].file);
	for (int i = 0; i < PG_MEMORY; i++)
		free(s->memory[i].p);
	pthread_mutex_destroy(&s->lock);
	free(s->user);
	free(s->group);
	free(s->data);
	free(s);
}

static const struct source_ops pg_ops = {
    .kind = "postgresql",
    .root = pg_root,
    .list = pg_list,
    .look = pg_look,
    .enter = pg_enter,
    .fill = pg_fill,
    .open = pg_source_read_open,
    .read = pg_source_read,
    .skip = pg_source_skip,
    .finish = pg_source_read_finish,
    .late = pg_late,
    .close = pg_close_source,
};

static void take_owner(struct pg_source *s)
{
	char room[4096];
	struct passwd pw, *user = NULL;
	struct group gr, *group = NULL;

	if (getpwuid_r(s->st.uid, &pw, room, sizeof room, &user) == 0 && user != NULL)
		s->user = mem_strdup(user->pw_name);
	if (getgrgid_r(s->st.gid, &gr, room, sizeof room, &group) == 0 && group != NULL)
		s->group = mem_strdup(group->gr_name);
}

int source_pg_open(
    const struct pg_source_params *p, struct ctx *ctx, struct source **out, struct err *e)
{
	struct pg_source *s = mem_zalloc(sizeof *s);
	struct stat sb;
	int fd = os_open(p->data, O_RDONLY | O_DIRECTORY, 0);

	os_raise_nofile();
	s->base = (struct source){&pg_ops, ctx};
	s->p = *p;
	s->data = mem_strdup(p->data);
	pthread_mutex_init(&s->lock, NULL);
	if (fd == -1 || os_fstat(fd, &sb) == -1) {
		err_sys(e, "data directory %s", p->data);
		if (fd != -1)
			os_close(fd);
		pg_close_source(&s->base);
		return -1;
	}
	os_close(fd);
	take_stat(&s->st, &sb);
	take_owner(s);
	*out = &s->base;
	return 0;
}

const struct pg_bad_page *source_pg_bad(struct source *src, size_t *n, uint64_t *all)
{
	struct pg_source *s = (struct pg_source *)src;

	*n = s->nbad;
	*all = s->all_bad;
	return s->bad;
}
