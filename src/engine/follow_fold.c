/* follow_fold: see follow_fold.h. */
#include "engine/follow_fold.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "engine/follow_internal.h"
#include "repo/log.h"

enum { EVERY_S = 120, SELDOM_S = 1200, SOME = 64, PAUSE_MS = 20, LONGEST = 6 };

struct follow_fold {
	struct follow *f;
	struct follow_fold_when when;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t more;
	bool stop;
	bool told;  /* that some may not be read */
	int denied; /* so many rounds in a row read nothing: each rests for twice as long */
};

/* False: it is to stop. */
static bool rest(struct follow_fold *x, int64_t ns)
{
	int64_t end = follow_now() + ns;
	bool goes_on;

	pthread_mutex_lock(&x->lock);
	while (!x->stop && follow_now() < end) {
		int64_t left = end - follow_now();
		struct timespec t;

		clock_gettime(CLOCK_MONOTONIC, &t);
		left += t.tv_nsec;
		t.tv_sec += left / FOLLOW_SECOND;
		t.tv_nsec = left % FOLLOW_SECOND;
		pthread_cond_timedwait(&x->more, &x->lock, &t);
	}
	goes_on = !x->stop;
	pthread_mutex_unlock(&x->lock);
	return goes_on;
}

/*
 * A few, and the repository is let go again: whoever puts may have to open it anew.  *useless: this
 * key may not delete, or nobody may.
 */
static int some(
    struct follow_fold *x, struct log_fold **fold, bool *left, bool *useless, struct err *e)
{
	struct follow_repo *store = follow_store_take(x->f, e);
	int rc;

	*left = *useless = false;
	if (store == NULL)
		return -1;
	rc = follow_repo_fold(store, x->when.age_ns, SOME, fold, left, e);
	*useless = rc == -1 && (e->kind == ERR_WRONG_KEY || (*fold && log_fold_refused(*fold)));
	follow_store_give(x->f, NULL); /* who puts finds out if it is away */
	return rc;
}

static void tell(struct follow_fold *x, const struct err *why)
{
	follow_tell(x->f, "log.warning", EVENT_WARN,
	    "small stretches of the log that whole segments cover are left for prune: %s",
	    why->msg);
}

/* What may not be read today may be tomorrow. */
static void look_at_denied(struct follow_fold *x, const struct log_fold *fold)
{
	bool all;
	const struct err *why = log_fold_denied(fold, &all);

	if (why != NULL && !x->told)
		tell(x, why);
	x->told |= why != NULL;
	if (!all)
		x->denied = 0;
	else if (x->denied < LONGEST)
		x->denied++;
}

/* False: it is of no use here. */
static bool once(struct follow_fold *x)
{
	struct log_fold *fold = NULL;
	struct err e = {0};
	bool left = true, useless = false;
	int rc = 0;

	while (rc == 0 && left) {
		int64_t began = follow_now(), took;

		rc = some(x, &fold, &left, &useless, &e);
		took = follow_now() - began;
		if (!rest(x, took > PAUSE_MS * 1000000 ? took : PAUSE_MS * 1000000))
			break;
	}
	if (fold != NULL)
		look_at_denied(x, fold);
	log_fold_end(fold);
	if (useless && e.kind == ERR_DENIED)
		tell(x, &e);
	return !useless; /* what may pass, those who put tell */
}

static void *run(void *arg)
{
	struct follow_fold *x = arg;

	while (rest(x, x->when.every_ns << x->denied) && once(x))
		;
	return NULL;
}

int follow_fold_start(
    struct follow *f, const struct follow_fold_when *when, struct follow_fold **out, struct err *e)
{
	struct follow_fold *x;
	pthread_condattr_t a;

	*out = NULL;
	if (f->p->once)
		return 0;
	x = mem_zalloc(sizeof *x);
	x->f = f;
	x->when = *when;
	if (x->when.every_ns == 0)
		x->when = (struct follow_fold_when){
		    (f->p->synchronous ? EVERY_S : SELDOM_S) * FOLLOW_SECOND,
		    LOG_FOLD_AGE_S * FOLLOW_SECOND};
	pthread_mutex_init(&x->lock, NULL);
	pthread_condattr_init(&a);
	pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
	pthread_cond_init(&x->more, &a);
	pthread_condattr_destroy(&a);
	errno = pthread_create(&x->thread, NULL, run, x);
	if (errno != 0) {
		err_sys(e, "start a thread");
		free(x);
		return -1;
	}
	*out = x;
	return 0;
}

void follow_fold_stop(struct follow_fold *x)
{
	if (x == NULL)
		return;
	pthread_mutex_lock(&x->lock);
	x->stop = true;
	pthread_cond_broadcast(&x->more);
	pthread_mutex_unlock(&x->lock);
	pthread_join(x->thread, NULL);
	pthread_cond_destroy(&x->more);
	pthread_mutex_destroy(&x->lock);
	free(x);
}
