/*
 * daemon_changes: systems whose strategy is continuous are backed up as soon as they have changed.
 *
 * A thread a system waits at os_watch.h, until nothing more has happened for QUIET_MS, or for
 * MOST_MS since the first change, and wakes the loop, which queues a backup: an ordinary
 * incremental one, whose cost is one look at each name.  What changes while one runs is another's.
 * What changed while nobody watched, from the last daemon's end on, is taken by one at the
 * beginning.  Nothing is watched that no backup reads: what is excluded, our repositories and
 * places (unread.h), what is frozen.  What `before` hooks changed the backup after them has read.
 * Backups that follow each other all the same are kept to a pace (pace.h), and told.
 *
 * Where changes cannot be seen (more directories than may be watched) that is told, and the
 * schedule, which every continuous system has by its RPO, is all that there is.
 *
 * Threads: as said; what both have is under the lock.  A thread may be stuck in a file system that
 * does not answer: nobody waits for it, it is collected when it is over, or by our end.
 */
#include "daemon/daemon_internal.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/mem.h"
#include "daemon/pace.h"
#include "daemon/unread.h"
#include "os/os.h"
#include "os/os_watch.h"
#include "source/exclude.h"
#include "source/source.h"

enum { QUIET_MS = 1000, MOST_MS = 4000, AGAIN_MS = 1000, RETRY_MS = 60000, END_MS = 3000 };

struct changes {
	struct daemon *d;
	char *system;
	char **paths;
	size_t npaths;
	struct unread *unread;
	struct exclude *exclude;
	struct pace pace; /* of what was queued; the loop's */
	bool hurries;     /* that it is too much was told; the loop's */
	int stop;
	pthread_t thread;
	pthread_mutex_t lock;
	bool due, failed, told, watched; /* failed: why */
	bool left, over;                 /* nobody waits for the thread; it is over */
	int64_t seen_ms, read_ms;        /* the last change; all before is read by who runs */
	size_t folders;
	struct err why;
};

static int64_t now_ms(void)
{
	struct clock *clock = os_clock();

	return clock->mono_ns(clock) / 1000000;
}

/* ---- The thread. */

static bool leave_out(void *arg, const char *path, bool is_dir)
{
	struct changes *c = arg;
	const char *name = strrchr(path, '/');

	if (name != NULL && strncmp(name + 1, SOURCE_FROZEN, sizeof SOURCE_FROZEN - 1) == 0)
		return true;
	return unread_has(c->unread, path, is_dir) || exclude_match(c->exclude, path, is_dir);
}

/* Under the lock: who was left behind has no daemon any more. */
static void wake(struct changes *c)
{
	if (!c->left)
		daemon_wake(c->d);
}

/* When the last change was seen. */
static void say_due(struct changes *c, int64_t seen_ms)
{
	pthread_mutex_lock(&c->lock);
	c->seen_ms = seen_ms;
	c->due = c->due || seen_ms > c->read_ms;
	wake(c);
	pthread_mutex_unlock(&c->lock);
}

static void say_watched(struct changes *c, size_t folders)
{
	pthread_mutex_lock(&c->lock);
	c->watched = true;
	c->failed = false;
	c->folders = folders;
	pthread_mutex_unlock(&c->lock);
	say_due(c, now_ms());
}

static void say_failed(struct changes *c, const struct err *e)
{
	pthread_mutex_lock(&c->lock);
	c->told = c->told && c->failed && c->why.kind == e->kind;
	c->failed = true;
	c->why = *e;
	wake(c);
	pthread_mutex_unlock(&c->lock);
}

/* From a change on until it is quiet; false: the watch is of no use any more. */
static bool settle(struct os_watch *w, enum os_watch_seen *seen, int64_t *seen_ms, struct err *e)
{
	int64_t began = *seen_ms = now_ms();
	enum os_watch_seen now = *seen;

	while (now == OS_WATCH_CHANGED && now_ms() - began < MOST_MS) {
		if (os_watch_wait(w, QUIET_MS, &now, e) == -1)
			return false;
		if (now != OS_WATCH_QUIET)
			*seen_ms = now_ms();
	}
	*seen = now;
	return now == OS_WATCH_QUIET || now == OS_WATCH_CHANGED;
}

/* 0: stopped, or to be opened anew. */
static int watch(struct changes *c, struct os_watch *w, bool *stopped, struct err *e)
{
	enum os_watch_seen seen;

	for (;;) {
		if (os_watch_wait(w, -1, &seen, e) == -1)
			return -1;
		if (seen == OS_WATCH_CHANGED) {
			int64_t seen_ms;
			bool goes_on = settle(w, &seen, &seen_ms, e);

			say_due(c, seen_ms);
			if (!goes_on && seen == OS_WATCH_CHANGED)
				return -1;
		}
		*stopped = seen == OS_WATCH_STOPPED;
		if (*stopped || seen == OS_WATCH_LOST)
			return 0;
	}
}

/* True: it is over. */
static bool rest(const struct changes *c, int ms)
{
	return os_readable(c->stop, ms) == 1;
}

static void *changes_main(void *arg)
{
	struct changes *c = arg;
	struct os_watch_params p = {.paths = (const char *const *)c->paths,
	    .npaths = c->npaths,
	    .leave_out = leave_out,
	    .arg = c,
	    .stop = c->stop};
	bool stopped = false;

	while (!stopped) {
		struct os_watch *w = NULL;
		struct err e;
		int rc = os_watch_open(&p, &w, &e);

		if (rc == 0) {
			say_watched(c, os_watch_count(w));
			rc = watch(c, w, &stopped, &e);
		}
		os_watch_close(w);
		if (rc == -1 && e.kind != ERR_CANCELLED)
			say_failed(c, &e);
		stopped = stopped || rest(c, rc == -1 ? RETRY_MS : AGAIN_MS);
	}
	pthread_mutex_lock(&c->lock);
	c->over = true;
	wake(c);
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

/* ---- The loop's. */

static void put(char ***v, size_t *n, char *text)
{
	*v = mem_realloc(*v, (*n + 1) * sizeof **v);
	(*v)[(*n)++] = text;
}

static int take_sources(struct changes *c, const struct world_system *s, struct err *e)
{
	for (size_t i = 0; i < s->sources.n; i++) {
		const struct world_files *f =
		    &((const struct world_source *)s->sources.v + i)->files;

		for (size_t j = 0; j < f->paths.n; j++)
			put(&c->paths, &c->npaths, mem_strdup(f->paths.v[j]));
		for (size_t j = 0; j < f->exclude.n; j++)
			if (exclude_add(c->exclude, f->exclude.v[j], "exclude", e) == -1)
				return -1;
	}
	return 0;
}

static void take_place(struct changes *c, char *path)
{
	if (path != NULL)
		unread_add(c->unread, path);
	free(path);
}

static void take_unread(struct changes *c)
{
	for (size_t i = 0; i < c->d->world->repositories.n; i++)
		unread_add_url(c->unread, world_repository_at(c->d->world, i)->url);
	unread_add_catalog(c->unread, c->d->p->catalog);
	unread_add(c->unread, c->d->p->state_dir);
	take_place(c, os_cache_dir());
	take_place(c, os_runtime_dir());
}

static void changes_free(struct changes *c)
{
	for (size_t i = 0; i < c->npaths; i++)
		free(c->paths[i]);
	free(c->paths);
	unread_free(c->unread);
	free(c->system);
	exclude_free(c->exclude);
	os_close(c->stop);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static struct changes *changes_new(struct daemon *d, const struct world_system *s, struct err *e)
{
	struct changes *c = mem_zalloc(sizeof *c);

	c->d = d;
	c->system = mem_strdup(s->item.name);
	c->exclude = exclude_new();
	pthread_mutex_init(&c->lock, NULL);
	c->stop = eventfd(0, EFD_CLOEXEC);
	c->unread = unread_new();
	take_unread(c);
	if (c->stop == -1)
		err_sys(e, "watch for changes");
	else if (take_sources(c, s, e) == 0 &&
		 pthread_create(&c->thread, NULL, changes_main, c) == 0)
		return c;
	else if (e->kind == ERR_NONE)
		err_set(e, ERR_FAILED, "watch for changes: cannot start a thread");
	changes_free(c);
	return NULL;
}

static bool is_here(const struct world_system *s)
{
	return s->node == NULL || strcmp(s->node, os_host()) == 0;
}

void daemon_changes_start(struct daemon *d)
{
	d->changes = mem_zalloc((d->nsystems + 1) * sizeof(struct changes *));
	for (size_t i = 0; i < d->nsystems; i++) {
		const struct world_system *s = d->systems[i].system;
		struct err e;

		err_clear(&e);
		if (s->paused || !is_here(s) ||
		    world_tier(d->world, s->tier)->strategy != WORLD_CONTINUOUS)
			continue;
		d->changes[d->nchanges] = changes_new(d, s, &e);
		if (d->changes[d->nchanges] != NULL)
			d->nchanges++;
		else
			daemon_tell(d, "changes.unseen", EVENT_ERROR, s->item.name, 0, "%s", e.msg);
	}
}

static bool is_over(struct changes *c)
{
	bool over;

	pthread_mutex_lock(&c->lock);
	over = c->over;
	pthread_mutex_unlock(&c->lock);
	return over;
}

/* Those that were told to stop and are over. */
static void collect(struct daemon *d)
{
	for (size_t i = 0; i < d->nstopping;) {
		struct changes *c = d->stopping_changes[i];

		if (!is_over(c)) {
			i++;
			continue;
		}
		pthread_join(c->thread, NULL);
		changes_free(c);
		d->stopping_changes[i] = d->stopping_changes[--d->nstopping];
	}
}

void daemon_changes_stop(struct daemon *d)
{
	uint64_t one = 1;

	d->stopping_changes = mem_realloc(
	    d->stopping_changes, (d->nstopping + d->nchanges + 1) * sizeof(struct changes *));
	for (size_t i = 0; i < d->nchanges; i++) {
		(void)!os_write_all(d->changes[i]->stop, &one, sizeof one);
		d->stopping_changes[d->nstopping++] = d->changes[i];
	}
	free(d->changes);
	d->changes = NULL;
	d->nchanges = 0;
	collect(d);
}

void daemon_changes_end(struct daemon *d)
{
	int64_t began = now_ms();

	daemon_changes_stop(d);
	for (; d->nstopping > 0 && now_ms() - began < END_MS; collect(d))
		poll(NULL, 0, 10);
	for (size_t i = 0; i < d->nstopping; i++) {
		struct changes *c = d->stopping_changes[i];

		pthread_mutex_lock(&c->lock);
		c->left = true;
		pthread_mutex_unlock(&c->lock);
		pthread_detach(c->thread);
	}
	free(d->stopping_changes);
	d->stopping_changes = NULL;
	d->nstopping = 0;
}

void daemon_changes_read(struct daemon *d, const char *system, int64_t ms)
{
	for (size_t i = 0; i < d->nchanges; i++) {
		struct changes *c = d->changes[i];

		if (strcmp(c->system, system) != 0)
			continue;
		pthread_mutex_lock(&c->lock);
		c->read_ms = ms;
		c->due = c->due && c->seen_ms > ms;
		pthread_mutex_unlock(&c->lock);
	}
}

/* What there is to tell, once: the thread may be at it again. */
static void tell(struct daemon *d, struct changes *c)
{
	bool failed, watched;
	size_t folders;
	struct err why;

	pthread_mutex_lock(&c->lock);
	failed = c->failed && !c->told;
	watched = c->watched;
	folders = c->folders;
	c->told = c->told || failed;
	c->watched = false;
	why = c->why;
	pthread_mutex_unlock(&c->lock);
	if (failed)
		daemon_tell(d, "changes.unseen", EVENT_ERROR, c->system, 0,
		    "%s; it is backed up by its schedule alone%s%s", why.msg,
		    why.hint[0] ? ": " : "", why.hint);
	else if (watched)
		daemon_tell(d, "changes.watched", EVENT_INFO, c->system, 0, "%zu folders", folders);
}

/* Too many follow each other: it is told once, until it has rested. */
static bool may_hurry(struct daemon *d, struct changes *c)
{
	if (pace_may(&c->pace, now_ms())) {
		c->hurries = c->hurries && c->pace.owed_ms > now_ms();
		return true;
	}
	if (!c->hurries)
		daemon_tell(d, "changes.endless", EVENT_WARN, c->system, 0,
		    "it changes without end: %d backups followed each other, and now there is "
		    "one in %d s; does a hook or a log write into what is backed up?",
		    PACE_MOST, PACE_EACH_MS / 1000);
	c->hurries = true;
	return false;
}

/* One that is not begun yet sees all that has changed by now; one that runs may have passed it. */
static int queue_changed(struct daemon *d, struct changes *c)
{
	struct err e;
	int rc;

	if (!may_hurry(d, c))
		return 0;
	rc = daemon_queue_changed(d, c->system, &e);
	if (rc == 1)
		pace_take(&c->pace, now_ms());
	if (rc == -1)
		daemon_log(d, EVENT_ERROR, "system=%s %s", c->system, e.msg);
	return rc;
}

void daemon_changes_due(struct daemon *d)
{
	collect(d);
	for (size_t i = 0; i < d->nchanges; i++) {
		struct changes *c = d->changes[i];
		bool due;

		tell(d, c);
		pthread_mutex_lock(&c->lock);
		due = c->due;
		c->due = false;
		pthread_mutex_unlock(&c->lock);
		if (!due || queue_changed(d, c) > 0)
			continue;
		pthread_mutex_lock(&c->lock);
		c->due = true; /* at the next look, or when that run is over */
		pthread_mutex_unlock(&c->lock);
	}
}
