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

void opening_patience(struct timespec *until)
{
	clock_gettime(CLOCK_MONOTONIC, until);
	until->tv_sec += OPEN_PATIENCE_S;
}

/* It is not wanted any more: another password may be right. */
static void forget_first(struct cli *c)
{
	cred_fini(c->cred);
	free(c->cred);
	c->cred = NULL;
	other_free(c->first);
	c->first = NULL;
}

int opening_first(struct cli *c, bool *again, struct err *e)
{
	struct cred cred = {0};
	struct timespec until;
	int rc;

	*again = false;
	if (cred_get(c, false, &cred, e) == -1)
		return -1;
	c->cred = mem_dup(&cred, sizeof cred);
	c->first = other_new(c);
	c->first->first = true;
	c->opening = opening_start(c, c->opt.repo, NULL, c->first);
	opening_patience(&until);
	/* What comes by a pipe is there once; and who types waits for the verdict. */
	if (!c->opt.stdin_data && !cred.asked && !opening_wait(c->opening, &until))
		return err_set(e, ERR_TIMEOUT, "%s: it is not open yet", c->opt.repo);
	rc = opening_end(c->opening, e);
	c->opening = NULL;
	c->repo = c->first->repo;
	c->first->repo = NULL;
	*again = rc == -1 && cred.asked && e->kind == ERR_WRONG_KEY;
	if (*again)
		forget_first(c);
	return rc;
}
