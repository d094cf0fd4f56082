/*
 * index_cache: the set of levels; see index_cache.h.
 *
 * The set is an immutable array that is published whole.  What it replaces,
 * levels too, is kept until close: a lookup may still be reading it, and
 * places that were handed out point into it.  (A deleted file's mapping costs
 * address space, no memory.)  Merging joins neighbours only, which keeps
 * every ordinal.
 */
#include "repo/index_cache.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/mem.h"
#include "crypto/crypto.h"
#include "os/os.h"
#include "repo/index_level.h"

enum {
	LEVELS_AIM = 8,
	LEVELS_HARD = 64, /* beyond it merge whatever the sizes */
	BATCH = 64 << 20,
	NAME_SIZE = 24,
	HIDDEN_MIN = 64,
};

/* One level at its place in the cache. */
struct member {
	struct index_level *l;
	char name[NAME_SIZE]; /* "" : an unlinked file */
	uint32_t pack, frame; /* its first ordinals */
	uint64_t blob;
};

struct set {
	struct set *older;
	size_t n;
	struct member m[];
};

/* Ids of hidden packs: only grows; a full table is replaced. */
struct hidden {
	struct hidden *older;
	size_t cap, n;
	struct hidden_slot {
		_Atomic bool used;
		struct id id;
	} slot[];
};

struct retired {
	struct retired *next;
	struct index_level *l;
};

struct index_cache {
	int dir; /* -1: unlinked files */
	uint8_t key[INDEX_LEVEL_KEY];
	struct ctx *ctx;
	bool warned;
	_Atomic(struct set *) set;
	_Atomic(struct hidden *) hidden;
	pthread_mutex_t hide_lock;
	struct retired *retired;
};

static struct set *current(const struct index_cache *c)
{
	return atomic_load_explicit(&c->set, memory_order_acquire);
}

/* Publish these members, numbered anew. */
static void publish(struct index_cache *c, const struct member *m, size_t n)
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
		pack += index_level_packs(m[i].l);
		frame += index_level_frames(m[i].l);
		blob += index_level_blobs(m[i].l);
	}
	atomic_store_explicit(&c->set, s, memory_order_release);
}

/* Out of the set already: forget the file, keep the mapping. */
static void retire(struct index_cache *c, const struct member *m)
{
	struct retired *r = mem_alloc(sizeof *r);

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
	snprintf(out, NAME_SIZE, "%s-%s", prefix, hex_encode(hex, r, sizeof r));
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

typedef int fill(void *arg, int fd, const uint8_t *key, struct err *e);

/* A level in the folder: written aside, then named.  Not synced: checksums tell. */
static int make_named(struct index_cache *c, fill *f, void *arg, struct member *out, struct err *e)
{
	char tmp[NAME_SIZE];
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

static int make(struct index_cache *c, fill *f, void *arg, struct member *out, struct err *e)
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

static int fill_built(void *arg, int fd, const uint8_t *key, struct err *e)
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
static void append(struct index_cache *c, const struct member *m)
{
	struct set *s = current(c);
	struct member *all = mem_alloc((s->n + 1) * sizeof *all);

	memcpy(all, s->m, s->n * sizeof *all);
	all[s->n] = *m;
	publish(c, all, s->n + 1);
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

	if (s->n <= LEVELS_AIM)
		return s->n;
	for (size_t i = s->n; i-- > 0;) {
		if (i + 1 < s->n && index_level_blobs(s->m[i].l) <= after)
			from = i;
		after += index_level_blobs(s->m[i].l);
	}
	if ((all_small || s->n > LEVELS_HARD) && from > LEVELS_AIM - 1)
		from = LEVELS_AIM - 1;
	for (total = 0; from < s->n; from++) {
		total = 0;
		for (size_t i = from; i < s->n; i++)
			total += index_level_blobs(s->m[i].l);
		if (total <= UINT32_MAX / 2)
			break;
	}
	return from + 1 < s->n ? from : s->n;
}

static int merge_tail(struct index_cache *c, bool all_small, struct err *e)
{
	struct set *s = current(c);
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
	rc = make(c, fill_merged, &job, &merged, e);
	free(job.levels);
	if (rc == -1)
		return -1;
	m = mem_alloc((from + 1) * sizeof *m);
	memcpy(m, s->m, from * sizeof *m);
	m[from] = merged;
	publish(c, m, from + 1);
	free(m);
	for (size_t i = from; i < s->n; i++)
		retire(c, &s->m[i]);
	return 0;
}

static void drop_all(struct index_cache *c)
{
	struct set *s = current(c);

	publish(c, NULL, 0);
	for (size_t i = 0; i < s->n; i++)
		retire(c, &s->m[i]);
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

		if (strncmp(d->d_name, "level-", 6) != 0 || strlen(d->d_name) >= NAME_SIZE)
			continue;
		fd = os_openat(c->dir, d->d_name, O_RDONLY | O_NOFOLLOW, 0);
		if (fd == -1)
			continue;
		m.l = index_level_open(fd, c->key, &e);
		if (m.l != NULL) {
			memcpy(m.name, d->d_name, strlen(d->d_name) + 1);
			append(c, &m);
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
	publish(c, NULL, 0);
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
	s = current(c);
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

static int by_size(const void *pa, const void *pb)
{
	uint64_t a = index_level_blobs(((const struct member *)pa)->l);
	uint64_t b = index_level_blobs(((const struct member *)pb)->l);

	return (a < b) - (a > b);
}

/* Is all that a level holds wanted, and in no level before it?  Then note it. */
static bool take_level(struct idmap *have, const struct index_level *l)
{
	for (size_t i = 0; i < index_level_sources(l); i++) {
		bool *got = idmap_get(have, index_level_source(l, i));

		if (got == NULL || *got)
			return false;
	}
	for (size_t i = 0; i < index_level_sources(l); i++)
		*(bool *)idmap_get(have, index_level_source(l, i)) = true;
	return true;
}

/* Keep the levels that hold only wanted objects; `have` tells which those are. */
static void keep_wanted(struct index_cache *c, struct idmap *have)
{
	struct set *s = current(c);
	struct member *m = mem_dup(s->m, s->n * sizeof *m);
	struct member *kept = mem_alloc(s->n * sizeof *kept);
	bool *drop = mem_zalloc(s->n);
	size_t n = 0;

	qsort(m, s->n, sizeof *m, by_size);
	for (size_t i = 0; i < s->n; i++) {
		drop[i] = !take_level(have, m[i].l);
		if (!drop[i])
			kept[n++] = m[i];
	}
	/* Same levels: same ordinals, even if they are not in order of size. */
	if (n < s->n || s->n > LEVELS_AIM)
		publish(c, kept, n);
	for (size_t i = 0; i < s->n; i++)
		if (drop[i])
			retire(c, &m[i]);
	free(drop);
	free(kept);
	free(m);
}

static int finish_batch(struct index_cache *c, struct index_level_builder **b, struct err *e)
{
	struct member m;
	int rc = make(c, fill_built, *b, &m, e);

	index_level_builder_free(*b);
	*b = NULL;
	if (rc == 0)
		append(c, &m);
	return rc;
}

static int fetch_missing(struct index_cache *c, const struct id *ids, size_t n, struct idmap *have,
    index_fetch *fetch, void *arg, struct err *e)
{
	struct index_level_builder *b = NULL;
	struct buf payload = {0};
	size_t held = 0;
	int rc = -1;

	for (size_t i = 0; i < n; i++) {
		bool *got = idmap_get(have, &ids[i]);
		char hex[ID_HEX];

		if (*got)
			continue;
		if (ctx_check(c->ctx, e) == -1)
			goto out;
		buf_reset(&payload);
		if (fetch(arg, &ids[i], &payload, e) == -1)
			goto out;
		*got = true;
		if (b == NULL)
			b = index_level_builder_new();
		if (index_level_builder_add(b, &ids[i], buf_span(&payload), e) == -1) {
			err_wrap(e, "index/%s", id_hex(hex, &ids[i]));
			goto out;
		}
		held += payload.n;
		if (held >= BATCH) {
			held = 0;
			if (finish_batch(c, &b, e) == -1)
				goto out;
		}
	}
	rc = b ? finish_batch(c, &b, e) : 0;
out:
	index_level_builder_free(b);
	buf_fini(&payload);
	return rc;
}

static int sync_once(struct index_cache *c, const struct id *ids, size_t n, index_fetch *fetch,
    void *arg, struct err *e)
{
	struct idmap *have = idmap_new(sizeof(bool));
	int rc;

	for (size_t i = 0; i < n; i++)
		idmap_put(have, &ids[i], NULL);
	keep_wanted(c, have);
	rc = fetch_missing(c, ids, n, have, fetch, arg, e);
	idmap_free(have);
	return rc;
}

int index_cache_sync(struct index_cache *c, const struct id *ids, size_t n, index_fetch *fetch,
    void *arg, struct err *e)
{
	if (sync_once(c, ids, n, fetch, arg, e) == -1)
		return -1;
	if (merge_tail(c, true, e) == 0)
		return 0;
	if (e->kind != ERR_CORRUPT)
		return -1;
	/* A level that merging found damaged: all are worth less than certainty. */
	err_clear(e);
	drop_all(c);
	return sync_once(c, ids, n, fetch, arg, e);
}

int index_cache_add(struct index_cache *c, const struct id *id, struct span payload, struct err *e)
{
	struct index_level_builder *b = index_level_builder_new();

	if (index_level_builder_add(b, id, payload, e) == -1) {
		index_level_builder_free(b);
		return -1;
	}
	if (finish_batch(c, &b, e) == -1)
		return -1;
	return merge_tail(c, false, e);
}

static struct hidden_slot *hidden_slot(struct hidden *h, const struct id *id)
{
	uint64_t at;

	memcpy(&at, id->b + 8, sizeof at);
	for (;; at++) {
		struct hidden_slot *s = &h->slot[at & (h->cap - 1)];

		if (!atomic_load_explicit(&s->used, memory_order_acquire) || id_eq(&s->id, id))
			return s;
	}
}

static bool is_hidden(const struct index_cache *c, const struct id *pack)
{
	struct hidden *h = atomic_load_explicit(&c->hidden, memory_order_acquire);

	return h != NULL && atomic_load_explicit(&hidden_slot(h, pack)->used, memory_order_acquire);
}

static void hidden_put(struct hidden *h, const struct id *id)
{
	struct hidden_slot *s = hidden_slot(h, id);

	if (atomic_load_explicit(&s->used, memory_order_relaxed))
		return;
	s->id = *id;
	atomic_store_explicit(&s->used, true, memory_order_release);
	h->n++;
}

static struct hidden *hidden_grow(struct hidden *old)
{
	size_t cap = old ? old->cap * 4 : HIDDEN_MIN;
	struct hidden *h = mem_zalloc(sizeof *h + cap * sizeof *h->slot);

	h->older = old;
	h->cap = cap;
	for (size_t i = 0; old != NULL && i < old->cap; i++)
		if (atomic_load_explicit(&old->slot[i].used, memory_order_relaxed))
			hidden_put(h, &old->slot[i].id);
	return h;
}

void index_cache_hide(struct index_cache *c, const struct id *pack)
{
	struct hidden *h;

	pthread_mutex_lock(&c->hide_lock);
	h = atomic_load_explicit(&c->hidden, memory_order_relaxed);
	if (h == NULL || h->n * 2 >= h->cap)
		h = hidden_grow(h);
	hidden_put(h, pack);
	atomic_store_explicit(&c->hidden, h, memory_order_release);
	pthread_mutex_unlock(&c->hide_lock);
}

/* Visit the places of an id in one level; visit's result, if not 0, ends it. */
static int places_in(const struct index_cache *c, const struct member *m, const struct id *id,
    int (*visit)(void *, const struct index_place *, struct err *), void *arg, bool hidden_too,
    struct err *e)
{
	uint64_t at = INDEX_LEVEL_FIRST;
	struct index_cache_pack pack;
	struct index_place place;
	uint32_t blob;
	int rc;

	while ((rc = index_level_next(m->l, id, &at, &blob, e)) == 1) {
		if (index_level_place(m->l, blob, &place, e) == -1)
			return -1;
		if (!hidden_too && atomic_load_explicit(&c->hidden, memory_order_acquire)) {
			if (index_level_pack(m->l, place.pack, &pack, e) == -1)
				return -1;
			if (is_hidden(c, &pack.id))
				continue;
		}
		place.pack += m->pack;
		place.frame += m->frame;
		place.blob += m->blob;
		if ((rc = visit(arg, &place, e)) != 0)
			return rc;
	}
	return rc;
}

static int take_first(void *arg, const struct index_place *p, struct err *e)
{
	*(struct index_place *)arg = *p;
	return 1;
}

int index_cache_find(
    struct index_cache *c, const struct id *id, struct index_place *out, struct err *e)
{
	const struct set *s = current(c);

	for (size_t i = 0; i < s->n; i++) {
		int rc = places_in(c, &s->m[i], id, take_first, out, false, e);

		if (rc != 0)
			return rc;
	}
	return 0;
}

int index_cache_find_all(struct index_cache *c, const struct id *id,
    int (*visit)(void *, const struct index_place *, struct err *), void *arg, struct err *e)
{
	const struct set *s = current(c);

	for (size_t i = 0; i < s->n; i++) {
		int rc = places_in(c, &s->m[i], id, visit, arg, true, e);

		if (rc != 0)
			return rc;
	}
	return 0;
}

uint32_t index_cache_packs(const struct index_cache *c)
{
	const struct set *s = current(c);
	const struct member *last = s->n ? &s->m[s->n - 1] : NULL;

	return last ? last->pack + index_level_packs(last->l) : 0;
}

uint64_t index_cache_blobs(const struct index_cache *c)
{
	const struct set *s = current(c);
	const struct member *last = s->n ? &s->m[s->n - 1] : NULL;

	return last ? last->blob + index_level_blobs(last->l) : 0;
}

/* The member with this pack, or NULL with the error: the caller made it up. */
static const struct member *member_of_pack(
    const struct index_cache *c, uint32_t ordinal, struct err *e)
{
	const struct set *s = current(c);

	for (size_t i = s->n; i-- > 0;)
		if (ordinal >= s->m[i].pack &&
		    ordinal - s->m[i].pack < index_level_packs(s->m[i].l))
			return &s->m[i];
	err_set(e, ERR_ABSENT, "index cache: no pack %u", ordinal);
	return NULL;
}

int index_cache_pack(
    struct index_cache *c, uint32_t ordinal, struct index_cache_pack *out, struct err *e)
{
	const struct member *m = member_of_pack(c, ordinal, e);

	if (m == NULL || index_level_pack(m->l, ordinal - m->pack, out, e) == -1)
		return -1;
	out->first_frame += m->frame;
	out->first_blob += m->blob;
	out->hidden = is_hidden(c, &out->id);
	return 0;
}

int index_cache_pack_dir(struct index_cache *c, uint32_t ordinal, struct pack_dir *dir,
    struct index_pack *out, struct err *e)
{
	const struct member *m = member_of_pack(c, ordinal, e);

	return m ? index_level_pack_dir(m->l, ordinal - m->pack, dir, out, e) : -1;
}

int index_cache_verify(struct index_cache *c, struct err *e)
{
	const struct set *s = current(c);

	for (size_t i = 0; i < s->n; i++)
		if (index_level_verify(s->m[i].l, e) == -1)
			return -1;
	return 0;
}

int index_cache_drop(struct index_cache *c, struct err *e)
{
	drop_all(c);
	return 0;
}
