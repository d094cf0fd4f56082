/*
 * blake3: see blake3.h; here is the tree over the chunks.
 *
 * Input goes through in groups, subtrees of a power of two of chunks that
 * begin at a multiple of their size, so that most vectors are full; a group is
 * reduced to one chaining value at once.  The last of the input, 1 to TAIL
 * bytes, is kept back until the end is known, for then the root is in it.
 */
#include "crypto/blake3.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/blake3_lanes.h"
#include "crypto/crypto.h"

enum {
	TAIL_CHUNKS = 16, /* the most lanes of any variant, and the least of a group */
	TAIL = TAIL_CHUNKS * BLAKE3_CHUNK,
	GROUP_CHUNKS = 256, /* the most */
	DEPTH_MAX = 54,     /* of 2^64 bytes in chunks */
};

/* Finished subtrees, the largest (and leftmost) first. */
struct tree {
	uint32_t key[8];
	uint32_t flags; /* 0 or BLAKE3_KEYED */
	uint64_t chunks;
	unsigned depth;
	uint8_t stack[DEPTH_MAX + 1][BLAKE3_CV];
};

struct blake3 {
	struct tree tree;
	size_t n;
	uint8_t tail[TAIL];
};

static _Atomic(const struct blake3_variant *) chosen;

static const struct blake3_variant *variant(void)
{
	const struct blake3_variant *v = atomic_load_explicit(&chosen, memory_order_relaxed);

	if (v == NULL)
		atomic_store_explicit(&chosen, v = blake3_variant_at(0), memory_order_relaxed);
	return v;
}

const char *blake3_variant(unsigned i)
{
	const struct blake3_variant *v = blake3_variant_at(i);

	return v ? v->name : NULL;
}

bool blake3_use(const char *name)
{
	const struct blake3_variant *v = blake3_variant_at(0);

	for (unsigned i = 1; v != NULL && name != NULL && strcmp(v->name, name) != 0; i++)
		v = blake3_variant_at(i);
	if (v != NULL)
		atomic_store(&chosen, v);
	return v != NULL;
}

static void tree_init(struct tree *t, const uint8_t *key)
{
	if (key != NULL)
		blake3_load(t->key, key, 8);
	else
		memcpy(t->key, blake3_iv, sizeof t->key);
	t->flags = key != NULL ? BLAKE3_KEYED : 0;
	t->chunks = 0;
	t->depth = 0;
}

/* The chaining values of n bytes' chunks; n > 0. */
static size_t hash_chunks(const struct tree *t, const uint8_t *in, size_t n, uint8_t *out)
{
	struct blake3_job job = {t->key, in, n, BLAKE3_CHUNK, t->chunks, 1, t->flags,
	    BLAKE3_CHUNK_START, BLAKE3_CHUNK_END};

	variant()->many(&job, out);
	return (n + BLAKE3_CHUNK - 1) / BLAKE3_CHUNK;
}

/*
 * Level by level, in place, until `to` (1 or 2) values are left.  An odd one
 * moves up as it is, which gives the tree of the specification (2.1): left
 * subtrees are full and as large as can be.
 */
static void reduce(const struct tree *t, uint8_t *cvs, size_t n, size_t to)
{
	while (n > to) {
		size_t pairs = n / 2;
		struct blake3_job job = {.key = t->key,
		    .in = cvs,
		    .n = pairs * BLAKE3_BLOCK,
		    .piece = BLAKE3_BLOCK,
		    .flags = t->flags | BLAKE3_PARENT};

		variant()->many(&job, cvs);
		if (n % 2)
			memmove(cvs + pairs * BLAKE3_CV, cvs + (n - 1) * BLAKE3_CV, BLAKE3_CV);
		n = pairs + n % 2;
	}
}

/* The parent of two neighbours, to the place of the left one. */
static void parent(const struct tree *t, uint8_t pair[2 * BLAKE3_CV], uint32_t root)
{
	uint32_t cv[8];

	memcpy(cv, t->key, sizeof cv);
	blake3_compress(cv, pair, 0, BLAKE3_BLOCK, t->flags | BLAKE3_PARENT | root);
	blake3_store(pair, cv);
}

/* More input follows, so what is complete here is not the root. */
static void add_group(struct tree *t, const uint8_t *in, size_t chunks)
{
	uint8_t cvs[GROUP_CHUNKS * BLAKE3_CV];

	hash_chunks(t, in, chunks * BLAKE3_CHUNK, cvs);
	reduce(t, cvs, chunks, 1);
	memcpy(t->stack[t->depth++], cvs, BLAKE3_CV);
	t->chunks += chunks;
	for (uint64_t k = t->chunks / chunks; k % 2 == 0; k /= 2)
		parent(t, t->stack[--t->depth - 1], 0);
}

/* Take whole groups from n bytes; leaves 1 to TAIL, or all if that is all there is. */
static size_t add_groups(struct tree *t, const uint8_t *in, size_t n)
{
	size_t at = 0;

	while (n - at > TAIL) {
		size_t chunks = GROUP_CHUNKS;

		while (chunks >= (n - at + BLAKE3_CHUNK - 1) / BLAKE3_CHUNK || t->chunks % chunks)
			chunks /= 2;
		add_group(t, in + at, chunks);
		at += chunks * BLAKE3_CHUNK;
	}
	return at;
}

/* The only chunk is the root itself. */
static void end_chunk(const struct tree *t, const uint8_t *in, size_t n, uint8_t *out)
{
	uint8_t block[BLAKE3_BLOCK] = {0};
	uint32_t cv[8], first = t->flags | BLAKE3_CHUNK_START;

	memcpy(cv, t->key, sizeof cv);
	for (; n > BLAKE3_BLOCK; n -= BLAKE3_BLOCK, in += BLAKE3_BLOCK, first = t->flags)
		blake3_compress(cv, in, 0, BLAKE3_BLOCK, first);
	if (n > 0)
		memcpy(block, in, n);
	blake3_compress(cv, block, 0, (uint32_t)n, first | BLAKE3_CHUNK_END | BLAKE3_ROOT);
	blake3_store(out, cv);
}

/* With the last n bytes, at most TAIL. */
static void tree_end(struct tree *t, const uint8_t *in, size_t n, uint8_t *out)
{
	uint8_t cvs[TAIL_CHUNKS * BLAKE3_CV];

	if (t->depth == 0 && n <= BLAKE3_CHUNK) {
		end_chunk(t, in, n, out);
		return;
	}
	reduce(t, cvs, hash_chunks(t, in, n, cvs), t->depth ? 1 : 2);
	if (t->depth == 0)
		parent(t, cvs, BLAKE3_ROOT);
	for (; t->depth > 0; t->depth--) {
		memcpy(cvs + BLAKE3_CV, cvs, BLAKE3_CV);
		memcpy(cvs, t->stack[t->depth - 1], BLAKE3_CV);
		parent(t, cvs, t->depth == 1 ? BLAKE3_ROOT : 0);
	}
	memcpy(out, cvs, BLAKE3_CV);
}

void blake3_hash(const uint8_t key[BLAKE3_KEY], struct span s, uint8_t out[BLAKE3_OUT])
{
	struct tree t;
	size_t at;

	tree_init(&t, key);
	at = add_groups(&t, s.p, s.n);
	tree_end(&t, s.n ? s.p + at : s.p, s.n - at, out);
	if (key != NULL)
		crypto_wipe(t.key, sizeof t.key);
}

struct blake3 *blake3_new(void)
{
	struct blake3 *b = mem_alloc(sizeof *b);

	blake3_reset(b);
	return b;
}

void blake3_free(struct blake3 *b)
{
	free(b);
}

void blake3_reset(struct blake3 *b)
{
	tree_init(&b->tree, NULL);
	b->n = 0;
}

void blake3_add(struct blake3 *b, struct span s)
{
	size_t n;

	if (b->n > 0 && s.n > 0) {
		n = s.n < TAIL - b->n ? s.n : TAIL - b->n;
		memcpy(b->tail + b->n, s.p, n);
		b->n += n;
		s = span_of(s.p + n, s.n - n);
		if (s.n == 0)
			return;
		add_group(&b->tree, b->tail, TAIL_CHUNKS);
		b->n = 0;
	}
	if (s.n == 0)
		return;
	n = add_groups(&b->tree, s.p, s.n);
	b->n = s.n - n;
	memcpy(b->tail, s.p + n, b->n);
}

void blake3_end(struct blake3 *b, uint8_t out[BLAKE3_OUT])
{
	tree_end(&b->tree, b->tail, b->n, out);
}
