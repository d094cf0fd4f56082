/* kit: see kit.h. */
#include "store/kit.h"

#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "base/mem.h"
#include "crypto/crypto.h"

static const char magic[8] = "HOLDFAST";
enum { BEFORE_HASH = 24, NAME_MIN = 1 + 1 + 1 + KIT_HASH };

void kit_header(uint8_t out[KIT_HEADER])
{
	memset(out, 0, KIT_HEADER);
	memcpy(out, magic, sizeof magic);
	out[8] = KIT_VERSION;
	out[9] = KIT_TYPE;
}

/* Of the header, which is always the same, the directory and what the trailer says of it. */
static void end_hash(struct span dir, const uint8_t *trailer, uint8_t out[KIT_HASH])
{
	struct crypto_hash *h = crypto_hash_new(CRYPTO_SHA2);
	uint8_t header[KIT_HEADER];

	kit_header(header);
	crypto_hash_add(h, span_of(header, sizeof header));
	crypto_hash_add(h, dir);
	crypto_hash_add(h, span_of(trailer, BEFORE_HASH));
	crypto_hash_end(h, out);
	crypto_hash_free(h);
}

void kit_end(const struct kit_object *v, size_t n, uint64_t at, int64_t made_ns, struct buf *out)
{
	size_t start = out->n, size;
	uint8_t hash[KIT_HASH];

	buf_put_varint(out, n);
	for (size_t i = 0; i < n; i++) {
		buf_put_string(out, span_str(v[i].name));
		buf_put_varint(out, v[i].size);
		buf_put(out, v[i].hash, KIT_HASH);
	}
	size = out->n - start;
	buf_put_u64(out, at);
	buf_put_u64(out, size);
	buf_put_u64(out, (uint64_t)made_ns);
	end_hash(span_of(out->p + start, size), out->p + start + size, hash);
	buf_put(out, hash, KIT_HASH);
	buf_put(out, magic, sizeof magic);
}

static void trailer_bytes(const struct kit_trailer *t, struct buf *out)
{
	buf_put_u64(out, t->off);
	buf_put_u64(out, t->size);
	buf_put_u64(out, (uint64_t)t->made_ns);
}

bool kit_trailer_parse(const uint8_t bytes[KIT_TRAILER], struct kit_trailer *out)
{
	struct cursor c = cursor_of(span_of(bytes, KIT_TRAILER));
	struct span hash, end;

	out->off = cursor_u64(&c);
	out->size = cursor_u64(&c);
	out->made_ns = (int64_t)cursor_u64(&c);
	hash = cursor_bytes(&c, KIT_HASH);
	end = cursor_bytes(&c, sizeof magic);
	memcpy(out->hash, hash.p, KIT_HASH);
	return memcmp(end.p, magic, sizeof magic) == 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct kit_object *)a)->name, ((const struct kit_object *)b)->name);
}

/* One entry; false if there is none, or it is no object's. */
static bool parse_object(struct cursor *c, uint64_t *at, uint64_t end, struct kit_object *o)
{
	struct span name = cursor_string(c, STORE_KEY_MAX), hash;

	o->size = cursor_varint(c);
	hash = cursor_bytes(c, KIT_HASH);
	if (c->bad || name.n == 0 || memchr(name.p, 0, name.n) != NULL || o->size > end - *at)
		return false;
	o->name = mem_strndup((const char *)name.p, name.n);
	memcpy(o->hash, hash.p, KIT_HASH);
	o->off = *at;
	*at += o->size;
	return store_key_valid(o->name);
}

static bool parse_objects(
    const struct kit_trailer *t, struct kit_object *v, size_t n, struct cursor *c)
{
	uint64_t at = KIT_HEADER;

	for (size_t i = 0; i < n; i++)
		if (!parse_object(c, &at, t->off, &v[i]))
			return false;
	if (!cursor_done(c) || at != t->off)
		return false;
	if (n > 1)
		qsort(v, n, sizeof *v, by_name);
	for (size_t i = 1; i < n; i++)
		if (strcmp(v[i - 1].name, v[i].name) == 0)
			return false;
	return true;
}

int kit_directory_parse(
    struct span dir, const struct kit_trailer *t, struct kit_object **v, size_t *n, struct err *e)
{
	struct cursor c = cursor_of(dir);
	struct buf end = {0};
	uint8_t hash[KIT_HASH];

	trailer_bytes(t, &end);
	end_hash(dir, end.p, hash);
	buf_fini(&end);
	if (memcmp(hash, t->hash, KIT_HASH) != 0)
		return err_set(e, ERR_CORRUPT, "its directory is damaged");
	*n = cursor_count(&c, NAME_MIN, KIT_OBJECTS_MAX);
	*v = mem_zalloc((*n + 1) * sizeof **v);
	if (!c.bad && t->off >= KIT_HEADER && parse_objects(t, *v, *n, &c))
		return 0;
	kit_objects_free(*v, *n);
	*v = NULL;
	*n = 0;
	return err_set(e, ERR_CORRUPT, "its directory is malformed");
}

void kit_objects_free(struct kit_object *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(v[i].name);
	free(v);
}
