/*
 * source_unit: a temporary folder, a context whose events are kept, and a
 * copy from a source to a target as the engine would do it.
 */
#ifndef HF_TEST_SOURCE_UNIT_H
#define HF_TEST_SOURCE_UNIT_H

#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/os.h"
#include "source/exclude.h"
#include "source/source.h"
#include "source/target.h"

struct fix {
	char *dir;
	struct ctx ctx;
	struct err e;
	unsigned events[EVENT_COUNT];
	char text[1024], path[1024]; /* of the last event */
};

static inline void fix_sink(struct ctx *ctx, const struct event *ev)
{
	struct fix *f = ctx->sink_arg;

	f->events[ev->id]++;
	snprintf(f->text, sizeof f->text, "%s", ev->text);
	snprintf(f->path, sizeof f->path, "%.*s", (int)ev->path.n, (const char *)ev->path.p);
}

static inline int fix_setup(void **state)
{
	struct fix *f = mem_zalloc(sizeof *f);
	const char *tmp = getenv("TMPDIR");

	f->dir = mem_printf("%s/hf-source-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	f->ctx.clock = os_clock();
	f->ctx.sink = fix_sink;
	f->ctx.sink_arg = f;
	*state = f;
	return mkdtemp(f->dir) == NULL ? -1 : 0;
}

static inline int fix_teardown(void **state)
{
	struct fix *f = *state;
	char *cmd = mem_printf("rm -rf '%s'", f->dir);
	int rc = system(cmd);

	os_fault_fired();
	free(cmd);
	free(f->dir);
	free(f);
	return rc;
}

/* The last few results, so that calls can stand in one line. */
static inline const char *at(const struct fix *f, const char *rel)
{
	static char ring[8][4096];
	static unsigned i;
	char *p = ring[i++ % 8];

	snprintf(p, sizeof ring[0], "%s/%s", f->dir, rel);
	return p;
}

static inline void put(const struct fix *f, const char *rel, const char *text)
{
	int fd = open(at(f, rel), O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static inline void dir(const struct fix *f, const char *rel)
{
	assert_int_equal(mkdir(at(f, rel), 0755), 0);
}

static inline void check_text(const struct fix *f, const char *rel, const char *want)
{
	struct buf b = {0};
	struct err e;

	if (os_read_file(at(f, rel), 1 << 24, &b, &e) == -1)
		fail_msg("%s", e.msg);
	assert_string_equal(buf_cstr(&b), want);
	buf_fini(&b);
}

static inline void clear_tree(const struct fix *f, const char *rel)
{
	char *cmd = mem_printf("rm -rf '%s/%s'", f->dir, rel);

	assert_int_equal(system(cmd), 0);
	free(cmd);
}

static inline bool there(const struct fix *f, const char *rel)
{
	struct stat st;

	return lstat(at(f, rel), &st) == 0;
}

static inline unsigned open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

#define OK(f, call)                                                                                \
	do {                                                                                       \
		if ((call) == -1)                                                                  \
			fail_msg("%s: %s", #call, (f)->e.msg);                                     \
	} while (0)

#define FAILS(f, want, call)                                                                       \
	do {                                                                                       \
		assert_int_equal((call), -1);                                                      \
		if ((f)->e.kind != (want))                                                         \
			fail_msg("%s: kind %d: %s", #call, (int)(f)->e.kind, (f)->e.msg);          \
	} while (0)

/* Open a source of one path below the fixture's folder, enter as far as that. */
static inline struct source *src_open(struct fix *f, const char *rel, struct files_params p)
{
	struct source *s = NULL;
	const char *path = at(f, rel);

	if (p.npaths == 0) {
		p.paths = &path;
		p.npaths = 1;
	}
	if (source_files_open(&p, &f->ctx, &s, &f->e) == -1)
		fail_msg("%s", f->e.msg);
	return s;
}

static inline struct source_dir *src_down(
    struct fix *f, struct source_dir *d, const char *name, bool drop)
{
	struct source_stat st;
	enum source_look what;
	struct source_dir *next;

	OK(f, d->source->ops->look(d, name, &st, &what, &f->e));
	assert_int_equal(what, SOURCE_TAKE);
	next = d->source->ops->enter(d, name, &st, &f->e);
	if (next == NULL)
		fail_msg("%s", f->e.msg);
	if (drop)
		source_dir_unref(d);
	return next;
}

/* The directory handle of an absolute path. */
static inline struct source_dir *src_dir(struct fix *f, struct source *s, const char *path)
{
	struct source_stat st;
	struct source_dir *d = s->ops->root(s, &st, &f->e);
	char *copy = mem_strdup(path), *save = NULL;

	assert_non_null(d);
	for (char *n = strtok_r(copy, "/", &save); n; n = strtok_r(NULL, "/", &save))
		d = src_down(f, d, n, true);
	free(copy);
	return d;
}

struct copy {
	struct fix *f;
	unsigned failed;
	struct {
		uint64_t group;
		char *path;
	} link[64];
	size_t nlinks;
};

static inline void copy_file(struct copy *c, struct source_dir *d, struct target_dir *to,
    const struct entry *en, const struct source_stat *st, const char *name)
{
	struct err *e = &c->f->e;
	struct source *s = d->source;
	struct source_reader *r;
	struct target_file *out;
	struct entry own = *en;
	uint8_t block[8192];
	uint64_t pos = 0, size;
	size_t hole = 0;
	int64_t n;
	bool changed;

	OK(c->f, s->ops->open(d, name, st, &r, e));
	own.holes = r->holes;
	own.nholes = r->nholes;
	OK(c->f, target_file_begin(to, &own, &out, e));
	for (;;) {
		uint64_t room = UINT64_MAX;

		while (hole < r->nholes && r->holes[hole].off == pos)
			pos += r->holes[hole++].len;
		if (hole < r->nholes)
			room = r->holes[hole].off - pos;
		n = s->ops->read(r, block, room < sizeof block ? room : sizeof block, e);
		OK(c->f, n == -1 ? -1 : 0);
		if (n == 0)
			break;
		OK(c->f, target_file_write(out, pos, span_of(block, (size_t)n), e));
		pos += (uint64_t)n;
	}
	OK(c->f, s->ops->finish(r, &changed, &size, e));
	assert_false(changed);
	assert_int_equal(size, en->size);
	OK(c->f, target_file_end(out, e));
}

/* True if the name was made as a hard link to an earlier one. */
static inline bool copy_link(struct copy *c, struct target_dir *to, const struct entry *en)
{
	const char *parent = target_dir_path(to);
	char *name = mem_dup(en->name.p, en->name.n);
	bool made = false;

	for (size_t i = 0; en->linked && i < c->nlinks && !made; i++) {
		if (c->link[i].group != en->link_group)
			continue;
		OK(c->f, target_link(to, name, c->link[i].path, &c->f->e));
		made = true;
	}
	if (en->linked && !made) {
		assert_true(c->nlinks < 64);
		c->link[c->nlinks].group = en->link_group;
		c->link[c->nlinks++].path = mem_printf("%s%s%s", parent, *parent ? "/" : "", name);
	}
	free(name);
	return made;
}

static inline void copy_dir(struct copy *c, struct source_dir *d, struct target_dir *to)
{
	const struct source_ops *ops = d->source->ops;
	struct err *e = &c->f->e;
	struct source_names names = {0};

	OK(c->f, ops->list(d, &names, e));
	for (size_t i = 0; i < names.n; i++) {
		const char *name = source_name(&names, i);
		struct source_stat st;
		enum source_look what;
		struct entry en;
		struct buf hold = {0};

		OK(c->f, ops->look(d, name, &st, &what, e));
		if (what == SOURCE_SKIP)
			continue;
		OK(c->f, ops->fill(d, name, &st, &en, &hold, e));
		if (en.type == ENTRY_DIR) {
			struct source_dir *sub = ops->enter(d, name, &st, e);
			struct target_dir *tsub;

			assert_non_null(sub);
			OK(c->f, target_mkdir(to, &en, &tsub, e));
			copy_dir(c, sub, tsub);
			target_dir_unref(tsub);
			source_dir_unref(sub);
		} else if (!copy_link(c, to, &en)) {
			if (en.type == ENTRY_FILE)
				copy_file(c, d, to, &en, &st, name);
			else
				OK(c->f, target_node(to, &en, e));
		}
		buf_fini(&hold);
	}
	source_names_fini(&names);
}

/* Copy fixture folder `from` to fixture folder `to`. */
static inline void copy_tree(
    struct fix *f, const char *from, const char *to, struct files_params p, enum target_overwrite o)
{
	struct copy c = {.f = f};
	char *path = mem_strdup(at(f, from));
	struct source *s = src_open(f, from, p);
	struct source_dir *d = src_dir(f, s, path);
	struct target *t;
	struct target_dir *root;

	OK(f, target_open(at(f, to), o, &f->ctx, &t, &f->e));
	root = target_root(t);
	copy_dir(&c, d, root);
	target_dir_unref(root);
	assert_int_equal(target_problems(t), 0);
	target_close(t);
	source_dir_unref(d);
	source_close(s);
	for (size_t i = 0; i < c.nlinks; i++)
		free(c.link[i].path);
	free(path);
}

#endif
