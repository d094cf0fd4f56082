/* locks: see locks.h. */
#include "engine/locks.h"

#include <pthread.h>
#include <stdio.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "base/mem.h"
#include "engine/proof.h"
#include "repo/repo_object.h"
#include "repo/repo_parity.h"
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
	char newest[STORE_KEY_MAX + 1]; /* of versions: the key that has a latest one */
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

/* One that refuses is of itself; a store that does not answer is of all. */
static void fail(struct locking *l, const struct err *why)
{
	pthread_mutex_lock(&l->lock);
	if (!l->failed)
		l->err = *why;
	l->failed = true;
	pthread_mutex_unlock(&l->lock);
	if (why->kind == ERR_CANCELLED || why->kind == ERR_UNREACHABLE || why->kind == ERR_TIMEOUT)
		atomic_store(&l->stop, true);
}

static void extend(struct locking *l, const char *key, const char *version)
{
	struct err e;
	bool done;

	if (store_lock_extend(
		repo_store(l->repo), key, version, l->least_ns, l->until_ns, &done, &e) == 0)
		atomic_fetch_add(&l->extended, done);
	else if (e.kind != ERR_ABSENT)
		fail(l, &e);
}

static void *work(void *arg)
{
	struct locking *l = arg;
	struct err e;
	size_t i;

	while (!atomic_load(&l->stop) && (i = atomic_fetch_add(&l->next, 1)) < l->n)
		if (ctx_check(l->ctx, &e) == -1)
			fail(l, &e);
		else
			extend(l, l->keys[i], NULL);
	return NULL;
}

/* Is it an object whose name says what is in it, so that nothing of ours puts another one there? */
static bool needed(struct locking *l, const char *key)
{
	struct id id;

	if (strncmp(key, "packs/", 6) == 0 || strncmp(key, "meta/", 5) == 0)
		return repo_name_id(key, &id) && l->needs(l->arg, &id);
	return strncmp(key, "keys/", 5) == 0 || strncmp(key, "snapshots/", 10) == 0 ||
	       strncmp(key, "index/", 6) == 0 || strncmp(key, "notes/", 6) == 0;
}

static int take_version(void *arg, const char *key, const char *version, bool latest, struct err *e)
{
	struct locking *l = arg;

	if (latest)
		snprintf(l->newest, sizeof l->newest, "%s", key);
	/* Behind what was deleted nothing is kept: prune does that too. */
	if (latest || strcmp(l->newest, key) != 0 || !needed(l, key))
		return ctx_check(l->ctx, e);
	event_emit(l->ctx, EVENT_WARNING, span_str(key),
	    "was replaced; the version before is kept locked: 'holdfast check --read-data' tells "
	    "whether the one that is there is whole");
	extend(l, key, version);
	return 0;
}

/* A listing that is refused is told, like an object that refuses. */
static void run_versions(struct locking *l)
{
	struct err e;

	if (!atomic_load(&l->stop) &&
	    store_versions(repo_store(l->repo), "", take_version, l, &e) == -1)
		fail(l, &e);
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
static int64_t play_of(const struct locks_result *r)
{
	return r->period_ns / 8;
}

/* What was put under a shorter period than today's ends sooner than that one would let it. */
static bool due(struct repo *r, int64_t now_ns, struct ctx *ctx, struct locks_result *out)
{
	struct proof last;

	proof_get(r, PROOF_LOCKS, &last);
	if (!last.known || last.when_ns > now_ns)
		return true;
	out->next_ns = last.when_ns + out->period_ns - play_of(out);
	if (last.until_ns - out->period_ns - play_of(out) < out->next_ns)
		out->next_ns = last.until_ns - out->period_ns - play_of(out);
	if (now_ns > out->next_ns + 2 * play_of(out))
		event_emit(ctx, EVENT_WARNING, span_of(NULL, 0),
		    "locks were made longer %lld days ago, and should be every %lld: run prune "
		    "more often",
		    (long long)((now_ns - last.when_ns) / (86400 * CALENDAR_SECOND)),
		    (long long)(out->period_ns / (86400 * CALENDAR_SECOND)));
	return now_ns >= out->next_ns;
}

static int remember(struct repo *r, int64_t now_ns, struct locks_result *out, struct err *e)
{
	struct proof p = {
	    .known = true, .when_ns = now_ns, .until_ns = out->until_ns, .whole = true};

	out->next_ns = now_ns + out->period_ns - play_of(out);
	return proof_put(r, PROOF_LOCKS, &p, e);
}

static int do_all(struct locking *l, struct locks_result *out, struct err *e)
{
	if (list_all(l, e) == -1)
		return -1;
	run(l);
	run_versions(l);
	out->objects = l->n;
	out->extended = l->extended;
	if (!l->failed)
		return 0;
	*e = l->err;
	return -1;
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
	l.least_ns = now_ns + 2 * out->period_ns;
	l.until_ns = l.least_ns + play_of(out);
	pthread_mutex_init(&l.lock, NULL);
	rc = do_all(&l, out, e);
	if (rc == 0) {
		out->until_ns = l.least_ns;
		rc = remember(r, now_ns, out, e);
	}
	for (size_t i = 0; i < l.n; i++)
		free(l.keys[i]);
	free(l.keys);
	pthread_mutex_destroy(&l.lock);
	return rc == -1 ? err_wrap(e, "make locks longer") : 0;
}
