/*
 * store_kit: the objects in a kit (kit.h), to be read and no more.
 *
 * The directory is checked when it is opened; an object that is asked for whole is compared
 * with its hash there, so that damage of what is not sealed (config) is told as such.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/crypto.h"
#include "os/os.h"
#include "store/kit.h"
#include "store/store_drivers.h"

enum { PIECE = 1 << 20 };

struct store_kit {
	struct store base;
	int fd;
	int64_t made_ns;
	struct kit_object *v; /* by name */
	size_t n;
};

static struct kit_object *find(struct store *s, const char *key, struct err *e)
{
	struct store_kit *k = (struct store_kit *)s;
	size_t lo = 0, hi = k->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = strcmp(k->v[mid].name, key);

		if (c == 0)
			return &k->v[mid];
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	err_set(e, ERR_ABSENT, "not there");
	return NULL;
}

static int read_at(const struct store_kit *k, uint64_t off, void *buf, size_t len, struct err *e)
{
	ssize_t got = os_pread_full(k->fd, buf, len, (off_t)off);

	if (got == -1)
		return err_sys(e, "read");
	if ((size_t)got != len)
		return err_set(e, ERR_CORRUPT, "it became shorter");
	return 0;
}

static int kit_get(
    struct store *s, const char *key, uint64_t off, void *buf, size_t len, struct err *e)
{
	const struct kit_object *o = find(s, key, e);
	uint8_t hash[KIT_HASH];

	if (o == NULL)
		return -1;
	if (off > o->size || len > o->size - off)
		return err_set(e, ERR_CORRUPT, "%llu bytes, fewer than asked for",
		    (unsigned long long)o->size);
	if (read_at((struct store_kit *)s, o->off + off, buf, len, e) == -1)
		return -1;
	if (len != o->size)
		return 0;
	crypto_digest(CRYPTO_SHA2, span_of(buf, len), hash);
	if (memcmp(hash, o->hash, KIT_HASH) == 0 || strncmp(key, "config", 7) != 0)
		return 0; /* names of the others are hashes: who asks compares, and may mend */
	return err_set(e, ERR_CORRUPT, "its bytes are not those that were put into the kit");
}

static int kit_stat(struct store *s, const char *key, struct store_stat *st, struct err *e)
{
	const struct kit_object *o = find(s, key, e);

	if (o == NULL)
		return -1;
	*st = (struct store_stat){o->size, ((struct store_kit *)s)->made_ns};
	return 0;
}

static int kit_list(
    struct store *s, const char *prefix, store_visit *visit, void *arg, struct err *e)
{
	struct store_kit *k = (struct store_kit *)s;
	size_t len = strlen(prefix);

	for (size_t i = 0; i < k->n; i++) {
		struct store_stat st = {k->v[i].size, k->made_ns};

		if (strncmp(k->v[i].name, prefix, len) == 0 &&
		    visit(arg, k->v[i].name, &st, e) == -1)
			return -1;
	}
	return 0;
}

static int read_only(struct err *e)
{
	err_set(e, ERR_DENIED, "a kit is read-only");
	return err_hint(e, "to go on from it, copy it into a repository: holdfast -r REPO copy "
			   "--from-repo kit:FILE");
}

static int kit_put(
    struct store *s, const char *key, struct span data, unsigned flags, struct err *e)
{
	(void)s, (void)key, (void)data, (void)flags;
	return read_only(e);
}

static int kit_del(struct store *s, const char *key, struct err *e)
{
	(void)s, (void)key;
	return read_only(e);
}

static int kit_begin(struct store *s, struct store_upload **up, struct err *e)
{
	(void)s, (void)up;
	return read_only(e);
}

static int kit_append(struct store_upload *up, struct span data, struct err *e)
{
	(void)up, (void)data;
	return read_only(e);
}

static int kit_commit(struct store_upload *up, const char *key, unsigned flags, struct err *e)
{
	(void)up, (void)key, (void)flags;
	return read_only(e);
}

static int kit_sync(struct store *s, struct err *e)
{
	(void)s, (void)e;
	return 0;
}

static void kit_close(struct store *s)
{
	struct store_kit *k = (struct store_kit *)s;

	kit_objects_free(k->v, k->n);
	os_close(k->fd);
	free(k->base.url);
	free(k);
}

static const struct store_ops ops = {.scheme = "kit",
    .durability = "read-only",
    .put = kit_put,
    .get = kit_get,
    .stat = kit_stat,
    .del = kit_del,
    .list = kit_list,
    .begin = kit_begin,
    .append = kit_append,
    .commit = kit_commit,
    .sync = kit_sync,
    .close = kit_close};

static int not_whole(const char *what, struct err *e)
{
	err_set(e, ERR_CORRUPT, "%s", what);
	return err_hint(e, "export it again; a kit cannot be repaired");
}

static int no_kit(const char *why, struct err *e)
{
	err_set(e, ERR_NO_REPOSITORY, "%s", why);
	return err_hint(e, "holdfast kit export --single-file makes one of a snapshot");
}

/* The ends of the file: is it a kit, and a whole one? */
static int read_ends(struct store_kit *k, uint64_t size, struct kit_trailer *t, struct err *e)
{
	uint8_t head[KIT_HEADER], want[KIT_HEADER], end[KIT_TRAILER];

	kit_header(want);
	if (size < KIT_HEADER)
		return no_kit("not a kit: too short", e);
	if (read_at(k, 0, head, sizeof head, e) == -1)
		return -1;
	if (memcmp(head, want, 8) != 0 || head[9] != KIT_TYPE)
		return no_kit("not a kit", e);
	if (head[8] != KIT_VERSION)
		return err_set(e, ERR_UNSUPPORTED, "a kit of version %u", head[8]);
	if (memcmp(head, want, sizeof head) != 0)
		return not_whole("its header is damaged", e);
	if (size < KIT_HEADER + KIT_TRAILER)
		return not_whole("it is torn: its end is missing", e);
	if (read_at(k, size - KIT_TRAILER, end, sizeof end, e) == -1)
		return -1;
	if (!kit_trailer_parse(end, t))
		return not_whole("it is torn, or something was appended: its end is missing", e);
	if (t->size > KIT_DIRECTORY_MAX || t->size > size - KIT_TRAILER ||
	    t->off != size - KIT_TRAILER - t->size)
		return not_whole("its end does not fit its length", e);
	return 0;
}

static int load(struct store_kit *k, struct err *e)
{
	struct kit_trailer t;
	struct buf dir = {0};
	struct stat st;
	int rc = -1;

	if (os_fstat(k->fd, &st) == -1)
		return err_sys(e, "stat");
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_USAGE, "a kit must be a file");
	if (read_ends(k, (uint64_t)st.st_size, &t, e) == -1)
		return -1;
	k->made_ns = t.made_ns;
	buf_reserve(&dir, t.size + 1);
	if (read_at(k, t.off, buf_extend(&dir, t.size), t.size, e) == 0)
		rc = kit_directory_parse(buf_span(&dir), &t, &k->v, &k->n, e);
	buf_fini(&dir);
	return rc;
}

int store_kit_open(const char *path, struct store **out, struct err *e)
{
	struct store_kit *k;
	int fd = os_open(path, O_RDONLY, 0);

	if (fd == -1) {
		if (errno == ENOENT)
			no_kit("no such file", e);
		else
			err_sys(e, "open");
		return err_wrap(e, "kit:%s", path);
	}
	k = mem_zalloc(sizeof *k);
	k->base.ops = &ops;
	k->base.url = mem_printf("kit:%s", path);
	k->fd = fd;
	if (load(k, e) == -1) {
		err_wrap(e, "kit:%s", path);
		kit_close(&k->base);
		return -1;
	}
	*out = &k->base;
	return 0;
}

static struct store_kit *unwrap(struct store *s)
{
	while (s->under)
		s = s->under;
	return s->ops == &ops ? (struct store_kit *)s : NULL;
}

bool store_is_kit(struct store *s)
{
	return unwrap(s) != NULL;
}

/* 1 it is as it was put into the kit, 0, -1. */
static int sound(struct store_kit *k, const struct kit_object *o, struct err *e)
{
	struct crypto_hash *h = crypto_hash_new(CRYPTO_SHA2);
	uint8_t *piece = mem_alloc(PIECE), hash[KIT_HASH];
	int rc = 0;

	for (uint64_t at = 0; at < o->size && rc == 0; at += PIECE) {
		size_t n = o->size - at < PIECE ? (size_t)(o->size - at) : PIECE;

		rc = read_at(k, o->off + at, piece, n, e);
		crypto_hash_add(h, span_of(piece, n));
	}
	crypto_hash_end(h, hash);
	crypto_hash_free(h);
	free(piece);
	return rc == -1 ? -1 : memcmp(hash, o->hash, KIT_HASH) == 0;
}

int store_kit_verify(struct store *s, struct ctx *ctx, uint64_t *damaged, struct err *e)
{
	struct store_kit *k = unwrap(s);

	*damaged = 0;
	for (size_t i = 0; k != NULL && i < k->n; i++) {
		int rc = ctx_check(ctx, e) == -1 ? -1 : sound(k, &k->v[i], e);

		if (rc == -1)
			return err_wrap(e, "%s: %s", s->url, k->v[i].name);
		if (rc == 1)
			continue;
		++*damaged;
		event_emit(ctx, EVENT_OBJECT_DAMAGED, span_str(k->v[i].name),
		    "its bytes are not those that were put into the kit");
	}
	return 0;
}
