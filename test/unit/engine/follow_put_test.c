/* follow_put: two lanes put all that comes, whatever fails on the way, and nothing twice at once.
 */
#include "unit/unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/follow_put.h"
#include "os/os.h"

enum { SEG = 1 << 20, SEGMENTS = 12, TOTAL = SEGMENTS * SEG, PIECE = 100000 };

static struct err e;
static char dir[64];
static struct ctx ctx;

#define OK(x)                                                                                      \
	do {                                                                                       \
		if ((x) != 0)                                                                      \
			fail_msg("%s: %s", #x, e.msg);                                             \
	} while (0)

struct there {
	pthread_mutex_t lock;
	uint8_t *durable; /* a byte for each of the log */
	uint64_t rand;
	unsigned small_now, smalls, wholes;
	bool never; /* all puts fail */
};

static uint8_t byte_at(uint64_t i)
{
	return (uint8_t)(i * 7 + (i >> 12));
}

static int sink(
    void *arg, unsigned lane, const struct follow_job *j, struct span bytes, struct err *out)
{
	struct there *t = arg;
	bool fails;

	assert_int_equal(bytes.n, j->end - j->start);
	for (size_t i = 0; i < bytes.n; i += 997)
		if (bytes.p[i] != byte_at(j->start + i))
			return err_set(out, ERR_BUG, "byte %zu is another", i);
	pthread_mutex_lock(&t->lock);
	fails = t->never || unit_rand(&t->rand) % 16 == 0;
	if (j->what == FOLLOW_SMALL) {
		assert_int_equal(lane, 0);
		assert_int_equal(++t->small_now, 1);
	}
	pthread_mutex_unlock(&t->lock);
	os_sleep_ns(&ctx, 200000);
	pthread_mutex_lock(&t->lock);
	if (j->what == FOLLOW_SMALL)
		t->small_now--;
	if (!fails) {
		memset(t->durable + j->start, 1, bytes.n);
		*(j->what == FOLLOW_SMALL ? &t->smalls : &t->wholes) += 1;
	}
	pthread_mutex_unlock(&t->lock);
	return fails ? err_set(out, ERR_UNREACHABLE, "not now") : 0;
}

/* What is called safe is durable. */
static uint64_t look(struct follow_shared *s, struct there *t)
{
	uint32_t timeline;
	uint64_t safe;

	pthread_mutex_lock(&s->lock);
	safe = follow_queue_safe(&s->queue, &timeline);
	pthread_mutex_unlock(&s->lock);
	pthread_mutex_lock(&t->lock);
	if (safe > 0 && memchr(t->durable, 0, safe) != NULL)
		fail_msg("%llu is not durable", (unsigned long long)safe);
	pthread_mutex_unlock(&t->lock);
	return safe;
}

static void receive(struct follow_shared *s, struct follow_spool *spool, struct there *t)
{
	uint8_t piece[PIECE];

	for (uint64_t at = 0; at < TOTAL;) {
		uint64_t room = SEG - at % SEG;
		size_t n = 1 + unit_rand(&(uint64_t){at + 1}) % PIECE;

		n = n < room ? n : (size_t)room;
		for (size_t i = 0; i < n; i++)
			piece[i] = byte_at(at + i);
		OK(follow_spool_append(spool, 1, at, span_of(piece, n), &e));
		pthread_mutex_lock(&s->lock);
		follow_queue_got(&s->queue, 1, at, at + n);
		pthread_mutex_unlock(&s->lock);
		follow_shared_poke(s);
		at += n;
		look(s, t);
	}
}

static void all_comes_to_be_stored(bool synchronous)
{
	struct there t = {
	    .lock = PTHREAD_MUTEX_INITIALIZER, .durable = mem_zalloc(TOTAL), .rand = 4711};
	struct follow_spooled *v;
	struct follow_spool *spool;
	struct follow_shared s;
	struct follow_put *p;
	char *cmd;
	size_t n;

	strcpy(dir, "/tmp/hf-put-XXXXXX");
	assert_non_null(mkdtemp(dir));
	OK(follow_spool_open(dir, "boot", &spool, &e));
	OK(follow_spool_of(spool, "1", SEG, &e));
	OK(follow_spool_list(spool, &v, &n, &e));
	OK(follow_shared_init(&s, &e));
	follow_queue_init(&s.queue, SEG, synchronous, 1000000);
	follow_queue_begin(&s.queue, 1, 0, 0);
	OK(follow_put_start(&s, spool, sink, &t, &p, &e));
	receive(&s, spool, &t);
	for (bool idle = false; !idle;) {
		os_sleep_ns(&ctx, 1000000);
		look(&s, &t);
		pthread_mutex_lock(&s.lock);
		idle = follow_queue_idle(&s.queue);
		pthread_mutex_unlock(&s.lock);
	}
	follow_put_stop(p);
	assert_int_equal(look(&s, &t), TOTAL);
	assert_int_equal(t.wholes, SEGMENTS);
	assert_true(s.puts == t.wholes + t.smalls);
	OK(follow_spool_empty(spool, &e));
	follow_spool_close(spool);
	follow_shared_fini(&s);
	free(t.durable);
	cmd = mem_printf("rm -rf %s", dir);
	assert_int_equal(system(cmd), 0);
	free(cmd);
}

static void synchronous_puts_store_all_whatever_fails(void **state)
{
	all_comes_to_be_stored(true);
}

static void asynchronous_puts_store_all_whatever_fails(void **state)
{
	all_comes_to_be_stored(false);
}

/* Other bytes are stored there: that does not pass by trying. */
static int other(
    void *arg, unsigned lane, const struct follow_job *j, struct span bytes, struct err *out)
{
	atomic_fetch_add((atomic_uint *)arg, 1);
	return err_set(out, ERR_EXISTS, "other log is stored at 1/0");
}

static void what_meets_other_bytes_is_the_last_that_is_put(void **state)
{
	atomic_uint puts = 0;
	struct follow_shared s;
	struct follow_spool *spool;
	struct follow_spooled *v;
	struct follow_put *p;
	uint8_t *bytes = mem_zalloc(SEG);
	bool known = false;
	uint32_t timeline;
	char *cmd;
	size_t n;

	strcpy(dir, "/tmp/hf-put-XXXXXX");
	assert_non_null(mkdtemp(dir));
	OK(follow_spool_open(dir, "boot", &spool, &e));
	OK(follow_spool_of(spool, "1", SEG, &e));
	OK(follow_spool_list(spool, &v, &n, &e));
	OK(follow_shared_init(&s, &e));
	follow_queue_init(&s.queue, SEG, true, 1000000);
	follow_queue_begin(&s.queue, 1, 0, 0);
	OK(follow_spool_append(spool, 1, 0, span_of(bytes, SEG), &e));
	follow_queue_got(&s.queue, 1, 0, SEG);
	OK(follow_put_start(&s, spool, other, &puts, &p, &e));
	while (!known) {
		os_sleep_ns(&ctx, 1000000);
		pthread_mutex_lock(&s.lock);
		known = s.other && s.why.kind == ERR_EXISTS;
		pthread_mutex_unlock(&s.lock);
	}
	os_sleep_ns(&ctx, 400000000); /* longer than the pause after a failure */
	follow_put_stop(p);
	assert_int_equal(atomic_load(&puts), 1);
	assert_int_equal(follow_queue_safe(&s.queue, &timeline), 0);
	follow_spool_close(spool);
	follow_shared_fini(&s);
	free(bytes);
	cmd = mem_printf("rm -rf %s", dir);
	assert_int_equal(system(cmd), 0);
	free(cmd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(synchronous_puts_store_all_whatever_fails),
	    cmocka_unit_test(asynchronous_puts_store_all_whatever_fails),
	    cmocka_unit_test(what_meets_other_bytes_is_the_last_that_is_put),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
