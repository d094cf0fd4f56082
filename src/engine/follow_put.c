/* follow_put: see follow_put.h. */
#include "engine/follow_put.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>

#include "base/mem.h"
#include "os/os.h"

enum { PAUSE_MS = 250, PAUSE_MAX_MS = 10000 };

struct lane {
	struct follow_put *p;
	unsigned number;
	pthread_t thread;
	bool started;
};

struct follow_put {
	struct follow_shared *s;
	const struct follow_spool *spool;
	follow_sink *sink;
	void *arg;
	struct lane lanes[FOLLOW_LANES];
};

static int64_t now_ns(void)
{
	return os_clock()->mono_ns(os_clock());
}

int follow_shared_init(struct follow_shared *s, struct err *e)
{
	pthread_condattr_t a;

	*s = (struct follow_shared){.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
	if (s->wake == -1)
		return err_sys(e, "eventfd");
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&a);
	pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
	pthread_cond_init(&s->more, &a);
	pthread_condattr_destroy(&a);
	return 0;
}

void follow_shared_fini(struct follow_shared *s)
{
	follow_queue_fini(&s->queue);
	pthread_cond_destroy(&s->more);
	pthread_mutex_destroy(&s->lock);
	os_close(s->wake);
}

void follow_shared_poke(struct follow_shared *s)
{
	pthread_cond_broadcast(&s->more);
}

static void wake(struct follow_shared *s)
{
	uint64_t one = 1;

	/* Full is as good as written. */
	if (write(s->wake, &one, sizeof one) == -1 && errno != EAGAIN)
		abort();
}

/* With the lock: until somebody pokes, or so long. */
static void wait_for(struct follow_shared *s, int64_t ns)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	ns += t.tv_nsec;
	t.tv_sec += ns / 1000000000;
	t.tv_nsec = ns % 1000000000;
	pthread_cond_timedwait(&s->more, &s->lock, &t);
}

/* With the lock, whatever pokes. */
static void pause_for(struct follow_shared *s, int64_t ns)
{
	int64_t end = now_ns() + ns;

	while (!s->stop && now_ns() < end)
		wait_for(s, end - now_ns());
}

static int put(struct lane *l, const struct follow_job *j, struct err *e)
{
	struct follow_put *p = l->p;
	bool history = j->what == FOLLOW_HISTORY;
	struct follow_mapped m;
	int rc;

	if (follow_spool_map(
		p->spool, j->timeline, j->segment, j->start, history ? 0 : j->end, &m, e) == -1)
		return -1;
	rc = p->sink(p->arg, l->number, j, m.bytes, e);
	follow_spool_unmap(&m);
	return rc;
}

/* With the lock. */
static void count(struct follow_shared *s, const struct follow_job *j, bool ok, int64_t took_ns,
    const struct err *e)
{
	if (!ok) {
		s->failures++;
		s->other = s->other || e->kind == ERR_EXISTS;
		s->why = *e;
		if (s->failing_ns == 0)
			s->failing_ns = now_ns();
		return;
	}
	s->puts++;
	s->failing_ns = 0;
	if (j->what == FOLLOW_SMALL) {
		s->small_n++;
		s->small_ns += (uint64_t)took_ns;
	} else if (j->what == FOLLOW_WHOLE) {
		s->whole_n++;
		s->whole_ns += (uint64_t)took_ns;
	}
}

/* With the lock, which is given up meanwhile. */
static bool put_one(struct lane *l, const struct follow_job *j)
{
	struct follow_shared *s = l->p->s;
	int64_t began = now_ns();
	struct err e = {0};
	bool ok;

	pthread_mutex_unlock(&s->lock);
	ok = put(l, j, &e) == 0;
	pthread_mutex_lock(&s->lock);
	follow_queue_done(&s->queue, j, ok);
	count(s, j, ok, now_ns() - began, &e);
	wake(s);
	pthread_cond_broadcast(&s->more);
	return ok;
}

static int64_t rest_ns(const struct follow_shared *s)
{
	int64_t next = follow_queue_next_ns(&s->queue), left = next - now_ns();
	const int64_t second = 1000000000;

	if (next == 0 || left > second)
		return second;
	return left > 0 ? left : 1000000;
}

static void *run_lane(void *arg)
{
	struct lane *l = arg;
	struct follow_shared *s = l->p->s;
	int64_t pause = PAUSE_MS;

	pthread_mutex_lock(&s->lock);
	while (!s->stop) {
		struct follow_asks a = {.small = l->number == 0,
		    .whole = l->number > 0 || !s->queue.synchronous,
		    .flush = s->flush};
		struct follow_job j;

		if (s->other || !follow_queue_claim(&s->queue, &a, now_ns(), &j))
			wait_for(s, rest_ns(s));
		else if (put_one(l, &j))
			pause = PAUSE_MS;
		else {
			pause_for(s, pause * 1000000);
			pause = 2 * pause > PAUSE_MAX_MS ? PAUSE_MAX_MS : 2 * pause;
		}
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

int follow_put_start(struct follow_shared *s, const struct follow_spool *spool, follow_sink *sink,
    void *arg, struct follow_put **out, struct err *e)
{
	struct follow_put *p = mem_zalloc(sizeof *p);

	*p = (struct follow_put){.s = s, .spool = spool, .sink = sink, .arg = arg};
	s->stop = false;
	for (unsigned i = 0; i < FOLLOW_LANES; i++) {
		struct lane *l = &p->lanes[i];

		l->p = p;
		l->number = i;
		errno = pthread_create(&l->thread, NULL, run_lane, l);
		if (errno != 0) {
			err_sys(e, "start a thread");
			follow_put_stop(p);
			return -1;
		}
		l->started = true;
	}
	*out = p;
	return 0;
}

void follow_put_stop(struct follow_put *p)
{
	if (p == NULL)
		return;
	pthread_mutex_lock(&p->s->lock);
	p->s->stop = true;
	pthread_cond_broadcast(&p->s->more);
	pthread_mutex_unlock(&p->s->lock);
	for (unsigned i = 0; i < FOLLOW_LANES; i++)
		if (p->lanes[i].started)
			pthread_join(p->lanes[i].thread, NULL);
	free(p);
}
