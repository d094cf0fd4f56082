/* files_meta: the whole entry of a name: xattrs, link target, owners' names. */
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/xattr.h>

#include "base/mem.h"
#include "os/os.h"
#include "source/files.h"

void owners_init(struct owners *o)
{
	pthread_mutex_init(&o->lock, NULL);
}

void owners_fini(struct owners *o)
{
	for (size_t i = 0; i < o->cap; i++)
		free(o->slot[i].name);
	free(o->slot);
	pthread_mutex_destroy(&o->lock);
}

static struct owner *owner_slot(const struct owners *o, uint32_t id)
{
	size_t i = (id * 0x9e3779b1u) & (o->cap - 1);

	while (o->slot[i].name != NULL && o->slot[i].id != id)
		i = (i + 1) & (o->cap - 1);
	return &o->slot[i];
}

static void owners_grow(struct owners *o)
{
	struct owners old = *o;

	o->cap = old.cap ? 2 * old.cap : 16;
	o->slot = mem_zalloc(o->cap * sizeof *o->slot);
	for (size_t i = 0; i < old.cap; i++)
		if (old.slot[i].name != NULL)
			*owner_slot(o, old.slot[i].id) = old.slot[i];
	free(old.slot);
}

/* New text, "" if there is no such user or group. */
static char *owner_lookup(uint32_t id, bool group)
{
	size_t n = 4096;
	char *room = NULL, *name;
	const char *found;
	int no;

	do {
		struct passwd pw, *pwp = NULL;
		struct group gr, *grp = NULL;

		n *= 4;
		room = mem_realloc(room, n);
		no = group ? getgrgid_r(id, &gr, room, n, &grp)
			   : getpwuid_r(id, &pw, room, n, &pwp);
		found = grp ? grp->gr_name : pwp ? pwp->pw_name : "";
	} while (no == ERANGE && n < 16u << 20);
	name = mem_strdup(no == 0 ? found : "");
	free(room);
	return name;
}

/* The name; lives as long as the source. */
static const char *owner_name(struct owners *o, uint32_t id, bool group)
{
	struct owner *s;
	const char *name = NULL;
	char *fresh;

	pthread_mutex_lock(&o->lock);
	if (o->cap > 0)
		name = owner_slot(o, id)->name;
	pthread_mutex_unlock(&o->lock);
	if (name != NULL)
		return name;
	fresh = owner_lookup(id, group);
	pthread_mutex_lock(&o->lock);
	if (2 * o->n >= o->cap)
		owners_grow(o);
	s = owner_slot(o, id);
	if (s->name == NULL) {
		*s = (struct owner){id, fresh};
		o->n++;
	} else {
		free(fresh);
	}
	name = s->name;
	pthread_mutex_unlock(&o->lock);
	return name;
}

/* Pieces of an entry as places in `hold`, which moves while it grows. */
struct piece {
	size_t at, n;
};

static struct piece piece_put(struct buf *hold, const void *p, size_t n)
{
	struct piece x = {hold->n, n};

	buf_put(hold, p, n);
	return x;
}

static struct span piece_span(const struct buf *hold, struct piece x)
{
	return x.n > 0 ? span_of(hold->p + x.at, x.n) : span_of(NULL, 0);
}

struct xattrs {
	char path[PATH_MAX + 64]; /* /proc/self/fd/N/NAME */
	bool follow;
	char *names;
	size_t names_n;
	struct piece (*v)[2]; /* name, value */
	size_t n;
};

static ssize_t xattrs_list(const struct xattrs *x, char *p, size_t n)
{
	return x->follow ? listxattr(x->path, p, n) : llistxattr(x->path, p, n);
}

static ssize_t xattrs_get(const struct xattrs *x, const char *name, void *p, size_t n)
{
	return x->follow ? getxattr(x->path, name, p, n) : lgetxattr(x->path, name, p, n);
}

/* Reads the list of names; 0 of them where there can't be any. */
static int xattrs_names(struct xattrs *x, const char *path, struct err *e)
{
	char small[1024];
	ssize_t n = xattrs_list(x, small, sizeof small);

	if (n >= 0) {
		if (n > 0)
			x->names = mem_dup(small, (size_t)n);
		x->names_n = (size_t)n;
		return 0;
	}
	if (errno == ERANGE || errno == E2BIG) {
		/* Each name has its NUL, if the file system keeps to that. */
		x->names = mem_zalloc(XATTR_LIST_MAX + 1);
		n = xattrs_list(x, x->names, XATTR_LIST_MAX);
		if (n >= 0) {
			x->names_n = (size_t)n;
			return 0;
		}
	}
	if (errno == ENOTSUP || errno == ENOSYS || errno == EPERM || errno == EACCES)
		return 0;
	return err_sys(e, "%s: list extended attributes", path);
}

static int xattrs_value(
    struct xattrs *x, const char *name, struct buf *hold, const char *path, struct err *e)
{
	struct piece *v = x->v[x->n];
	ssize_t n;

	v[0] = piece_put(hold, name, strlen(name));
	v[1].at = hold->n;
	buf_reserve(hold, 256);
	n = xattrs_get(x, name, hold->p + hold->n, 256);
	if (n == -1 && errno == ERANGE) {
		buf_reserve(hold, ENTRY_XATTR_MAX);
		n = xattrs_get(x, name, hold->p + hold->n, ENTRY_XATTR_MAX);
	}
	if (n >= 0) {
		v[1].n = (size_t)n;
		hold->n += (size_t)n;
		x->n++;
		return 0;
	}
	hold->n = v[0].at;
	/* Removed meanwhile, or not for us to read (security.*, trusted.*). */
	if (errno == ENODATA || errno == EPERM || errno == EACCES || errno == ENOTSUP)
		return 0;
	return err_sys(e, "%s: read extended attribute %s", path, name);
}

static int xattrs_read(struct xattrs *x, struct buf *hold, const char *path, struct err *e)
{
	size_t count = 0, i = 0;

	for (size_t at = 0; at < x->names_n; at += strlen(x->names + at) + 1)
		count++;
	if (count > ENTRY_XATTRS_MAX)
		return err_set(e, ERR_UNSUPPORTED, "%s: %zu extended attributes", path, count);
	x->v = mem_alloc(count * sizeof *x->v);
	for (size_t at = 0; i < count; i++, at += strlen(x->names + at) + 1)
		if (xattrs_value(x, x->names + at, hold, path, e) == -1)
			return -1;
	return 0;
}

/* The array of entry_xattr is itself kept in hold, aligned; its place in *at. */
static void xattrs_array(const struct xattrs *x, struct buf *hold, size_t *at)
{
	size_t align = _Alignof(struct entry_xattr);

	buf_put_zeros(hold, (align - hold->n % align) % align);
	*at = hold->n;
	buf_extend(hold, x->n * sizeof(struct entry_xattr));
	for (size_t i = 0; i < x->n; i++) {
		struct entry_xattr v = {piece_span(hold, x->v[i][0]), piece_span(hold, x->v[i][1])};

		memcpy(hold->p + *at + i * sizeof v, &v, sizeof v);
	}
}

static int link_target(const struct files_dir *d, const char *name, struct buf *hold,
    struct piece *out, const char *path, struct err *e)
{
	ssize_t n;

	out->at = hold->n;
	buf_reserve(hold, ENTRY_TARGET_MAX + 1);
	n = readlinkat(d->fd, name, (char *)hold->p + hold->n, ENTRY_TARGET_MAX + 1);
	if (n == -1 && (errno == EINVAL || errno == ENOENT))
		return err_set(e, ERR_ABSENT, "%s: replaced meanwhile", path);
	if (n == -1)
		return err_sys(e, "%s: read link", path);
	if (n > ENTRY_TARGET_MAX)
		return err_set(e, ERR_UNSUPPORTED, "%s: its target is too long", path);
	out->n = (size_t)n;
	hold->n += (size_t)n;
	return 0;
}

/* Device and inode as one number; equal numbers mean one inode. */
static uint64_t link_group(const struct source_stat *st)
{
	uint64_t h = st->ino ^ (st->dev * 0x9e3779b97f4a7c15u);

	h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
	h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
	h ^= h >> 31;
	return h ? h : 1;
}

static int read_xattrs(struct files_dir *d, const char *name, struct xattrs *x, struct buf *hold,
    const char *path, struct err *e)
{
	struct files_at at = files_at(d, name);

	if (!((struct files *)d->base.source)->have_proc)
		return 0;
	if (at.dir == AT_FDCWD && strlen(at.name) < sizeof x->path)
		strcpy(x->path, at.name);
	else if (name[0] == '\0')
		snprintf(x->path, sizeof x->path, "/proc/self/fd/%d", d->fd);
	else
		snprintf(x->path, sizeof x->path, "/proc/self/fd/%d/%s", d->fd, name);
	x->follow = name[0] == '\0' || files_is_way(d, name);
	x->names = NULL;
	x->names_n = x->n = 0;
	x->v = NULL;
	if (xattrs_names(x, path, e) == -1)
		return -1;
	return x->names_n > 0 ? xattrs_read(x, hold, path, e) : 0;
}

static void put_facts(const struct source_stat *st, struct entry *out)
{
	*out = (struct entry){
	    .type = st->type,
	    .mode = st->mode,
	    .uid = st->uid,
	    .gid = st->gid,
	    .mtime = st->mtime,
	    .mtime_ns = st->mtime_ns,
	    .size = st->type == ENTRY_FILE ? st->size : 0,
	    .major = st->major,
	    .minor = st->minor,
	    .linked = st->nlink > 1 && st->type != ENTRY_DIR,
	};
	if (out->linked)
		out->link_group = link_group(st);
}

int files_fill(struct source_dir *base, const char *name, const struct source_stat *st,
    struct entry *out, struct buf *hold, struct err *e)
{
	struct files_dir *d = (struct files_dir *)base;
	struct files *f = (struct files *)base->source;
	char *path = files_path(base, name);
	struct xattrs x;
	struct piece at_name, target = {0};
	size_t array;
	int rc = -1;

	x.names = NULL;
	x.v = NULL;
	x.n = 0;
	put_facts(st, out);
	at_name = piece_put(hold, name, strlen(name));
	if (st->type == ENTRY_SYMLINK && link_target(d, name, hold, &target, path, e) == -1)
		goto out;
	if (read_xattrs(d, name, &x, hold, path, e) == -1)
		goto out;
	if (x.n > 0) {
		xattrs_array(&x, hold, &array);
		out->xattrs = (const struct entry_xattr *)(hold->p + array);
		out->nxattrs = x.n;
	}
	out->name = piece_span(hold, at_name);
	out->target = piece_span(hold, target);
	out->user = span_str(owner_name(&f->users, st->uid, false));
	out->group = span_str(owner_name(&f->groups, st->gid, true));
	rc = 0;
out:
	free(x.names);
	free(x.v);
	free(path);
	return rc;
}
