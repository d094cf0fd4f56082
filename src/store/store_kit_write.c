/*
 * store_kit_write: a kit (kit.h) being made, in one stream.
 *
 * Packs, and the parity of anything, go out as they come; the small objects wait in memory, for
 * some are deleted or read again, until store_kit_end writes them, the directory and the
 * trailer.  What was begun and not ended is no kit: its end is missing.
 *
 * Invariant: `sent` are the objects in the stream, in its order.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/crypto.h"
#include "os/os.h"
#include "store/kit.h"
#include "store/store_drivers.h"

enum { PIECE = 1 << 20 };

struct held {
	char *name;
	struct buf data;
	int64_t mtime_ns;
};

struct kit_out {
	struct store base;
	int fd;
	pthread_mutex_t lock; /* guards what follows */
	uint64_t at;
	struct crypto_hash *whole; /* of the stream */
	struct kit_object *sent;
	size_t nsent;
	struct held *held;
	size_t nheld;
	bool broken; /* some bytes went out, and others did not */
};

/* An upload waits in a file without a name: of two packs at a time one stream is made. */
struct kit_upload {
	struct store_upload base;
	struct crypto_hash *hash;
	uint64_t size;
	int fd;
	bool failed;
};

static bool goes_out(const char *key)
{
	static const char *const folders[] = {"packs/", "meta/", "parity/"};

	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		if (strncmp(key, folders[i], strlen(folders[i])) == 0)
			return true;
	return false;
}

/* Under the lock. */
static int send_bytes(struct kit_out *k, struct span s, struct err *e)
{
	if (k->broken)
		return err_set(e, ERR_FAILED, "the kit is torn already");
	if (os_write_all(k->fd, s.p, s.n) == -1) {
		k->broken = true;
		return err_sys(e, "write");
	}
	crypto_hash_add(k->whole, s);
	k->at += s.n;
	return 0;
}

static void note_sent(struct kit_out *k, const char *key, uint64_t size, const uint8_t *hash)
{
	struct kit_object *o;

	k->sent = mem_realloc(k->sent, (k->nsent + 1) * sizeof *k->sent);
	o = &k->sent[k->nsent++];
	*o = (struct kit_object){mem_strdup(key), k->at - size, size, {0}};
	memcpy(o->hash, hash, KIT_HASH);
}

static int send_object(struct kit_out *k, const char *key, struct span data, struct err *e)
{
	uint8_t hash[KIT_HASH];

	crypto_digest(CRYPTO_SHA2, data, hash);
	if (send_bytes(k, data, e) == -1)
		return -1;
	note_sent(k, key, data.n, hash);
	return 0;
}

static struct held *find(struct kit_out *k, const char *key)
{
	for (size_t i = 0; i < k->nheld; i++)
		if (strcmp(k->held[i].name, key) == 0)
			return &k->held[i];
	return NULL;
}

static int hold(struct kit_out *k, const char *key, struct span data, unsigned flags, struct err *e)
{
	struct clock *clock = os_clock();
	struct held *h = find(k, key);

	if (h != NULL && (flags & STORE_NEW))
		return err_set(e, ERR_EXISTS, "there already");
	if (h == NULL) {
		k->held = mem_realloc(k->held, (k->nheld + 1) * sizeof *k->held);
		h = &k->held[k->nheld++];
		*h = (struct held){.name = mem_strdup(key)};
	}
	buf_reset(&h->data);
	buf_put_span(&h->data, data);
	h->mtime_ns = clock->wall_ns(clock);
	return 0;
}

static int kit_put(
    struct store *s, const char *key, struct span data, unsigned flags, struct err *e)
{
	struct kit_out *k = (struct kit_out *)s;
	int rc;

	pthread_mutex_lock(&k->lock);
	rc = goes_out(key) ? send_object(k, key, data, e) : hold(k, key, data, flags, e);
	pthread_mutex_unlock(&k->lock);
	return rc;
}

static int kit_get(
    struct store *s, const char *key, uint64_t off, void *buf, size_t len, struct err *e)
{
	struct kit_out *k = (struct kit_out *)s;
	const struct held *h;
	int rc = 0;

	if (goes_out(key))
		return err_set(e, ERR_UNSUPPORTED, "it went out already");
	pthread_mutex_lock(&k->lock);
	h = find(k, key);
	if (h == NULL)
		rc = err_set(e, ERR_ABSENT, "not there");
	else if (off > h->data.n || len > h->data.n - off)
		rc = err_set(e, ERR_CORRUPT, "%zu bytes, fewer than asked for", h->data.n);
	else if (len > 0)
		memcpy(buf, h->data.p + off, len);
	pthread_mutex_unlock(&k->lock);
	return rc;
}

static int kit_stat(struct store *s, const char *key, struct store_stat *st, struct err *e)
{
	struct kit_out *k = (struct kit_out *)s;
	struct clock *clock = os_clock();
	const struct held *h;
	bool found;

	pthread_mutex_lock(&k->lock);
	h = find(k, key);
	found = h != NULL;
	if (found)
		*st = (struct store_stat){h->data.n, h->mtime_ns};
	for (size_t i = 0; i < k->nsent && !found; i++)
		if (strcmp(k->sent[i].name, key) == 0) {
			*st = (struct store_stat){k->sent[i].size, clock->wall_ns(clock)};
			found = true;
		}
	pthread_mutex_unlock(&k->lock);
	return found ? 0 : err_set(e, ERR_ABSENT, "not there");
}

static int kit_del(struct store *s, const char *key, struct err *e)
{
	struct kit_out *k = (struct kit_out *)s;
	struct held *h;

	(void)e;
	pthread_mutex_lock(&k->lock);
	h = find(k, key);
	if (h != NULL) {
		free(h->name);
		buf_fini(&h->data);
		*h = k->held[--k->nheld];
	}
	pthread_mutex_unlock(&k->lock);
	return 0;
}

/* Only of what waits: nobody lists what went out while it is made. */
static int kit_list(
    struct store *s, const char *prefix, store_visit *visit, void *arg, struct err *e)
{
	struct kit_out *k = (struct kit_out *)s;

	for (size_t i = 0; i < k->nheld; i++) {
		struct store_stat st = {k->held[i].data.n, k->held[i].mtime_ns};

		if (strncmp(k->held[i].name, prefix, strlen(prefix)) == 0 &&
		    visit(arg, k->held[i].name, &st, e) == -1)
			return -1;
	}
	return 0;
}

/* ---- Uploads. */

static int kit_begin(struct store *s, struct store_upload **up, struct err *e)
{
	const char *dir = getenv("TMPDIR");
	struct kit_upload *u;
	int fd;

	dir = dir && *dir ? dir : "/var/tmp";
	fd = os_open(dir, O_TMPFILE | O_RDWR, 0600);
	if (fd == -1)
		return err_sys(e, "temporary file in %s", dir);
	u = mem_zalloc(sizeof *u);
	u->base.store = s;
	u->fd = fd;
	u->hash = crypto_hash_new(CRYPTO_SHA2);
	*up = &u->base;
	return 0;
}

static int kit_append(struct store_upload *up, struct span data, struct err *e)
{
	struct kit_upload *u = (struct kit_upload *)up;

	if (os_write_all(u->fd, data.p, data.n) == -1) {
		u->failed = true;
		return err_sys(e, "write a temporary file");
	}
	crypto_hash_add(u->hash, data);
	u->size += data.n;
	return 0;
}

/* Under the lock: nothing else gets between. */
static int send_upload(struct kit_out *k, struct kit_upload *u, const char *key, struct err *e)
{
	uint8_t *piece = mem_alloc(PIECE), hash[KIT_HASH];
	int rc = u->failed ? err_set(e, ERR_FAILED, "an append failed before") : 0;

	for (uint64_t at = 0; at < u->size && rc == 0; at += PIECE) {
		size_t n = u->size - at < PIECE ? (size_t)(u->size - at) : PIECE;

		if (os_pread_full(u->fd, piece, n, (off_t)at) != (ssize_t)n)
			rc = err_set(e, ERR_IO, "read a temporary file");
		else
			rc = send_bytes(k, span_of(piece, n), e);
	}
	crypto_hash_end(u->hash, hash);
	if (rc == 0)
		note_sent(k, key, u->size, hash);
	k->broken = k->broken || rc == -1;
	free(piece);
	return rc;
}

static int kit_commit(struct store_upload *up, const char *key, unsigned flags, struct err *e)
{
	struct kit_upload *u = (struct kit_upload *)up;
	struct kit_out *k = (struct kit_out *)up->store;
	int rc = 0;

	(void)flags;
	if (key != NULL) {
		pthread_mutex_lock(&k->lock);
		rc = send_upload(k, u, key, e);
		pthread_mutex_unlock(&k->lock);
	}
	crypto_hash_free(u->hash);
	os_close(u->fd);
	free(u);
	return rc;
}

static int kit_sync(struct store *s, struct err *e)
{
	(void)s, (void)e;
	return 0;
}

static void kit_close(struct store *s)
{
	struct kit_out *k = (struct kit_out *)s;

	kit_objects_free(k->sent, k->nsent);
	for (size_t i = 0; i < k->nheld; i++) {
		free(k->held[i].name);
		buf_fini(&k->held[i].data);
	}
	free(k->held);
	crypto_hash_free(k->whole);
	pthread_mutex_destroy(&k->lock);
	free(k->base.url);
	free(k);
}

static const struct store_ops ops = {.scheme = "kit",
    .durability = "a file, whole once its end is written",
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

int store_kit_begin(int fd, const char *name, struct store **out, struct err *e)
{
	struct kit_out *k = mem_zalloc(sizeof *k);
	uint8_t header[KIT_HEADER];

	k->base.ops = &ops;
	k->base.url = mem_printf("kit:%s", name);
	k->fd = fd;
	k->whole = crypto_hash_new(CRYPTO_SHA2);
	pthread_mutex_init(&k->lock, NULL);
	kit_header(header);
	if (send_bytes(k, span_of(header, sizeof header), e) == -1) {
		err_wrap(e, "%s", k->base.url);
		kit_close(&k->base);
		return -1;
	}
	*out = &k->base;
	return 0;
}

static int send_end(struct kit_out *k, struct err *e)
{
	struct clock *clock = os_clock();
	struct buf end = {0};
	int rc;

	kit_end(k->sent, k->nsent, k->at, clock->wall_ns(clock), &end);
	rc = send_bytes(k, buf_span(&end), e);
	buf_fini(&end);
	return rc;
}

int store_kit_end(struct store *s, uint64_t *size, uint8_t sha256[32], struct err *e)
{
	struct kit_out *k = (struct kit_out *)s;
	int rc = 0;

	for (size_t i = 0; i < k->nheld && rc == 0; i++)
		rc = send_object(k, k->held[i].name, buf_span(&k->held[i].data), e);
	if (rc == 0)
		rc = send_end(k, e);
	if (rc == -1)
		return err_wrap(e, "%s", s->url);
	*size = k->at;
	crypto_hash_end(k->whole, sha256);
	return 0;
}
