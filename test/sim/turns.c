/* turns: see turns.h. */
#include "turns.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/unit.h"
#include "base/ctx.h"
#include "base/mem.h"
#include "os/os.h"

enum state { READY, PARKED, BLOCKED, ENDED };

struct thread {
	struct thread *next;
	pthread_t real;
	pthread_cond_t turn;
	enum state state;
	unsigned group;
	int64_t wake_ns; /* if PARKED */
	uint64_t order;  /* of parking: who came first goes first */
	const void *on;  /* if BLOCKED: the lock, condition or thread */
	void *(*f)(void *);
	void *arg, *result;
};

/* What the linker renames. */
int __real_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*f)(void *), void *arg);
int __real_pthread_join(pthread_t t, void **result);
int __real_pthread_mutex_lock(pthread_mutex_t *m);
int __real_pthread_mutex_unlock(pthread_mutex_t *m);
int __real_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m);
int __real_pthread_cond_timedwait(
    pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *until);
int __real_pthread_cond_signal(pthread_cond_t *c);
int __real_pthread_cond_broadcast(pthread_cond_t *c);
int __real_pthread_rwlock_rdlock(pthread_rwlock_t *l);
int __real_pthread_rwlock_wrlock(pthread_rwlock_t *l);
int __real_pthread_rwlock_unlock(pthread_rwlock_t *l);
void __real_os_sleep_ns(struct ctx *ctx, int64_t ns);
struct clock *__real_os_clock(void);
void __real_crypto_random(void *out, size_t n);

int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*f)(void *), void *arg);
int __wrap_pthread_join(pthread_t t, void **result);
int __wrap_pthread_mutex_lock(pthread_mutex_t *m);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *m);
int __wrap_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m);
int __wrap_pthread_cond_timedwait(
    pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *until);
int __wrap_pthread_cond_signal(pthread_cond_t *c);
int __wrap_pthread_cond_broadcast(pthread_cond_t *c);
int __wrap_pthread_rwlock_rdlock(pthread_rwlock_t *l);
int __wrap_pthread_rwlock_wrlock(pthread_rwlock_t *l);
int __wrap_pthread_rwlock_unlock(pthread_rwlock_t *l);
void __wrap_os_sleep_ns(struct ctx *ctx, int64_t ns);
struct clock *__wrap_os_clock(void);
void __wrap_crypto_random(void *out, size_t n);

static pthread_mutex_t big = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static pthread_cond_t all_ended = PTHREAD_COND_INITIALIZER;
static struct thread *threads, *current;
static unsigned groups;
static uint64_t orders, chosen; /* chosen: the state of the generator */
static int64_t now;
static void (*on_time)(void *);
static void *on_time_arg;

static _Thread_local struct thread *self;

void turns_begin(uint64_t seed, int64_t now_ns)
{
	chosen = seed;
	now = now_ns;
	groups = 0;
	orders = 0;
	on_time = NULL;
}

void turns_on_time(void (*f)(void *), void *arg)
{
	on_time = f;
	on_time_arg = arg;
}

bool turns_inside(void)
{
	return self != NULL;
}

int64_t turns_now(void)
{
	return now;
}

uint64_t turns_rand(void)
{
	return unit_rand(&chosen);
}

uint64_t turns_below(uint64_t n)
{
	return turns_rand() % n;
}

bool turns_chance(unsigned per_mille)
{
	return turns_below(1000) < per_mille;
}

/* One of the ready threads of a group (0: of any), or NULL. */
static struct thread *some_ready(unsigned group)
{
	struct thread *pick = NULL;
	uint64_t n = 0;

	for (struct thread *t = threads; t; t = t->next)
		if (t->state == READY && (group == 0 || t->group == group) && turns_below(++n) == 0)
			pick = t;
	return pick;
}

static struct thread *first_to_wake(void)
{
	struct thread *pick = NULL;

	for (struct thread *t = threads; t; t = t->next)
		if (t->state == PARKED &&
		    (pick == NULL || t->wake_ns < pick->wake_ns ||
			(t->wake_ns == pick->wake_ns && t->order < pick->order)))
			pick = t;
	return pick;
}

/* Nobody can go on: the engine waits for itself. */
static void deadlock(void)
{
	fprintf(stderr, "simulation: every thread waits for another\n");
	for (struct thread *t = threads; t; t = t->next)
		fprintf(stderr, "  group %u: %s %p\n", t->group,
		    t->state == BLOCKED ? "waits for" : "ended", (void *)t->on);
	abort();
}

/* Under the big lock: whose turn is it now?  The group that ran goes on if it can. */
static void hand_over(void)
{
	struct thread *t = current ? some_ready(current->group) : NULL;
	bool any = false;

	if (t == NULL)
		t = some_ready(0);
	if (t == NULL && (t = first_to_wake()) != NULL && t->wake_ns > now) {
		now = t->wake_ns;
		if (on_time)
			on_time(on_time_arg);
	}
	for (struct thread *x = threads; x && t == NULL; x = x->next)
		any = any || x->state != ENDED;
	if (any)
		deadlock();
	current = t;
	if (t) {
		t->state = READY;
		pthread_cond_signal(&t->turn);
	} else {
		pthread_cond_signal(&all_ended);
	}
}

static void wait_turn(void)
{
	while (current != self)
		__real_pthread_cond_wait(&self->turn, &big);
}

static void leave(enum state state, const void *on)
{
	__real_pthread_mutex_lock(&big);
	self->state = state;
	self->on = on;
	hand_over();
	wait_turn();
	__real_pthread_mutex_unlock(&big);
}

void turns_park(int64_t ns)
{
	self->wake_ns = now + ns;
	self->order = ++orders;
	leave(PARKED, NULL);
}

/* Only the thread whose turn it is runs: it may look at the others. */
static void wake(const void *on)
{
	for (struct thread *t = threads; t; t = t->next)
		if (t->state == BLOCKED && t->on == on)
			t->state = READY;
}

static void *thread_main(void *arg)
{
	struct thread *t = arg;

	self = t;
	__real_pthread_mutex_lock(&big);
	wait_turn();
	__real_pthread_mutex_unlock(&big);
	t->result = t->f(t->arg);
	__real_pthread_mutex_lock(&big);
	t->state = ENDED;
	wake(t);
	hand_over();
	__real_pthread_mutex_unlock(&big);
	return NULL;
}

/* Under the big lock, or by the thread whose turn it is. */
static struct thread *thread_new(
    unsigned group, const pthread_attr_t *attr, void *(*f)(void *), void *arg)
{
	struct thread *t = mem_zalloc(sizeof *t);

	t->group = group;
	t->f = f;
	t->arg = arg;
	pthread_cond_init(&t->turn, NULL);
	if (__real_pthread_create(&t->real, attr, thread_main, t) != 0) {
		perror("simulation: pthread_create");
		abort();
	}
	t->next = threads;
	threads = t;
	return t;
}

struct root {
	void (*f)(void *);
	void *arg;
};

static void *root_main(void *arg)
{
	struct root r = *(struct root *)arg;

	free(arg);
	r.f(r.arg);
	return NULL;
}

void turns_spawn(void (*f)(void *), void *arg)
{
	struct root *r = mem_alloc(sizeof *r);

	*r = (struct root){f, arg};
	thread_new(++groups, NULL, root_main, r);
}

/* Roots are joined here, others by who made them. */
void turns_run(void)
{
	struct thread *t;

	__real_pthread_mutex_lock(&big);
	current = NULL;
	hand_over();
	while (current)
		__real_pthread_cond_wait(&all_ended, &big);
	__real_pthread_mutex_unlock(&big);
	while ((t = threads)) {
		threads = t->next;
		if (t->f == root_main)
			__real_pthread_join(t->real, NULL);
		pthread_cond_destroy(&t->turn);
		free(t);
	}
}

/* ---- What the engine asks for. */

int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*f)(void *), void *arg)
{
	if (self == NULL)
		return __real_pthread_create(t, attr, f, arg);
	*t = thread_new(self->group, attr, f, arg)->real;
	return 0;
}

int __wrap_pthread_join(pthread_t real, void **result)
{
	struct thread *t = self ? threads : NULL;

	while (t && !pthread_equal(t->real, real))
		t = t->next;
	while (t && t->state != ENDED)
		leave(BLOCKED, t);
	if (t && result)
		*result = t->result;
	if (t)
		memset(&t->real, 0, sizeof t->real); /* another may get its number */
	return __real_pthread_join(real, t ? NULL : result);
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *m)
{
	if (self == NULL)
		return __real_pthread_mutex_lock(m);
	while (pthread_mutex_trylock(m) != 0)
		leave(BLOCKED, m);
	return 0;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *m)
{
	if (self)
		wake(m);
	return __real_pthread_mutex_unlock(m);
}

int __wrap_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m)
{
	if (self == NULL)
		return __real_pthread_cond_wait(c, m);
	__wrap_pthread_mutex_unlock(m);
	leave(BLOCKED, c);
	return __wrap_pthread_mutex_lock(m);
}

/* Its time is the machine's, not ours: a moment passes, and it is over. */
int __wrap_pthread_cond_timedwait(
    pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *until)
{
	if (self == NULL)
		return __real_pthread_cond_timedwait(c, m, until);
	__wrap_pthread_mutex_unlock(m);
	turns_park(1000000);
	__wrap_pthread_mutex_lock(m);
	return ETIMEDOUT;
}

/* Waking more than one is allowed of a signal. */
int __wrap_pthread_cond_signal(pthread_cond_t *c)
{
	if (self)
		wake(c);
	return __real_pthread_cond_signal(c);
}

int __wrap_pthread_cond_broadcast(pthread_cond_t *c)
{
	if (self)
		wake(c);
	return __real_pthread_cond_broadcast(c);
}

int __wrap_pthread_rwlock_rdlock(pthread_rwlock_t *l)
{
	if (self == NULL)
		return __real_pthread_rwlock_rdlock(l);
	while (pthread_rwlock_tryrdlock(l) != 0)
		leave(BLOCKED, l);
	return 0;
}

int __wrap_pthread_rwlock_wrlock(pthread_rwlock_t *l)
{
	if (self == NULL)
		return __real_pthread_rwlock_wrlock(l);
	while (pthread_rwlock_trywrlock(l) != 0)
		leave(BLOCKED, l);
	return 0;
}

int __wrap_pthread_rwlock_unlock(pthread_rwlock_t *l)
{
	if (self)
		wake(l);
	return __real_pthread_rwlock_unlock(l);
}

void __wrap_os_sleep_ns(struct ctx *ctx, int64_t ns)
{
	if (self)
		turns_park(ns);
	else
		__real_os_sleep_ns(ctx, ns);
}

static int64_t clock_now(struct clock *c)
{
	return now;
}

/* Who asks for the machine's clock is the store: actors have their own. */
struct clock *__wrap_os_clock(void)
{
	static struct clock virtual = {clock_now, clock_now};

	return self ? &virtual : __real_os_clock();
}

void __wrap_crypto_random(void *out, size_t n)
{
	if (self)
		unit_rand_fill(&chosen, out, n);
	else
		__real_crypto_random(out, n);
}
