/* codec: see codec.h. */
#include "codec/codec.h"

#include <assert.h>
#include <brotli/decode.h>
#include <brotli/encode.h>
#include <limits.h>
#include <lz4.h>
#include <lz4hc.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "base/buf.h"
#include "base/cursor.h"
#include "base/mem.h"
#include "codec/pages.h"

static const struct codec_info table[CODEC_COUNT] = {
    [CODEC_NONE] = {CODEC_NONE, "none", 0, 0, 0},
    [CODEC_ZSTD] = {CODEC_ZSTD, "zstd", 1, 19, 3},
    [CODEC_LZ4] = {CODEC_LZ4, "lz4", 1, LZ4HC_CLEVEL_MAX, 1},
    [CODEC_GZIP] = {CODEC_GZIP, "gzip", 1, 9, 6},
    [CODEC_BROTLI] = {CODEC_BROTLI, "brotli", 0, 11, 5},
    [CODEC_PAGES] = {CODEC_PAGES, "pages", 1, 19, 3},
};

/* Contexts are made at first use. */
struct codec {
	ZSTD_CCtx *zc;
	ZSTD_DCtx *zd;
	void *lz4, *lz4hc;
	z_stream def, inf;
	bool inf_ready;
	int def_level; /* 0: def is not ready */
};

const struct codec_info *codec_info(enum codec_id id)
{
	return (unsigned)id < CODEC_COUNT ? &table[id] : NULL;
}

bool codec_parse(const char *s, enum codec_id *id, int *level)
{
	size_t n = strcspn(s, ":");
	int v = 0;

	for (unsigned i = 0; i < CODEC_COUNT; i++) {
		const struct codec_info *t = &table[i];

		if (i == CODEC_PAGES || strlen(t->name) != n || memcmp(t->name, s, n) != 0)
			continue;
		if (s[n] == '\0') {
			*id = t->id;
			*level = CODEC_AUTO;
			return true;
		}
		if (s[n + 1] == '\0')
			return false;
		for (const char *d = s + n + 1; *d; d++) {
			if (*d < '0' || *d > '9' || v > t->max)
				return false;
			v = v * 10 + (*d - '0');
		}
		if (v < t->min || v > t->max)
			return false;
		*id = t->id;
		*level = v;
		return true;
	}
	return false;
}

struct codec *codec_new(void)
{
	return mem_zalloc(sizeof(struct codec));
}

void codec_free(struct codec *c)
{
	if (c == NULL)
		return;
	ZSTD_freeCCtx(c->zc);
	ZSTD_freeDCtx(c->zd);
	free(c->lz4);
	free(c->lz4hc);
	if (c->def_level)
		deflateEnd(&c->def);
	if (c->inf_ready)
		inflateEnd(&c->inf);
	free(c);
}

/* Above what any of the four says of itself, which the test compares. */
size_t codec_bound(size_t n)
{
	return n + n / 128 + 1024;
}

/*
 * Do these bytes look drawn at random?  Pearson's chi-squared against equal
 * counts, which for 4,096 bytes is 255 +- 23 if they were: 400 corresponds to
 * an entropy of 7.93 bits a byte, as counted.  Far below, the counts are more
 * even than chance makes them (a counter, say), and worth a try.
 */
enum { WINDOW = 4096, CHI_MIN = 142, CHI_MAX = 400 };

static bool window_looks_random(const uint8_t *p)
{
	/* Four tables, or equal neighbours would wait for one another. */
	uint16_t count[4][256] = {0};
	uint32_t squares = 0, chi;

	for (size_t i = 0; i < WINDOW; i += 4)
		for (size_t j = 0; j < 4; j++)
			count[j][p[i + j]]++;
	for (size_t i = 0; i < 256; i++) {
		uint32_t k = (uint32_t)count[0][i] + count[1][i] + count[2][i] + count[3][i];

		squares += k * k;
	}
	chi = squares / (WINDOW / 256) - WINDOW;
	return chi >= CHI_MIN && chi <= CHI_MAX;
}

/* Only if every window does: what is half random still gains by the rest. */
static bool looks_random(struct span in)
{
	size_t windows = 4 + in.n / (256 << 10);

	if (in.n < 4 * WINDOW)
		return false;
	if (windows > 16)
		windows = 16;
	for (size_t i = 0; i < windows; i++)
		if (!window_looks_random(in.p + (in.n - WINDOW) / (windows - 1) * i))
			return false;
	return true;
}

/*
 * Level 3 has tables of 2^17 and 2^16 words, 768 KiB, which miss a second-level
 * cache of 1 MiB so often that half of them take 15 to 20 % less time, for
 * 0.3 to 0.6 % more bytes (bench/NOTES.md).
 */
enum { LARGE_HASH_LOG = 16, LARGE_CHAIN_LOG = 15, QUICK_LEVEL = 1, LOG_MATCH = 5 };

/* Each returns the length, or 0 if it could not. */
static size_t zstd_pack(struct codec *c, int level, struct span in, uint8_t *out)
{
	size_t n;

	const bool large = level == CODEC_AUTO_LARGE;

	if (c->zc == NULL)
		c->zc = mem_checked(ZSTD_createCCtx());
	/* Cheap when it is what it was.  0: what the level has. */
	ZSTD_CCtx_setParameter(c->zc, ZSTD_c_compressionLevel,
	    level == CODEC_QUICK || level == CODEC_LOG ? QUICK_LEVEL
	    : level < 0                                ? table[CODEC_ZSTD].dflt
						       : level);
	ZSTD_CCtx_setParameter(c->zc, ZSTD_c_minMatch, level == CODEC_LOG ? LOG_MATCH : 0);
	ZSTD_CCtx_setParameter(c->zc, ZSTD_c_hashLog, large ? LARGE_HASH_LOG : 0);
	ZSTD_CCtx_setParameter(c->zc, ZSTD_c_chainLog, large ? LARGE_CHAIN_LOG : 0);
	n = ZSTD_compress2(c->zc, out, ZSTD_compressBound(in.n), in.p, in.n);
	return ZSTD_isError(n) ? 0 : n;
}

static size_t lz4_pack(struct codec *c, int level, struct span in, uint8_t *out)
{
	int n, room;

	if (in.n > LZ4_MAX_INPUT_SIZE)
		return 0;
	room = LZ4_compressBound((int)in.n);
	if (level < LZ4HC_CLEVEL_MIN) {
		if (c->lz4 == NULL)
			c->lz4 = mem_zalloc((size_t)LZ4_sizeofState());
		n = LZ4_compress_fast_extState(
		    c->lz4, (const char *)in.p, (char *)out, (int)in.n, room, 1);
	} else {
		if (c->lz4hc == NULL)
			c->lz4hc = mem_zalloc((size_t)LZ4_sizeofStateHC());
		n = LZ4_compress_HC_extStateHC(
		    c->lz4hc, (const char *)in.p, (char *)out, (int)in.n, room, level);
	}
	return n > 0 ? (size_t)n : 0;
}

static size_t gzip_pack(struct codec *c, int level, struct span in, uint8_t *out)
{
	if (in.n > UINT_MAX / 2)
		return 0;
	if (c->def_level == level) {
		deflateReset(&c->def);
	} else {
		if (c->def_level)
			deflateEnd(&c->def);
		memset(&c->def, 0, sizeof c->def);
		mem_checked(deflateInit(&c->def, level) == Z_OK ? c : NULL);
		c->def_level = level;
	}
	c->def.next_in = (Bytef *)in.p;
	c->def.avail_in = (uInt)in.n;
	c->def.next_out = out;
	c->def.avail_out = (uInt)codec_bound(in.n);
	if (deflate(&c->def, Z_FINISH) != Z_STREAM_END)
		return 0;
	return codec_bound(in.n) - c->def.avail_out;
}

static size_t brotli_pack(int level, struct span in, uint8_t *out)
{
	size_t n = codec_bound(in.n);

	if (!BrotliEncoderCompress(
		level, BROTLI_DEFAULT_WINDOW, BROTLI_MODE_GENERIC, in.n, in.p, &n, out))
		return 0;
	return n;
}

static bool is_worth(size_t n, size_t of)
{
	return n > 0 && n < of && of - n >= (of + 31) / 32;
}

size_t codec_compress(struct codec *c, enum codec_id id, int level, struct span in, uint8_t *out)
{
	size_t n = 0;

	assert(codec_info(id) && level >= CODEC_LOG && level <= table[id].max);
	assert(level <= CODEC_AUTO || level >= table[id].min);
	if (level < 0 && id != CODEC_ZSTD)
		level = table[id].dflt;
	if (id == CODEC_NONE || looks_random(in))
		return 0;
	switch (id) {
	case CODEC_ZSTD:
		n = zstd_pack(c, level, in, out);
		break;
	case CODEC_LZ4:
		n = lz4_pack(c, level, in, out);
		break;
	case CODEC_GZIP:
		n = gzip_pack(c, level, in, out);
		break;
	case CODEC_BROTLI:
		n = brotli_pack(level, in, out);
		break;
	default:
		break;
	}
	return is_worth(n, in.n) ? n : 0;
}

/* ---- Pages: which bytes they are goes before what zstd makes of them. */

/*
 * Stretches of pages, each after some bytes that are none.  So many are enough for a frame, and are
 * short enough for codec_bound; what comes after the last is none of pages.
 */
enum { STRETCHES_MAX = 64 };

struct stretch {
	uint32_t skip, pages;
};

static size_t find_stretches(const uint32_t *lens, size_t n, struct stretch v[STRETCHES_MAX])
{
	uint32_t skip = 0;
	size_t m = 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t pages = lens[i] / PAGES_SIZE;

		if (pages > 0 && skip == 0 && m > 0) {
			v[m - 1].pages += pages;
		} else if (pages > 0) {
			if (m == STRETCHES_MAX)
				break;
			v[m++] = (struct stretch){skip, pages};
			skip = 0;
		}
		skip += lens[i] % PAGES_SIZE;
	}
	return m;
}

size_t codec_compress_pages(
    struct codec *c, int level, uint8_t *in, const uint32_t *lens, size_t n, uint8_t *out)
{
	struct stretch v[STRETCHES_MAX];
	size_t m = find_stretches(lens, n, v), all = 0, found = 0, packed = 0;
	struct buf head = {0};
	uint8_t *p = in;

	for (size_t i = 0; i < n; i++)
		all += lens[i];
	if (m == 0 || looks_random(span_of(in, all)))
		return 0;
	buf_put_varint(&head, m);
	for (size_t i = 0; i < m; i++) {
		buf_put_varint(&head, v[i].skip);
		buf_put_varint(&head, v[i].pages);
		found += pages_fold(p += v[i].skip, v[i].pages);
		p += (size_t)v[i].pages * PAGES_SIZE;
	}
	if (found > 0)
		packed = zstd_pack(c, level, span_of(in, all), out + head.n);
	if (packed > 0 && is_worth(packed + head.n, all)) {
		memcpy(out, head.p, head.n);
		packed += head.n;
	} else {
		packed = 0;
		p = in;
		for (size_t i = 0; i < m; i++) {
			pages_unfold(p += v[i].skip, v[i].pages);
			p += (size_t)v[i].pages * PAGES_SIZE;
		}
	}
	buf_fini(&head);
	return packed;
}

/* Each is true if exactly out_n bytes came of the whole of in. */
static bool zstd_unpack(struct codec *c, struct span in, uint8_t *out, size_t out_n)
{
	if (c->zd == NULL)
		c->zd = mem_checked(ZSTD_createDCtx());
	/* In one go it needs no window but out itself, whatever a header asks for. */
	return ZSTD_decompressDCtx(c->zd, out, out_n, in.p, in.n) == out_n;
}

static bool pages_unpack(struct codec *c, struct span in, uint8_t *out, size_t out_n)
{
	struct cursor cur = cursor_of(in), again;
	uint64_t at = 0, m = cursor_varint(&cur);

	if (m == 0 || m > STRETCHES_MAX)
		return false;
	again = cur;
	for (uint64_t i = 0; i < m; i++) {
		uint64_t skip = cursor_varint(&cur), pages = cursor_varint(&cur);

		if (cur.bad || skip > out_n - at || pages > (out_n - at - skip) / PAGES_SIZE)
			return false;
		at += skip + pages * PAGES_SIZE;
	}
	if (!zstd_unpack(c, cursor_bytes(&cur, cursor_left(&cur)), out, out_n))
		return false;
	for (uint64_t i = 0; i < m; i++) {
		size_t pages;

		out += cursor_varint(&again);
		pages = cursor_varint(&again);
		pages_unfold(out, pages);
		out += pages * PAGES_SIZE;
	}
	return true;
}

static bool lz4_unpack(struct span in, uint8_t *out, size_t out_n)
{
	if (in.n > INT_MAX || out_n > INT_MAX)
		return false;
	return LZ4_decompress_safe((const char *)in.p, (char *)out, (int)in.n, (int)out_n) ==
	       (int)out_n;
}

static bool gzip_unpack(struct codec *c, struct span in, uint8_t *out, size_t out_n)
{
	if (in.n > UINT_MAX || out_n > UINT_MAX)
		return false;
	if (c->inf_ready)
		inflateReset(&c->inf);
	else
		mem_checked(inflateInit(&c->inf) == Z_OK ? c : NULL);
	c->inf_ready = true;
	c->inf.next_in = (Bytef *)in.p;
	c->inf.avail_in = (uInt)in.n;
	c->inf.next_out = out;
	c->inf.avail_out = (uInt)out_n;
	return inflate(&c->inf, Z_FINISH) == Z_STREAM_END && c->inf.avail_in == 0 &&
	       c->inf.avail_out == 0;
}

static bool brotli_unpack(struct span in, uint8_t *out, size_t out_n)
{
	BrotliDecoderState *d = mem_checked(BrotliDecoderCreateInstance(NULL, NULL, NULL));
	bool ok = BrotliDecoderDecompressStream(d, &in.n, &in.p, &out_n, &out, NULL) ==
		      BROTLI_DECODER_RESULT_SUCCESS &&
		  in.n == 0 && out_n == 0;

	BrotliDecoderDestroyInstance(d);
	return ok;
}

int codec_decompress(
    struct codec *c, enum codec_id id, struct span in, uint8_t *out, size_t out_n, struct err *e)
{
	static uint8_t nothing[1];
	bool ok = false;

	/* The libraries want somewhere to point even for no bytes. */
	if (in.p == NULL)
		in = span_of(nothing, 0);
	if (out == NULL)
		out = nothing;
	switch (id) {
	case CODEC_NONE:
		if ((ok = in.n == out_n))
			memcpy(out, in.p, out_n);
		break;
	case CODEC_ZSTD:
		ok = zstd_unpack(c, in, out, out_n);
		break;
	case CODEC_LZ4:
		ok = lz4_unpack(in, out, out_n);
		break;
	case CODEC_GZIP:
		ok = gzip_unpack(c, in, out, out_n);
		break;
	case CODEC_BROTLI:
		ok = brotli_unpack(in, out, out_n);
		break;
	case CODEC_PAGES:
		ok = pages_unpack(c, in, out, out_n);
		break;
	default:
		return err_set(e, ERR_UNSUPPORTED, "no codec has number %u", (unsigned)id);
	}
	if (!ok)
		return err_set(e, ERR_CORRUPT, "%s: not %zu bytes' worth", table[id].name, out_n);
	return 0;
}
