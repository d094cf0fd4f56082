/*
 * recover_feed: segments come whole and in time, and their records are shown in order before, while
 * somebody asks how far it is; what is refused is not given.
 */
#include "unit/repo/make_repo.h"
#include "unit/source/wal_unit.h"

#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/recover_feed.h"
#include "os/os.h"
#include "repo/log.h"

enum { FILES = 8, SEG = WAL_UNIT_SEGMENT, BODY = 3000 };

struct t {
	struct ctx ctx;
	struct make_events events;
	char place[32], data[64];
	struct repo *r;
	struct wal_writer w;
	struct recover_file v[FILES];
	struct recover_reach reach;
	struct recover_feed_params p;
	struct recover_feed *feed;
	uint64_t seen, refuse; /* the last record; one that is not to be given */
	size_t records;
};

/* Of any thread, but of one at a time. */
static int on_record(void *arg, const struct wal_record *r, struct err *e)
{
	struct t *t = arg;

	assert_true(r->lsn > t->seen);
	t->seen = r->lsn;
	t->records++;
	return t->refuse && r->lsn >= t->refuse ? err_set(e, ERR_EXISTS, "not that one") : 0;
}

static size_t spoil; /* 0: nothing */

static void fill(struct t *t)
{
	uint8_t body[BODY];
	uint64_t seed = 4711;

	t->w = (struct wal_writer){.start = SEG, .magic = 0xD110};
	wal_unit_head(&t->w, 0);
	while (t->w.out.n < FILES * SEG - 2 * BODY) {
		unit_rand_fill(&seed, body, sizeof body);
		wal_unit_plain(&t->w, 200, 0, span_of(body, sizeof body));
	}
	buf_put_zeros(&t->w.out, FILES * SEG - t->w.out.n);
	if (spoil)
		memset(t->w.out.p + spoil, 0x5a, 100);
}

static void begin(struct t *t)
{
	enum log_put_outcome out;
	struct err e;

	memset(t, 0, sizeof *t);
	make_ctx(&t->ctx, &t->events);
	t->r = make_repo(&t->ctx, t->place, NULL);
	strcpy(t->data, "/tmp/hf-feed-XXXXXX");
	assert_non_null(mkdtemp(t->data));
	fill(t);
	t->p = (struct recover_feed_params){.repo = t->r,
	    .reach = &t->reach,
	    .segment = SEG,
	    .data = t->data,
	    .ahead = true,
	    .jobs = 4,
	    .record = on_record,
	    .arg = t};
	t->reach = (struct recover_reach){.v = t->v, .n = FILES, .end = SEG + FILES * SEG};
	for (size_t i = 0; i < FILES; i++) {
		struct log_piece p = {.timeline = 1,
		    .start = (i + 1) * SEG,
		    .end = (i + 2) * SEG,
		    .bytes = span_of(t->w.out.p + i * SEG, SEG)};

		log_stream(t->r, "orders", "postgresql", p.stream);
		OK(log_put(t->r, &p, &out, &e));
		t->v[i] = (struct recover_file){1, p.start, p.end};
	}
}

static void end(struct t *t)
{
	char *rm = mem_printf("rm -rf %s", t->data);

	repo_close(t->r);
	buf_fini(&t->w.out);
	assert_int_equal(system(rm), 0);
	free(rm);
}

static bool is_there(struct t *t, const char *dir, size_t i)
{
	char name[RECOVER_FILE_NAME], *path;
	bool is;

	recover_file_name(name, 1, t->v[i].start, SEG);
	path = mem_printf("%s/%s/%s", t->data, dir, name);
	is = access(path, F_OK) == 0;
	free(path);
	return is;
}

/* As the server's restore_command does. */
static void *serve(void *arg)
{
	struct t *t = arg;
	char name[RECOVER_FILE_NAME], *want = mem_printf("%s/holdfast-wal/want", t->data);
	struct err e;

	for (size_t i = 0; i < FILES; i++) {
		recover_file_name(name, 1, t->v[i].start, SEG);
		OK(os_file_replace(want, span_str(name), 0600, &e));
		while (!is_there(t, "holdfast-wal", i))
			usleep(1000);
	}
	free(want);
	return NULL;
}

static void all_comes_while_it_is_watched(void **state)
{
	uint8_t stream[LOG_STREAM];
	struct buf got = {0};
	struct t t;
	struct err e;
	pthread_t server;

	(void)state;
	begin(&t);
	log_stream(t.r, "orders", "postgresql", stream);
	t.p.stream = stream;
	OK(recover_feed_start(&t.p, &t.ctx, &t.feed, &e));
	assert_int_equal(pthread_create(&server, NULL, serve, &t), 0);
	while (recover_feed_asked(t.feed) < FILES) {
		OK(recover_feed_check(t.feed, &e));
		usleep(500);
	}
	pthread_join(server, NULL);
	OK(recover_feed_wait(t.feed, &e));
	assert_true(t.records > FILES * (SEG / (BODY + 60)) && t.seen == t.w.prev);
	for (size_t i = 0; i < FILES; i++) {
		char name[RECOVER_FILE_NAME], *path;

		path = mem_printf(
		    "%s/pg_wal/%s", t.data, recover_file_name(name, 1, t.v[i].start, SEG));
		buf_reset(&got);
		OK(os_read_file(path, SEG, &got, &e));
		assert_int_equal(got.n, SEG);
		assert_memory_equal(got.p, t.w.out.p + i * SEG, SEG);
		free(path);
	}
	recover_feed_free(t.feed, true);
	buf_fini(&got);
	end(&t);
}

static void what_is_refused_is_not_given(void **state)
{
	uint8_t stream[LOG_STREAM];
	struct t t;
	struct err e;

	(void)state;
	begin(&t);
	log_stream(t.r, "orders", "postgresql", stream);
	t.p.stream = stream;
	t.refuse = t.v[4].start + SEG / 2;
	OK(recover_feed_start(&t.p, &t.ctx, &t.feed, &e));
	assert_int_equal(recover_feed_wait(t.feed, &e), -1);
	assert_int_equal(e.kind, ERR_EXISTS);
	recover_feed_free(t.feed, false);
	for (size_t i = 0; i < FILES; i++)
		assert_int_equal(is_there(&t, "pg_wal", i), i < 4);
	end(&t);
}

/* It is given, for the server to judge; but where it ends is known. */
static void a_log_that_is_none_in_its_middle_is_told(void **state)
{
	enum { BAD = 4 * SEG + SEG / 2 };
	uint8_t stream[LOG_STREAM];
	struct t t;
	struct err e;

	(void)state;
	for (int bad = 0; bad < 2; bad++) {
		spoil = bad ? BAD : 0;
		begin(&t);
		log_stream(t.r, "orders", "postgresql", stream);
		t.p.stream = stream;
		t.p.ahead = false;
		OK(recover_feed_start(&t.p, &t.ctx, &t.feed, &e));
		OK(recover_feed_wait(t.feed, &e));
		if (bad)
			assert_in_range(
			    recover_feed_broken(t.feed), SEG + BAD - BODY - 200, SEG + BAD);
		else
			assert_true(recover_feed_broken(t.feed) == 0 ||
				    recover_feed_broken(t.feed) > t.w.prev);
		assert_true(is_there(&t, "pg_wal", FILES - 1));
		recover_feed_free(t.feed, false);
		end(&t);
	}
	spoil = 0;
}

/* Its owner may put anything in their places while it runs, and it is not written through. */
static void folders_that_were_swapped_are_not_written_through(void **state)
{
	char *dir, *away, *pipe, *other, *alive;
	uint8_t stream[LOG_STREAM];
	struct t t;
	struct err e;

	(void)state;
	begin(&t);
	log_stream(t.r, "orders", "postgresql", stream);
	t.p.stream = stream;
	t.reach.n = 0; /* nothing but that we are there */
	dir = mem_printf("%s/holdfast-wal", t.data);
	away = mem_printf("%s/away", t.data);
	pipe = mem_printf("%s/want", away);
	other = mem_printf("%s/other", t.data);
	alive = mem_printf("%s/alive", other);
	OK(recover_feed_start(&t.p, &t.ctx, &t.feed, &e));
	assert_int_equal(mkdir(other, 0700), 0);
	assert_int_equal(rename(dir, away), 0);
	assert_int_equal(symlink(other, dir), 0);
	/* Nor is a pipe waited for. */
	assert_int_equal(mkfifo(pipe, 0600), 0);
	usleep(20000);
	OK(recover_feed_check(t.feed, &e)); /* its first look says that we live */
	assert_int_equal(access(alive, F_OK), -1);
	recover_feed_free(t.feed, true);
	assert_int_equal(access(pipe, F_OK), -1);
	assert_int_equal(access(other, F_OK), 0);
	free(dir);
	free(away);
	free(pipe);
	free(other);
	free(alive);
	end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_comes_while_it_is_watched),
	    cmocka_unit_test(what_is_refused_is_not_given),
	    cmocka_unit_test(a_log_that_is_none_in_its_middle_is_told),
	    cmocka_unit_test(folders_that_were_swapped_are_not_written_through),
	};

	return cmocka_run_group_tests_name("recover_feed", tests, NULL, NULL);
}
