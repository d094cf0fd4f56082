/* cli_opening: see cli_out.h. */
#include "cli/cli_out.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"

struct opening {
	struct cli *c;
	const char *url, *key_file;
	struct other *other;
	pthread_t thread;
	bool alone; /* it has a thread */
	pthread_mutex_t lock;
	pthread_cond_t change;
	bool over; /* what follows is final */
	int rc;
	struct err err;
};

static void *open_main(void *arg)
{
	struct opening *x = arg;

	x->rc = other_open(x->c, x->url, x->key_file, x->other, &x->err);
	pthread_mutex_lock(&x->lock);
	x->over = true;
	pthread_cond_signal(&x->change);
	pthread_mutex_unlock(&x->lock);
	return NULL;
}

struct opening *opening_start(
    struct cli *c, const char *url, const char *key_file, struct other *other)
{
	struct opening *x = mem_zalloc(sizeof *x);
	pthread_condattr_t attr;

	x->c = c;
	x->url = url;
	x->key_file = key_file;
	x->other = other;
	pthread_mutex_init(&x->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&x->change, &attr);
	pthread_condattr_destroy(&attr);
	x->alone = pthread_create(&x->thread, NULL, open_main, x) == 0;
	if (!x->alone)
		open_main(x);
	return x;
}

bool opening_wait(struct opening *x, const struct timespec *until)
{
	bool over;

	pthread_mutex_lock(&x->lock);
	while (!x->over && pthread_cond_timedwait(&x->change, &x->lock, until) == 0)
		;
	over = x->over;
	pthread_mutex_unlock(&x->lock);
	return over;
}

int opening_end(struct opening *x, struct err *e)
{
	int rc;

	if (x->alone)
		pthread_join(x->thread, NULL);
	rc = x->rc;
	if (rc == -1)
		*e = x->err;
	pthread_mutex_destroy(&x->lock);
	pthread_cond_destroy(&x->change);
	free(x);
	return rc;
}
