/* follow_mirror: see follow_mirror.h. */
#include "engine/follow_mirror.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "engine/follow_repo.h"
#include "os/os.h"

enum { PAUSE_S = 1, PAUSE_MAX_S = 60 };
#define SECOND INT64_C(1000000000)

struct other {
	struct repo *repo;
	struct follow_repo *store;
	int64_t next_ns, pause_s;
	bool told, gave_up;
};

struct item {
	struct follow_job job;
	bool there[FOLLOW_OTHERS], busy;
	bool given_up;
};

struct follow_mirror {
	const struct follow_params *p;
	const struct follow_spool *spool;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct other others[FOLLOW_OTHERS];
	struct item *v;
	size_t n, cap;
	atomic_bool stop;
};

static int64_t now_ns(void)
{
	return os_clock()->mono_ns(os_clock());
}

static void tell(
    struct follow_mirror *m, size_t i, const char *event, enum event_level level, const char *why)
{
	char text[ERR_MSG_MAX + 200];

	snprintf(text, sizeof text, "destination %s: %s", m->p->others[i], why);
	if (m->p->tell != NULL)
		m->p->tell(m->p->arg, event, level, text);
}

static void close_one(struct follow_mirror *m, size_t i)
{
	struct other *o = &m->others[i];

	follow_repo_close(o->store);
	if (o->repo != NULL)
		m->p->close(m->p->arg, o->repo);
	o->store = NULL;
	o->repo = NULL;
}

static int open_one(struct follow_mirror *m, size_t i, struct err *e)
{
	struct other *o = &m->others[i];

	if (o->store != NULL && !follow_repo_stale(o->store))
		return 0;
	close_one(m, i);
	if (m->p->open(m->p->arg, m->p->others[i], &o->repo, e) == -1)
		return -1;
	return follow_repo_open(o->repo, m->p->system, m->p->source, false, &o->store, e);
}

static int put(struct follow_mirror *m, size_t i, const struct follow_job *j, struct err *e)
{
	struct follow_mapped map;
	int rc;

	if (follow_spool_map(m->spool, j->timeline, j->segment, j->start,
		j->what == FOLLOW_HISTORY ? 0 : j->end, &map, e) == -1)
		return -1;
	rc = open_one(m, i, e);
	if (rc == 0)
		rc = follow_repo_put(m->others[i].store, 0, j, map.bytes, e);
	follow_spool_unmap(&map);
	if (rc == -1)
		close_one(m, i);
	return rc;
}

/* With the lock: the first that a destination lacks, which does not rest. */
static struct item *choose(struct follow_mirror *m, size_t *other)
{
	int64_t now = now_ns();

	for (size_t k = 0; k < m->n; k++)
		for (size_t i = 0; i < m->p->nothers; i++)
			if (!m->v[k].there[i] && !m->v[k].given_up && m->others[i].next_ns <= now) {
				*other = i;
				return &m->v[k];
			}
	return NULL;
}

static void count(struct follow_mirror *m, size_t i, bool ok, const struct err *e)
{
	struct other *o = &m->others[i];

	if (ok && o->told)
		tell(m, i, "log.caught_up", EVENT_INFO, "it takes the log again");
	if (!ok && !o->told && !m->stop)
		tell(m, i, "log.behind", EVENT_WARN, e->msg);
	o->told = !ok;
	o->pause_s = ok ? 0 : o->pause_s == 0 ? PAUSE_S : 2 * o->pause_s;
	if (o->pause_s > PAUSE_MAX_S)
		o->pause_s = PAUSE_MAX_S;
	o->next_ns = now_ns() + o->pause_s * SECOND;
}

/* With the lock, which is given up meanwhile; the item stays where it is, for it is busy. */
static void put_one(struct follow_mirror *m, struct item *x, size_t i)
{
	struct follow_job j = x->job;
	struct err e = {0};
	bool ok;

	x->busy = true;
	pthread_mutex_unlock(&m->lock);
	ok = put(m, i, &j, &e) == 0;
	count(m, i, ok, &e);
	pthread_mutex_lock(&m->lock);
	for (size_t k = 0; k < m->n; k++)
		if (m->v[k].busy) {
			m->v[k].busy = false;
			m->v[k].there[i] = ok;
		}
}

static void *run(void *arg)
{
	struct follow_mirror *m = arg;

	pthread_mutex_lock(&m->lock);
	while (!m->stop) {
		struct timespec t;
		struct item *x;
		size_t i;

		x = choose(m, &i);
		if (x != NULL) {
			put_one(m, x, i);
			continue;
		}
		clock_gettime(CLOCK_MONOTONIC, &t);
		t.tv_sec++;
		pthread_cond_timedwait(&m->more, &m->lock, &t);
	}
	pthread_mutex_unlock(&m->lock);
	return NULL;
}

int follow_mirror_start(const struct follow_params *p, const struct follow_spool *spool,
    struct follow_mirror **out, struct err *e)
{
	pthread_condattr_t a;
	struct follow_mirror *m;

	*out = NULL;
	if (p->nothers == 0)
		return 0;
	if (p->nothers > FOLLOW_OTHERS)
		return err_set(e, ERR_USAGE, "more than %d destinations", FOLLOW_OTHERS + 1);
	m = mem_zalloc(sizeof *m);
	m->p = p;
	m->spool = spool;
	pthread_mutex_init(&m->lock, NULL);
	pthread_condattr_init(&a);
	pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
	pthread_cond_init(&m->more, &a);
	pthread_condattr_destroy(&a);
	errno = pthread_create(&m->thread, NULL, run, m);
	if (errno != 0) {
		err_sys(e, "start a thread");
		free(m);
		return -1;
	}
	*out = m;
	return 0;
}

void follow_mirror_stop(struct follow_mirror *m)
{
	if (m == NULL)
		return;
	pthread_mutex_lock(&m->lock);
	m->stop = true;
	pthread_cond_broadcast(&m->more);
	pthread_mutex_unlock(&m->lock);
	pthread_join(m->thread, NULL);
	for (size_t i = 0; i < m->p->nothers; i++)
		close_one(m, i);
	pthread_cond_destroy(&m->more);
	pthread_mutex_destroy(&m->lock);
	free(m->v);
	free(m);
}

void follow_mirror_add(struct follow_mirror *m, const struct follow_job *j)
{
	pthread_mutex_lock(&m->lock);
	if (m->n == m->cap) {
		m->cap = m->cap ? 2 * m->cap : 16;
		m->v = mem_realloc(m->v, m->cap * sizeof *m->v);
	}
	m->v[m->n++] = (struct item){.job = *j};
	pthread_cond_broadcast(&m->more);
	pthread_mutex_unlock(&m->lock);
}

static bool is_done(const struct follow_mirror *m, const struct item *x)
{
	for (size_t i = 0; i < m->p->nothers && !x->given_up; i++)
		if (!x->there[i])
			return false;
	return !x->busy;
}

bool follow_mirror_taken(struct follow_mirror *m, struct follow_job *out)
{
	bool some;

	if (m == NULL)
		return false;
	pthread_mutex_lock(&m->lock);
	some = m->n > 0 && is_done(m, &m->v[0]);
	if (some) {
		*out = m->v[0].job;
		memmove(m->v, m->v + 1, --m->n * sizeof *m->v);
	}
	pthread_mutex_unlock(&m->lock);
	return some;
}

void follow_mirror_give_up(struct follow_mirror *m, bool all)
{
	bool lacks[FOLLOW_OTHERS] = {false};

	if (m == NULL)
		return;

	pthread_mutex_lock(&m->lock);
	for (size_t k = 0; k < m->n && (k == 0 || all); k++) {
		m->v[k].given_up = true;
		for (size_t i = 0; i < m->p->nothers; i++)
			if (!m->v[k].there[i] && !m->others[i].gave_up)
				lacks[i] = m->others[i].gave_up = true;
	}
	pthread_mutex_unlock(&m->lock);
	for (size_t i = 0; i < m->p->nothers; i++)
		if (lacks[i])
			tell(m, i, "log.behind", EVENT_WARN,
			    "the spool does not wait for it any longer; 'holdfast copy' brings it "
			    "the "
			    "log that it lacks");
}
