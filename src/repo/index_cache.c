/*
 * index_cache: the set of levels: their files, publishing and merging them,
 * opening the cache; see index_cache_internal.h.
 */
#include "repo/index_cache.h"

#include <stdlib.h>

#include "base/hex.h"
#include "base/mem.h"
#include "crypto/crypto.h"
#include "os/os.h"
#include "repo/index_cache_internal.h"

enum { LEVELS_HARD = 64 }; /* beyond it merge whatever the sizes */

struct set *index_cache_current(const struct index_cache *c)
{
	return atomic_load_explicit(&c->set, memory_order_acquire);
}

/* Publish these members, numbered anew. */
void index_cache_publish(struct index_cache *c, const struct member *m, size_t n)
{
	struct set *s = mem_alloc(sizeof *s + n * sizeof *m);
	uint64_t pack = 0, frame = 0, blob = 0;

	s->older = atomic_load_explicit(&c->set, memory_order_relaxed);
	s->n = n;
	for (size_t i = 0; i < n; i++) {
		s->m[i] = m[i];
		s->m[i].pack = (uint32_t)pack;
		s->m[i].frame = (uint32_t)frame;
		s->m[i].blob = blob;
		index_level_count(m[i].l, &c->touched);
		pack += index_level_packs(m[i].l);
		frame += index_level_frames(m[i].l);
		blob += index_level_blobs(m[i].l);
	}
	atomic_store_explicit(&c->set, s, memory_order_release);
}

/* Out of the set already: forget the file, keep the mapping. */
void index_cache_retire(struct index_cache *c, const struct member *m)
{
	struct retired *r = mem_alloc(sizeof *r);

	index_level_trim(m->l);
	if (m->name[0] != '\0' && c->dir != -1)
		os_unlinkat(c->dir, m->name, 0);
	*r = (struct retired){c->retired, m->l};
	c->retired = r;
}

static void warn(struct index_cache *c, const struct err *e)
{
	if (!c->warned)
		event_emit(c->ctx, EVENT_WARNING, span_str(""),
		    "index cache unusable, working without: %s", e->msg);
	c->warned = true;
}

static void random_name(char *out, const char *prefix)
{
	uint8_t r[8];
	char hex[17];

	crypto_random(r, sizeof r);
	snprintf(out, INDEX_CACHE_NAME, "%s-%s", prefix, hex_encode(hex, r, sizeof r));
}

static int open_unlinked(struct err *e)
{
	const char *tmp = getenv("TMPDIR");
	char path[4096];
	int fd;

	if (tmp == NULL || *tmp == '\0')
		tmp = "/tmp";
	fd = os_open(tmp, O_TMPFILE | O_RDWR, 0600);
	if (fd != -1)
		return fd;
	/* Not every file system knows O_TMPFILE. */
	snprintf(path, sizeof path, "%s/holdfast-", tmp);
	random_name(path + strlen(path), "level");
	fd = os_open(path, O_CREAT | O_EXCL | O_RDWR, 0600);
	if (fd == -1)
		return err_sys(e, "index cache: temporary file in %s", tmp);
	unlink(path);
	return fd;
}

/* A level in the folder: written aside, then named.  Not synced: checksums tell. */
static int make_named(
    struct index_cache *c, index_cache_fill *f, void *arg, struct member *out, struct err *e)
{
	char tmp[INDEX_CACHE_NAME];
	int fd, rc = -1;

	random_name(tmp, "tmp");
	fd = os_openat(c->dir, tmp, O_CREAT | O_EXCL | O_RDWR, 0600);
	if (fd == -1)
		return err_sys(e, "index cache: create level");
	if (f(arg, fd, c->key, e) == -1)
		goto out;
	random_name(out->name, "level");
	if (os_renameat(c->dir, tmp, c->dir, out->name) == -1) {
		err_sys(e, "index cache: name level");
		goto out;
	}
	rc = 0;
out:
	if (rc == -1) {
		os_unlinkat(c->dir, tmp, 0);
		os_close(fd);
		return -1;
	}
	out->l = index_level_open(fd, c->key, e);
	return out->l ? 0 : -1;
}

int index_cache_make(
    struct index_cache *c, index_cache_fill *f, void *arg, struct member *out, struct err *e)
{
	int fd;

	memset(out, 0, sizeof *out);
	if (c->dir != -1) {
		if (make_named(c, f, arg, out, e) == 0)
			return 0;
		if (e->kind == ERR_CORRUPT)
			return -1;
		warn(c, e);
		err_clear(e);
		memset(out, 0, sizeof *out);
	}
	if ((fd = open_unlinked(e)) == -1)
		return -1;
	if (f(arg, fd, c->key, e) == -1) {
		os_close(fd);
		return -1;
	}
	out->l = index_level_open(fd, c->key, e);
	return out->l ? 0 : -1;
}

int index_cache_fill_built(void *arg, int fd, const uint8_t *key, struct err *e)
{
	return index_level_builder_write(arg, fd, key, e);
}

struct merge {
	struct index_level **levels;
	size_t n;
};

static int fill_merged(void *arg, int fd, const uint8_t *key, struct err *e)
{
	struct merge *m = arg;

	return index_level_merge(m->levels, m->n, fd, key, e);
}

/* The set with this one after it. */
void index_cache_append(struct index_cache *c, const struct member *m)
{
	struct set *s = index_cache_current(c);
	struct member *all = mem_alloc((s->n + 1) * sizeof *all);

	memcpy(all, s->m, s->n * sizeof *all);
	all[s->n] = *m;
	index_cache_publish(c, all, s->n + 1);
	free(all);
}

/*
 * Where the tail to merge begins: a level takes part if those after it are
 * together as large, so a blob is copied a logarithmic number of times.
 * n: nothing to do.
 */
static size_t tail_of(const struct set *s, bool all_small)
{
	uint64_t after = 0, total;
	size_t from = s->n;

	if (s->n <= INDEX_CACHE_LEVELS)
		return s->n;
	for (size_t i = s->n; i-- > 0;) {
		if (i + 1 < s->n && index_level_blobs(s->m[i].l) <= after)
			from = i;
		after += index_level_blobs(s->m[i].l);
	}
	if ((all_small || s->n > LEVELS_HARD) && from > INDEX_CACHE_LEVELS - 1)
		from = INDEX_CACHE_LEVELS - 1;
	for (total = 0; from < s->n; from++) {
		total = 0;
		for (size_t i = from; i < s->n; i++)
			total += index_level_blobs(s->m[i].l);
		if (total <= UINT32_MAX / 2)
			break;
	}
	return from + 1 < s->n ? from : s->n;
}

int index_cache_merge_tail(struct index_cache *c, bool all_small, struct err *e)
{
	struct set *s = index_cache_current(c);
	size_t from = tail_of(s, all_small), n = s->n - from;
	struct member *m, merged;
	struct merge job;
	int rc;

	if (n == 0)
		return 0;
	job.levels = mem_alloc(n * sizeof *job.levels);
	job.n = n;
	for (size_t i = 0; i < n; i++)
		job.levels[i] = s->m[from + i].l;
	rc = index_cache_make(c, fill_merged, &job, &merged, e);
	free(job.levels);
	if (rc == -1)
		return -1;
	m = mem_alloc((from + 1) * sizeof *m);
	memcpy(m, s->m, from * sizeof *m);
	m[from] = merged;
	index_cache_publish(c, m, from + 1);
	free(m);
	for (size_t i = from; i < s->n; i++)
		index_cache_retire(c, &s->m[i]);
	return 0;
}

void index_cache_drop_all(struct index_cache *c)
{
	struct set *s = index_cache_current(c);

	index_cache_publish(c, NULL, 0);
	for (size_t i = 0; i < s->n; i++)
		index_cache_retire(c, &s->m[i]);
}

/* Levels that are in the folder; those that aren't whole are removed. */
static void load(struct index_cache *c)
{
	struct dirent *d;
	DIR *dir;
	int fd = os_openat(c->dir, ".", O_RDONLY | O_DIRECTORY, 0);

	dir = fd == -1 ? NULL : fdopendir(fd);
	if (dir == NULL) {
		os_close(fd);
		return;
	}
	while ((d = readdir(dir)) != NULL) {
		struct member m = {0};
		struct err e = {0};

		if (strncmp(d->d_name, "level-", 6) != 0 || strlen(d->d_name) >= INDEX_CACHE_NAME)
			continue;
		fd = os_openat(c->dir, d->d_name, O_RDONLY | O_NOFOLLOW, 0);
		if (fd == -1)
			continue;
		m.l = index_level_open(fd, c->key, &e);
		if (m.l != NULL) {
			memcpy(m.name, d->d_name, strlen(d->d_name) + 1);
			index_cache_append(c, &m);
		} else if (e.kind == ERR_CORRUPT) {
			os_unlinkat(c->dir, d->d_name, 0);
		}
	}
	closedir(dir);
}

/* Files that a crash left half written; a live one is younger than a day. */
static void sweep(struct index_cache *c)
{
	struct dirent *d;
	int fd = os_openat(c->dir, ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	int64_t now = c->ctx->clock ? c->ctx->clock->wall_ns(c->ctx->clock) / 1000000000 : 0;
	struct stat st;

	if (dir == NULL) {
		os_close(fd);
		return;
	}
	while ((d = readdir(dir)) != NULL)
		if (strncmp(d->d_name, "tmp-", 4) == 0 &&
		    os_fstatat(c->dir, d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    st.st_mtime < now - 86400)
			os_unlinkat(c->dir, d->d_name, 0);
	closedir(dir);
}

static int open_folder(const char *dir, struct err *e)
{
	int fd;

	if (os_mkdirs(dir, 0700, e) == -1)
		return -1;
	fd = os_open(dir, O_RDONLY | O_DIRECTORY, 0);
	return fd == -1 ? err_sys(e, "%s", dir) : fd;
}

int index_cache_open(const char *dir, const uint8_t key[32], struct ctx *ctx,
    struct index_cache **out, struct err *e)
{
	struct index_cache *c = mem_zalloc(sizeof *c);

	c->dir = -1;
	c->ctx = ctx;
	memcpy(c->key, key, sizeof c->key);
	pthread_mutex_init(&c->hide_lock, NULL);
	index_cache_publish(c, NULL, 0);
	*out = c;
	if (dir == NULL)
		return 0;
	c->dir = open_folder(dir, e);
	if (c->dir == -1) {
		warn(c, e);
		err_clear(e);
		return 0;
	}
	sweep(c);
	load(c);
	return 0;
}

void index_cache_set_ctx(struct index_cache *c, struct ctx *ctx)
{
	if (c != NULL)
		c->ctx = ctx;
}

void index_cache_close(struct index_cache *c)
{
	struct set *s;
	struct hidden *h;

	if (c == NULL)
		return;
	s = index_cache_current(c);
	for (size_t i = 0; i < s->n; i++)
		index_level_close(s->m[i].l);
	while (s != NULL) {
		struct set *older = s->older;

		free(s);
		s = older;
	}
	for (struct retired *r = c->retired, *next; r != NULL; r = next) {
		next = r->next;
		index_level_close(r->l);
		free(r);
	}
	h = atomic_load(&c->hidden);
	while (h != NULL) {
		struct hidden *older = h->older;

		free(h);
		h = older;
	}
	os_close(c->dir);
	pthread_mutex_destroy(&c->hide_lock);
	crypto_wipe(c->key, sizeof c->key);
	free(c);
}

int index_cache_verify(struct index_cache *c, struct err *e)
{
	const struct set *s = index_cache_current(c);

	for (size_t i = 0; i < s->n; i++)
		if (index_level_verify(s->m[i].l, e) == -1)
			return -1;
	return 0;
}

int index_cache_drop(struct index_cache *c, struct err *e)
{
	index_cache_drop_all(c);
	return 0;
}
