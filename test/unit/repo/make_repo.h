/* make_repo: repositories in memory, keys that cost nothing, for tests. */
#ifndef HF_TEST_MAKE_REPO_H
#define HF_TEST_MAKE_REPO_H

#include "../unit.h"

#include "base/mem.h"
#include "repo/reader.h"
#include "repo/repo_internal.h"
#include "repo/writer.h"
#include "store/store_drivers.h"

#undef OK
#undef FAILS
#define OK(call)                                                                                   \
	do {                                                                                       \
		if ((call) != 0)                                                                   \
			fail_msg("line %d: %s: %s", __LINE__, #call, e.msg);                       \
	} while (0)
#define FAILS(call, want)                                                                          \
	do {                                                                                       \
		err_clear(&e);                                                                     \
		if ((call) != -1)                                                                  \
			fail_msg("line %d: %s did not fail", __LINE__, #call);                     \
		if (e.kind != (want))                                                              \
			fail_msg("line %d: %s: %s: %s", __LINE__, #call, err_info(e.kind)->name,   \
			    e.msg);                                                                \
	} while (0)

static const uint8_t make_secret[32] = {7, 7, 7};

static inline struct repo_cred make_cred(void)
{
	return (struct repo_cred){.key_file = true, .secret = span_of(make_secret, 32)};
}

/* Counts what is told. */
struct make_events {
	_Atomic unsigned n[EVENT_COUNT];
};

static inline void make_sink(struct ctx *ctx, const struct event *ev)
{
	((struct make_events *)ctx->sink_arg)->n[ev->id]++;
}

static inline void make_ctx(struct ctx *ctx, struct make_events *events)
{
	memset(ctx, 0, sizeof *ctx);
	memset(events, 0, sizeof *events);
	ctx->sink = make_sink;
	ctx->sink_arg = events;
}

static inline struct store *make_store(const char *place, bool create)
{
	struct store *s;
	struct err e;

	OK(store_mem_open(place, create, &s, &e));
	return s;
}

/* A new repository in a place of its own, whose name goes into place[32]. */
static inline struct repo *make_repo(struct ctx *ctx, char place[32], const char *cache)
{
	static unsigned number;
	struct repo_init_params p = {.cred = make_cred(), .label = "test"};
	struct repo *r;
	struct err e;

	snprintf(place, 32, "test-%u", ++number);
	OK(repo_init(make_store(place, true), &p, cache, ctx, &r, &e));
	return r;
}

static inline struct repo *open_repo(struct ctx *ctx, const char *place, const char *cache)
{
	struct repo_cred cred = make_cred();
	struct repo *r;
	struct err e;

	OK(repo_open(make_store(place, false), &cred, cache, ctx, &r, &e));
	return r;
}

/* Blob i of a test: a few hundred bytes that depend on i. */
static inline void make_blob(struct buf *b, uint64_t i)
{
	size_t n = 50 + (size_t)(i * 37 % 400);

	buf_reset(b);
	unit_rand_fill(&i, buf_extend(b, n), n);
}

/* Store blobs [from, to) in a run of its own; their ids if `ids` is not NULL. */
static inline void make_blobs(struct repo *r, uint64_t from, uint64_t to, struct id *ids)
{
	struct writer_params p = {CODEC_ZSTD, 3, false};
	struct writer_lane *l;
	struct writer *w;
	struct buf b = {0};
	struct id id;
	struct err e;

	OK(writer_begin(r, &p, &w, &e));
	l = writer_lane_new(w);
	for (uint64_t i = from; i < to; i++) {
		make_blob(&b, i);
		OK(writer_add(l, PURPOSE_CONTENT, buf_span(&b), &id, NULL, &e));
		if (ids != NULL)
			ids[i - from] = id;
	}
	OK(writer_lane_flush(l, &e));
	OK(writer_finish(w, &e));
	writer_lane_free(l);
	writer_free(w);
	buf_fini(&b);
}

static inline int make_count_visit(
    void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	(*(size_t *)arg)++;
	return 0;
}

static inline size_t make_count(struct repo *r, const char *prefix)
{
	size_t n = 0;
	struct err e;

	OK(store_list(r->store, prefix, make_count_visit, &n, &e));
	return n;
}

/* Flip one bit of a stored object, at a fraction of its length. */
static inline void make_damage(struct store *s, const char *key, size_t at, uint8_t mask)
{
	struct buf b = {0};
	struct err e;

	OK(store_get_all(s, key, FORMAT_PACK_MAX, &b, &e));
	b.p[at % b.n] ^= mask;
	OK(store_put(s, key, buf_span(&b), 0, &e));
	buf_fini(&b);
}

/*
 * Config as a program of a later version may have left it: with a member of that JSON text, its
 * revision raised, rightly signed, and put.  r still has the one before.
 */
static inline void make_later(struct repo *r, const char *member, const char *value)
{
	struct buf text = {0};
	struct config c;
	struct err e;

	config_text(&r->config, &text);
	OK(config_parse(buf_span(&text), &c, &e));
	json_object_set_new(c.json, "revision", json_integer((json_int_t)c.revision + 1));
	json_object_set_new(c.json, member, json_loads(value, JSON_DECODE_ANY, NULL));
	buf_reset(&text);
	config_sign(&c, r->keys->root, &text);
	OK(store_put(r->store, "config", buf_span(&text), 0, &e));
	config_fini(&c);
	buf_fini(&text);
}

/* Ids of a type of object; the caller finishes the list. */
static inline struct id_list make_list(struct repo *r, enum format_type type)
{
	struct id_list l = {0};
	struct err e;

	OK(repo_list_ids(r, type, &l, &e));
	return l;
}

#endif
