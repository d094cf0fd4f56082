#include "source_unit.h"

#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>

static struct source_dir *folder(struct fix *f, struct source *s)
{
	return src_dir(f, s, f->dir);
}

/* The names that a walk of the directory would take, with a space after each. */
static char *taken(struct fix *f, struct source_dir *d)
{
	struct source_names names = {0};
	struct buf out = {0};

	OK(f, d->source->ops->list(d, &names, &f->e));
	for (size_t i = 0; i < names.n; i++) {
		struct source_stat st;
		enum source_look what;

		OK(f, d->source->ops->look(d, source_name(&names, i), &st, &what, &f->e));
		if (what == SOURCE_TAKE)
			buf_printf(&out, "%s ", source_name(&names, i));
	}
	source_names_fini(&names);
	buf_put_u8(&out, 0);
	return (char *)out.p;
}

static void check_taken(struct fix *f, struct source_dir *d, const char *want)
{
	char *got = taken(f, d);

	assert_string_equal(got, want);
	free(got);
}

static struct source_stat look(struct fix *f, struct source_dir *d, const char *name)
{
	struct source_stat st;
	enum source_look what;

	OK(f, d->source->ops->look(d, name, &st, &what, &f->e));
	assert_int_equal(what, SOURCE_TAKE);
	return st;
}

static struct source_reader *begin(struct fix *f, struct source_dir *d, const char *name)
{
	struct source_stat st = look(f, d, name);
	struct source_reader *r;

	OK(f, d->source->ops->open(d, name, &st, &r, &f->e));
	return r;
}

static int64_t pull(struct fix *f, struct source_reader *r, void *p, size_t n)
{
	int64_t got = r->source->ops->read(r, p, n, &f->e);

	OK(f, got == -1 ? -1 : 0);
	return got;
}

static void end(struct fix *f, struct source_reader *r, bool want_changed, uint64_t want_size)
{
	bool changed;
	uint64_t size;

	OK(f, r->source->ops->finish(r, &changed, &size, &f->e));
	assert_int_equal(changed, want_changed);
	assert_int_equal(size, want_size);
}

static void only_what_leads_to_the_paths_is_listed(void **state)
{
	struct fix *f = *state;
	char *x, *y;
	struct source *s;
	struct source_dir *d, *sub;

	dir(f, "p");
	dir(f, "p/x");
	put(f, "p/x/1", "");
	put(f, "p/x/2", "");
	put(f, "p/y", "");
	put(f, "p/z", "");
	x = mem_strdup(at(f, "p/x"));
	y = mem_strdup(at(f, "p/y"));
	s = src_open(f, "", (struct files_params){.paths = (const char *[]){y, x, x}, .npaths = 3});
	d = folder(f, s);
	assert_string_equal(d->path, f->dir);
	check_taken(f, d, "p ");
	d = src_down(f, d, "p", true);
	check_taken(f, d, "x y ");
	sub = src_down(f, d, "x", false);
	check_taken(f, sub, "1 2 ");
	source_dir_unref(sub);
	source_dir_unref(d);
	source_close(s);
	free(x);
	free(y);
}

static void a_path_that_is_not_there_fails_by_name(void **state)
{
	struct fix *f = *state;
	const char *path = at(f, "none/deeper");
	struct files_params p = {.paths = &path, .npaths = 1};
	struct source *s = NULL;
	unsigned fds = open_fds();

	FAILS(f, ERR_ABSENT, source_files_open(&p, &f->ctx, &s, &f->e));
	assert_non_null(strstr(f->e.msg, "none/deeper"));
	path = at(f, "none");
	FAILS(f, ERR_ABSENT, source_files_open(&p, &f->ctx, &s, &f->e));
	put(f, "file", "");
	path = at(f, "file/below");
	FAILS(f, ERR_ABSENT, source_files_open(&p, &f->ctx, &s, &f->e));
	assert_int_equal(open_fds(), fds);
}

static void links_above_a_path_are_followed_and_below_it_kept(void **state)
{
	struct fix *f = *state;
	struct source *s;
	struct source_dir *d;
	const char *both[2];
	struct files_params p = {.paths = both, .npaths = 2};

	dir(f, "real");
	dir(f, "real/in");
	assert_int_equal(symlink("real", at(f, "link")), 0);
	assert_int_equal(symlink("in", at(f, "real/l")), 0);
	s = src_open(f, "link/in", (struct files_params){0});
	d = folder(f, s);
	assert_int_equal(look(f, d, "link").type, ENTRY_DIR);
	d = src_down(f, d, "link", true);
	check_taken(f, d, "in ");
	source_dir_unref(d);
	source_close(s);
	s = src_open(f, "real", (struct files_params){0});
	d = src_down(f, folder(f, s), "real", true);
	assert_int_equal(look(f, d, "l").type, ENTRY_SYMLINK);
	source_dir_unref(d);
	source_close(s);
	both[0] = at(f, "link");
	both[1] = at(f, "link/in");
	FAILS(f, ERR_USAGE, source_files_open(&p, &f->ctx, &s, &f->e));
}

static void names_come_in_order_of_bytes(void **state)
{
	struct fix *f = *state;
	struct source *s = src_open(f, "", (struct files_params){0});
	struct source_dir *d = folder(f, s);
	struct source_names names = {0};

	for (int i = 0; i < 3000; i++) {
		char name[16];

		snprintf(name, sizeof name, "%c%d", "Za\xff_"[i % 4], i);
		put(f, name, "");
	}
	/* Twice, for a directory can be listed again. */
	for (int k = 0; k < 2; k++) {
		OK(f, s->ops->list(d, &names, &f->e));
		assert_int_equal(names.n, 3000);
		for (size_t i = 1; i < names.n; i++)
			assert_true(strcmp(source_name(&names, i - 1), source_name(&names, i)) < 0);
	}
	source_names_fini(&names);
	source_dir_unref(d);
	source_close(s);
}

static void excludes_name_their_rule(void **state)
{
	struct fix *f = *state;
	struct exclude *x = exclude_new();
	struct source *s;
	struct source_dir *d;

	put(f, "a.o", "");
	put(f, "b", "");
	dir(f, "tmp");
	OK(f, exclude_add(x, "*.o", "--exclude", &f->e));
	OK(f, exclude_add(x, "tmp/", "--exclude", &f->e));
	s = src_open(f, "", (struct files_params){.exclude = x});
	/* The folder itself lies below /tmp, which the rules do not touch: it was asked for. */
	d = folder(f, s);
	check_taken(f, d, "b ");
	assert_int_equal(f->events[EVENT_FILE_EXCLUDED], 2);
	assert_string_equal(f->text, "--exclude: tmp/");
	assert_string_equal(f->path, at(f, "tmp"));
	source_dir_unref(d);
	source_close(s);
	exclude_free(x);
}

static void caches_keep_only_their_tag(void **state)
{
	struct fix *f = *state;
	struct source *s;
	struct source_dir *d, *sub;

	dir(f, "cache");
	dir(f, "fake");
	put(f, "cache/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n# x\n");
	put(f, "cache/big", "");
	put(f, "fake/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc5");
	put(f, "fake/big", "");
	s = src_open(f, "", (struct files_params){.exclude_caches = true});
	d = folder(f, s);
	sub = src_down(f, d, "cache", false);
	check_taken(f, sub, "CACHEDIR.TAG ");
	assert_int_equal(f->events[EVENT_FILE_EXCLUDED], 1);
	source_dir_unref(sub);
	sub = src_down(f, d, "fake", false);
	check_taken(f, sub, "CACHEDIR.TAG big ");
	source_dir_unref(sub);
	source_dir_unref(d);
	source_close(s);
}

static void never_holds_by_inode_whatever_the_name(void **state)
{
	struct fix *f = *state;
	char *link = mem_strdup(at(f, "link"));
	struct source *s;
	struct source_dir *d;

	dir(f, "repo");
	dir(f, "other");
	assert_int_equal(symlink("repo", link), 0);
	s = src_open(f, "",
	    (struct files_params){.never = (const char *[]){link, "/not/there"}, .nnever = 2});
	d = folder(f, s);
	check_taken(f, d, "other ");
	assert_int_equal(f->events[EVENT_FILE_EXCLUDED], 2);
	source_dir_unref(d);
	source_close(s);
	free(link);
}

static void sockets_and_what_is_gone_are_skipped(void **state)
{
	struct fix *f = *state;
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct source *s = src_open(f, "", (struct files_params){0});
	struct source_dir *d = folder(f, s);
	struct source_stat st;
	enum source_look what;

	snprintf(sa.sun_path, sizeof sa.sun_path, "%s", at(f, "sock"));
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	close(fd);
	check_taken(f, d, "");
	assert_string_equal(f->text, "socket");
	OK(f, s->ops->look(d, "gone", &st, &what, &f->e));
	assert_int_equal(what, SOURCE_SKIP);
	assert_int_equal(f->events[EVENT_FILE_SKIPPED], 2);
	source_dir_unref(d);
	source_close(s);
}

static void another_file_system_is_kept_empty(void **state)
{
	struct fix *f = *state;
	struct source *s;
	struct source_dir *d, *sub;
	char *mnt = mem_strdup(at(f, "mnt"));

	dir(f, "mnt");
	if (mount("none", mnt, "tmpfs", 0, NULL) == -1) {
		free(mnt);
		skip();
	}
	dir(f, "mnt/inside");
	put(f, "beside", "");
	for (int one = 0; one < 2; one++) {
		s = src_open(f, "", (struct files_params){.one_file_system = one});
		d = folder(f, s);
		check_taken(f, d, "beside mnt ");
		sub = src_down(f, d, "mnt", false);
		check_taken(f, sub, one ? "" : "inside ");
		source_dir_unref(sub);
		source_dir_unref(d);
		source_close(s);
	}
	/* Asked for by name, it is read. */
	s = src_open(f, "",
	    (struct files_params){
		.paths = (const char *[]){f->dir, mnt}, .npaths = 2, .one_file_system = true});
	d = src_dir(f, s, mnt);
	check_taken(f, d, "inside ");
	source_dir_unref(d);
	source_close(s);
	assert_int_equal(umount(mnt), 0);
	free(mnt);
}

static void a_file_is_read_in_pieces_to_its_end(void **state)
{
	struct fix *f = *state;
	struct source *s;
	struct source_dir *d;
	struct source_reader *r;
	char p[8];
	unsigned fds;

	put(f, "f", "0123456789");
	put(f, "empty", "");
	s = src_open(f, "", (struct files_params){0});
	d = folder(f, s);
	fds = open_fds();
	r = begin(f, d, "f");
	assert_int_equal(r->nholes, 0);
	assert_int_equal(pull(f, r, p, 7), 7);
	assert_int_equal(pull(f, r, p, 7), 3);
	assert_memory_equal(p, "789", 3);
	assert_int_equal(pull(f, r, p, 7), 0);
	end(f, r, false, 10);
	r = begin(f, d, "empty");
	assert_int_equal(pull(f, r, p, 7), 0);
	end(f, r, false, 0);
	source_reader_abandon(begin(f, d, "f"));
	source_reader_abandon(NULL);
	assert_int_equal(open_fds(), fds);
	source_dir_unref(d);
	source_close(s);
}

static void growth_is_noticed_and_not_read(void **state)
{
	struct fix *f = *state;
	struct source *s;
	struct source_dir *d;
	struct source_reader *r;
	char p[32];

	put(f, "f", "0123456789");
	s = src_open(f, "", (struct files_params){0});
	d = folder(f, s);
	r = begin(f, d, "f");
	put(f, "f", "0123456789abcdef");
	assert_int_equal(pull(f, r, p, sizeof p), 10);
	assert_int_equal(pull(f, r, p, sizeof p), 0);
	end(f, r, true, 10);
	source_dir_unref(d);
	source_close(s);
}

static void a_change_of_content_alone_is_noticed(void **state)
{
	struct fix *f = *state;
	struct timespec old[2] = {{1, 0}, {1, 0}};
	struct source *s;
	struct source_dir *d;
	struct source_reader *r;
	char p[32];

	put(f, "f", "0123456789");
	assert_int_equal(utimensat(AT_FDCWD, at(f, "f"), old, 0), 0);
	s = src_open(f, "", (struct files_params){0});
	d = folder(f, s);
	r = begin(f, d, "f");
	assert_int_equal(pull(f, r, p, 5), 5);
	put(f, "f", "abcdefghij");
	assert_int_equal(pull(f, r, p, sizeof p), 5);
	end(f, r, true, 10);
	source_dir_unref(d);
	source_close(s);
}

/* Data at 0 and 1 MiB, 64 KiB each; a hole between them and one at the end. */
static void make_sparse(const struct fix *f, const char *name)
{
	char block[65536];
	int fd = open(at(f, name), O_WRONLY | O_CREAT, 0644);

	memset(block, 'x', sizeof block);
	assert_int_equal(pwrite(fd, block, sizeof block, 0), sizeof block);
	assert_int_equal(pwrite(fd, block, sizeof block, 1 << 20), sizeof block);
	assert_int_equal(ftruncate(fd, 2 << 20), 0);
	close(fd);
}

static void shrinking_ends_the_file_where_it_was_read_to(void **state)
{
	struct fix *f = *state;
	struct source *s;
	struct source_dir *d;
	struct source_reader *r;
	char *p = mem_alloc(1 << 20);

	make_sparse(f, "f");
	s = src_open(f, "", (struct files_params){0});
	d = folder(f, s);
	r = begin(f, d, "f");
	assert_int_equal(r->nholes, 2);
	assert_int_equal(pull(f, r, p, 60000), 60000);
	assert_int_equal(truncate(at(f, "f"), 100), 0);
	assert_int_equal(pull(f, r, p, 1 << 20), 0);
	assert_int_equal(r->nholes, 0);
	end(f, r, true, 60000);
	source_dir_unref(d);
	source_close(s);
	free(p);
}

static void holes_are_known_and_left_out_of_the_data(void **state)
{
	struct fix *f = *state;
	struct source *s;
	struct source_dir *d;
	struct source_reader *r;
	char *p = mem_alloc(3 << 20);

	make_sparse(f, "f");
	put(f, "all", "");
	assert_int_equal(truncate(at(f, "all"), 5 << 20), 0);
	s = src_open(f, "", (struct files_params){0});
	d = folder(f, s);
	r = begin(f, d, "f");
	assert_int_equal(r->nholes, 2);
	assert_int_equal(r->holes[0].off, 65536);
	assert_int_equal(r->holes[0].len, (1 << 20) - 65536);
	assert_int_equal(r->holes[1].off, (1 << 20) + 65536);
	assert_int_equal(r->holes[1].len, (1 << 20) - 65536);
	assert_int_equal(pull(f, r, p, 3 << 20), 2 * 65536);
	assert_int_equal(p[2 * 65536 - 1], 'x');
	end(f, r, false, 2 << 20);
	r = begin(f, d, "all");
	assert_int_equal(r->nholes, 1);
	assert_int_equal(pull(f, r, p, 100), 0);
	end(f, r, false, 5 << 20);
	source_dir_unref(d);
	source_close(s);
	free(p);
}

static void too_many_holes_become_data_beginning_with_the_small(void **state)
{
	struct fix *f = *state;
	struct source *s;
	struct source_dir *d;
	struct source_reader *r;
	uint64_t sum = 0, pos;
	int fd = open(at(f, "f"), O_WRONLY | O_CREAT, 0644);
	enum { SMALL = ENTRY_HOLES_MAX + 500 };
	char *p = mem_alloc(1 << 20);
	int64_t n;

	for (int i = 0; i < SMALL; i++)
		assert_int_equal(pwrite(fd, "x", 1, (off_t)i * 8192), 1);
	for (int i = 0; i < 10; i++)
		assert_int_equal(pwrite(fd, "y", 1, SMALL * 8192L + i * 65536L), 1);
	close(fd);
	s = src_open(f, "", (struct files_params){0});
	d = folder(f, s);
	r = begin(f, d, "f");
	assert_true(r->nholes <= ENTRY_HOLES_MAX);
	assert_true(r->nholes >= 9);
	pos = 0;
	for (size_t i = 0; i < r->nholes; i++) {
		assert_true(r->holes[i].off > pos || i == 0);
		assert_true(r->holes[i].len >= 8192);
		pos = r->holes[i].off + r->holes[i].len;
		sum += r->holes[i].len;
	}
	while ((n = pull(f, r, p, 1 << 20)) > 0)
		sum += (uint64_t)n;
	assert_int_equal(sum, r->st.size);
	end(f, r, false, sum);
	source_dir_unref(d);
	source_close(s);
	free(p);
}

static void what_was_swapped_after_look_is_not_read(void **state)
{
	struct fix *f = *state;
	struct source *s;
	struct source_dir *d;
	struct source_stat file, sub;
	struct source_reader *r;
	const char *kinds[] = {"link", "fifo", "file", "nothing"};

	dir(f, "d");
	put(f, "f", "x");
	put(f, "keep", "x");
	s = src_open(f, "", (struct files_params){0});
	d = folder(f, s);
	file = look(f, d, "f");
	sub = look(f, d, "d");
	for (int i = 0; i < 4; i++) {
		/* Under another name, so that its inode is not used again. */
		rename(at(f, "f"), at(f, kinds[i]));
		if (i == 0)
			assert_int_equal(symlink("keep", at(f, "f")), 0);
		if (i == 1)
			assert_int_equal(mkfifo(at(f, "f"), 0600), 0);
		if (i == 2)
			put(f, "f", "y");
		FAILS(f, ERR_ABSENT, s->ops->open(d, "f", &file, &r, &f->e));
	}
	assert_int_equal(rename(at(f, "d"), at(f, "d2")), 0);
	assert_null(s->ops->enter(d, "d", &sub, &f->e));
	assert_int_equal(f->e.kind, ERR_ABSENT);
	assert_int_equal(symlink("d2", at(f, "d")), 0);
	assert_null(s->ops->enter(d, "d", &sub, &f->e));
	assert_int_equal(unlink(at(f, "d")), 0);
	dir(f, "d");
	assert_null(s->ops->enter(d, "d", &sub, &f->e));
	assert_int_equal(f->e.kind, ERR_ABSENT);
	source_dir_unref(d);
	source_close(s);
}

static void a_directory_deleted_while_walking_costs_only_itself(void **state)
{
	struct fix *f = *state;
	struct source *s;
	struct source_dir *d, *sub;

	dir(f, "d");
	put(f, "f", "x");
	s = src_open(f, "", (struct files_params){0});
	d = folder(f, s);
	sub = src_down(f, d, "d", false);
	assert_int_equal(rmdir(at(f, "d")), 0);
	check_taken(f, sub, "");
	source_dir_unref(sub);
	check_taken(f, d, "f ");
	source_dir_unref(d);
	source_close(s);
}

static void an_unreadable_name_fails_with_its_path(void **state)
{
	struct fix *f = *state;
	struct source *s;
	struct source_dir *d;
	struct source_stat st, sub;
	struct source_reader *r;
	enum source_look what;
	unsigned fds;
	char p[4];

	dir(f, "d");
	put(f, "f", "x");
	s = src_open(f, "", (struct files_params){0});
	d = folder(f, s);
	st = look(f, d, "f");
	sub = look(f, d, "d");
	fds = open_fds();
	os_fault_arm(1, EACCES);
	FAILS(f, ERR_DENIED, s->ops->open(d, "f", &st, &r, &f->e));
	assert_true(os_fault_fired());
	assert_non_null(strstr(f->e.msg, at(f, "f")));
	os_fault_arm(1, EACCES);
	assert_null(s->ops->enter(d, "d", &sub, &f->e));
	assert_int_equal(f->e.kind, ERR_DENIED);
	assert_non_null(strstr(f->e.msg, at(f, "d")));
	os_fault_arm(2, EIO);
	assert_null(s->ops->enter(d, "d", &sub, &f->e));
	os_fault_arm(1, EIO);
	FAILS(f, ERR_IO, s->ops->look(d, "f", &st, &what, &f->e));
	assert_true(os_fault_fired());
	/* Without O_NOATIME where that is refused. */
	st = look(f, d, "f");
	os_fault_arm(1, EPERM);
	OK(f, s->ops->open(d, "f", &st, &r, &f->e));
	assert_true(os_fault_fired());
	source_reader_abandon(r);
	r = begin(f, d, "f");
	os_fault_arm(1, EIO);
	assert_int_equal(s->ops->read(r, p, 4, &f->e), -1);
	assert_int_equal(f->e.kind, ERR_IO);
	source_reader_abandon(r);
	assert_int_equal(open_fds(), fds);
	source_dir_unref(d);
	source_close(s);
}

static void an_entry_has_owners_links_and_xattrs(void **state)
{
	struct fix *f = *state;
	struct source *s;
	struct source_dir *d;
	struct source_stat st;
	struct entry a, b, l;
	struct buf ha = {0}, hb = {0}, hl = {0};
	char big[3000];

	memset(big, 'v', sizeof big);
	put(f, "a", "x");
	assert_int_equal(link(at(f, "a"), at(f, "b")), 0);
	assert_int_equal(symlink("to/nowhere\xff", at(f, "l")), 0);
	if (setxattr(at(f, "a"), "user.small", "1", 1, 0) == -1)
		skip();
	assert_int_equal(setxattr(at(f, "a"), "user.none", "", 0, 0), 0);
	assert_int_equal(setxattr(at(f, "a"), "user.big", big, sizeof big, 0), 0);
	s = src_open(f, "", (struct files_params){0});
	d = folder(f, s);
	st = look(f, d, "a");
	OK(f, s->ops->fill(d, "a", &st, &a, &ha, &f->e));
	st = look(f, d, "b");
	OK(f, s->ops->fill(d, "b", &st, &b, &hb, &f->e));
	st = look(f, d, "l");
	OK(f, s->ops->fill(d, "l", &st, &l, &hl, &f->e));
	assert_true(span_eq(a.name, span_str("a")));
	assert_true(a.linked && b.linked && !l.linked);
	assert_int_not_equal(a.link_group, 0);
	assert_int_equal(a.link_group, b.link_group);
	assert_int_equal(a.nxattrs, 3);
	for (size_t i = 0; i < 3; i++) {
		size_t n = a.xattrs[i].value.n;

		assert_true(n == 0 || n == 1 || n == sizeof big);
		if (n == sizeof big)
			assert_memory_equal(a.xattrs[i].value.p, big, n);
	}
	assert_true(span_eq(l.target, span_str("to/nowhere\xff")));
	if (getuid() == 0)
		assert_true(span_eq(a.user, span_str("root")));
	buf_fini(&ha);
	buf_fini(&hb);
	buf_fini(&hl);
	source_dir_unref(d);
	source_close(s);
}

static void the_root_can_be_entered_filled_and_outlives_no_child(void **state)
{
	struct fix *f = *state;
	unsigned fds = open_fds();
	struct source *s = src_open(f, "", (struct files_params){0});
	struct source_stat st;
	struct source_dir *root = s->ops->root(s, &st, &f->e), *d;
	struct entry en;
	struct buf hold = {0};
	char *first = mem_strndup(f->dir + 1, strcspn(f->dir + 1, "/"));

	assert_non_null(root);
	assert_string_equal(root->path, "/");
	assert_int_equal(st.type, ENTRY_DIR);
	check_taken(f, root, (snprintf(f->text, sizeof f->text, "%s ", first), f->text));
	OK(f, s->ops->fill(root, "", &st, &en, &hold, &f->e));
	assert_int_equal(en.type, ENTRY_DIR);
	d = folder(f, s);
	source_dir_unref(root);
	check_taken(f, source_dir_ref(d), "");
	source_dir_unref(d);
	source_dir_unref(d);
	source_dir_unref(NULL);
	source_close(s);
	source_close(NULL);
	assert_int_equal(open_fds(), fds);
	buf_fini(&hold);
	free(first);
}

static void a_stream_is_one_file_read_once(void **state)
{
	struct fix *f = *state;
	struct source *s;
	struct source_stat st;
	struct source_dir *d;
	struct source_reader *r;
	int p[2];
	char got[16];

	assert_int_equal(pipe(p), 0);
	assert_int_equal(write(p[1], "hello", 5), 5);
	close(p[1]);
	FAILS(f, ERR_USAGE, source_stream_open(p[0], "a/b", &f->ctx, &s, &f->e));
	FAILS(f, ERR_USAGE, source_stream_open(p[0], "..", &f->ctx, &s, &f->e));
	OK(f, source_stream_open(p[0], "dump.sql", &f->ctx, &s, &f->e));
	d = s->ops->root(s, &st, &f->e);
	check_taken(f, d, "dump.sql ");
	st = look(f, d, "dump.sql");
	assert_int_equal(st.type, ENTRY_FILE);
	assert_int_equal(st.mode, 0600);
	r = begin(f, d, "dump.sql");
	assert_int_equal(pull(f, r, got, sizeof got), 5);
	assert_memory_equal(got, "hello", 5);
	assert_int_equal(pull(f, r, got, sizeof got), 0);
	end(f, r, false, 5);
	FAILS(f, ERR_FAILED, s->ops->open(d, "dump.sql", &st, &r, &f->e));
	source_dir_unref(d);
	source_close(s);
	close(p[0]);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fix_setup, fix_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(only_what_leads_to_the_paths_is_listed),
	    T(a_path_that_is_not_there_fails_by_name),
	    T(links_above_a_path_are_followed_and_below_it_kept),
	    T(names_come_in_order_of_bytes),
	    T(excludes_name_their_rule),
	    T(caches_keep_only_their_tag),
	    T(never_holds_by_inode_whatever_the_name),
	    T(sockets_and_what_is_gone_are_skipped),
	    T(another_file_system_is_kept_empty),
	    T(a_file_is_read_in_pieces_to_its_end),
	    T(growth_is_noticed_and_not_read),
	    T(a_change_of_content_alone_is_noticed),
	    T(shrinking_ends_the_file_where_it_was_read_to),
	    T(holes_are_known_and_left_out_of_the_data),
	    T(too_many_holes_become_data_beginning_with_the_small),
	    T(what_was_swapped_after_look_is_not_read),
	    T(a_directory_deleted_while_walking_costs_only_itself),
	    T(an_unreadable_name_fails_with_its_path),
	    T(an_entry_has_owners_links_and_xattrs),
	    T(the_root_can_be_entered_filled_and_outlives_no_child),
	    T(a_stream_is_one_file_read_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
