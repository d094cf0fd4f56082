/* locks: see locks.h. */
#include "engine/locks.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "base/mem.h"
#include "engine/proof.h"
#include "repo/repo_object.h"
#include "store/store_rules.h"

enum { WORKERS_MAX = 16 };

struct locking {
	struct repo *repo;
	struct ctx *ctx;
	locks_needs *needs;
	void *arg;
	char **keys;
	size_t n, room;
	int64_t least_ns, until_ns;
	atomic_size_t next;
	atomic_ullong extended;
	atomic_bool stop;
	pthread_mutex_t lock; /* guards what follows */
	bool failed;
	struct err err;
};

static void add(struct locking *l, const char *key)
{
	if (l->n == l->room) {
		l->room = l->room ? l->room * 2 : 256;
		l->keys = mem_realloc(l->keys, l->room * sizeof *l->keys);
	}
	l->keys[l->n++] = mem_strdup(key);
}

static int take_pack(void *arg, enum format_type type, const struct id *id,
    const struct store_stat *st, struct err *e)
{
	struct locking *l = arg;
	char key[REPO_NAME_MAX];

	if (!l->needs(l->arg, id))
		return 0;
	repo_object_name(key, type, id);
	add(l, key);
	return 0;
}

static int take_other(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	add(arg, key);
	return 0;
}

static int list_all(struct locking *l, struct err *e)
{
	static const char *const folders[] = {
	    "keys/", "snapshots/", "notes/", "index/", "parity/", "logs/"};

	add(l, "config");
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		if (store_list(repo_store(l->repo), folders[i], take_other, l, e) == -1)
			return -1;
	return repo_list_packs(l->repo, take_pack, l, e);
}

static void fail(struct locking *l, const struct err *why)
{
	pthread_mutex_lock(&l->lock);
	if (!l->failed)
		l->err = *why;
	l->failed = true;
	pthread_mutex_unlock(&l->lock);
	atomic_store(&l->stop, true);
}

static void *work(void *arg)
{
	struct locking *l = arg;
	size_t i;

	while (!atomic_load(&l->stop) && (i = atomic_fetch_add(&l->next, 1)) < l->n) {
		struct err e;
		bool done;

		if (ctx_cancelled(l->ctx)) {
			err_set(&e, ERR_CANCELLED, "interrupted");
			fail(l, &e);
		} else if (store_lock_extend(repo_store(l->repo), l->keys[i], l->least_ns,
			       l->until_ns, &done, &e) == 0) {
			atomic_fetch_add(&l->extended, done);
		} else if (e.kind != ERR_ABSENT) {
			fail(l, &e);
		}
	}
	return NULL;
}

static void run(struct locking *l)
{
	unsigned n = store_parallel(repo_store(l->repo)), started = 0;
	pthread_t t[WORKERS_MAX];

	for (n = n < WORKERS_MAX ? n : WORKERS_MAX; started < n; started++)
		if (pthread_create(&t[started], NULL, work, l) != 0)
			break;
	if (started == 0)
		work(l);
	for (unsigned i = 0; i < started; i++)
		pthread_join(t[i], NULL);
}

/* An eighth of the period is play: for clocks, for schedules that are late, for who goes on. */
static bool due(struct repo *r, int64_t now_ns, struct ctx *ctx, struct locks_result *out)
{
	struct proof last;
	int64_t play = out->period_ns / 8;

	proof_get(r, PROOF_LOCKS, &last);
	if (!last.known || last.when_ns > now_ns)
		return true;
	out->next_ns = last.when_ns + out->period_ns - play;
	if (now_ns > last.when_ns + out->period_ns + play)
		event_emit(ctx, EVENT_WARNING, span_of(NULL, 0),
		    "locks were made longer %lld days ago, and should be every %lld: run prune "
		    "more often",
		    (long long)((now_ns - last.when_ns) / (86400 * CALENDAR_SECOND)),
		    (long long)(out->period_ns / (86400 * CALENDAR_SECOND)));
	return now_ns >= out->next_ns;
}

static int remember(struct repo *r, int64_t now_ns, struct locks_result *out, struct err *e)
{
	struct proof p = {.known = true, .when_ns = now_ns, .whole = true};

	out->next_ns = now_ns + out->period_ns - out->period_ns / 8;
	return proof_put(r, PROOF_LOCKS, &p, e);
}

int locks_extend(struct repo *r, locks_needs *needs, void *arg, int64_t now_ns, struct ctx *ctx,
    struct locks_result *out, struct err *e)
{
	struct locking l = {.repo = r, .ctx = ctx, .needs = needs, .arg = arg};
	int rc;

	memset(out, 0, sizeof *out);
	out->period_ns = store_lock_period(repo_store(r));
	if (out->period_ns == 0 || !due(r, now_ns, ctx, out))
		return 0;
	l.until_ns = now_ns + 2 * out->period_ns;
	l.least_ns = l.until_ns - out->period_ns / 8;
	pthread_mutex_init(&l.lock, NULL);
	rc = list_all(&l, e);
	if (rc == 0)
		run(&l);
	if (rc == 0 && l.failed) {
		*e = l.err;
		rc = -1;
	}
	out->objects = l.n;
	out->extended = l.extended;
	out->until_ns = l.least_ns;
	if (rc == 0)
		rc = remember(r, now_ns, out, e);
	for (size_t i = 0; i < l.n; i++)
		free(l.keys[i]);
	free(l.keys);
	pthread_mutex_destroy(&l.lock);
	return rc == -1 ? err_wrap(e, "make locks longer") : 0;
}
