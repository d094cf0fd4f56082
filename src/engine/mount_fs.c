/* mount_fs: see mount_fs.h. */
#include "engine/mount_fs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#include "base/mem.h"
#include "engine/holes.h"
#include "engine/mount_file.h"

#define FOREVER (365 * 86400.0)

struct mount_fs {
	struct mount_tree *tree;
	struct reader *reader;
	struct mount_blobs *blobs;
	struct buf out; /* of the reply being made */
	struct handle *handles;
};

/* Open directories and files: what fi->fh points to. */
struct handle {
	struct handle *next, **link; /* of all, for what is open at the end */
	struct mount_node *node;     /* held */
	struct mount_list *list;     /* a directory's */
	struct mount_file *file;
	bool told; /* that it is damaged */
};

static struct mount_fs *fs_of(fuse_req_t req)
{
	return mount_fuse.req_userdata(req);
}

static struct handle *handle_of(const struct fuse_file_info *fi)
{
	return (struct handle *)(uintptr_t)fi->fh;
}

/* The node, or NULL after ESTALE was answered. */
static struct mount_node *node_of(fuse_req_t req, fuse_ino_t ino)
{
	struct mount_node *n = mount_tree_node(fs_of(req)->tree, ino);

	if (n == NULL)
		mount_fuse.reply_err(req, ESTALE);
	return n;
}

static mode_t type_bits(enum entry_type type)
{
	static const mode_t bits[] = {
	    [ENTRY_FILE] = S_IFREG,
	    [ENTRY_DIR] = S_IFDIR,
	    [ENTRY_SYMLINK] = S_IFLNK,
	    [ENTRY_FIFO] = S_IFIFO,
	    [ENTRY_CHAR] = S_IFCHR,
	    [ENTRY_BLOCK] = S_IFBLK,
	};

	return bits[type];
}

static void stat_fill(const struct mount_item *it, uint64_t ino, struct stat *st)
{
	const struct entry *en = &it->en;

	*st = (struct stat){.st_ino = ino,
	    .st_mode = type_bits(en->type) | en->mode,
	    .st_nlink = 1,
	    .st_uid = en->uid,
	    .st_gid = en->gid,
	    .st_size = (off_t)(en->type == ENTRY_SYMLINK ? en->target.n : en->size),
	    .st_blksize = 128 << 10,
	    .st_blocks = (blkcnt_t)((holes_data_size(en) + 511) / 512),
	    .st_mtim = {en->mtime, en->mtime_ns}};
	st->st_atim = st->st_ctim = st->st_mtim;
	if (en->type == ENTRY_CHAR || en->type == ENTRY_BLOCK)
		st->st_rdev = makedev(en->major, en->minor);
}

static void entry_fill(const struct mount_node *n, struct fuse_entry_param *out)
{
	*out = (struct fuse_entry_param){
	    .ino = n->ino, .attr_timeout = FOREVER, .entry_timeout = FOREVER};
	stat_fill(n->item, n->ino, &out->attr);
}

/* ---- Names and facts. */

static void fs_init(void *userdata, struct fuse_conn_info *conn)
{
	(void)userdata;
	/* Without it an ACL's mask would pass for the group's permissions. */
	conn->want |= conn->capable & (FUSE_CAP_POSIX_ACL | FUSE_CAP_CACHE_SYMLINKS);
}

static void fs_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct mount_fs *fs = fs_of(req);
	struct mount_node *dir = node_of(req, parent), *n;
	struct fuse_entry_param out = {.entry_timeout = FOREVER};
	struct mount_list *l;
	struct mount_item *it;

	if (dir == NULL)
		return;
	if (dir->item->en.type != ENTRY_DIR || (l = mount_tree_list(fs->tree, dir)) == NULL) {
		mount_fuse.reply_err(req, dir->item->en.type != ENTRY_DIR ? ENOTDIR : EIO);
		return;
	}
	it = mount_list_find(l, span_str(name));
	if (it != NULL) {
		n = mount_tree_enter(fs->tree, dir, it);
		entry_fill(n, &out);
		if (mount_fuse.reply_entry(req, &out) != 0)
			mount_tree_forget(fs->tree, n, 1);
	} else if (l->damaged) {
		mount_fuse.reply_err(req, EIO);
	} else {
		mount_fuse.reply_entry(req, &out); /* "not there" is also kept */
	}
	mount_list_unref(l);
}

static void fs_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
	struct mount_tree *t = fs_of(req)->tree;

	mount_tree_forget(t, mount_tree_node(t, ino), count);
	mount_fuse.reply_none(req);
}

static void fs_forget_multi(fuse_req_t req, size_t n, struct fuse_forget_data *v)
{
	struct mount_tree *t = fs_of(req)->tree;

	for (size_t i = 0; i < n; i++)
		mount_tree_forget(t, mount_tree_node(t, v[i].ino), v[i].nlookup);
	mount_fuse.reply_none(req);
}

static void fs_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct mount_node *n = node_of(req, ino);
	struct stat st;

	(void)fi;
	if (n == NULL)
		return;
	stat_fill(n->item, n->ino, &st);
	mount_fuse.reply_attr(req, &st, FOREVER);
}

static void fs_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct mount_node *n = node_of(req, ino);

	if (n == NULL)
		return;
	if (n->item->en.type != ENTRY_SYMLINK)
		mount_fuse.reply_err(req, EINVAL);
	else if (n->item->en.target.n >= PATH_MAX)
		mount_fuse.reply_err(req, ENAMETOOLONG);
	else
		mount_fuse.reply_readlink(req, (const char *)n->item->en.target.p);
}

static void fs_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs st = {
	    .f_bsize = 4096, .f_frsize = 4096, .f_namemax = 255, .f_flag = ST_RDONLY};

	(void)ino;
	mount_fuse.reply_statfs(req, &st);
}

/* Answer a request for an attribute or the names of all: its length, or it. */
static void reply_sized(fuse_req_t req, struct span s, size_t size)
{
	if (size == 0)
		mount_fuse.reply_xattr(req, s.n);
	else if (s.n > size)
		mount_fuse.reply_err(req, ERANGE);
	else
		mount_fuse.reply_buf(req, (const char *)s.p, s.n);
}

static void fs_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct mount_node *n = node_of(req, ino);

	if (n == NULL)
		return;
	for (size_t i = 0; i < n->item->en.nxattrs; i++)
		if (span_eq(n->item->en.xattrs[i].name, span_str(name))) {
			reply_sized(req, n->item->en.xattrs[i].value, size);
			return;
		}
	mount_fuse.reply_err(req, ENODATA);
}

static void fs_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct mount_fs *fs = fs_of(req);
	struct mount_node *n = node_of(req, ino);

	if (n == NULL)
		return;
	buf_reset(&fs->out);
	for (size_t i = 0; i < n->item->en.nxattrs; i++) {
		buf_put_span(&fs->out, n->item->en.xattrs[i].name);
		buf_put_u8(&fs->out, 0);
	}
	reply_sized(req, buf_span(&fs->out), size);
}

/* ---- Handles. */

static struct handle *handle_new(struct mount_fs *fs, struct mount_node *n)
{
	struct handle *h = mem_zalloc(sizeof *h);

	h->node = n;
	n->refs++;
	h->next = fs->handles;
	h->link = &fs->handles;
	if (h->next != NULL)
		h->next->link = &h->next;
	fs->handles = h;
	return h;
}

static void handle_free(struct mount_fs *fs, struct handle *h)
{
	*h->link = h->next;
	if (h->next != NULL)
		h->next->link = h->link;
	mount_list_unref(h->list);
	mount_file_close(h->file);
	mount_tree_forget(fs->tree, h->node, 1);
	free(h);
}

static void handle_reply(fuse_req_t req, struct handle *h, struct fuse_file_info *fi)
{
	fi->fh = (uintptr_t)h;
	if (mount_fuse.reply_open(req, fi) != 0)
		handle_free(fs_of(req), h);
}

static void fs_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	handle_free(fs_of(req), handle_of(fi));
	mount_fuse.reply_err(req, 0);
}

/* ---- Directories. */

static void fs_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct mount_fs *fs = fs_of(req);
	struct mount_node *n = node_of(req, ino);
	struct mount_list *l;
	struct handle *h;

	if (n == NULL)
		return;
	if (n->item->en.type != ENTRY_DIR || (l = mount_tree_list(fs->tree, n)) == NULL) {
		mount_fuse.reply_err(req, n->item->en.type != ENTRY_DIR ? ENOTDIR : EIO);
		return;
	}
	h = handle_new(fs, n);
	h->list = l;
	fi->keep_cache = fi->cache_readdir = !l->damaged;
	handle_reply(req, h, fi);
}

/*
 * Add the entry at `at` ("." and ".." are the first two) if it fits; false if
 * not.  With `plus` the kernel takes a reference to its node.
 */
static bool put_entry(fuse_req_t req, struct handle *h, size_t at, size_t size, bool plus)
{
	struct mount_fs *fs = fs_of(req);
	struct mount_node *dir = h->node, *n;
	struct mount_item *it = at < 2 ? dir->item : h->list->v[at - 2];
	struct fuse_entry_param out = {.ino = 0};
	char name[ENTRY_NAME_MAX + 1] = ".";
	size_t need;

	if (at == 1)
		strcpy(name, "..");
	if (at >= 2) {
		memcpy(name, it->en.name.p, it->en.name.n);
		name[it->en.name.n] = '\0';
	}
	need = plus ? mount_fuse.add_direntry_plus(req, NULL, 0, name, NULL, 0)
		    : mount_fuse.add_direntry(req, NULL, 0, name, NULL, 0);
	if (need > size - fs->out.n)
		return false;
	if (at >= 2 && plus) {
		n = mount_tree_enter(fs->tree, dir, it);
		entry_fill(n, &out);
	} else if (at >= 2) {
		stat_fill(it, mount_tree_ino(fs->tree, dir, it->en.name), &out.attr);
	} else {
		n = at == 1 && dir->parent != NULL ? dir->parent : dir;
		stat_fill(n->item, n->ino, &out.attr);
	}
	buf_extend(&fs->out, need);
	if (plus)
		mount_fuse.add_direntry_plus(
		    req, (char *)fs->out.p + fs->out.n - need, need, name, &out, (off_t)at + 1);
	else
		mount_fuse.add_direntry(req, (char *)fs->out.p + fs->out.n - need, need, name,
		    &out.attr, (off_t)at + 1);
	return true;
}

static void list_reply(
    fuse_req_t req, size_t size, off_t off, const struct fuse_file_info *fi, bool plus)
{
	struct mount_fs *fs = fs_of(req);
	struct handle *h = handle_of(fi);
	size_t n = h->list->n + 2, first = off < 0 || (uint64_t)off > n ? n : (size_t)off;
	size_t at = first;

	if (at == n && h->list->damaged) {
		mount_fuse.reply_err(req, EIO);
		return;
	}
	buf_reset(&fs->out);
	while (at < n && put_entry(req, h, at, size, plus))
		at++;
	if (mount_fuse.reply_buf(req, (const char *)fs->out.p, fs->out.n) == 0 || !plus)
		return;
	/* Nobody got them, so nobody will forget them. */
	while (at-- > first)
		if (at >= 2) {
			uint64_t ino = mount_tree_ino(
			    fs->tree, h->node, h->list->v[at - 2]->en.name);

			mount_tree_forget(fs->tree, mount_tree_node(fs->tree, ino), 1);
		}
}

static void fs_readdir(
    fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	(void)ino;
	list_reply(req, size, off, fi, false);
}

static void fs_readdirplus(
    fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	(void)ino;
	list_reply(req, size, off, fi, true);
}

/* ---- Files. */

static void reply_problem(fuse_req_t req, struct handle *h, const struct err *e)
{
	/* Once each time it is opened: the kernel reads ahead, and again. */
	if (!h->told)
		mount_tree_tell(fs_of(req)->tree, h->node, e);
	h->told = true;
	mount_fuse.reply_err(req, e->kind == ERR_CANCELLED ? EINTR : EIO);
}

static void fs_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct mount_fs *fs = fs_of(req);
	struct mount_node *n = node_of(req, ino);
	struct handle *h;
	struct err e;

	if (n == NULL)
		return;
	if (n->item->en.type != ENTRY_FILE || (fi->flags & O_ACCMODE) != O_RDONLY) {
		mount_fuse.reply_err(req, n->item->en.type == ENTRY_DIR ? EISDIR : EROFS);
		return;
	}
	err_clear(&e);
	h = handle_new(fs, n);
	h->file = mount_file_open(fs->reader, n->item, &e);
	if (h->file == NULL) {
		reply_problem(req, h, &e);
		handle_free(fs, h);
		return;
	}
	fi->keep_cache = 1;
	handle_reply(req, h, fi);
}

static void fs_read(
    fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct mount_fs *fs = fs_of(req);
	struct handle *h = handle_of(fi);
	struct err e;

	(void)ino;
	err_clear(&e);
	buf_reset(&fs->out);
	if (mount_file_read(h->file, fs->blobs, (uint64_t)off, size, &fs->out, &e) == -1)
		reply_problem(req, h, &e);
	else
		mount_fuse.reply_buf(req, (const char *)fs->out.p, fs->out.n);
}

const struct fuse_lowlevel_ops mount_fs_ops = {
    .init = fs_init,
    .lookup = fs_lookup,
    .forget = fs_forget,
    .forget_multi = fs_forget_multi,
    .getattr = fs_getattr,
    .readlink = fs_readlink,
    .statfs = fs_statfs,
    .getxattr = fs_getxattr,
    .listxattr = fs_listxattr,
    .open = fs_open,
    .read = fs_read,
    .release = fs_release,
    .opendir = fs_opendir,
    .readdir = fs_readdir,
    .readdirplus = fs_readdirplus,
    .releasedir = fs_release,
};

struct mount_fs *mount_fs_new(struct mount_item *root, struct reader *rd, struct ctx *ctx)
{
	struct mount_fs *fs = mem_zalloc(sizeof *fs);

	fs->tree = mount_tree_new(root, rd, ctx);
	fs->reader = rd;
	fs->blobs = mount_blobs_new(rd);
	return fs;
}

void mount_fs_free(struct mount_fs *fs)
{
	if (fs == NULL)
		return;
	while (fs->handles != NULL)
		handle_free(fs, fs->handles);
	mount_tree_free(fs->tree);
	mount_blobs_free(fs->blobs);
	buf_fini(&fs->out);
	free(fs);
}
