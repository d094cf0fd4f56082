#include "source_unit.h"

#include <pthread.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

static struct target *topen(struct fix *f, const char *rel, enum target_overwrite o)
{
	struct target *t = NULL;

	OK(f, target_open(at(f, rel), o, &f->ctx, &t, &f->e));
	return t;
}

static struct entry file_entry(const char *name, uint64_t size)
{
	return (struct entry){.type = ENTRY_FILE,
	    .name = span_str(name),
	    .mode = 0640,
	    .uid = getuid(),
	    .gid = getgid(),
	    .mtime = 1000,
	    .size = size};
}

static struct entry dir_entry(const char *name)
{
	struct entry en = file_entry(name, 0);

	en.type = ENTRY_DIR;
	en.mode = 0750;
	return en;
}

static int put_file(
    struct fix *f, struct target_dir *d, const char *name, const char *text, struct err *e)
{
	struct entry en = file_entry(name, strlen(text));
	struct target_file *out;

	if (target_file_begin(d, &en, &out, e) == -1)
		return -1;
	OK(f, target_file_write(out, 0, span_str(text), e));
	return target_file_end(out, e);
}

/* Comparing two trees. */

static int open_in(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);

	assert_int_not_equal(fd, -1);
	return fd;
}

static char *xattrs_of(int dirfd, const char *name)
{
	char path[600], names[65536], value[65536];
	struct buf b = {0};
	ssize_t n;
	char *sorted[64];
	size_t count = 0;

	snprintf(path, sizeof path, "/proc/self/fd/%d/%s", dirfd, name);
	n = llistxattr(path, names, sizeof names);
	for (ssize_t i = 0; i < n; i += (ssize_t)strlen(names + i) + 1)
		sorted[count++] = names + i;
	for (size_t i = 0; i < count; i++)
		for (size_t j = i + 1; j < count; j++)
			if (strcmp(sorted[i], sorted[j]) > 0) {
				char *x = sorted[i];

				sorted[i] = sorted[j];
				sorted[j] = x;
			}
	for (size_t i = 0; i < count; i++) {
		ssize_t m = lgetxattr(path, sorted[i], value, sizeof value);

		buf_printf(&b, "%s=", sorted[i]);
		for (ssize_t k = 0; k < m; k++)
			buf_printf(&b, "%02x", (uint8_t)value[k]);
		buf_printf(&b, ";");
	}
	buf_put_u8(&b, 0);
	return (char *)b.p;
}

static void same_content(int a, int b, off_t size)
{
	char *p = mem_alloc(65536), *q = mem_alloc(65536);

	for (off_t off = 0; off < size;) {
		ssize_t n = pread(a, p, 65536, off);

		assert_true(n > 0);
		assert_int_equal(pread(b, q, 65536, off), n);
		assert_memory_equal(p, q, n);
		off += n;
	}
	for (off_t off = 0; off < size;) {
		off_t hole = lseek(a, off, SEEK_HOLE), data = lseek(a, hole, SEEK_DATA);

		assert_int_equal(lseek(b, off, SEEK_HOLE), hole);
		assert_int_equal(lseek(b, hole, SEEK_DATA), data);
		if (data == -1)
			break;
		off = data;
	}
	free(p);
	free(q);
}

static void same_dir(int a, int b);

static void same_name(int a, int b, const char *name)
{
	struct stat s, t;
	char *x = xattrs_of(a, name), *y = xattrs_of(b, name);
	char l[5000], m[5000];
	int fa, fb;

	assert_int_equal(fstatat(a, name, &s, AT_SYMLINK_NOFOLLOW), 0);
	if (fstatat(b, name, &t, AT_SYMLINK_NOFOLLOW) == -1)
		fail_msg("%s is missing", name);
	assert_int_equal(s.st_mode, t.st_mode);
	assert_int_equal(s.st_uid, t.st_uid);
	assert_int_equal(s.st_gid, t.st_gid);
	assert_int_equal(s.st_rdev, t.st_rdev);
	assert_int_equal(s.st_nlink, t.st_nlink);
	assert_int_equal(s.st_mtim.tv_sec, t.st_mtim.tv_sec);
	assert_int_equal(s.st_mtim.tv_nsec, t.st_mtim.tv_nsec);
	assert_string_equal(x, y);
	free(x);
	free(y);
	if (S_ISLNK(s.st_mode)) {
		ssize_t n = readlinkat(a, name, l, sizeof l);

		assert_int_equal(readlinkat(b, name, m, sizeof m), n);
		assert_memory_equal(l, m, n);
	}
	if (!S_ISREG(s.st_mode) && !S_ISDIR(s.st_mode))
		return;
	fa = open_in(a, name);
	fb = open_in(b, name);
	if (S_ISDIR(s.st_mode)) {
		same_dir(fa, fb);
	} else {
		assert_int_equal(s.st_size, t.st_size);
		same_content(fa, fb, s.st_size);
	}
	close(fa);
	close(fb);
}

static void same_dir(int a, int b)
{
	DIR *d = fdopendir(dup(a)), *o = fdopendir(dup(b));
	unsigned n = 0;

	for (struct dirent *x; (x = readdir(d)) != NULL;) {
		n++;
		if (strcmp(x->d_name, ".") != 0 && strcmp(x->d_name, "..") != 0)
			same_name(a, b, x->d_name);
	}
	while (readdir(o) != NULL)
		n--;
	assert_int_equal(n, 0);
	closedir(d);
	closedir(o);
}

static void same_tree(const struct fix *f, const char *a, const char *b)
{
	int x = open(at(f, a), O_RDONLY), y = open(at(f, b), O_RDONLY);

	same_dir(x, y);
	close(x);
	close(y);
}

/* The tree of every kind. */

static void mtime(const struct fix *f, const char *rel, int64_t s, long ns)
{
	struct timespec ts[2] = {{0, UTIME_OMIT}, {s, ns}};

	assert_int_equal(utimensat(AT_FDCWD, at(f, rel), ts, AT_SYMLINK_NOFOLLOW), 0);
}

static void make_sparse(const struct fix *f)
{
	int fd = open(at(f, "in/sparse"), O_RDWR | O_CREAT, 0600);

	assert_int_equal(ftruncate(fd, 9 << 20), 0);
	assert_int_equal(pwrite(fd, "middle", 6, 4 << 20), 6);
	assert_int_equal(pwrite(fd, "later", 5, 8 << 20), 5);
	close(fd);
}

/* A path of more than 5,000 bytes, each component 250 long. */
static void make_deep(const struct fix *f)
{
	char name[256];
	int fd = open(at(f, "in"), O_RDONLY), next;

	memset(name, 'd', 250);
	name[250] = '\0';
	for (int i = 0; i < 20; i++) {
		assert_int_equal(mkdirat(fd, name, 0711), 0);
		next = openat(fd, name, O_RDONLY);
		assert_int_not_equal(next, -1);
		close(fd);
		fd = next;
	}
	next = openat(fd, "leaf", O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(next, "deep", 4), 4);
	close(next);
	close(fd);
}

static void make_kinds(const struct fix *f)
{
	char longest[256 + 8];

	dir(f, "in");
	dir(f, "in/d");
	put(f, "in/d/one", "one");
	put(f, "in/empty", "");
	put(f, "in/bytes-\xff\xfe\x01", "not UTF-8");
	snprintf(longest, sizeof longest, "in/%0255d", 7);
	put(f, longest, "255");
	assert_int_equal(link(at(f, "in/d/one"), at(f, "in/two")), 0);
	assert_int_equal(symlink("nowhere\xff", at(f, "in/link")), 0);
	assert_int_equal(link(at(f, "in/link"), at(f, "in/link2")), 0);
	assert_int_equal(mkfifo(at(f, "in/fifo"), 0612), 0);
	put(f, "in/setuid", "x");
	assert_int_equal(chmod(at(f, "in/setuid"), 06755), 0);
	put(f, "in/shut", "x");
	assert_int_equal(chmod(at(f, "in/shut"), 0), 0);
	assert_int_equal(chmod(at(f, "in/d"), 01555), 0);
	make_sparse(f);
	make_deep(f);
	mtime(f, "in/two", -2177452800 + 1, 123456789); /* 1901 */
	mtime(f, "in/empty", 4102444800, 999999999);    /* 2100 */
	mtime(f, "in/link", 77, 5);
	mtime(f, "in/fifo", 78, 0);
}

/* An access ACL: rwx for the owner, r for user 12, mask rwx, group and others nothing. */
static const uint8_t acl[] = {2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255, 2, 0, 4, 0, 12, 0, 0, 0,
    4, 0, 0, 0, 255, 255, 255, 255, 16, 0, 7, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255,
    255};
/* Effective and permitted: CAP_NET_RAW. */
static const uint8_t cap[] = {1, 0, 0, 2, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};

static void set_xattrs(const struct fix *f)
{
	assert_int_equal(setxattr(at(f, "in/d"), "user.on-a-dir", "\0\1", 2, 0), 0);
	assert_int_equal(setxattr(at(f, "in/shut"), "user.ro", "v", 1, 0), 0);
	assert_int_equal(
	    setxattr(at(f, "in/empty"), "system.posix_acl_access", acl, sizeof acl, 0), 0);
	assert_int_equal(
	    setxattr(at(f, "in/d"), "system.posix_acl_default", acl, sizeof acl, 0), 0);
}

static void make_as_root(const struct fix *f)
{
	assert_int_equal(mknod(at(f, "in/null"), S_IFCHR | 0666, makedev(1, 3)), 0);
	assert_int_equal(mknod(at(f, "in/blk"), S_IFBLK | 0600, makedev(259, 70000)), 0);
	assert_int_equal(lchown(at(f, "in/link"), 1234, 5678), 0);
	assert_int_equal(chown(at(f, "in/setuid"), 4000000000u, 99), 0);
	assert_int_equal(chmod(at(f, "in/setuid"), 06755), 0);
	assert_int_equal(chown(at(f, "in/d"), 1000, 1001), 0);
	(void)!lsetxattr(at(f, "in/link"), "trusted.on-a-link", "v", 1, 0);
	if (setxattr(at(f, "in/setuid"), "security.capability", cap, sizeof cap, 0) == -1)
		print_message("# no capabilities here\n");
}

static void a_tree_of_every_kind_comes_back_the_same(void **state)
{
	struct fix *f = *state;
	unsigned fds;

	make_kinds(f);
	set_xattrs(f);
	if (getuid() == 0)
		make_as_root(f);
	mtime(f, "in/d", 3, 3);
	fds = open_fds();
	copy_tree(f, "in", "out", (struct files_params){0}, TARGET_REFUSE);
	assert_int_equal(open_fds(), fds);
	same_tree(f, "in", "out");
	/* Once more over itself. */
	copy_tree(f, "in", "out", (struct files_params){0}, TARGET_ALWAYS);
	same_tree(f, "in", "out");
	assert_int_equal(f->events[EVENT_FILE_FAILED], 0);
}

static void a_filled_target_is_refused_unless_asked(void **state)
{
	struct fix *f = *state;
	struct target *t;

	dir(f, "t");
	put(f, "t/.x", "");
	FAILS(f, ERR_USAGE, target_open(at(f, "t"), TARGET_REFUSE, &f->ctx, &t, &f->e));
	assert_non_null(strstr(f->e.hint, "--overwrite"));
	target_close(topen(f, "t", TARGET_NEVER));
	target_close(topen(f, "new/deeper", TARGET_REFUSE));
	put(f, "file", "");
	assert_int_equal(target_open(at(f, "file"), TARGET_ALWAYS, &f->ctx, &t, &f->e), -1);
	target_close(NULL);
}

static void hostile_names_are_corrupt_everywhere(void **state)
{
	struct fix *f = *state;
	struct target *t = topen(f, "t", TARGET_ALWAYS);
	struct target_dir *d = target_root(t), *sub;
	static const struct {
		const char *p;
		size_t n;
	} bad[] = {{"", 0}, {".", 1}, {"..", 2}, {"a/b", 3}, {"/", 1}, {"../x", 4}, {"a\0b", 3}};

	put(f, "x", "outside");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct entry en = file_entry("", 0);
		struct target_file *out;
		struct target_stat st;

		en.name = span_of(bad[i].p, bad[i].n);
		FAILS(f, ERR_CORRUPT, target_file_begin(d, &en, &out, &f->e));
		FAILS(f, ERR_CORRUPT, target_meta(d, &en, &f->e));
		en.type = ENTRY_DIR;
		FAILS(f, ERR_CORRUPT, target_mkdir(d, &en, &sub, &f->e));
		en.type = ENTRY_FIFO;
		FAILS(f, ERR_CORRUPT, target_node(d, &en, &f->e));
		if (strlen(bad[i].p) != bad[i].n)
			continue;
		FAILS(f, ERR_CORRUPT, target_look(d, bad[i].p, &st, &f->e));
		FAILS(f, ERR_CORRUPT, target_remove(d, bad[i].p, &f->e));
		FAILS(f, ERR_CORRUPT, target_link(d, bad[i].p, "x", &f->e));
		if (bad[i].n != 3)
			FAILS(f, ERR_CORRUPT, target_link(d, "ok", bad[i].p, &f->e));
	}
	FAILS(f, ERR_CORRUPT, target_link(d, "ok", "../x", &f->e));
	assert_false(there(f, "t/ok"));
	target_dir_unref(d);
	target_close(t);
}

static void hostile_entries_are_refused(void **state)
{
	struct fix *f = *state;
	struct target *t = topen(f, "t", TARGET_REFUSE);
	struct target_dir *d = target_root(t);
	struct target_file *out;
	struct entry en = file_entry("f", UINT64_MAX);
	struct entry_xattr x = {span_of("user.a\0b", 8), span_str("v")};

	FAILS(f, ERR_CORRUPT, target_file_begin(d, &en, &out, &f->e));
	en = file_entry("f", 4);
	OK(f, target_file_begin(d, &en, &out, &f->e));
	FAILS(f, ERR_CORRUPT, target_file_write(out, 2, span_str("abc"), &f->e));
	FAILS(f, ERR_CORRUPT, target_file_write(out, UINT64_MAX, span_str("abc"), &f->e));
	target_file_abort(out);
	assert_false(there(f, "t/f"));
	en.type = ENTRY_SYMLINK;
	FAILS(f, ERR_CORRUPT, target_node(d, &en, &f->e));
	en.target = span_of("a\0b", 3);
	FAILS(f, ERR_CORRUPT, target_node(d, &en, &f->e));
	en.type = ENTRY_SOCKET;
	FAILS(f, ERR_CORRUPT, target_node(d, &en, &f->e));
	en = file_entry("f", 0);
	en.xattrs = &x;
	en.nxattrs = 1;
	en.mtime_ns = UTIME_NOW;
	OK(f, target_file_begin(d, &en, &out, &f->e));
	OK(f, target_file_end(out, &f->e));
	assert_int_equal(target_problems(t), 1);
	target_dir_unref(d);
	target_close(t);
}

static void a_directory_swapped_for_a_link_is_not_followed(void **state)
{
	struct fix *f = *state;
	struct target *t = topen(f, "t", TARGET_NEVER);
	struct target_dir *root = target_root(t), *d, *d2;
	struct entry en = dir_entry("d"), sub = dir_entry("sub");

	dir(f, "outside");
	OK(f, target_mkdir(root, &en, &d, &f->e));
	OK(f, put_file(f, d, "first", "1", &f->e));
	assert_int_equal(rename(at(f, "t/d"), at(f, "t/moved")), 0);
	assert_int_equal(symlink(at(f, "outside"), at(f, "t/d")), 0);
	/* What is held goes where the directory went; what is opened anew fails. */
	OK(f, put_file(f, d, "second", "2", &f->e));
	assert_true(there(f, "t/moved/second"));
	FAILS(f, ERR_EXISTS, target_mkdir(root, &en, &d2, &f->e));
	assert_int_equal(target_link(root, "l", "d/first", &f->e), -1);
	/* Also upwards, and for the target of a relative link. */
	assert_int_equal(symlink("../outside", at(f, "t/moved/sub")), 0);
	FAILS(f, ERR_EXISTS, target_mkdir(d, &sub, &d2, &f->e));
	target_dir_unref(d);
	target_dir_unref(root);
	target_close(t);
	assert_int_equal(rmdir(at(f, "outside")), 0);
}

struct swapper {
	const char *dir, *link;
	atomic_bool stop;
};

static void *swap_on(void *arg)
{
	struct swapper *s = arg;

	while (!atomic_load(&s->stop))
		renameat2(AT_FDCWD, s->dir, AT_FDCWD, s->link, RENAME_EXCHANGE);
	return NULL;
}

static void a_race_of_swaps_never_leads_outside(void **state)
{
	struct fix *f = *state;
	struct target *t = topen(f, "t", TARGET_NEVER);
	struct target_dir *root = target_root(t), *d;
	struct entry en = dir_entry("d");
	char *there_dir = mem_strdup(at(f, "t/d")), *there_link = mem_strdup(at(f, "t/l"));
	struct swapper s = {there_dir, there_link, false};
	unsigned entered = 0;
	pthread_t thread;

	dir(f, "outside");
	dir(f, "t/d");
	assert_int_equal(symlink(at(f, "outside"), there_link), 0);
	assert_int_equal(pthread_create(&thread, NULL, swap_on, &s), 0);
	for (int i = 0; i < 20000; i++) {
		struct target_file *out;
		struct entry in = file_entry("x", 0);

		if (target_mkdir(root, &en, &d, &f->e) == -1)
			continue;
		entered++;
		if (target_file_begin(d, &in, &out, &f->e) == 0) {
			assert_false(there(f, "outside/x"));
			target_file_abort(out);
		}
		target_dir_unref(d);
	}
	atomic_store(&s.stop, true);
	pthread_join(thread, NULL);
	print_message("# entered %u times\n", entered);
	target_dir_unref(root);
	target_close(t);
	free(there_dir);
	free(there_link);
}

static void a_link_in_the_way_is_replaced_not_written_through(void **state)
{
	struct fix *f = *state;
	struct target *t;
	struct target_dir *root, *d;
	struct entry en = dir_entry("d"), meta = file_entry("l", 0);

	dir(f, "t");
	dir(f, "outside");
	put(f, "secret", "secret");
	assert_int_equal(chmod(at(f, "secret"), 0600), 0);
	assert_int_equal(symlink("../outside", at(f, "t/d")), 0);
	assert_int_equal(symlink("../secret", at(f, "t/f")), 0);
	assert_int_equal(symlink("../secret", at(f, "t/l")), 0);
	t = topen(f, "t", TARGET_ALWAYS);
	root = target_root(t);
	OK(f, target_mkdir(root, &en, &d, &f->e));
	OK(f, put_file(f, d, "in", "x", &f->e));
	OK(f, put_file(f, root, "f", "mine", &f->e));
	FAILS(f, ERR_EXISTS, target_meta(root, &meta, &f->e));
	OK(f, target_remove(root, "l", &f->e));
	target_dir_unref(d);
	target_dir_unref(root);
	target_close(t);
	check_text(f, "secret", "secret");
	check_text(f, "t/f", "mine");
	assert_true(there(f, "t/d/in"));
	assert_int_equal(rmdir(at(f, "outside")), 0);
}

static void policies_decide_what_is_replaced(void **state)
{
	struct fix *f = *state;
	struct entry en = dir_entry("dir"), fifo = file_entry("fifo", 0);

	fifo.type = ENTRY_FIFO;
	for (int o = TARGET_NEVER; o <= TARGET_ALWAYS; o++) {
		bool replaces = o != TARGET_NEVER;
		struct target *t;
		struct target_dir *root, *d;
		struct stat st;

		dir(f, "t");
		put(f, "t/file", "old");
		put(f, "t/dir", "a file where a directory goes");
		dir(f, "t/fifo");
		put(f, "t/fifo/inside", "x");
		assert_int_equal(link(at(f, "t/file"), at(f, "t/other")), 0);
		t = topen(f, "t", (enum target_overwrite)o);
		root = target_root(t);
		if (replaces) {
			OK(f, put_file(f, root, "file", "new", &f->e));
			OK(f, target_mkdir(root, &en, &d, &f->e));
			target_dir_unref(d);
			OK(f, target_node(root, &fifo, &f->e));
			OK(f, target_link(root, "other", "file", &f->e));
			OK(f, target_link(root, "other", "file", &f->e));
		} else {
			FAILS(f, ERR_EXISTS, put_file(f, root, "file", "new", &f->e));
			FAILS(f, ERR_EXISTS, target_mkdir(root, &en, &d, &f->e));
			FAILS(f, ERR_EXISTS, target_node(root, &fifo, &f->e));
			FAILS(f, ERR_EXISTS, target_link(root, "dir", "file", &f->e));
			OK(f, put_file(f, root, "missing", "new", &f->e));
		}
		target_dir_unref(root);
		target_close(t);
		check_text(f, "t/file", replaces ? "new" : "old");
		assert_int_equal(lstat(at(f, "t/fifo"), &st), 0);
		assert_int_equal(S_ISFIFO(st.st_mode), replaces);
		clear_tree(f, "t");
	}
}

static void other_links_to_a_replaced_file_keep_their_content(void **state)
{
	struct fix *f = *state;
	struct target *t;
	struct target_dir *root;

	dir(f, "t");
	put(f, "t/file", "old");
	assert_int_equal(link(at(f, "t/file"), at(f, "elsewhere")), 0);
	t = topen(f, "t", TARGET_ALWAYS);
	root = target_root(t);
	OK(f, put_file(f, root, "file", "new", &f->e));
	target_dir_unref(root);
	target_close(t);
	check_text(f, "elsewhere", "old");
}

static void a_directorys_metadata_waits_for_its_end(void **state)
{
	struct fix *f = *state;
	struct target *t = topen(f, "t", TARGET_REFUSE);
	struct target_dir *root = target_root(t), *d, *d2;
	struct entry en = dir_entry("d"), sub = dir_entry("s"), whole = dir_entry("ignored");
	struct stat st;

	whole.mtime = 4242;
	whole.mode = 0705;
	target_root_meta(root, &whole);
	en.mode = 0500;
	OK(f, target_mkdir(root, &en, &d, &f->e));
	assert_int_equal(stat(at(f, "t/d"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	OK(f, target_mkdir(d, &sub, &d2, &f->e));
	assert_string_equal(target_dir_path(root), "");
	assert_string_equal(target_dir_path(d2), "d/s");
	target_dir_unref(d);
	assert_int_equal(stat(at(f, "t/d"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	OK(f, put_file(f, d2, "f", "x", &f->e));
	target_dir_unref(d2);
	assert_int_equal(stat(at(f, "t/d"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0500);
	assert_int_equal(st.st_mtime, 1000);
	assert_int_equal(stat(at(f, "t/d/s"), &st), 0);
	assert_int_equal(st.st_mtime, 1000);
	target_dir_unref(root);
	assert_int_equal(stat(at(f, "t"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0705);
	assert_int_equal(st.st_mtime, 4242);
	target_close(t);
}

static void never_leaves_a_directory_as_it_was(void **state)
{
	struct fix *f = *state;
	struct target *t;
	struct target_dir *root, *d;
	struct entry en = dir_entry("d");
	struct stat st;

	dir(f, "t");
	dir(f, "t/d");
	assert_int_equal(chmod(at(f, "t/d"), 0751), 0);
	for (int o = TARGET_NEVER; o <= TARGET_IF_CHANGED; o++) {
		t = topen(f, "t", (enum target_overwrite)o);
		root = target_root(t);
		OK(f, target_mkdir(root, &en, &d, &f->e));
		target_dir_unref(d);
		target_dir_unref(root);
		target_close(t);
		assert_int_equal(stat(at(f, "t/d"), &st), 0);
		assert_int_equal(st.st_mode & 07777, o == TARGET_NEVER ? 0751 : 0750);
	}
}

static void inherited_acls_and_stale_xattrs_go(void **state)
{
	struct fix *f = *state;
	struct target *t;
	struct target_dir *root, *d;
	struct entry en = dir_entry("d"), old = file_entry("old", 1);
	char v[64];

	dir(f, "t");
	if (setxattr(at(f, "t"), "system.posix_acl_default", acl, sizeof acl, 0) == -1)
		skip();
	put(f, "t/old", "x");
	assert_int_equal(setxattr(at(f, "t/old"), "user.stale", "1", 1, 0), 0);
	t = topen(f, "t", TARGET_ALWAYS);
	root = target_root(t);
	OK(f, target_mkdir(root, &en, &d, &f->e));
	OK(f, put_file(f, d, "f", "x", &f->e));
	OK(f, target_meta(root, &old, &f->e));
	target_dir_unref(d);
	target_dir_unref(root);
	assert_int_equal(target_problems(t), 0);
	target_close(t);
	assert_int_equal(getxattr(at(f, "t/d"), "system.posix_acl_default", v, sizeof v), -1);
	assert_int_equal(getxattr(at(f, "t/d"), "system.posix_acl_access", v, sizeof v), -1);
	assert_int_equal(getxattr(at(f, "t/d/f"), "system.posix_acl_access", v, sizeof v), -1);
	assert_int_equal(getxattr(at(f, "t/old"), "system.posix_acl_access", v, sizeof v), -1);
	assert_int_equal(getxattr(at(f, "t/old"), "user.stale", v, sizeof v), -1);
}

static int note(void *arg, const char *name, struct err *e)
{
	buf_printf(arg, "%s ", name);
	return 0;
}

static void delete_takes_all_below_and_follows_nothing(void **state)
{
	struct fix *f = *state;
	struct target *t;
	struct target_dir *root;
	struct buf b = {0};

	dir(f, "t");
	dir(f, "t/a");
	dir(f, "t/a/b");
	put(f, "t/a/b/c", "x");
	dir(f, "outside");
	put(f, "outside/keep", "x");
	assert_int_equal(symlink(at(f, "outside"), at(f, "t/a/link")), 0);
	put(f, "t/z", "x");
	t = topen(f, "t", TARGET_ALWAYS);
	root = target_root(t);
	OK(f, target_list(root, note, &b, &f->e));
	assert_string_equal(buf_cstr(&b), "a z ");
	OK(f, target_remove(root, "a", &f->e));
	OK(f, target_remove(root, "a", &f->e));
	assert_false(there(f, "t/a"));
	assert_true(there(f, "outside/keep"));
	assert_true(there(f, "t/z"));
	target_dir_unref(root);
	target_close(t);
	buf_fini(&b);
}

static void a_big_file_without_holes_never_looks_whole_before_its_end(void **state)
{
	struct fix *f = *state;
	struct target *t = topen(f, "t", TARGET_REFUSE);
	struct target_dir *root = target_root(t);
	struct entry en = file_entry("f", 3 << 20);
	struct target_file *out;
	struct target_stat st;
	char *block = mem_zalloc(1 << 20);

	OK(f, target_look(root, "f", &st, &f->e));
	assert_false(st.exists);
	OK(f, target_file_begin(root, &en, &out, &f->e));
	for (int i = 0; i < 3; i++) {
		OK(f, target_look(root, "f", &st, &f->e));
		assert_false(st.exists);
		OK(f, target_file_write(out, (uint64_t)i << 20, span_of(block, 1 << 20), &f->e));
	}
	OK(f, target_file_end(out, &f->e));
	OK(f, target_look(root, "f", &st, &f->e));
	assert_int_equal(st.size, 3 << 20);
	assert_int_equal(st.mode, 0640);
	assert_int_equal(st.mtime, 1000);
	target_dir_unref(root);
	target_close(t);
	free(block);
}

static void a_full_disk_fails_the_file_and_leaves_nothing(void **state)
{
	struct fix *f = *state;
	struct target *t = topen(f, "t", TARGET_REFUSE);
	struct target_dir *root = target_root(t);
	struct entry en = file_entry("f", 4);
	struct target_file *out;
	unsigned fds = open_fds();

	OK(f, target_file_begin(root, &en, &out, &f->e));
	os_fault_arm(1, ENOSPC);
	FAILS(f, ERR_NO_SPACE, target_file_write(out, 0, span_str("text"), &f->e));
	assert_non_null(strstr(f->e.msg, "f: write"));
	target_file_abort(out);
	assert_false(there(f, "t/f"));
	OK(f, target_file_begin(root, &en, &out, &f->e));
	os_fault_arm(1, ENOSPC);
	FAILS(f, ERR_NO_SPACE, target_file_end(out, &f->e));
	assert_true(os_fault_fired());
	assert_false(there(f, "t/f"));
	assert_int_equal(open_fds(), fds);
	target_dir_unref(root);
	target_close(t);
}

static void an_error_of_close_leaves_no_file_that_looks_whole(void **state)
{
	struct fix *f = *state;
	struct target *t = topen(f, "t", TARGET_REFUSE);
	struct target_dir *root = target_root(t);
	char *big = mem_zalloc(64 << 10);

	for (int i = 0; i < 2; i++) {
		struct entry en = file_entry("f", i ? 64 << 10 : 4);
		struct target_file *out;

		OK(f, target_file_begin(root, &en, &out, &f->e));
		OK(f, target_file_write(out, 0, span_of(big, en.size), &f->e));
		os_fault_arm(1, EIO);
		assert_int_equal(target_file_end(out, &f->e), -1);
		assert_true(os_fault_fired());
		assert_non_null(strstr(f->e.msg, "f: close"));
		assert_int_equal(rmdir(at(f, "t")), 0);
		assert_int_equal(mkdir(at(f, "t"), 0755), 0);
		target_dir_unref(root);
		target_close(t);
		t = topen(f, "t", TARGET_REFUSE);
		root = target_root(t);
	}
	target_dir_unref(root);
	target_close(t);
	free(big);
}

static int remove_it(void *arg, const char *name, struct err *e)
{
	return target_remove(arg, name, e);
}

static void leftovers_are_removed_and_files_being_written_spared(void **state)
{
	struct fix *f = *state;
	struct target *t = topen(f, "t", TARGET_ALWAYS);
	struct target_dir *root = target_root(t);
	struct entry en = file_entry("f", 64 << 10);
	char *big = mem_zalloc(64 << 10);
	struct target_file *out;

	put(f, "t/.holdfast-part-0123456789abcdef", "left by a restore that was killed");
	OK(f, target_file_begin(root, &en, &out, &f->e));
	assert_true(there(f, "t/.holdfast-part-af63db4c8601ead9"));
	OK(f, target_list(root, remove_it, root, &f->e));
	OK(f, target_remove(root, ".holdfast-part-af63db4c8601ead9", &f->e));
	assert_false(there(f, "t/.holdfast-part-0123456789abcdef"));
	OK(f, target_file_write(out, 0, span_of(big, 64 << 10), &f->e));
	OK(f, target_file_end(out, &f->e));
	assert_true(there(f, "t/f"));
	target_dir_unref(root);
	target_close(t);
	free(big);
}

static void a_folder_that_cannot_be_opened_for_syncing_is_an_error(void **state)
{
	struct fix *f = *state;
	struct target *t;
	unsigned n, failed = 0;

	for (n = 1; n < 50; n++) {
		os_fault_arm(n, EMFILE);
		if (target_open(at(f, "t"), TARGET_ALWAYS, &f->ctx, &t, &f->e) == -1) {
			assert_true(os_fault_fired());
			failed++;
			continue;
		}
		if (!os_fault_fired())
			break;
		/* What is no error does not show at the end either. */
		OK(f, target_sync(t, &f->e));
		target_close(t);
	}
	assert_true(n < 50 && failed >= 2);
	OK(f, target_sync(t, &f->e));
	target_close(t);
}

static void a_directory_removed_meanwhile_fails_cleanly(void **state)
{
	struct fix *f = *state;
	struct target *t = topen(f, "t", TARGET_REFUSE);
	struct target_dir *root = target_root(t), *d;
	struct entry en = dir_entry("d");

	OK(f, target_mkdir(root, &en, &d, &f->e));
	assert_int_equal(rmdir(at(f, "t/d")), 0);
	FAILS(f, ERR_ABSENT, put_file(f, d, "f", "x", &f->e));
	assert_non_null(strstr(f->e.msg, "d/f"));
	target_dir_unref(d);
	target_dir_unref(root);
	target_close(t);
}

static void others_owners_are_told_only_once_without_root(void **state)
{
	struct fix *f = *state;
	struct target *t;
	struct target_dir *root;
	struct target_file *out;
	struct entry_xattr x = {span_str("user.x"), span_str("v")};
	struct stat st;

	dir(f, "t");
	assert_int_equal(chmod(f->dir, 0755), 0);
	assert_int_equal(chmod(at(f, "t"), 0777), 0);
	if (getuid() == 0 && seteuid(65534) == -1)
		skip();
	t = topen(f, "t", TARGET_REFUSE);
	root = target_root(t);
	for (int i = 0; i < 3; i++) {
		struct entry en = file_entry((const char *[]){"a", "b", "c"}[i], 0);

		en.uid = 0;
		en.mode = i == 2 ? 0400 : 06755;
		/* A mode without the right to write must not come before it. */
		en.xattrs = &x;
		en.nxattrs = 1;
		OK(f, target_file_begin(root, &en, &out, &f->e));
		OK(f, target_file_end(out, &f->e));
	}
	assert_int_equal(target_problems(t), 0);
	assert_int_equal(f->events[EVENT_NOTICE], 1);
	assert_int_equal(f->events[EVENT_FILE_FAILED], 0);
	target_dir_unref(root);
	target_close(t);
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
	/* Nobody else's setuid program has become ours. */
	assert_int_equal(stat(at(f, "t/a"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fix_setup, fix_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(a_tree_of_every_kind_comes_back_the_same),
	    T(a_filled_target_is_refused_unless_asked),
	    T(hostile_names_are_corrupt_everywhere),
	    T(hostile_entries_are_refused),
	    T(a_directory_swapped_for_a_link_is_not_followed),
	    T(a_race_of_swaps_never_leads_outside),
	    T(a_link_in_the_way_is_replaced_not_written_through),
	    T(policies_decide_what_is_replaced),
	    T(other_links_to_a_replaced_file_keep_their_content),
	    T(a_directorys_metadata_waits_for_its_end),
	    T(never_leaves_a_directory_as_it_was),
	    T(inherited_acls_and_stale_xattrs_go),
	    T(delete_takes_all_below_and_follows_nothing),
	    T(a_big_file_without_holes_never_looks_whole_before_its_end),
	    T(a_full_disk_fails_the_file_and_leaves_nothing),
	    T(an_error_of_close_leaves_no_file_that_looks_whole),
	    T(leftovers_are_removed_and_files_being_written_spared),
	    T(a_folder_that_cannot_be_opened_for_syncing_is_an_error),
	    T(a_directory_removed_meanwhile_fails_cleanly),
	    T(others_owners_are_told_only_once_without_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
