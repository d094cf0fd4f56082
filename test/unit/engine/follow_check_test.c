/* follow_check: nothing is put behind log that could not be compared with the server's. */
#include "../repo/make_repo.h"

#include <unistd.h>

#include "engine/follow_internal.h"
#include "repo/log.h"

enum { SEG = 1 << 20, END = SEG + 1000, NEXT = END + 100 };

struct t {
	struct ctx ctx;
	struct make_events events;
	char place[32], dir[32];
	struct repo *r;
	bool away;
	atomic_uint opened;
	uint8_t stream[LOG_STREAM], bytes[NEXT - SEG + 1];
	struct follow_params p;
	struct follow f;
};

static int open_it(void *arg, const char *name, struct repo **out, struct err *e)
{
	struct t *t = arg;

	if (t->away)
		return err_set(e, ERR_UNREACHABLE, "%s is away", name);
	*out = t->r;
	atomic_fetch_add(&t->opened, 1);
	return 0;
}

static void close_it(void *arg, struct repo *r)
{
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

/* A receiver of a synchronous server: all up to END was stored before it was begun. */
static void begin(struct t *t)
{
	struct log_piece p = {.timeline = 1, .start = SEG, .end = END};
	enum log_put_outcome out;
	struct err e;

	memset(t, 0, sizeof *t);
	make_ctx(&t->ctx, &t->events);
	t->r = make_repo(&t->ctx, t->place, NULL);
	log_stream(t->r, "orders", "pg", t->stream);
	for (size_t i = 0; i < sizeof t->bytes; i++)
		t->bytes[i] = (uint8_t)(i * 7);
	p.bytes = span_of(t->bytes, END - SEG);
	memcpy(p.stream, t->stream, LOG_STREAM);
	OK(log_put(t->r, &p, &out, &e));
	t->p = (struct follow_params){.system = "orders",
	    .source = "pg",
	    .first = "main",
	    .synchronous = true,
	    .open = open_it,
	    .close = close_it,
	    .arg = t};
	t->f.p = &t->p;
	t->f.ctx = &t->ctx;
	t->f.server.segment = SEG;
	t->f.timeline = t->f.known_timeline = 1;
	t->f.known = END;
	t->f.at = SEG;
	pthread_mutex_init(&t->f.repo_lock, NULL);
	pthread_mutex_init(&t->f.late.lock, NULL);
	strcpy(t->dir, "/tmp/hf-check-XXXXXX");
	assert_non_null(mkdtemp(t->dir));
	OK(follow_spool_open(t->dir, "boot", &t->f.spool, &e));
	OK(follow_spool_of(t->f.spool, "1", SEG, &e));
}

static void end(struct t *t)
{
	char *cmd = mem_printf("rm -rf %s", t->dir);

	follow_store_close(&t->f);
	follow_check_end(&t->f);
	buf_fini(&t->f.late.came);
	follow_spool_close(t->f.spool);
	assert_int_equal(system(cmd), 0);
	free(cmd);
	repo_close(t->r);
}

/* The server sends what is known; then a commit waits for what follows. */
static int receive(struct t *t, struct err *e)
{
	uint64_t from = follow_check_begin(&t->f);

	if (from < END && follow_check_take(&t->f, from, span_of(t->bytes, END - SEG), e) == -1)
		return -1;
	assert_false(follow_check_waits(&t->f));
	return 0;
}

static int commit(struct t *t, struct err *e)
{
	struct follow_job j = {
	    .what = FOLLOW_SMALL, .timeline = 1, .segment = SEG, .start = END, .end = NEXT};

	return follow_store_put(&t->f, 0, &j, span_of(t->bytes + (END - SEG), NEXT - END), e);
}

static void a_server_that_was_put_back_while_the_repository_was_away_stores_nothing(void **state)
{
	struct err e = {0};
	struct t t;

	begin(&t);
	t.away = true;
	t.bytes[500] ^= 1; /* it is not the one that was followed */
	OK(receive(&t, &e));
	assert_int_equal(commit(&t, &e), -1);
	assert_int_equal(e.kind, ERR_UNREACHABLE);
	/* Another connection has no better knowledge. */
	OK(follow_spool_append(t.f.spool, 1, SEG, span_of(t.bytes, NEXT - SEG), &e));
	t.f.at = NEXT;
	assert_int_equal(follow_check_begin(&t.f), SEG);
	t.away = false;
	err_clear(&e);
	assert_int_equal(commit(&t, &e), -1);
	assert_int_equal(e.kind, ERR_EXISTS);
	assert_int_equal(count(&t), 1);
	assert_int_equal(commit(&t, &e), -1);
	end(&t);
}

static void the_same_server_goes_on_when_the_repository_is_back(void **state)
{
	struct err e = {0};
	struct t t;

	begin(&t);
	t.away = true;
	OK(receive(&t, &e));
	assert_int_equal(commit(&t, &e), -1);
	t.away = false;
	OK(commit(&t, &e));
	assert_int_equal(count(&t), 2);
	assert_false(atomic_load(&t.f.late.waits));
	end(&t);
}

static void what_is_known_is_compared_as_it_comes(void **state)
{
	struct err e = {0};
	struct t t;

	begin(&t);
	OK(receive(&t, &e));
	assert_false(atomic_load(&t.f.late.waits));
	OK(commit(&t, &e));
	t.bytes[500] ^= 1;
	assert_int_equal(receive(&t, &e), -1);
	assert_int_equal(e.kind, ERR_EXISTS);
	assert_true(t.f.other);
	end(&t);
}

static void a_timeline_that_was_left_is_compared_before_where_it_was_left(void **state)
{
	struct err e = {0};
	uint64_t from;
	struct t t;

	begin(&t);
	t.f.left_at = END - 100;
	t.f.left_for = 2;
	for (unsigned other = 0; other < 2; other++) {
		t.f.at = other ? END : SEG; /* it is in the repository, or received */
		from = follow_check_begin(&t.f);
		assert_int_equal(from, SEG);
		assert_true(follow_check_waits(&t.f));
		t.bytes[END - 100 - SEG] ^= 1; /* what came after that is nothing to it */
		OK(follow_check_take(&t.f, from, span_of(t.bytes, END - 100 - SEG), &e));
		assert_false(follow_check_waits(&t.f));
		from = follow_check_begin(&t.f);
		t.bytes[500] ^= 1;
		assert_int_equal(
		    follow_check_take(&t.f, from, span_of(t.bytes, END - 100 - SEG), &e), -1);
		assert_int_equal(e.kind, ERR_EXISTS);
		t.bytes[500] ^= 1;
	}
	end(&t);
}

/* What the one before confirmed from its spool may be nowhere else: all of it is put. */
static void a_spool_is_put_from_its_beginning_where_nobody_knows_what_is_stored(void **state)
{
	const struct follow_spooled v[] = {{.timeline = 1, .start = SEG, .end = NEXT}};
	const struct follow_asks small = {.small = true};
	struct follow_place place = {1, END};
	struct follow_job j;
	uint32_t timeline;
	struct t t;

	begin(&t);
	for (int known = 0; known < 2; known++) {
		follow_queue_init(&t.f.shared.queue, SEG, true, 1);
		assert_true(follow_use_spooled(&t.f, v, 1, &place, known));
		assert_int_equal(t.f.at, NEXT);
		assert_true(follow_queue_claim(&t.f.shared.queue, &small, 1, &j));
		assert_int_equal(j.start, known ? END : SEG);
		assert_int_equal(j.end, NEXT);
		assert_int_equal(
		    follow_queue_safe(&t.f.shared.queue, &timeline), known ? END : SEG);
		follow_queue_fini(&t.f.shared.queue);
	}
	/* Whatever the slot says by now. */
	place = (struct follow_place){2, 4 * SEG};
	follow_queue_init(&t.f.shared.queue, SEG, true, 1);
	assert_false(follow_use_spooled(&t.f, v, 1, &place, true));
	assert_true(follow_use_spooled(&t.f, v, 1, &place, false));
	follow_queue_fini(&t.f.shared.queue);
	end(&t);
}

/* The spool and the server have the same; but another has gone on in the repository. */
static void a_spool_that_meets_other_log_confirms_nothing(void **state)
{
	uint8_t other[NEXT - END] = "another's";
	struct log_piece p = {
	    .timeline = 1, .start = NEXT, .end = NEXT + sizeof other, .bytes = {other, 100}};
	enum log_put_outcome out;
	struct err e = {0};
	struct t t;

	begin(&t);
	memcpy(p.stream, t.stream, LOG_STREAM);
	OK(log_put(t.r, &p, &out, &e));
	for (uint64_t at = END; at <= NEXT; at += 100) {
		struct follow_job j = {.what = FOLLOW_SMALL,
		    .timeline = 1,
		    .segment = SEG,
		    .start = at,
		    .end = at + 100};
		int rc = follow_store_put(&t.f, 0, &j, span_of(t.bytes + (END - SEG), 100), &e);

		assert_int_equal(rc, at == NEXT ? -1 : 0);
	}
	assert_int_equal(e.kind, ERR_EXISTS);
	assert_int_equal(count(&t), 3);
	end(&t);
}

/*
 * A write key reads nothing: what it cannot compare in part is compared from the segment's
 * beginning on, and confirmed no sooner than that could be.
 */
static void a_key_that_reads_nothing_confirms_nothing_beside_other_log(void **state)
{
	static const uint8_t secret[32] = {9, 9};
	struct repo_key_params kp = {.cred = {true, span_of(secret, 32)}, .role = ROLE_WRITE};
	struct follow_job j = {.what = FOLLOW_SMALL,
	    .timeline = 1,
	    .segment = SEG,
	    .start = SEG + 500,
	    .end = SEG + 900};
	struct log_piece p = {.timeline = 1, .start = SEG, .end = END};
	enum log_put_outcome out;
	struct err e = {0};
	struct repo *full;
	struct id id;
	struct t t;

	for (int other = 0; other < 2; other++) {
		begin(&t);
		full = t.r;
		OK(repo_key_add(full, &kp, &id, &e));
		OK(repo_open(make_store(t.place, false), &kp.cred, NULL, &t.ctx, &t.r, &e));
		log_stream(t.r, "orders", "pg", t.stream);
		memcpy(p.stream, t.stream, LOG_STREAM);
		p.bytes = span_of(t.bytes, END - SEG);
		OK(log_put(t.r, &p, &out, &e));
		t.bytes[950] ^= (uint8_t)other; /* beyond the first that is put */
		OK(follow_spool_append(t.f.spool, 1, SEG, span_of(t.bytes, NEXT - SEG), &e));
		for (int try = 0; try < 2; try++) {
			assert_int_equal(
			    follow_store_put(&t.f, 0, &j, span_of(t.bytes + 500, 400), &e), -1);
			assert_int_equal(e.kind, ERR_WRONG_KEY);
			err_clear(&e);
		}
		assert_int_equal(count(&t), 1);
		j.end = NEXT; /* more has come meanwhile */
		assert_int_equal(
		    follow_store_put(&t.f, 0, &j, span_of(t.bytes + 500, NEXT - SEG - 500), &e),
		    other ? -1 : 0);
		if (other)
			assert_int_equal(e.kind, ERR_EXISTS);
		assert_int_equal(count(&t), other ? 1 : 2);
		j.end = SEG + 900;
		end(&t);
		repo_close(full);
	}
}

/* Over a gap, or back on another timeline, where other commits wait for what is confirmed. */
static void what_was_confirmed_elsewhere_confirms_nothing_where_it_goes_on(void **state)
{
	struct err e = {0};
	struct t t;

	begin(&t);
	follow_queue_init(&t.f.shared.queue, SEG, true, 1);
	for (unsigned other = 0; other < 3; other++) {
		uint64_t to = other == 2 ? 4 * SEG : 2 * SEG;

		t.f.timeline = other ? 2 : 1;
		t.f.confirmed = t.f.spooled = t.f.kept = 3 * SEG;
		follow_lag_got(&t.f.lag, 3 * SEG, 1);
		OK(follow_begin_at(&t.f, (struct follow_place){1, to}, &e));
		assert_true(t.f.confirmed == 0 && t.f.spooled == 0 && t.f.kept == 0);
		assert_int_equal(follow_lag_age(&t.f.lag, to, 1000), 0);
		assert_int_equal(t.f.at, to);
	}
	/* What is healed goes on where it was. */
	t.f.confirmed = t.f.spooled = 3 * SEG;
	OK(follow_begin_at(&t.f, (struct follow_place){1, 4 * SEG}, &e));
	assert_true(t.f.confirmed == 3 * SEG && t.f.spooled == 3 * SEG);
	follow_queue_fini(&t.f.shared.queue);
	end(&t);
}

/* The thread that takes them away. */
static void small_ones_go_in_time(void **state)
{
	const struct follow_fold_when soon = {FOLLOW_SECOND / 1000, 0};
	int64_t until = follow_now() + 60 * FOLLOW_SECOND;
	enum log_put_outcome out;
	struct err e = {0};
	struct log_piece p;
	struct t t;

	begin(&t);
	p = (struct log_piece){.timeline = 1, .start = SEG, .end = NEXT};
	p.bytes = span_of(t.bytes, NEXT - SEG);
	memcpy(p.stream, t.stream, LOG_STREAM);
	OK(commit(&t, &e));
	OK(log_put(t.r, &p, &out, &e));
	assert_int_equal(out, LOG_SAME); /* two are few */
	p.end = NEXT + 1;
	p.bytes.n++;
	OK(log_put(t.r, &p, &out, &e));
	assert_int_equal(count(&t), 3);
	OK(follow_fold_start(&t.f, &soon, &t.f.fold, &e));
	while (count(&t) > 1 && follow_now() < until)
		usleep(1000);
	assert_int_equal(count(&t), 1);
	follow_fold_stop(t.f.fold);
	t.p.once = true;
	OK(follow_fold_start(&t.f, &soon, &t.f.fold, &e));
	assert_null(t.f.fold);
	end(&t);
}

/* ... and it leaves them where the key may not delete, though it could tell that they are there. */
static void small_ones_stay_where_the_key_is_not_full(void **state)
{
	static const uint8_t secret[32] = {9, 9};
	struct repo_key_params kp = {.cred = {true, span_of(secret, 32)}, .role = ROLE_WRITE};
	const struct follow_fold_when soon = {FOLLOW_SECOND / 1000, 0};
	const size_t cut = FORMAT_LOG_CUT, ends[] = {0, cut, 2 * cut, 0, 2 * cut + 1};
	int64_t until = follow_now() + 60 * FOLLOW_SECOND;
	uint8_t *bytes = mem_zalloc(2 * cut + 1);
	struct repo *full;
	struct err e = {0};
	struct id id;
	struct t t;

	begin(&t);
	full = t.r;
	OK(repo_key_add(full, &kp, &id, &e));
	OK(repo_open(make_store(t.place, false), &kp.cred, NULL, &t.ctx, &t.r, &e));
	log_stream(t.r, "orders", "pg", t.stream);
	for (size_t i = 0; i < 4; i++) {
		struct log_piece p = {.timeline = 1, .start = ends[i], .end = ends[i + 1]};
		enum log_put_outcome out;

		if (p.end == 0)
			continue;
		p.bytes = span_of(bytes + p.start, p.end - p.start);
		memcpy(p.stream, t.stream, LOG_STREAM);
		OK(log_put(t.r, &p, &out, &e));
		assert_int_equal(out, LOG_STORED);
	}
	OK(follow_fold_start(&t.f, &soon, &t.f.fold, &e));
	while (atomic_load(&t.opened) == 0 && follow_now() < until)
		usleep(1000);
	assert_int_equal(atomic_load(&t.opened), 1);
	follow_fold_stop(t.f.fold); /* what was begun comes to its end */
	assert_int_equal(count(&t), 3);
	end(&t);
	repo_close(full);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		a_server_that_was_put_back_while_the_repository_was_away_stores_nothing),
	    cmocka_unit_test(the_same_server_goes_on_when_the_repository_is_back),
	    cmocka_unit_test(what_is_known_is_compared_as_it_comes),
	    cmocka_unit_test(a_timeline_that_was_left_is_compared_before_where_it_was_left),
	    cmocka_unit_test(a_spool_is_put_from_its_beginning_where_nobody_knows_what_is_stored),
	    cmocka_unit_test(a_spool_that_meets_other_log_confirms_nothing),
	    cmocka_unit_test(a_key_that_reads_nothing_confirms_nothing_beside_other_log),
	    cmocka_unit_test(what_was_confirmed_elsewhere_confirms_nothing_where_it_goes_on),
	    cmocka_unit_test(small_ones_go_in_time),
	    cmocka_unit_test(small_ones_stay_where_the_key_is_not_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
