/*
 * files_meta: the rest of an entry: extended attributes (POSIX ACLs are
 * among them), link targets, names of owners.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/mem.h"
#include "os/os.h"
#include "source/files_internal.h"

struct files_owner {
	bool group;
	uint32_t id;
	char *name;		/* "" if unknown */
};

void files_owners_fini(struct files *f)
{
	for (size_t i = 0; i < f->nowners; i++)
		free(f->owners[i].name);
	free(f->owners);
}

static char *look_up(bool group, uint32_t id)
{
	char tmp[16384];
	struct passwd pw, *pwp = NULL;
	struct group gr, *grp = NULL;

	if (group && getgrgid_r(id, &gr, tmp, sizeof tmp, &grp) == 0 && grp != NULL)
		return mem_strdup(gr.gr_name);
	if (!group && getpwuid_r(id, &pw, tmp, sizeof tmp, &pwp) == 0 && pwp != NULL)
		return mem_strdup(pw.pw_name);
	return mem_strdup("");
}

/* The name lives as long as the source: owners are few and never dropped. */
static struct span owner_name(struct files *f, bool group, uint32_t id)
{
	struct files_owner *o = NULL;
	struct span name;

	pthread_mutex_lock(&f->owners_lock);
	for (size_t i = 0; i < f->nowners && o == NULL; i++)
		if (f->owners[i].group == group && f->owners[i].id == id)
			o = &f->owners[i];
	if (o == NULL) {
		f->owners = mem_realloc(f->owners, (f->nowners + 1) * sizeof *f->owners);
		o = &f->owners[f->nowners++];
		*o = (struct files_owner){group, id, look_up(group, id)};
	}
	name = span_str(o->name);
	pthread_mutex_unlock(&f->owners_lock);
	return name;
}

/* Offsets into hold while it may still move; spans at the end. */
struct piece {
	size_t at, n;
};

static struct piece add(struct buf *hold, const void *p, size_t n)
{
	struct piece x = {hold->n, n};

	buf_put(hold, p, n);
	buf_put_u8(hold, 0);
	return x;
}

static struct span piece_span(const struct buf *hold, struct piece x)
{
	return span_of(hold->p + x.at, x.n);
}

/*
 * One value.  1, 0 if it is gone or not ours to read, -1.
 */
static int get_value(const char *proc, const char *name, struct buf *hold, struct piece *out,
    struct err *e)
{
	for (;;) {
		ssize_t n = lgetxattr(proc, name, NULL, 0), got;
		size_t at = hold->n;

		if (n == -1)
			break;
		got = lgetxattr(proc, name, buf_extend(hold, (size_t)n + 1), (size_t)n);
		hold->n = at;
		if (got == -1 && errno == ERANGE)
			continue;	/* it grew in between */
		if (got == -1)
			break;
		hold->n = at + (size_t)got;
		buf_put_u8(hold, 0);
		*out = (struct piece){at, (size_t)got};
		return 1;
	}
	if (errno == ENODATA || errno == EPERM || errno == EACCES || errno == EOPNOTSUPP)
		return 0;
	return err_sys(e, "extended attribute %s", name);
}

struct xattr_piece {
	struct piece name, value;
};

static int by_name(const void *a, const void *b, void *hold)
{
	const struct xattr_piece *x = a, *y = b;

	return span_cmp(piece_span(hold, x->name), piece_span(hold, y->name));
}

/* Names first, for the common case has none and costs one call. */
static int list_names(const char *proc, char **names, ssize_t *n, struct err *e)
{
	char small[512];

	*names = NULL;
	*n = llistxattr(proc, small, sizeof small);
	while (*n == -1 && errno == ERANGE) {
		ssize_t need = llistxattr(proc, NULL, 0);

		if (need == -1)
			break;
		*names = mem_realloc(*names, (size_t)need);
		*n = llistxattr(proc, *names, (size_t)need);
	}
	if (*n == -1 && (errno == EOPNOTSUPP || errno == EPERM || errno == EACCES))
		*n = 0;
	if (*n == -1) {
		err_sys(e, "list extended attributes");
		free(*names);
		return -1;
	}
	if (*names == NULL && *n > 0)
		*names = mem_dup(small, (size_t)*n);
	return 0;
}

static int read_xattrs(
    int dir, const char *name, struct buf *hold, struct piece *array, size_t *count, struct err *e)
{
	char *proc = mem_printf("/proc/self/fd/%d/%s", dir, name), *names = NULL;
	struct xattr_piece *v = NULL;
	size_t nv = 0;
	ssize_t n = 0;
	int rc = -1;

	*count = 0;
	if (list_names(proc, &names, &n, e) == -1)
		goto out;
	for (ssize_t at = 0; at < n; at += (ssize_t)strlen(names + at) + 1) {
		struct piece value;
		int got = get_value(proc, names + at, hold, &value, e);

		if (got == -1)
			goto out;
		if (got == 0 || nv == ENTRY_XATTRS_MAX || value.n > ENTRY_XATTR_MAX)
			continue;
		v = mem_realloc(v, (nv + 1) * sizeof *v);
		v[nv++] = (struct xattr_piece){
		    add(hold, names + at, strlen(names + at)), value};
	}
	/* The kernel's order is no order: sorted, equal sets are equal bytes. */
	if (nv > 1)
		qsort_r(v, nv, sizeof *v, by_name, hold);
	buf_put_zeros(hold, (8 - hold->n % 8) % 8);
	*array = add(hold, v, nv * sizeof *v);
	*count = nv;
	rc = 0;
out:
	free(proc);
	free(names);
	free(v);
	return rc;
}

static int read_target(
    int dir, const char *name, uint64_t size, struct buf *hold, struct piece *out, struct err *e)
{
	size_t cap = size ? size + 1 : 4096;

	for (;;) {
		size_t at = hold->n;
		ssize_t n = readlinkat(dir, name, (char *)buf_extend(hold, cap + 1), cap);

		hold->n = at;
		if (n == -1)
			return err_sys(e, "read link");
		if ((size_t)n < cap) {
			hold->n = at + (size_t)n;
			buf_put_u8(hold, 0);
			*out = (struct piece){at, (size_t)n};
			return 0;
		}
		cap *= 2;
	}
}

/* Equal for names of one inode, and nothing that tells much to others. */
static uint64_t link_group(const struct source_stat *st)
{
	uint64_t x = st->ino * 0x9e3779b97f4a7c15u ^ (st->dev + 0x7f4a7c15u) * 0xbf58476d1ce4e5b9u;

	x ^= x >> 31;
	return x ? x : 1;
}

/* Two spans fit where two pieces were: the array is turned in place. */
_Static_assert(sizeof(struct xattr_piece) == sizeof(struct entry_xattr), "same size");

static void set_xattrs(struct entry *out, struct buf *hold, struct piece array, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct xattr_piece p;
		struct entry_xattr x;
		uint8_t *at = hold->p + array.at + i * sizeof p;

		memcpy(&p, at, sizeof p);
		x.name = piece_span(hold, p.name);
		x.value = piece_span(hold, p.value);
		memcpy(at, &x, sizeof x);
	}
	out->xattrs = n ? (const void *)(hold->p + array.at) : NULL;
	out->nxattrs = n;
}

int files_fill(struct source_dir *dir, const char *name, const struct source_stat *st,
    struct entry *out, struct buf *hold, struct err *e)
{
	struct files_dir *d = (struct files_dir *)dir;
	struct files *f = (struct files *)dir->source;
	struct piece target = {0, 0}, array = {0, 0};
	size_t nxattrs = 0;

	memset(out, 0, sizeof *out);
	if (st->type == ENTRY_SYMLINK &&
	    read_target(d->fd, name, st->size, hold, &target, e) == -1)
		return -1;
	if (read_xattrs(d->fd, name, hold, &array, &nxattrs, e) == -1)
		return -1;
	set_xattrs(out, hold, array, nxattrs);
	out->type = st->type;
	out->name = span_str(name);
	out->mode = st->mode;
	out->uid = st->uid;
	out->gid = st->gid;
	out->user = owner_name(f, false, st->uid);
	out->group = owner_name(f, true, st->gid);
	out->mtime = st->mtime;
	out->mtime_ns = st->mtime_ns;
	out->size = st->type == ENTRY_FILE ? st->size : 0;
	out->target = target.n ? piece_span(hold, target) : span_of(NULL, 0);
	if (st->type == ENTRY_CHAR || st->type == ENTRY_BLOCK) {
		out->major = st->major;
		out->minor = st->minor;
	}
	if (st->nlink > 1 && st->type != ENTRY_DIR) {
		out->linked = true;
		out->link_group = link_group(st);
	}
	return 0;
}
