/* log: what was put comes back whole or not at all, whatever pieces it is made of. */
#include "make_repo.h"

#include <sys/mman.h>
#include <unistd.h>

#include "os/os.h"
#include "repo/log.h"
#include "repo/log_internal.h"
#include "repo/repo_parity.h"

enum { MIB = 1 << 20, SEGMENT = 12 * MIB };

struct t {
	struct ctx ctx;
	struct make_events events;
	char place[32];
	struct repo *r;
	uint8_t stream[LOG_STREAM];
	struct span bytes;
	struct buf got;
};

/* Half of it noise, as it comes; made once. */
static struct buf all;

static void begin(struct t *t)
{
	uint64_t seed = 4711;

	memset(t, 0, sizeof *t);
	make_ctx(&t->ctx, &t->events);
	t->r = make_repo(&t->ctx, t->place, NULL);
	log_stream(t->r, "orders", "postgresql", t->stream);
	for (size_t i = all.n; i < 3 * SEGMENT; i += MIB) {
		uint8_t *p = buf_extend(&all, MIB);

		memset(p, (int)(i / MIB), MIB);
		unit_rand_fill(&seed, p, MIB / 2);
	}
	t->bytes = buf_span(&all);
}

static void end(struct t *t)
{
	buf_fini(&t->got);
	repo_close(t->r);
}

/* The test's bytes from start to end, at these positions. */
static struct log_piece piece(const struct t *t, uint32_t timeline, size_t start, size_t to)
{
	struct log_piece p = {.timeline = timeline,
	    .start = start,
	    .end = to,
	    .bytes = span_of(t->bytes.p + start, to - start)};

	memcpy(p.stream, t->stream, LOG_STREAM);
	return p;
}

static enum log_put_outcome put(struct t *t, uint32_t timeline, size_t start, size_t to)
{
	struct log_piece p = piece(t, timeline, start, to);
	enum log_put_outcome out;
	struct err e;

	OK(log_put(t->r, &p, &out, &e));
	return out;
}

static void assert_gets(struct t *t, uint32_t timeline, size_t start, size_t to)
{
	struct err e;

	OK(log_get(t->r, t->stream, timeline, start, to, &t->got, &e));
	assert_int_equal(t->got.n, to - start);
	assert_memory_equal(t->got.p, t->bytes.p + start, to - start);
}

static size_t count(struct t *t)
{
	struct log_at *v;
	struct err e;
	size_t n;

	OK(log_list(t->r, t->stream, &v, &n, &e));
	free(v);
	return n;
}

/* The only one's name. */
static void only(struct t *t, struct log_at *at, char name[LOG_NAME_MAX])
{
	struct log_at *v;
	struct err e;
	size_t n;

	OK(log_list(t->r, t->stream, &v, &n, &e));
	assert_int_equal(n, 1);
	*at = v[0];
	log_name(name, t->stream, at);
	free(v);
}

static void a_segment_comes_back_from_whatever_covers_it(void **state)
{
	static const size_t cuts[][6] = {
	    {0, SEGMENT}, {0, 1, 100, 8192, SEGMENT - 1, SEGMENT}, {0, 3 * MIB + 7, SEGMENT + 5},
	    {0, 3 * SEGMENT}, /* in two, by itself */
	};

	for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
		struct t t;

		begin(&t);
		for (size_t k = 0; k < 5 && cuts[i][k + 1] > 0; k++)
			assert_int_equal(put(&t, 1, cuts[i][k], cuts[i][k + 1]), LOG_STORED);
		assert_gets(&t, 1, 0, SEGMENT);
		assert_gets(&t, 1, 5, 6);
		assert_gets(&t, 1, MIB - 3, 4 * MIB);
		end(&t);
	}
}

static void the_same_again_is_success_and_other_bytes_are_refused(void **state)
{
	struct log_piece p;
	enum log_put_outcome out;
	struct err e;
	struct t t;

	begin(&t);
	assert_int_equal(put(&t, 1, 0, SEGMENT), LOG_STORED);
	assert_int_equal(put(&t, 1, 0, SEGMENT), LOG_SAME);
	assert_int_equal(count(&t), 1);
	p = piece(&t, 1, 0, SEGMENT);
	p.bytes.p += MIB;
	FAILS(log_put(t.r, &p, &out, &e), ERR_EXISTS);
	assert_non_null(strstr(e.msg, "stored at 1/0/0: this server was put back"));
	assert_non_null(strstr(e.hint, "another name"));
	/* Also where only a part of it is there, and in the middle of a cut. */
	p = piece(&t, 1, 0, SEGMENT);
	p.start = 3 * MIB + 5;
	p.end = p.start + 4 * MIB;
	p.bytes = span_of(t.bytes.p + p.start, 4 * MIB);
	OK(log_put(t.r, &p, &out, &e));
	assert_int_equal(out, LOG_SAME);
	p.bytes.p++;
	FAILS(log_put(t.r, &p, &out, &e), ERR_EXISTS);
	p.start += SEGMENT - 5 * MIB;
	p.end += SEGMENT - 5 * MIB;
	FAILS(log_put(t.r, &p, &out, &e), ERR_EXISTS);
	assert_int_equal(count(&t), 1);
	p.timeline = 2;
	OK(log_put(t.r, &p, &out, &e));
	assert_int_equal(out, LOG_STORED);
	assert_gets(&t, 1, 0, SEGMENT);
	end(&t);
}

/*
 * Against a model that knows each byte: what differs from anything that is there is refused and
 * changes nothing, all else is there afterwards, and what one or two have is stored no more.
 */
static void whatever_overlaps_is_compared(void **state)
{
	enum { UNIT = 256 * 1024, UNITS = 40 };
	const int rounds = getenv("HOLDFAST_TEST_FULL") ? 160 : 24;
	const char *given = getenv("HOLDFAST_TEST_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)getpid();
	static bool there[UNITS];
	struct log_writer *w;
	struct buf other = {0};
	struct err e;
	struct t t;

	print_message("HOLDFAST_TEST_SEED=%llu\n", (unsigned long long)seed);
	begin(&t);
	OK(log_writer_open(t.r, &w, &e));
	for (int i = 0; i < rounds; i++) {
		size_t from = unit_rand(&seed) % UNITS, n = 1 + unit_rand(&seed) % 16, at, had;
		bool changed = unit_rand(&seed) % 3 == 0, all_there = true, clash;
		enum log_put_outcome out;
		struct log_piece p;
		int rc;

		n = n < UNITS - from ? n : UNITS - from;
		p = piece(&t, 1, from * UNIT, (from + n) * UNIT);
		at = unit_rand(&seed) % p.bytes.n;
		buf_reset(&other);
		buf_put_span(&other, p.bytes);
		other.p[at] ^= changed;
		p.bytes = buf_span(&other);
		for (size_t k = from; k < from + n; k++)
			all_there = all_there && there[k];
		clash = changed && there[from + at / UNIT];
		if (changed && !clash)
			continue; /* the model holds one content */
		had = count(&t);
		rc = log_writer_put(w, &p, &out, &e);
		assert_int_equal(rc, clash ? -1 : 0);
		if (clash)
			assert_int_equal(e.kind, ERR_EXISTS);
		else
			memset(there + from, 1, n);
		assert_int_equal(count(&t), had + (rc == 0 && out == LOG_STORED));
		assert_true(rc == -1 || out == LOG_STORED || all_there);
		if (rc == 0)
			assert_gets(&t, 1, (size_t)p.start, (size_t)p.end);
		if (rc == 0) {
			OK(log_writer_put(w, &p, &out, &e));
			assert_int_equal(out, LOG_SAME);
		}
	}
	log_writer_close(w);
	buf_fini(&other);
	end(&t);
}

/* A receiver's many small ones are followed by the whole. */
static void many_small_ones_do_not_keep_the_whole_away(void **state)
{
	struct t t;

	begin(&t);
	for (size_t i = 0; i < 4; i++)
		put(&t, 1, i * MIB / 4, (i + 1) * MIB / 4);
	assert_int_equal(put(&t, 1, 0, MIB / 2), LOG_SAME);
	assert_int_equal(put(&t, 1, 0, MIB), LOG_STORED);
	assert_int_equal(put(&t, 1, 0, MIB), LOG_SAME);
	end(&t);
}

static void who_puts_long_sees_what_others_put(void **state)
{
	struct log_writer *a, *b;
	enum log_put_outcome out = LOG_STORED;
	struct err e;
	struct t t;

	begin(&t);
	OK(log_writer_open(t.r, &a, &e));
	OK(log_writer_open(t.r, &b, &e));
	/* It looks again when that takes little of its time: soon. */
	for (size_t i = 0; out != LOG_SAME && i < 36; i++) {
		struct log_piece p = piece(&t, 1, i * MIB, (i + 1) * MIB);

		OK(log_writer_put(a, &p, &out, &e));
		os_sleep_ns(&t.ctx, INT64_C(1000000) << (i < 12 ? i : 12));
		OK(log_writer_put(b, &p, &out, &e));
	}
	assert_int_equal(out, LOG_SAME);
	log_writer_close(a);
	log_writer_close(b);
	end(&t);
}

/* It takes less of the processor; what comes back is the same. */
static void who_hurries_stores_the_same(void **state)
{
	struct log_piece p;
	struct log_writer *w;
	enum log_put_outcome out;
	struct err e;
	struct t t;

	begin(&t);
	OK(log_writer_open(t.r, &w, &e));
	log_writer_hurry(w, true);
	p = piece(&t, 1, 0, SEGMENT);
	OK(log_writer_put(w, &p, &out, &e));
	log_writer_hurry(w, false);
	OK(log_writer_put(w, &p, &out, &e));
	assert_int_equal(out, LOG_SAME);
	/* So it is with what is in a file; one that ends too early is not stored. */
	p.fd = memfd_create("log", 0);
	assert_int_equal(write(p.fd, p.bytes.p, p.bytes.n), p.bytes.n);
	p.bytes.p = NULL;
	OK(log_writer_put(w, &p, &out, &e));
	assert_int_equal(out, LOG_SAME);
	p.timeline = 2;
	assert_int_equal(ftruncate(p.fd, SEGMENT - 1), 0);
	FAILS(log_writer_put(w, &p, &out, &e), ERR_FAILED);
	assert_int_equal(pwrite(p.fd, t.bytes.p + SEGMENT - 1, 1, SEGMENT - 1), 1);
	OK(log_writer_put(w, &p, &out, &e));
	assert_int_equal(out, LOG_STORED);
	assert_int_equal(pwrite(p.fd, "other", 5, 5 * MIB), 5);
	FAILS(log_writer_put(w, &p, &out, &e), ERR_EXISTS);
	close(p.fd);
	log_writer_close(w);
	assert_gets(&t, 2, 0, SEGMENT);
	assert_gets(&t, 1, 0, SEGMENT);
	end(&t);
}

/* However many there are: nothing is listed while a commit waits. */
/* PostgreSQL has used the segment again: what is read is another's. */
static void of_a_file_that_changed_nothing_is_stored(void **state)
{
	int fd = memfd_create("segment", 0);
	enum log_put_outcome out;
	struct log_piece p;
	struct stat was;
	struct err e;
	struct t t;

	begin(&t);
	assert_int_equal(os_pwrite_all(fd, t.bytes.p, MIB, 0), 0);
	assert_return_code(os_fstat(fd, &was), 0);
	p = piece(&t, 1, 0, MIB);
	p.bytes.p = NULL;
	p.fd = fd;
	p.was = &was;
	for (int known = 0; known < 2; known++) {
		usleep(20000); /* times are as coarse as that */
		assert_int_equal(os_pwrite_all(fd, t.bytes.p + MIB, MIB, 0), 0);
		FAILS(log_put(t.r, &p, &out, &e), ERR_FAILED);
		assert_non_null(strstr(e.msg, "changed while it was read"));
		assert_int_equal(count(&t), known);
		assert_int_equal(os_pwrite_all(fd, t.bytes.p, MIB, 0), 0);
		assert_return_code(os_fstat(fd, &was), 0);
		OK(log_put(t.r, &p, &out, &e));
	}
	assert_gets(&t, 1, 0, MIB);
	os_close(fd);
	end(&t);
}

static void what_waits_is_compared_with_what_was_there_before(void **state)
{
	enum log_put_outcome out;
	struct log_writer *w;
	struct log_piece p;
	struct err e;
	struct t t;

	begin(&t);
	assert_int_equal(put(&t, 1, 0, 1000), LOG_STORED);
	OK(log_writer_open(t.r, &w, &e));
	p = piece(&t, 1, 1000, 2000);
	p.at_once = true;
	OK(log_writer_put(w, &p, &out, &e));
	assert_int_equal(out, LOG_STORED);
	OK(log_writer_put(w, &p, &out, &e)); /* after a failure, perhaps */
	assert_int_equal(out, LOG_STORED);
	assert_int_equal(count(&t), 3);
	assert_gets(&t, 1, 1000, 2000);
	log_writer_close(w);
	/* What was there before meets it, though nothing at its beginning differs... */
	assert_int_equal(put(&t, 1, 3000, 4000), LOG_STORED);
	OK(log_writer_open(t.r, &w, &e));
	p = piece(&t, 1, 2000, 3000);
	p.at_once = true;
	OK(log_writer_put(w, &p, &out, &e));
	p = piece(&t, 1, 3000, 3500);
	p.at_once = true;
	OK(log_writer_put(w, &p, &out, &e));
	assert_int_equal(out, LOG_SAME);
	p.bytes = span_of(t.bytes.p + 1, 500);
	FAILS(log_writer_put(w, &p, &out, &e), ERR_EXISTS);
	/* ... and the whole meets all, of whoever. */
	p = piece(&t, 1, 0, SEGMENT);
	p.bytes = span_of(t.bytes.p + 1, SEGMENT);
	FAILS(log_writer_put(w, &p, &out, &e), ERR_EXISTS);
	log_writer_close(w);
	end(&t);
}

static void a_writer_knows_what_it_put(void **state)
{
	struct log_writer *w;
	struct t t;
	struct err e;

	begin(&t);
	OK(log_writer_open(t.r, &w, &e));
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < 12; i++) {
			/* Backwards the first time. */
			size_t at = (pass ? i : 11 - i) * MIB;
			struct log_piece p = piece(&t, 1, at, at + MIB);
			enum log_put_outcome out;

			OK(log_writer_put(w, &p, &out, &e));
			assert_int_equal(out, pass ? LOG_SAME : LOG_STORED);
		}
	log_writer_close(w);
	assert_gets(&t, 1, 0, 12 * MIB);
	end(&t);
}

static size_t fold(struct t *t, int64_t age_ns, size_t max)
{
	struct log_fold *x;
	size_t gone, all_gone = 0;
	bool left = true;
	struct err e;

	OK(log_fold_begin(t->r, t->stream, age_ns, &x, &e));
	while (left) {
		OK(log_fold_some(x, t->r, max, &gone, &left, &e));
		assert_true(gone <= max);
		all_gone += gone;
	}
	log_fold_end(x);
	return all_gone;
}

static void small_ones_go_when_a_whole_one_has_the_same(void **state)
{
	const size_t small[] = {0, 700, MIB, MIB + 1, 2 * MIB, 5 * MIB, SEGMENT};
	enum log_put_outcome out;
	struct log_writer *w;
	struct log_piece p;
	struct err e;
	struct t t;

	begin(&t);
	OK(log_writer_open(t.r, &w, &e));
	for (size_t i = 0; i < 6; i++) {
		p = piece(&t, 1, small[i], small[i + 1]);
		p.at_once = true;
		OK(log_writer_put(w, &p, &out, &e));
		p.timeline = 2; /* other bytes than the whole's, as nobody should have put them */
		p.bytes.p += i == 3;
		OK(log_writer_put(w, &p, &out, &e));
	}
	log_writer_close(w);
	assert_int_equal(fold(&t, 0, 1), 0);
	assert_int_equal(put(&t, 1, 0, SEGMENT), LOG_STORED);
	assert_int_equal(fold(&t, INT64_C(3600000000000), 100), 0);
	assert_int_equal(count(&t), 13);
	assert_int_equal(fold(&t, 0, 2), 6);
	assert_gets(&t, 1, 0, SEGMENT);
	assert_int_equal(fold(&t, 0, 2), 0);
	for (size_t i = 0; i < 6; i++)
		if (i != 3)
			assert_gets(&t, 2, small[i], small[i + 1]);
	end(&t);
}

/* That of other bytes, a rotten one, one that only its parity mends. */
static void small_ones_stay_by_a_whole_one_that_is_not_sound(void **state)
{
	enum { OTHER, ROTTEN, MENDED, SOUND };

	for (int what = OTHER; what <= SOUND; what++) {
		char name[LOG_NAME_MAX], small[LOG_NAME_MAX];
		struct log_at at, *v;
		enum log_put_outcome out;
		struct buf away = {0};
		struct log_piece p;
		struct err e;
		struct t t;
		size_t n;

		begin(&t);
		if (what == MENDED)
			OK(repo_set_parity(t.r, 100, &e));
		put(&t, 1, 0, 700);
		only(&t, &at, small);
		OK(store_get_all(t.r->store, small, at.size, &away, &e));
		OK(store_del(t.r->store, small, &e));
		p = piece(&t, 1, 0, SEGMENT);
		p.bytes.p += what == OTHER;
		OK(log_put(t.r, &p, &out, &e));
		OK(store_put(t.r->store, small, buf_span(&away), STORE_NEW, &e));
		OK(log_list(t.r, t.stream, &v, &n, &e));
		assert_int_equal(n, 2);
		if (what == ROTTEN || what == MENDED)
			make_damage(t.r->store, log_name(name, t.stream, &v[1]), v[1].size / 2, 4);
		free(v);
		assert_int_equal(fold(&t, 0, 2), what == SOUND);
		assert_int_equal(count(&t), what == SOUND ? 1 : 2);
		if (what == MENDED)
			assert_gets(&t, 1, 700, SEGMENT);
		buf_fini(&away);
		end(&t);
	}
}

struct fault {
	const char *op, *key;
	enum err_kind kind;
};

static enum err_kind fails_there(void *arg, const char *op, const char *key, bool *after)
{
	const struct fault *f = arg;

	*after = false;
	return strcmp(op, f->op) == 0 && strcmp(key, f->key) == 0 ? f->kind : ERR_NONE;
}

/* What cannot be read stops none but those that lie there; that nothing may be deleted is told. */
static void folding_goes_on_past_what_cannot_be_read(void **state)
{
	static const struct {
		const char *op;
		enum err_kind kind;
		size_t gone;
		bool fails, refused, denied;
	} cases[] = {
	    {"get", ERR_IO, 1, false, false, false},
	    {"get", ERR_DENIED, 1, false, false, true},
	    {"get", ERR_UNREACHABLE, 0, true, false, false},
	    {"del", ERR_DENIED, 0, true, true, false},
	    {"none", ERR_NONE, 2, false, false, false},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct store_fault_plan plan = {fails_there, NULL};
		struct fault fault = {cases[i].op, NULL, cases[i].kind};
		char name[LOG_NAME_MAX];
		struct log_at *v;
		struct log_fold *x;
		struct err e;
		struct t t;
		size_t n, gone;
		bool left, all_denied;

		begin(&t);
		for (uint32_t timeline = 1; timeline <= 2; timeline++) {
			assert_int_equal(put(&t, timeline, 0, 700), LOG_STORED);
			assert_int_equal(put(&t, timeline, 0, MIB), LOG_STORED);
		}
		OK(log_list(t.r, t.stream, &v, &n, &e));
		assert_true(n == 4 && v[1].timeline == 1);
		/* The small one is what is deleted, the whole one what is read. */
		fault.key = log_name(name, t.stream, &v[strcmp(cases[i].op, "get") == 0]);
		free(v);
		plan.arg = &fault;
		t.r->store = store_fault_new(t.r->store, &plan);
		OK(log_fold_begin(t.r, t.stream, 0, &x, &e));
		if (cases[i].fails)
			FAILS(log_fold_some(x, t.r, 8, &gone, &left, &e), cases[i].kind);
		else
			OK(log_fold_some(x, t.r, 8, &gone, &left, &e));
		assert_int_equal(gone, cases[i].gone);
		assert_true(log_fold_refused(x) == cases[i].refused);
		assert_true((log_fold_denied(x, &all_denied) != NULL) == cases[i].denied);
		assert_false(all_denied);
		log_fold_end(x);
		end(&t);
	}
}

static enum err_kind stops_there(void *arg, const char *op, const char *key, bool *after)
{
	struct ctx *ctx = arg;

	*after = true;
	if (strcmp(op, "put") == 0)
		ctx->cancel = true;
	return ERR_NONE;
}

/* What is there of it by then is whole, and the next one has only the rest to put. */
static void a_long_one_ends_soon_once_it_is_to_stop(void **state)
{
	struct store_fault_plan plan = {stops_there, NULL};
	enum log_put_outcome out;
	struct log_piece p;
	struct err e;
	struct t t;

	begin(&t);
	plan.arg = &t.ctx;
	t.r->store = store_fault_new(t.r->store, &plan);
	p = piece(&t, 1, 0, 3 * SEGMENT);
	FAILS(log_put(t.r, &p, &out, &e), ERR_CANCELLED);
	t.ctx.cancel = false;
	assert_int_equal(count(&t), 1);
	assert_gets(&t, 1, 0, FORMAT_LOG_STRETCH);
	OK(log_put(t.r, &p, &out, &e));
	assert_int_equal(out, LOG_STORED);
	assert_int_equal(count(&t), 2);
	assert_gets(&t, 1, 0, 3 * SEGMENT);
	end(&t);
}

static int64_t behind_ns(struct clock *c)
{
	return os_clock()->wall_ns(os_clock()) - INT64_C(3600000000000);
}

/* Stored while the store's clock was ahead: by what says that, nothing is old. */
static void what_was_stored_in_the_future_makes_nothing_old(void **state)
{
	struct clock clock = {behind_ns, behind_ns};
	struct t t;

	begin(&t);
	put(&t, 1, 0, 700);
	put(&t, 1, 0, MIB);
	t.ctx.clock = &clock;
	assert_int_equal(fold(&t, 0, 2), 0);
	t.ctx.clock = NULL;
	assert_int_equal(fold(&t, 0, 2), 1);
	end(&t);
}

/* Nothing of it can be compared: for a key that reads nothing it is as if it were not there. */
static void what_is_damaged_holds_no_commit_up(void **state)
{
	static const uint8_t secret[32] = {9, 9};
	struct repo_key_params kp = {.cred = {true, span_of(secret, 32)}, .role = ROLE_WRITE};
	enum log_put_outcome out;
	char name[LOG_NAME_MAX];
	struct repo *full;
	struct log_piece p;
	struct log_at at;
	struct id id;
	struct err e;
	struct t t;

	for (int damaged = 0; damaged < 2; damaged++) {
		begin(&t);
		full = t.r;
		OK(repo_key_add(full, &kp, &id, &e));
		OK(repo_open(make_store(t.place, false), &kp.cred, NULL, &t.ctx, &t.r, &e));
		log_stream(t.r, "orders", "postgresql", t.stream);
		put(&t, 1, 500, 1000);
		only(&t, &at, name);
		if (damaged)
			make_damage(t.r->store, name, at.size - 40, 4);
		repo_close(t.r);
		OK(repo_open(make_store(t.place, false), &kp.cred, NULL, &t.ctx, &t.r, &e));
		p = piece(&t, 1, 600, 1200);
		p.at_once = true;
		if (damaged)
			OK(log_put(t.r, &p, &out, &e));
		else
			FAILS(log_put(t.r, &p, &out, &e), ERR_WRONG_KEY);
		assert_int_equal(count(&t), damaged ? 2 : 1);
		end(&t);
		repo_close(full);
	}
}

/* Of a range, of two that have it, of a file: lost since, and offered to the one that knows it. */
static void what_was_lost_since_is_stored_again(void **state)
{
	const size_t halves[] = {0, MIB, 2 * MIB};
	struct log_at at, *v;
	struct log_writer *w;
	enum log_put_outcome out;
	char name[LOG_NAME_MAX];
	struct log_piece p;
	struct err e;
	struct t t;
	size_t n;

	begin(&t);
	OK(log_writer_open(t.r, &w, &e));
	p = piece(&t, 1, 0, 2 * MIB);
	OK(log_writer_put(w, &p, &out, &e));
	only(&t, &at, name);
	OK(repo_del_named(t.r, name, &e));
	OK(log_writer_put(w, &p, &out, &e));
	assert_int_equal(out, LOG_STORED);
	assert_gets(&t, 1, 0, 2 * MIB);
	OK(log_writer_put(w, &p, &out, &e));
	assert_int_equal(out, LOG_SAME);

	for (size_t i = 0; i < 2; i++) {
		p = piece(&t, 2, halves[i], halves[i + 1]);
		OK(log_writer_put(w, &p, &out, &e));
	}
	OK(log_list(t.r, t.stream, &v, &n, &e));
	assert_int_equal(n, 3);
	OK(repo_del_named(t.r, log_name(name, t.stream, &v[2]), &e));
	free(v);
	p = piece(&t, 2, 0, 2 * MIB);
	OK(log_writer_put(w, &p, &out, &e));
	assert_int_equal(out, LOG_STORED);
	assert_gets(&t, 2, 0, 2 * MIB);

	for (int pass = 0; pass < 2; pass++) {
		p = piece(&t, 3, 0, 100);
		p.kind = LOG_HISTORY;
		p.start = p.end = 0;
		OK(log_writer_put(w, &p, &out, &e));
		assert_int_equal(out, LOG_STORED);
		OK(log_list(t.r, t.stream, &v, &n, &e));
		for (size_t i = 0; i < n; i++)
			if (v[i].kind == LOG_HISTORY && pass == 0)
				OK(repo_del_named(t.r, log_name(name, t.stream, &v[i]), &e));
		free(v);
	}
	OK(log_get_history(t.r, t.stream, 3, &t.got, &e));
	log_writer_close(w);
	end(&t);
}

static void what_is_missing_is_absent_and_how_far_it_goes_is_told(void **state)
{
	struct log_reader *rd;
	uint64_t have;
	struct err e;
	struct t t;

	begin(&t);
	put(&t, 1, 0, MIB);
	put(&t, 1, 2 * MIB, 3 * MIB);
	OK(log_reader_open(t.r, t.stream, &rd, &e));
	FAILS(log_reader_get(rd, 1, 0, 3 * MIB, &t.got, &have, &e), ERR_ABSENT);
	assert_int_equal(have, MIB);
	assert_memory_equal(t.got.p, t.bytes.p, MIB);
	assert_true(log_reader_goes_on(rd, 1, MIB));
	assert_false(log_reader_goes_on(rd, 1, 3 * MIB));
	assert_false(log_reader_goes_on(rd, 2, 0));
	FAILS(log_reader_get(rd, 2, 0, MIB, &t.got, &have, &e), ERR_ABSENT);
	assert_int_equal(have, 0);
	put(&t, 1, MIB, 2 * MIB); /* it comes meanwhile */
	OK(log_reader_get(rd, 1, 0, 3 * MIB, &t.got, &have, &e));
	assert_memory_equal(t.got.p, t.bytes.p, 3 * MIB);
	log_reader_close(rd);
	end(&t);
}

static void histories_and_partials_are_no_ranges(void **state)
{
	static const char text[] = "1\t0/3000060\tno recovery target specified\n";
	struct log_piece p;
	enum log_put_outcome out;
	struct log_line *lines;
	struct err e;
	size_t n;
	struct t t;

	begin(&t);
	p = piece(&t, 1, 0, SEGMENT);
	p.kind = LOG_PARTIAL;
	OK(log_put(t.r, &p, &out, &e));
	FAILS(log_get(t.r, t.stream, 1, 0, SEGMENT, &t.got, &e), ERR_ABSENT);
	/* Each server that leaves a timeline has an end of its own; a history there is one of. */
	p.bytes.p += MIB;
	for (int i = 0; i < 2; i++) {
		OK(log_put(t.r, &p, &out, &e));
		assert_int_equal(out, i ? LOG_SAME : LOG_STORED);
	}
	p = (struct log_piece){.timeline = 2, .kind = LOG_HISTORY, .bytes = span_str(text)};
	memcpy(p.stream, t.stream, LOG_STREAM);
	OK(log_put(t.r, &p, &out, &e));
	OK(log_put(t.r, &p, &out, &e));
	assert_int_equal(out, LOG_SAME);
	OK(log_get_history(t.r, t.stream, 2, &t.got, &e));
	assert_int_equal(t.got.n, strlen(text));
	assert_memory_equal(t.got.p, text, strlen(text));
	p.bytes.n--;
	FAILS(log_put(t.r, &p, &out, &e), ERR_EXISTS);
	FAILS(log_get_history(t.r, t.stream, 3, &t.got, &e), ERR_ABSENT);
	OK(log_history_parse(buf_span(&t.got), &lines, &n, &e));
	assert_int_equal(n, 1);
	free(lines);
	end(&t);
}

static void impossible_pieces_are_refused(void **state)
{
	struct log_piece p;
	enum log_put_outcome out;
	struct err e;
	struct t t;

	begin(&t);
	p = piece(&t, 1, 0, 0);
	FAILS(log_put(t.r, &p, &out, &e), ERR_FAILED);
	p = piece(&t, 1, 5, 10);
	p.end = 11;
	FAILS(log_put(t.r, &p, &out, &e), ERR_FAILED);
	p.kind = LOG_HISTORY;
	FAILS(log_put(t.r, &p, &out, &e), ERR_FAILED);
	assert_int_equal(count(&t), 0);
	end(&t);
}

/* Who holds the storage can move what is stored, under its own right hash. */
static void one_that_was_moved_is_not_believed(void **state)
{
	char name[LOG_NAME_MAX];
	struct log_at at;
	struct err e;
	struct t t;

	begin(&t);
	put(&t, 1, 0, MIB);
	only(&t, &at, name);
	OK(store_get_all(t.r->store, name, FORMAT_PACK_MAX, &t.got, &e));
	OK(store_del(t.r->store, name, &e));
	at.start += MIB;
	at.end += MIB;
	log_name(name, t.stream, &at);
	OK(store_put(t.r->store, name, buf_span(&t.got), STORE_NEW, &e));
	FAILS(log_get(t.r, t.stream, 1, MIB, 2 * MIB, &t.got, &e), ERR_CORRUPT);
	assert_non_null(strstr(e.msg, "another place"));
	end(&t);
}

static void another_domains_stretch_is_not_believed(void **state)
{
	static const uint8_t other[32] = {9, 9};
	struct repo_key_params kp = {.cred = {true, span_of(other, 32)}, .role = ROLE_WRITE};
	struct repo_cred cred = {true, span_of(other, 32)};
	uint8_t theirs[LOG_STREAM], read_by[LOG_STREAM];
	enum log_put_outcome out;
	char name[LOG_NAME_MAX];
	struct log_writer *lw;
	struct log_piece p;
	struct log_at at;
	struct repo *w;
	struct id id;
	struct err e;
	struct t t;

	begin(&t);
	OK(repo_key_add(t.r, &kp, &id, &e));
	OK(repo_open(make_store(t.place, false), &cred, NULL, &t.ctx, &w, &e));
	log_stream(w, "orders", "postgresql", theirs);
	assert_memory_not_equal(theirs, t.stream, LOG_STREAM);
	/* Into ours it can't even by its own program. */
	OK(log_writer_open(w, &lw, &e));
	p = piece(&t, 1, 0, MIB);
	FAILS(log_writer_put(lw, &p, &out, &e), ERR_WRONG_KEY);
	/* In its own it reads the hashes back, so the same is the same; and a full key reads all.
	 */
	memcpy(p.stream, theirs, LOG_STREAM);
	OK(log_writer_put(lw, &p, &out, &e));
	log_writer_close(lw);
	OK(log_put(w, &p, &out, &e));
	assert_int_equal(out, LOG_SAME);
	FAILS(log_get(w, theirs, 1, 0, MIB, &t.got, &e), ERR_WRONG_KEY);
	/* Whole cuts it can compare also where places differ; parts of them it cannot. */
	p = piece(&t, 1, 0, 2 * MIB);
	memcpy(p.stream, theirs, LOG_STREAM);
	p.bytes.p += MIB;
	FAILS(log_put(w, &p, &out, &e), ERR_EXISTS);
	OK(repo_reload_config(t.r, &e));
	log_stream_in(t.r, 1, "orders", "postgresql", read_by);
	assert_memory_equal(read_by, theirs, LOG_STREAM);
	OK(log_get(t.r, theirs, 1, 0, MIB, &t.got, &e));
	assert_memory_equal(t.got.p, t.bytes.p, MIB);
	/* By a program of its own it gets there, and is found out. */
	w->domains[0].id[0] ^= 1;
	memcpy(t.stream, theirs, LOG_STREAM);
	only(&t, &at, name);
	OK(store_get_all(t.r->store, name, FORMAT_PACK_MAX, &t.got, &e));
	log_stream(t.r, "orders", "postgresql", t.stream);
	log_name(name, t.stream, &at);
	OK(store_put(t.r->store, name, buf_span(&t.got), STORE_NEW, &e));
	FAILS(log_get(t.r, t.stream, 1, 0, MIB, &t.got, &e), ERR_CORRUPT);
	w->domains[0].id[0] ^= 1;
	repo_close(w);
	end(&t);
}

static void every_damaged_byte_is_found(void **state)
{
	char name[LOG_NAME_MAX];
	struct log_at at;
	struct err e;
	struct t t;

	begin(&t);
	put(&t, 1, 0, 5000);
	only(&t, &at, name);
	for (size_t i = 0; i < at.size; i += 1 + at.size / 200) {
		make_damage(t.r->store, name, i, 1);
		FAILS(log_get(t.r, t.stream, 1, 0, 5000, &t.got, &e), ERR_CORRUPT);
		make_damage(t.r->store, name, i, 1);
	}
	assert_gets(&t, 1, 0, 5000);
	/* What is there a second time serves. */
	make_damage(t.r->store, name, 300, 1);
	assert_int_equal(put(&t, 1, 0, 5000), LOG_SAME); /* its directory is whole */
	put(&t, 1, 0, 6000);
	assert_gets(&t, 1, 0, 5000);
	end(&t);
}

static void damage_is_read_through_by_parity(void **state)
{
	char name[LOG_NAME_MAX];
	struct log_at at;
	struct err e;
	struct t t;

	begin(&t);
	OK(repo_set_parity(t.r, 100, &e));
	put(&t, 1, 0, 2 * MIB);
	assert_int_equal(make_count(t.r, "parity/logs/"), 1);
	only(&t, &at, name);
	make_damage(t.r->store, name, 12345, 255);
	assert_gets(&t, 1, 0, 2 * MIB);
	assert_int_equal(t.events.n[EVENT_OBJECT_MENDED], 1);
	OK(repo_del_named(t.r, name, &e));
	assert_int_equal(make_count(t.r, "parity/logs/"), 0);
	end(&t);
}

struct plan {
	unsigned n, fail;
	bool after;
};

static enum err_kind decide(void *arg, const char *op, const char *key, bool *after)
{
	struct plan *p = arg;

	(void)op, (void)key;
	*after = p->after;
	return ++p->n == p->fail ? ERR_UNREACHABLE : ERR_NONE;
}

/* Whatever operation fails, before or after it was done: then nothing is claimed, or it is there.
 */
static void what_was_acknowledged_is_there_whatever_failed(void **state)
{
	for (unsigned fail = 1;; fail++) {
		struct plan p = {.fail = (fail + 1) / 2, .after = fail % 2};
		const struct store_fault_plan plan = {.decide = decide, .arg = &p};
		struct log_piece a;
		enum log_put_outcome out;
		struct log_writer *w;
		struct err e;
		struct t t;
		int rc;

		begin(&t);
		t.r->store = store_fault_new(t.r->store, &plan);
		OK(log_writer_open(t.r, &w, &e));
		a = piece(&t, 1, 0, 5000);
		rc = log_writer_put(w, &a, &out, &e);
		p.fail = 0;
		if (rc == 0)
			assert_gets(&t, 1, 0, 5000);
		OK(log_writer_put(w, &a, &out, &e));
		assert_gets(&t, 1, 0, 5000);
		log_writer_close(w);
		end(&t);
		if (rc == 0 && p.n < (fail + 1) / 2)
			break;
	}
}

static void names_come_back_and_nothing_else_is_one(void **state)
{
	static const char good[] = "logs/00112233445566778899aabbccddeeff/0000000a/";
	static const char *const bad[] = {"", "x", "0000000000000000-0000000000000000.",
	    "0000000000000002-0000000000000001.", "000000000000000-0000000000000001.",
	    "0000000000000000-00000000000000FF.", "history", "partial.",
	    "0000000000000000-0000000000000001.partial", "00000000000000000-0000000000000001."};
	uint8_t stream[LOG_STREAM];
	char name[LOG_NAME_MAX], text[LOG_NAME_MAX], hex[ID_HEX];
	struct log_at at = {.timeline = 10}, got;

	memset(&at.object, 0xab, sizeof at.object);
	for (int kind = 0; kind < LOG_KINDS; kind++) {
		at.kind = (enum log_kind)kind;
		at.start = kind == LOG_HISTORY ? 0 : 0xfedcba9876543210;
		at.end = kind == LOG_HISTORY ? 0 : UINT64_MAX;
		memset(stream, 0x5a, sizeof stream);
		log_name(name, stream, &at);
		assert_true(log_name_parse(name, stream, &got));
		assert_memory_equal(&at, &got, sizeof at);
		strcat(name, "a");
		assert_false(log_name_parse(name, stream, &got));
		name[strlen(name) - 2] = 'A'; /* the same id, written in another way */
		name[strlen(name) - 1] = '\0';
		assert_false(log_name_parse(name, stream, &got));
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		snprintf(text, sizeof text, "%s%s%s", good, bad[i], id_hex(hex, &at.object));
		assert_false(log_name_parse(text, stream, &got));
	}
}

static void gaps_and_timelines_are_seen(void **state)
{
	static const struct log_at v[] = {
	    {.timeline = 1, .start = 0, .end = 10, .stored_ns = 5},
	    {.timeline = 1, .start = 2, .end = 5, .stored_ns = 3},
	    {.timeline = 1, .start = 10, .end = 20, .stored_ns = 9},
	    {.timeline = 1, .start = 21, .end = 30},
	    {.timeline = 2, .start = 16, .end = 40},
	    {.timeline = 3, .start = 32, .end = 50},
	    {.timeline = 2, .kind = LOG_HISTORY},
	};
	static const struct log_line history[] = {{1, 18}, {2, 35}};
	struct log_span *s;
	uint64_t missing;
	size_t n;

	log_reach(v, sizeof v / sizeof *v, &s, &n);
	assert_int_equal(n, 4);
	assert_true(s[0].start == 0 && s[0].end == 20 && !s[0].gap && s[0].stretches == 3);
	assert_true(s[0].first_ns == 3 && s[0].last_ns == 9);
	assert_true(s[1].start == 21 && s[1].gap && !s[2].gap);
	assert_true(log_reaches(s, n, NULL, 0, 1, 3, 20, &missing));
	assert_false(log_reaches(s, n, NULL, 0, 1, 3, 22, &missing));
	assert_int_equal(missing, 20);
	assert_true(log_reaches(s, n, history, 2, 3, 3, 50, &missing));
	assert_false(log_reaches(s, n, history, 2, 3, 3, 51, &missing));
	assert_false(log_reaches(s, n, history + 1, 1, 3, 3, 50, &missing));
	assert_int_equal(missing, 3);
	free(s);
}

static void histories_are_parsed_or_refused(void **state)
{
	static const char good[] = "# a\n1\t0/3000060\tbefore 2000-01-01\n\n  2 A/ff\tno\r\n"
				   "4294967295\tFFFFFFFF/FFFFFFFF";
	static const char *const bad[] = {"1", "1\t0", "1\t0/", "x\t0/1\n", "1\t0/1\n1\t0/2\n",
	    "2\t0/2\n3\t0/1\n", "4294967296\t0/1", "1\t100000000/0", "1 /1"};
	struct log_line *v;
	struct err e;
	size_t n;

	OK(log_history_parse(span_str(good), &v, &n, &e));
	assert_int_equal(n, 3);
	assert_true(v[0].timeline == 1 && v[0].end == 0x3000060);
	assert_true(v[1].timeline == 2 && v[1].end == UINT64_C(0xa000000ff));
	assert_true(v[2].timeline == UINT32_MAX && v[2].end == UINT64_MAX);
	free(v);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		FAILS(log_history_parse(span_str(bad[i]), &v, &n, &e), ERR_CORRUPT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_segment_comes_back_from_whatever_covers_it),
	    cmocka_unit_test(the_same_again_is_success_and_other_bytes_are_refused),
	    cmocka_unit_test(whatever_overlaps_is_compared),
	    cmocka_unit_test(many_small_ones_do_not_keep_the_whole_away),
	    cmocka_unit_test(who_puts_long_sees_what_others_put),
	    cmocka_unit_test(who_hurries_stores_the_same),
	    cmocka_unit_test(of_a_file_that_changed_nothing_is_stored),
	    cmocka_unit_test(what_waits_is_compared_with_what_was_there_before),
	    cmocka_unit_test(a_writer_knows_what_it_put),
	    cmocka_unit_test(small_ones_go_when_a_whole_one_has_the_same),
	    cmocka_unit_test(small_ones_stay_by_a_whole_one_that_is_not_sound),
	    cmocka_unit_test(folding_goes_on_past_what_cannot_be_read),
	    cmocka_unit_test(a_long_one_ends_soon_once_it_is_to_stop),
	    cmocka_unit_test(what_was_stored_in_the_future_makes_nothing_old),
	    cmocka_unit_test(what_is_damaged_holds_no_commit_up),
	    cmocka_unit_test(what_was_lost_since_is_stored_again),
	    cmocka_unit_test(what_is_missing_is_absent_and_how_far_it_goes_is_told),
	    cmocka_unit_test(histories_and_partials_are_no_ranges),
	    cmocka_unit_test(impossible_pieces_are_refused),
	    cmocka_unit_test(one_that_was_moved_is_not_believed),
	    cmocka_unit_test(another_domains_stretch_is_not_believed),
	    cmocka_unit_test(every_damaged_byte_is_found),
	    cmocka_unit_test(damage_is_read_through_by_parity),
	    cmocka_unit_test(what_was_acknowledged_is_there_whatever_failed),
	    cmocka_unit_test(names_come_back_and_nothing_else_is_one),
	    cmocka_unit_test(gaps_and_timelines_are_seen),
	    cmocka_unit_test(histories_are_parsed_or_refused),
	};

	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	buf_fini(&all);
	return rc;
}
