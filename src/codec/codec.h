/*
 * codec: compressors by number (format.md 5), with bounded output.
 *
 * Threads: a struct codec belongs to one thread at a time; it holds the
 * libraries' contexts and allocates nothing per call once warm.
 */
#ifndef HF_CODEC_CODEC_H
#define HF_CODEC_CODEC_H

#include "base/err.h"
#include "base/span.h"

enum codec_id {
	CODEC_NONE,
	CODEC_ZSTD,
	CODEC_LZ4,
	CODEC_GZIP,
	CODEC_BROTLI,
	CODEC_PAGES, /* zstd of folded pages: codec_compress_pages; nobody names it */
	CODEC_COUNT
};

struct codec_info {
	enum codec_id id;
	const char *name;
	int min, max, dflt; /* levels */
};

const struct codec_info *codec_info(enum codec_id id); /* NULL if unknown */

/* For a level: none was named.  The default one is meant, or what fits the data better. */
enum { CODEC_AUTO = -1 };

/* "zstd" (its level is CODEC_AUTO), "zstd:9", "none"...; false if it is not that. */
bool codec_parse(const char *s, enum codec_id *id, int *level);

struct codec;
struct codec *codec_new(void);
void codec_free(struct codec *c);

/*
 * CODEC_AUTO for one large piece of a file: the default, but zstd's tables are
 * made to stay in a core's second-level cache.
 */
enum { CODEC_AUTO_LARGE = -2 };

/* For what must not wait, as logs: zstd's fastest that still halves them. */
enum { CODEC_QUICK = -3 };

/*
 * As quick, for logs of databases: records repeat each other in short pieces, which zstd's fastest
 * then finds from 5 bytes on: of pgbench's a quarter less is stored.
 */
enum { CODEC_LOG = -4 };

/* The most that compressing n bytes can take. */
size_t codec_bound(size_t n);

/*
 * Compress into out (codec_bound(in.n) bytes).  Returns the length, or 0 if
 * the result would not be at least 1/32 smaller: store it as CODEC_NONE.
 * Data that looks incompressible (order-0 entropy of a sample) is not tried.
 */
size_t codec_compress(struct codec *c, enum codec_id id, int level, struct span in, uint8_t *out);

/*
 * As CODEC_PAGES, by zstd at this level: `lens` are the n pieces that `in` consists of, each with
 * pages from its beginning on.  Those are folded in place (pages.h), and are afterwards not what
 * they were; where 0 is returned they are: they do not shrink so, or none is a page.
 */
size_t codec_compress_pages(
    struct codec *c, int level, uint8_t *in, const uint32_t *lens, size_t n, uint8_t *out);

/* Exactly out_n bytes come out or it is ERR_CORRUPT; never more is written. */
int codec_decompress(
    struct codec *c, enum codec_id id, struct span in, uint8_t *out, size_t out_n, struct err *e);

#endif
