/*
 * index_level_file: the shape of a level file, for index_level.c which reads
 * and index_level_build.c which writes.  For nobody else.
 *
 * Threads: as index_level.h.
 */
#ifndef HF_REPO_INDEX_LEVEL_FILE_H
#define HF_REPO_INDEX_LEVEL_FILE_H

#include "crypto/crypto.h"
#include "repo/index_level.h"
#include "repo/siphash.h"

enum {
	LEVEL_BLOCK = 16 << 10,
	LEVEL_SOURCES_MAX = 1 << 20,
	LEVEL_FILTER_LINE = 64,
	LEVEL_FILTER_BITS = 10, /* a blob */
	LEVEL_FILTER_PROBES = 6,
};

enum level_section {
	LEVEL_PACKS,
	LEVEL_SLOTS, /* of each pack in turn: u32 place in LEVEL_KEYS */
	LEVEL_FRAMES,
	LEVEL_KEYS,
	LEVEL_BLOBS,
	LEVEL_TABLE,
	LEVEL_FILTER,
	LEVEL_SECTIONS,
};

#define LEVEL_MAGIC UINT64_C(0x32304c5658444948)

struct level_header {
	uint64_t magic;
	uint8_t salt[16]; /* so that no block of one level fits into another */
	uint64_t size;    /* of the file */
	uint64_t nsources;
	uint64_t count[LEVEL_SECTIONS];
	uint64_t off[LEVEL_SECTIONS];
	uint64_t sums; /* offset of the checksums */
	uint64_t sum;  /* of this with sum = 0, and of the sources after it */
};

struct level_pack {
	struct id id;
	uint64_t size, first_off;
	struct index_origin origin;
	uint32_t first_frame, first_blob, first_slot;
	uint8_t type, nslots, zero[2];
};

struct level_frame {
	uint64_t off;
	uint32_t stored, plain;
	uint32_t first_blob, pack;
	uint8_t kind, codec, slot, zero[5];
};

struct level_blob {
	struct id id;
	uint32_t len;
};

struct level_row {
	uint32_t prefix, blob;
};

struct level_key {
	uint8_t sealed[FORMAT_SEALED_KEY];
};

struct level_line {
	uint64_t word[LEVEL_FILTER_LINE / 8];
};

/* A function, so that a header that is compiled alone has nothing unused. */
static inline size_t level_width(int section)
{
	static const size_t width[LEVEL_SECTIONS] = {
	    [LEVEL_PACKS] = sizeof(struct level_pack),
	    [LEVEL_SLOTS] = sizeof(uint32_t),
	    [LEVEL_FRAMES] = sizeof(struct level_frame),
	    [LEVEL_KEYS] = sizeof(struct level_key),
	    [LEVEL_BLOBS] = sizeof(struct level_blob),
	    [LEVEL_TABLE] = sizeof(struct level_row),
	    [LEVEL_FILTER] = sizeof(struct level_line),
	};

	return width[section];
}

static inline uint32_t level_prefix(const struct id *id)
{
	return (uint32_t)id->b[0] << 24 | (uint32_t)id->b[1] << 16 | (uint32_t)id->b[2] << 8 |
	       id->b[3];
}

static inline uint64_t level_round(uint64_t n)
{
	return (n + LEVEL_BLOCK - 1) / LEVEL_BLOCK * LEVEL_BLOCK;
}

/* Where the filter keeps an id: a line, and a bit of it for each probe. */
static inline uint64_t level_line_of(const struct id *id, uint64_t lines)
{
	uint64_t v;

	memcpy(&v, id->b + 8, sizeof v);
	return (uint64_t)(((unsigned __int128)v * lines) >> 64);
}

static inline unsigned level_bit_of(const struct id *id, unsigned probe)
{
	uint64_t v;

	memcpy(&v, id->b + 16, sizeof v);
	return (unsigned)(v >> (9 * probe)) & (8 * LEVEL_FILTER_LINE - 1);
}

/* The key of one level's checksums. */
static inline void level_sum_key(
    const uint8_t key[INDEX_LEVEL_KEY], const uint8_t salt[16], uint8_t out[SIPHASH_KEY])
{
	uint8_t in[INDEX_LEVEL_KEY + 16], h[32];

	memcpy(in, key, INDEX_LEVEL_KEY);
	memcpy(in + INDEX_LEVEL_KEY, salt, 16);
	crypto_sha256(span_of(in, sizeof in), h);
	memcpy(out, h, SIPHASH_KEY);
}

/*
 * n elements of a section, verified, or NULL with ERR_CORRUPT.  `release`
 * gives the memory of what a pass has left behind back to the system.
 */
const void *level_at(
    const struct index_level *l, enum level_section s, uint64_t i, uint64_t n, struct err *e);
uint64_t level_count(const struct index_level *l, enum level_section s);
void level_release(const struct index_level *l, enum level_section s, uint64_t i);

#endif
