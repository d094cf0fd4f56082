/* writer: each blob is stored once; the index names it; a failed run leaves no damage. */
#include "make_repo.h"

#include <pthread.h>

#include "repo/mark.h"
#include "repo/pack.h"

struct t {
	struct ctx ctx;
	struct make_events events;
	char place[32];
	struct repo *r;
};

static void begin(struct t *t)
{
	memset(t, 0, sizeof *t);
	make_ctx(&t->ctx, &t->events);
	t->r = make_repo(&t->ctx, t->place, NULL);
}

static void reopen(struct t *t)
{
	repo_close(t->r);
	t->r = open_repo(&t->ctx, t->place, NULL);
}

/* Blobs in all packs, read from the packs themselves; *packs counts them. */
static size_t stored_blobs(struct repo *r, size_t *packs)
{
	static const enum format_type types[] = {FORMAT_PACK, FORMAT_META};
	size_t n = 0;
	struct err e;

	*packs = 0;
	for (size_t i = 0; i < 2; i++) {
		struct id_list ids = make_list(r, types[i]);

		for (size_t k = 0; k < ids.n; k++, (*packs)++) {
			struct pack_dir dir = {0};
			struct index_pack got;
			struct buf whole = {0};
			char name[REPO_NAME_MAX];

			OK(store_get_all(r->store, repo_object_name(name, types[i], &ids.v[k]),
			    FORMAT_PACK_MAX, &whole, &e));
			OK(pack_parse_directory(r, types[i], buf_span(&whole), &dir, &got, &e));
			n += dir.nblobs;
			pack_dir_fini(&dir);
			buf_fini(&whole);
		}
		id_list_fini(&ids);
	}
	return n;
}

static void assert_readable(struct repo *r, uint64_t from, uint64_t to, const struct id *ids)
{
	struct reader *rd = reader_new(r);
	struct buf want = {0};
	struct span got;
	struct err e;

	for (uint64_t i = from; i < to; i++) {
		make_blob(&want, i);
		OK(reader_blob(rd, PURPOSE_CONTENT, &ids[i - from], &got, &e));
		assert_true(span_eq(got, buf_span(&want)));
	}
	buf_fini(&want);
	reader_free(rd);
}

static void blobs_are_there_after_opening_again(void **state)
{
	static struct id ids[500];
	size_t packs;
	struct t t;

	begin(&t);
	make_blobs(t.r, 0, 500, ids);
	assert_readable(t.r, 0, 500, ids);
	reopen(&t);
	assert_readable(t.r, 0, 500, ids);
	assert_int_equal(stored_blobs(t.r, &packs), 500);
	assert_int_equal(packs, 1);
	assert_int_equal(make_count(t.r, "index/"), 1);
	repo_close(t.r);
}

static void a_blob_is_stored_once_over_runs(void **state)
{
	static struct id a[300], b[400];
	size_t packs;
	struct t t;

	begin(&t);
	make_blobs(t.r, 0, 300, a);
	make_blobs(t.r, 0, 300, b);
	assert_int_equal(make_count(t.r, "packs/"), 1);
	assert_int_equal(make_count(t.r, "index/"), 1);
	reopen(&t);
	make_blobs(t.r, 0, 400, b);
	assert_memory_equal(a, b, sizeof a);
	assert_int_equal(stored_blobs(t.r, &packs), 400);
	assert_int_equal(packs, 2);
	repo_close(t.r);
}

static void the_same_bytes_of_another_kind_are_another_blob(void **state)
{
	struct writer_params p = {CODEC_NONE, 0, false};
	struct writer_lane *l;
	struct writer *w;
	struct id content, names, refs;
	struct reader *rd;
	struct span got;
	struct err e;
	struct t t;

	begin(&t);
	OK(writer_begin(t.r, &p, &w, &e));
	l = writer_lane_new(w);
	OK(writer_add(l, PURPOSE_CONTENT, span_str("same"), &content, NULL, &e));
	OK(writer_add(l, PURPOSE_NAMES, span_str("same"), &names, NULL, &e));
	OK(writer_add(l, PURPOSE_REFS, span_str("same"), &refs, NULL, &e));
	OK(writer_lane_flush(l, &e));
	OK(writer_finish(w, &e));
	writer_lane_free(l);
	writer_free(w);
	assert_false(id_eq(&content, &names));
	assert_false(id_eq(&content, &refs));
	assert_false(id_eq(&names, &refs));
	rd = reader_new(t.r);
	OK(reader_blob(rd, PURPOSE_NAMES, &names, &got, &e));
	OK(reader_blob(rd, PURPOSE_REFS, &refs, &got, &e));
	FAILS(reader_blob(rd, PURPOSE_NAMES, &content, &got, &e), ERR_CORRUPT);
	reader_free(rd);
	/* Content in one folder, trees in the other. */
	assert_int_equal(make_count(t.r, "packs/"), 1);
	assert_int_equal(make_count(t.r, "meta/"), 1);
	repo_close(t.r);
}

static void sizes_from_nothing_to_the_limit_come_back(void **state)
{
	static const size_t sizes[] = {0, 1, FORMAT_FRAME_OWN - 1, FORMAT_FRAME_OWN,
	    FORMAT_FRAME_AIM, 3 << 20, FORMAT_BLOB_MAX};
	enum { N = sizeof sizes / sizeof *sizes };
	static const enum codec_id codecs[] = {CODEC_NONE, CODEC_ZSTD, CODEC_LZ4, CODEC_GZIP};

	for (size_t k = 0; k < sizeof codecs / sizeof *codecs; k++) {
		struct writer_params p = {codecs[k], codec_info(codecs[k])->dflt, false};
		uint8_t *bytes = mem_zalloc(FORMAT_BLOB_MAX + 1);
		struct writer_lane *l;
		struct writer *w;
		struct id id[N], none;
		struct reader *rd;
		struct span got;
		bool added;
		struct err e;
		struct t t;

		begin(&t);
		for (size_t i = 0; i < FORMAT_BLOB_MAX; i++)
			bytes[i] = (uint8_t)(i / 100);
		OK(writer_begin(t.r, &p, &w, &e));
		l = writer_lane_new(w);
		for (size_t i = 0; i < N; i++) {
			OK(writer_add(
			    l, PURPOSE_CONTENT, span_of(bytes, sizes[i]), &id[i], &added, &e));
			assert_true(added);
			assert_int_equal(writer_has(w, &id[i], NULL, &e), 1);
			OK(writer_add(
			    l, PURPOSE_CONTENT, span_of(bytes, sizes[i]), &id[i], &added, &e));
			assert_false(added);
		}
		FAILS(writer_add(
			  l, PURPOSE_CONTENT, span_of(bytes, FORMAT_BLOB_MAX + 1), &none, NULL, &e),
		    ERR_BUG);
		OK(writer_lane_flush(l, &e));
		OK(writer_finish(w, &e));
		assert_int_equal(writer_stats(w)->blobs, N);
		writer_lane_free(l);
		writer_free(w);
		reopen(&t);
		rd = reader_new(t.r);
		for (size_t i = 0; i < N; i++) {
			OK(reader_blob(rd, PURPOSE_CONTENT, &id[i], &got, &e));
			assert_true(span_eq(got, span_of(bytes, sizes[i])));
		}
		reader_free(rd);
		free(bytes);
		repo_close(t.r);
	}
}

static void a_dry_run_stores_nothing(void **state)
{
	struct writer_params p = {CODEC_ZSTD, 3, true};
	struct writer_lane *l;
	struct writer *w;
	struct id id;
	size_t before;
	struct err e;
	struct t t;

	begin(&t);
	before = make_count(t.r, "");
	OK(writer_begin(t.r, &p, &w, &e));
	l = writer_lane_new(w);
	OK(writer_add(l, PURPOSE_CONTENT, span_str("x"), &id, NULL, &e));
	OK(writer_lane_flush(l, &e));
	writer_lane_free(l);
	writer_free(w);
	assert_int_equal(make_count(t.r, ""), before);
	repo_close(t.r);
}

static void a_run_given_up_leaves_no_object(void **state)
{
	struct writer_params p = {CODEC_NONE, 0, false};
	uint8_t *big = mem_zalloc(1 << 20);
	struct writer_lane *l;
	struct writer *w;
	struct id id;
	size_t before;
	struct err e;
	struct t t;

	begin(&t);
	before = make_count(t.r, "");
	OK(writer_begin(t.r, &p, &w, &e));
	l = writer_lane_new(w);
	OK(writer_add(l, PURPOSE_CONTENT, span_of(big, 1 << 20), &id, NULL, &e));
	writer_lane_free(l);
	writer_free(w);
	assert_int_equal(make_count(t.r, ""), before);
	free(big);
	repo_close(t.r);
}

/* ---- Lanes at once. */

enum { LANES = 4, SHARED = 3000 };

struct racer {
	struct writer *w;
	pthread_t thread;
	unsigned number;
	size_t added;
	struct id ids[SHARED];
};

static void *race(void *arg)
{
	struct racer *rc = arg;
	struct writer_lane *l = writer_lane_new(rc->w);
	struct buf b = {0};
	struct err e;

	for (size_t k = 0; k < SHARED; k++) {
		/* Half the lanes go one way, half the other. */
		uint64_t i = rc->number % 2 ? SHARED - 1 - k : k;
		bool added;

		make_blob(&b, i);
		if (writer_add(l, PURPOSE_CONTENT, buf_span(&b), &rc->ids[i], &added, &e) == -1)
			abort();
		rc->added += added;
	}
	if (writer_lane_flush(l, &e) == -1)
		abort();
	writer_lane_free(l);
	buf_fini(&b);
	return NULL;
}

static void lanes_that_race_store_each_blob_once(void **state)
{
	struct writer_params p = {CODEC_ZSTD, 1, false};
	struct racer *v = mem_zalloc(LANES * sizeof *v);
	size_t added = 0, packs;
	struct writer *w;
	struct err e;
	struct t t;

	begin(&t);
	OK(writer_begin(t.r, &p, &w, &e));
	for (unsigned i = 0; i < LANES; i++) {
		v[i].w = w;
		v[i].number = i;
		assert_int_equal(pthread_create(&v[i].thread, NULL, race, &v[i]), 0);
	}
	for (unsigned i = 0; i < LANES; i++) {
		pthread_join(v[i].thread, NULL);
		added += v[i].added;
	}
	OK(writer_finish(w, &e));
	assert_int_equal(added, SHARED);
	assert_int_equal(writer_stats(w)->blobs, SHARED);
	writer_free(w);
	reopen(&t);
	assert_int_equal(stored_blobs(t.r, &packs), SHARED);
	for (unsigned i = 0; i < LANES; i++)
		assert_memory_equal(v[i].ids, v[0].ids, sizeof v[0].ids);
	assert_readable(t.r, 0, SHARED, v[0].ids);
	free(v);
	repo_close(t.r);
}

/* ---- Marks. */

static void marked_packs_are_absent_for_a_new_writer(void **state)
{
	struct writer_params p = {CODEC_NONE, 0, false};
	static struct id ids[20];
	struct id_list packs;
	struct id mark;
	struct writer *w;
	struct err e;
	struct t t;

	begin(&t);
	make_blobs(t.r, 0, 20, ids);
	packs = make_list(t.r, FORMAT_PACK);
	assert_int_equal(packs.n, 1);
	OK(mark_put(t.r, MARK_DOOMED, packs.v, packs.n, &mark, &e));
	reopen(&t);
	OK(writer_begin(t.r, &p, &w, &e));
	assert_int_equal(writer_has(w, &ids[0], NULL, &e), 0);
	writer_free(w);
	/* Stored anew, and still readable from either. */
	make_blobs(t.r, 0, 20, NULL);
	assert_int_equal(make_count(t.r, "packs/"), 2);
	assert_readable(t.r, 0, 20, ids);
	id_list_fini(&packs);
	repo_close(t.r);
}

/* ---- A run that sleeps. */

static int64_t boot_ns;

static int64_t boot_now(struct clock *c)
{
	return boot_ns;
}

/* Before the index is put, graces pass; a prune takes the pack that none names. */
static enum err_kind sleep_before_index(void *arg, const char *op, const char *key, bool *after)
{
	struct t *other = arg;
	char name[REPO_NAME_MAX];
	struct id_list packs;
	struct err e;

	if (strcmp(op, "put") != 0 || strncmp(key, "index/", 6) != 0)
		return ERR_NONE;
	packs = make_list(other->r, FORMAT_PACK);
	assert_int_equal(packs.n, 1);
	OK(store_del(other->r->store, repo_object_name(name, FORMAT_PACK, &packs.v[0]), &e));
	id_list_fini(&packs);
	boot_ns += 3 * 86400 * INT64_C(1000000000);
	return ERR_NONE;
}

static void a_late_index_names_no_pack_that_prune_took(void **state)
{
	struct writer_params p = {CODEC_NONE, 0, false};
	struct clock clock = {boot_now, boot_now};
	struct repo_cred cred = make_cred();
	struct t t;
	struct store_fault_plan fp = {sleep_before_index, &t};
	struct writer_lane *l;
	struct writer *w;
	struct repo *r;
	struct id id;
	struct err e;

	begin(&t);
	t.ctx.clock = &clock;
	OK(repo_open(
	    store_fault_new(make_store(t.place, false), &fp), &cred, NULL, &t.ctx, &r, &e));
	OK(writer_begin(r, &p, &w, &e));
	l = writer_lane_new(w);
	OK(writer_add(l, PURPOSE_CONTENT, span_str("a blob"), &id, NULL, &e));
	OK(writer_lane_flush(l, &e));
	assert_int_equal(writer_finish(w, &e), -1);
	assert_int_equal(make_count(t.r, "index/"), 0);
	writer_lane_free(l);
	writer_free(w);
	repo_close(r);
	repo_close(t.r);
}

/* Two small blobs in a minute: no frame is full, but what came first is not to be lost. */
static void a_slow_source_is_indexed_by_the_clock(void **state)
{
	struct writer_params p = {CODEC_NONE, 0, false};
	struct clock clock = {boot_now, boot_now};
	struct writer_lane *l;
	struct writer *w;
	struct id id[3];
	struct err e;
	struct t t;

	begin(&t);
	t.ctx.clock = &clock;
	OK(writer_begin(t.r, &p, &w, &e));
	l = writer_lane_new(w);
	OK(writer_add(l, PURPOSE_CONTENT, span_str("first"), &id[0], NULL, &e));
	boot_ns += 59 * INT64_C(1000000000);
	OK(writer_add(l, PURPOSE_CONTENT, span_str("second"), &id[1], NULL, &e));
	assert_int_equal(make_count(t.r, "index/"), 0);
	boot_ns += INT64_C(1000000000);
	OK(writer_add(l, PURPOSE_CONTENT, span_str("third"), &id[2], NULL, &e));
	assert_int_equal(make_count(t.r, "index/"), 1);
	writer_lane_free(l); /* as if killed here */
	writer_free(w);
	reopen(&t);
	OK(repo_index_load(t.r, false, &e));
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(index_cache_find_in(repo_index(t.r), repo_own_domain(t.r)->tag,
				     &id[i], &(struct index_place){0}, &e),
		    1);
	repo_close(t.r);
}

/* ---- A snapshot that is void. */

struct voiding {
	struct t *other;
	const char *when; /* the first object so named: graces pass, and the pack goes */
	bool keep;        /* nothing can be deleted */
	bool lost;        /* the answer to the put of a snapshot */
	unsigned puts;    /* of snapshots */
};

static enum err_kind make_void(void *arg, const char *op, const char *key, bool *after)
{
	struct voiding *v = arg;
	bool snapshot = strncmp(key, "snapshots/", 10) == 0;

	if (v->when != NULL && strcmp(op, "put") == 0 && strncmp(key, v->when, 10) == 0) {
		v->when = NULL;
		sleep_before_index(v->other, "put", "index/", after);
	}
	v->puts += snapshot && strcmp(op, "put") == 0;
	if (v->lost && snapshot && strcmp(op, "put") == 0) {
		*after = true;
		return ERR_UNREACHABLE;
	}
	return v->keep && snapshot && strcmp(op, "del") == 0 ? ERR_IO : ERR_NONE;
}

static struct snapshot *some_snapshot(void)
{
	struct snapshot *s = mem_zalloc(sizeof *s);

	s->host = mem_strdup("h");
	s->user = mem_strdup("u");
	s->parts = mem_zalloc(sizeof *s->parts);
	s->nparts = 1;
	s->parts[0].name = mem_strdup("files");
	s->parts[0].kind = mem_strdup("files");
	return s;
}

/* One run of one blob; what commit says, and the number that the snapshot got. */
static int run_once(struct repo *r, const char *blob, bool sleep, uint64_t *number)
{
	struct writer_params p = {CODEC_NONE, 0, false};
	struct snapshot *s = some_snapshot();
	struct writer_lane *l;
	struct writer *w;
	struct id id;
	struct err e;
	int rc;

	OK(writer_begin(r, &p, &w, &e));
	l = writer_lane_new(w);
	OK(writer_add(l, PURPOSE_CONTENT, span_str(blob), &id, NULL, &e));
	OK(writer_lane_flush(l, &e));
	OK(writer_finish(w, &e));
	if (sleep) {
		bool after;

		sleep_before_index(&(struct t){.r = r}, "put", "index/", &after);
	}
	rc = writer_commit(w, s, &e);
	*number = s->sequence;
	snapshot_free(s);
	writer_lane_free(l);
	writer_free(w);
	return rc;
}

static void begin_voiding(struct t *t, struct voiding *v, struct clock *clock,
    struct store_fault_plan *fp, char cache[32], struct repo **r)
{
	struct repo_cred cred = make_cred();
	struct err e;

	begin(t);
	strcpy(cache, "/tmp/holdfast-void-XXXXXX");
	assert_non_null(mkdtemp(cache));
	t->ctx.clock = clock;
	*fp = (struct store_fault_plan){make_void, v};
	OK(repo_open(
	    store_fault_new(make_store(t->place, false), fp), &cred, cache, &t->ctx, r, &e));
}

static void end_voiding(struct t *t, struct repo *r, const char *cache)
{
	char *rm = mem_printf("rm -rf %s", cache);

	repo_close(r);
	repo_close(t->r);
	assert_int_equal(system(rm), 0);
	free(rm);
}

/* It stays in the store: the next one's number must be another. */
static void a_void_snapshot_that_stays_is_told_and_keeps_its_number(void **state)
{
	for (int keep = 0; keep < 2; keep++) {
		struct clock clock = {boot_now, boot_now};
		struct voiding v = {.when = "snapshots/", .keep = keep};
		struct store_fault_plan fp;
		uint64_t number;
		struct repo *r;
		char cache[32];
		struct t t;

		begin_voiding(&t, &v, &clock, &fp, cache, &r);
		v.other = &t;
		assert_int_equal(run_once(r, "one", false, &number), -1);
		assert_int_equal(number, 1);
		assert_int_equal(v.puts, 1);
		assert_int_equal(make_count(t.r, "snapshots/"), keep);
		assert_int_equal(t.events.n[EVENT_WARNING], keep);
		assert_int_equal(run_once(r, "two", false, &number), 0);
		assert_int_equal(number, 1 + keep);
		end_voiding(&t, r, cache);
	}
}

/* Where it is known before the put, nothing void is put at all. */
static void a_run_that_slept_before_its_snapshot_puts_none(void **state)
{
	struct clock clock = {boot_now, boot_now};
	struct voiding v = {0};
	struct store_fault_plan fp;
	uint64_t number;
	struct repo *r;
	char cache[32];
	struct t t;

	begin_voiding(&t, &v, &clock, &fp, cache, &r);
	assert_int_equal(run_once(r, "one", true, &number), -1);
	assert_int_equal(v.puts, 0);
	assert_int_equal(make_count(t.r, "snapshots/"), 0);
	end_voiding(&t, r, cache);
}

/* The wire was cut while it was put: nobody was told of it, so it does not count. */
static void a_snapshot_whose_answer_was_lost_is_taken_back(void **state)
{
	for (int keep = 0; keep < 2; keep++) {
		struct clock clock = {boot_now, boot_now};
		struct voiding v = {.lost = true, .keep = keep};
		struct store_fault_plan fp;
		uint64_t number;
		struct repo *r;
		char cache[32];
		struct t t;

		begin_voiding(&t, &v, &clock, &fp, cache, &r);
		assert_int_equal(run_once(r, "one", false, &number), -1);
		assert_int_equal(make_count(t.r, "snapshots/"), keep);
		assert_int_equal(t.events.n[EVENT_WARNING], keep);
		v.lost = false;
		assert_int_equal(run_once(r, "two", false, &number), 0);
		assert_int_equal(number, 1 + keep);
		end_voiding(&t, r, cache);
	}
}

/* ---- Stores that fail. */

struct plan {
	const char *op;
	int skip;
	bool after;
};

static enum err_kind decide(void *arg, const char *op, const char *key, bool *after)
{
	struct plan *p = arg;

	if (p->op == NULL || strcmp(op, p->op) != 0 || p->skip-- != 0)
		return ERR_NONE;
	*after = p->after;
	return ERR_IO;
}

/*
 * One append fails, and the run goes on to finish, as a backup does to keep
 * what it has: what it indexes must be whole.
 */
static void a_failed_append_never_makes_a_damaged_pack(void **state)
{
	struct writer_params p = {CODEC_NONE, 0, false};
	struct repo_cred cred = make_cred();
	uint8_t *big = mem_zalloc(1 << 20);

	for (int round = 0; round < 8; round++) {
		struct plan plan = {.skip = round / 2, .after = round % 2};
		struct store_fault_plan fp = {decide, &plan};
		struct writer_lane *l;
		struct writer *w;
		struct repo *r;
		struct id id;
		struct err e;
		size_t packs;
		struct t t;

		begin(&t);
		OK(repo_open(
		    store_fault_new(make_store(t.place, false), &fp), &cred, NULL, &t.ctx, &r, &e));
		OK(writer_begin(r, &p, &w, &e));
		l = writer_lane_new(w);
		plan.op = "append";
		for (uint8_t i = 0; i < 6; i++) {
			big[0] = i;
			writer_add(l, PURPOSE_CONTENT, span_of(big, 1 << 20), &id, NULL, &e);
		}
		writer_finish(w, &e);
		writer_lane_free(l);
		writer_free(w);
		repo_close(r);
		reopen(&t);
		stored_blobs(t.r, &packs);
		/* Whatever the index names can be read. */
		OK(repo_index_load(t.r, false, &e));
		for (uint32_t i = 0; i < index_cache_packs(repo_index(t.r)); i++) {
			struct reader *rd = reader_new(t.r);
			struct pack_dir dir = {0};
			struct index_pack ip;
			struct span got;

			OK(index_cache_pack_dir(repo_index(t.r), i, &dir, &ip, &e));
			for (size_t k = 0; k < dir.nblobs; k++)
				OK(reader_blob(rd, 0, &dir.blobs[k].id, &got, &e));
			pack_dir_fini(&dir);
			reader_free(rd);
		}
		repo_close(t.r);
	}
	free(big);
}

/* Claimed, but never stored: no snapshot may be made of such a run. */
static void a_run_that_lost_a_blob_makes_no_snapshot(void **state)
{
	struct writer_params p = {CODEC_NONE, 0, false};
	struct repo_cred cred = make_cred();
	struct plan plan = {.after = false};
	struct store_fault_plan fp = {decide, &plan};
	uint8_t *big = mem_zalloc(1 << 20);
	struct snapshot *s = some_snapshot();
	struct writer_lane *l;
	struct writer *w;
	struct repo *r;
	struct id id;
	struct err e;
	struct t t;

	begin(&t);
	OK(repo_open(
	    store_fault_new(make_store(t.place, false), &fp), &cred, NULL, &t.ctx, &r, &e));
	OK(writer_begin(r, &p, &w, &e));
	l = writer_lane_new(w);
	plan.op = "append";
	FAILS(writer_add(l, PURPOSE_CONTENT, span_of(big, 1 << 20), &id, NULL, &e), ERR_IO);
	OK(writer_finish(w, &e));
	assert_int_equal(writer_commit(w, s, &e), -1);
	assert_int_equal(make_count(t.r, "snapshots/"), 0);
	snapshot_free(s);
	writer_lane_free(l);
	writer_free(w);
	repo_close(r);
	repo_close(t.r);
	free(big);
}

/* A page of rows that follow on one another (codec/pages_test.c has them closely). */
static void make_page(uint8_t *p, uint32_t block)
{
	enum { ROW = 64, ROWS = 100 };

	memset(p, 0, 8192);
	for (uint32_t i = 0; i < ROWS; i++) {
		uint32_t at = 8192 - ROW * (i + 1), item = at | 1U << 15 | ROW << 17,
			 number = block * ROWS + i;

		memcpy(p + 24 + 4 * i, &item, 4);
		memcpy(p + at + 12, &block, 4);
		memcpy(p + at + 24, &number, 4);
	}
	memcpy(p + 12, &(uint16_t){24 + 4 * ROWS}, 2);
	memcpy(p + 14, &(uint16_t){8192 - ROW * ROWS}, 2);
	memcpy(p + 16, &(uint16_t){8192}, 2);
	memcpy(p + 18, &(uint16_t){8192 | 4}, 2);
}

/* Write pages; by which codec they are stored then. */
static unsigned codec_of_pages(struct repo *r, enum codec_id codec)
{
	enum { N = 64, BYTES = 2 * 8192 };
	struct writer_params p = {.codec = codec, .level = CODEC_AUTO};
	static uint8_t blob[BYTES];
	static struct id ids[N];
	struct index_place at;
	struct writer_lane *l;
	struct reader *rd;
	struct writer *w;
	struct span got;
	struct err e;

	OK(writer_begin(r, &p, &w, &e));
	writer_pages(w, true);
	l = writer_lane_new(w);
	for (uint32_t i = 0; i < N; i++) {
		make_page(blob, 2 * i);
		make_page(blob + 8192, 2 * i + 1);
		OK(writer_add(l, PURPOSE_CONTENT, span_of(blob, BYTES), &ids[i], NULL, &e));
	}
	OK(writer_lane_flush(l, &e));
	OK(writer_finish(w, &e));
	writer_lane_free(l);
	writer_free(w);
	rd = reader_new(r);
	for (uint32_t i = 0; i < N; i++) {
		make_page(blob, 2 * i);
		make_page(blob + 8192, 2 * i + 1);
		OK(reader_blob(rd, PURPOSE_CONTENT, &ids[i], &got, &e));
		assert_true(span_eq(got, span_of(blob, BYTES)));
	}
	assert_int_equal(reader_find(rd, &ids[0], &at, &e), 1);
	reader_free(rd);
	return at.codec;
}

static void pages_are_folded_only_where_readers_must_know_that(void **state)
{
	struct t t;

	begin(&t);
	assert_int_equal(codec_of_pages(t.r, CODEC_ZSTD), CODEC_PAGES);
	repo_close(t.r);
	begin(&t);
	t.r->config.pages = false;
	assert_int_equal(codec_of_pages(t.r, CODEC_ZSTD), CODEC_ZSTD);
	repo_close(t.r);
	begin(&t);
	assert_int_equal(codec_of_pages(t.r, CODEC_LZ4), CODEC_LZ4);
	repo_close(t.r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(blobs_are_there_after_opening_again),
	    cmocka_unit_test(a_blob_is_stored_once_over_runs),
	    cmocka_unit_test(the_same_bytes_of_another_kind_are_another_blob),
	    cmocka_unit_test(sizes_from_nothing_to_the_limit_come_back),
	    cmocka_unit_test(a_dry_run_stores_nothing),
	    cmocka_unit_test(a_run_given_up_leaves_no_object),
	    cmocka_unit_test(lanes_that_race_store_each_blob_once),
	    cmocka_unit_test(marked_packs_are_absent_for_a_new_writer),
	    cmocka_unit_test(a_late_index_names_no_pack_that_prune_took),
	    cmocka_unit_test(a_slow_source_is_indexed_by_the_clock),
	    cmocka_unit_test(a_void_snapshot_that_stays_is_told_and_keeps_its_number),
	    cmocka_unit_test(a_run_that_slept_before_its_snapshot_puts_none),
	    cmocka_unit_test(a_snapshot_whose_answer_was_lost_is_taken_back),
	    cmocka_unit_test(a_failed_append_never_makes_a_damaged_pack),
	    cmocka_unit_test(a_run_that_lost_a_blob_makes_no_snapshot),
	    cmocka_unit_test(pages_are_folded_only_where_readers_must_know_that),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
