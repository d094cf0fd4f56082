/* daemon_notify: see daemon_notify.h. */
#include "daemon/daemon_notify.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "config/world_notify.h"
#include "daemon/daemon_internal.h"
#include "notify/notify_router.h"
#include "os/os.h"

enum { WORKERS = 2, DRAIN_S = 5 };

/* A configuration and all that borrows from it; whoever still sends by it holds it. */
struct declared {
	struct world *world;
	struct world_routes *routes;
	unsigned refs; /* under the lock */
};

struct sending {
	struct sending *next;
	struct declared *by;
	struct notify_delivery *delivery;
	struct err e;
	bool failed;
};

struct daemon_notify {
	struct daemon *d;
	struct ctx ctx;
	struct declared *now;
	struct notify_router *router;
	char *saved;  /* as the catalog has it */
	bool unsaved; /* and does not take a newer one: told */
	pthread_t workers[WORKERS];
	size_t nworkers;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t more, less;
	struct sending *todo, *done;
	size_t under_way;
	bool stop;
};

static int64_t now_of(const struct daemon_notify *n)
{
	return n->d->ctx->clock->wall_ns(n->d->ctx->clock);
}

static void release(struct daemon_notify *n, struct declared *by)
{
	bool last;

	if (by == NULL)
		return;
	pthread_mutex_lock(&n->lock);
	last = --by->refs == 0;
	pthread_mutex_unlock(&n->lock);
	if (!last)
		return;
	world_routes_free(by->routes);
	world_free(by->world);
	free(by);
}

/* ---- Workers. */

static void send_one(struct daemon_notify *n, struct sending *s)
{
	const struct world_channel *c = world_channel(s->by->world, s->delivery->channel);
	struct world_notifier *to;

	if (world_notifier_new(s->by->world, c, &to, &s->e) == -1) {
		s->failed = true;
		return;
	}
	s->failed = notify_deliver(world_notifier_channel(to), s->delivery->message,
			&s->delivery->result, &n->ctx, &s->e) == -1;
	world_notifier_free(to);
}

static void *work(void *arg)
{
	struct daemon_notify *n = arg;

	pthread_mutex_lock(&n->lock);
	while (!n->stop || n->todo != NULL) {
		struct sending *s = n->todo;

		if (s == NULL) {
			pthread_cond_wait(&n->more, &n->lock);
			continue;
		}
		n->todo = s->next;
		pthread_mutex_unlock(&n->lock);
		send_one(n, s);
		pthread_mutex_lock(&n->lock);
		s->next = n->done;
		n->done = s;
		n->under_way--;
		pthread_cond_signal(&n->less);
		daemon_wake(n->d);
	}
	pthread_mutex_unlock(&n->lock);
	return NULL;
}

static void hand_over(struct daemon_notify *n, struct notify_delivery *delivery)
{
	struct sending *s = mem_zalloc(sizeof *s), **at = &n->todo;

	s->delivery = delivery;
	s->by = n->now;
	while (
	    n->nworkers < WORKERS && pthread_create(&n->workers[n->nworkers], NULL, work, n) == 0)
		n->nworkers++;
	pthread_mutex_lock(&n->lock);
	s->by->refs++;
	while (*at != NULL)
		at = &(*at)->next;
	*at = s;
	n->under_way++;
	pthread_cond_signal(&n->more);
	pthread_mutex_unlock(&n->lock);
}

/* What the workers did. */
static void take_back(struct daemon_notify *n)
{
	struct sending *s, *next;

	pthread_mutex_lock(&n->lock);
	s = n->done;
	n->done = NULL;
	pthread_mutex_unlock(&n->lock);
	for (; s != NULL; s = next) {
		next = s->next;
		notify_router_done(n->router, s->delivery, s->failed ? &s->e : NULL, now_of(n));
		release(n, s->by);
		free(s);
	}
}

/* ---- The router. */

static void on_log(void *arg, const struct notify_log *l)
{
	struct daemon_notify *n = arg;
	bool lost = (l->outcome == NOTIFY_UNSENT && l->again_ns == 0) ||
		    l->outcome == NOTIFY_DROPPED;

	daemon_tell(n->d, l->name, lost ? EVENT_WARN : EVENT_INFO, l->message->system, 0,
	    "%s: %s%s%s%s%s%s", l->channel, l->message->subject, l->text[0] ? ": " : "", l->text,
	    l->outcome == NOTIFY_UNSENT && l->again_ns ? " (it is tried again)" : "",
	    l->instead ? " (told instead: " : "", l->instead ? l->instead : "");
}

static char *state_name(const struct daemon_notify *n)
{
	return mem_printf("notify:%s", n->d->owner);
}

static void save(struct daemon_notify *n)
{
	char *text = notify_router_save(n->router), *name;
	struct err e;

	if (n->saved != NULL && strcmp(text, n->saved) == 0) {
		free(text);
		return;
	}
	name = state_name(n);
	if (catalog_put(n->d->catalog, name, text, &e) == -1) {
		if (!n->unsaved)
			daemon_log(n->d, EVENT_ERROR,
			    "what is pending of notifications: %s "
			    "(it is tried until it is kept)",
			    e.msg);
		n->unsaved = true;
		free(text);
	} else {
		n->unsaved = false;
		free(n->saved);
		n->saved = text;
	}
	free(name);
}

static struct declared *declare(struct daemon_notify *n, struct err *e)
{
	struct declared *by = mem_zalloc(sizeof *by);

	by->refs = 1;
	if (world_load(n->d->p->config, getenv, NULL, &by->world, e) == 0 && by->world != NULL &&
	    world_routes_new(by->world, &by->routes, e) == 0)
		return by;
	if (by->world == NULL)
		err_set(e, ERR_USAGE, "there is no configuration");
	release(n, by);
	return NULL;
}

/* The state goes from one router to the next by the text that the catalog has. */
static void renew(struct daemon_notify *n, struct declared *by, const char *state)
{
	struct notify_router *r = notify_router_new(by->routes->v, by->routes->n, on_log, n);
	struct err e;

	if (state != NULL && notify_router_load(r, state, &e) == -1)
		daemon_log(n->d, EVENT_WARN, "%s: they begin anew", e.msg);
	notify_router_free(n->router);
	release(n, n->now);
	n->router = r;
	n->now = by;
}

void daemon_notify_load(struct daemon_notify *n)
{
	struct declared *by;
	struct err e;
	char *state;

	if (n == NULL)
		return;
	by = declare(n, &e);
	if (by == NULL) {
		daemon_log(n->d, EVENT_WARN, "notifications go on as before: %s", e.msg);
		return;
	}
	take_back(n);
	state = notify_router_save(n->router);
	renew(n, by, state);
	free(state);
	save(n);
}

struct daemon_notify *daemon_notify_new(struct daemon *d)
{
	struct daemon_notify *n = mem_zalloc(sizeof *n);
	char *name, *state = NULL;
	struct declared *by;
	struct err e;

	n->d = d;
	n->ctx.clock = d->ctx->clock;
	pthread_mutex_init(&n->lock, NULL);
	pthread_cond_init(&n->more, NULL);
	pthread_cond_init(&n->less, NULL);
	n->router = notify_router_new(NULL, 0, NULL, NULL);
	by = declare(n, &e);
	name = state_name(n);
	if (by == NULL || catalog_get(d->catalog, name, &state, &e) == -1)
		daemon_log(d, EVENT_ERROR, "notifications: %s", e.msg);
	if (by != NULL)
		renew(n, by, state);
	free(state);
	free(name);
	return n;
}

/* Does the last of it go out in time? */
static void drain(struct daemon_notify *n)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += DRAIN_S;
	pthread_mutex_lock(&n->lock);
	while (n->under_way > 0 && pthread_cond_timedwait(&n->less, &n->lock, &until) != ETIMEDOUT)
		;
	n->stop = true;
	atomic_store(&n->ctx.cancel, true);
	pthread_cond_broadcast(&n->more);
	pthread_mutex_unlock(&n->lock);
	for (size_t i = 0; i < n->nworkers; i++)
		pthread_join(n->workers[i], NULL);
}

void daemon_notify_free(struct daemon_notify *n)
{
	if (n == NULL)
		return;
	daemon_notify_tick(n);
	drain(n);
	take_back(n);
	save(n);
	notify_router_free(n->router);
	release(n, n->now);
	pthread_mutex_destroy(&n->lock);
	pthread_cond_destroy(&n->more);
	pthread_cond_destroy(&n->less);
	free(n->saved);
	free(n);
}

/* ---- What happened, as a message. */

static enum notify_state state_of(const char *event)
{
	static const struct {
		const char *event;
		enum notify_state state;
	} rows[] = {{"run.started", NOTIFY_STARTED}, {"run.completed", NOTIFY_SUCCEEDED},
	    {"run.problems", NOTIFY_FAILED}, {"run.failed", NOTIFY_FAILED}};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (strcmp(event, rows[i].event) == 0)
			return rows[i].state;
	return NOTIFY_NEWS;
}

/* "backup", which is how texts of runs begin. */
static int kind_of(const char *text)
{
	return (int)strcspn(text, ": ");
}

/* What ends what: of a run its system and kind, of the configuration and so on the first word. */
static char *key_of(const char *event, const char *system, const char *text)
{
	if (strncmp(event, "run.", 4) == 0 && state_of(event) != NOTIFY_NEWS)
		return mem_printf("run/%s/%.*s", system ? system : "", kind_of(text), text);
	if (strncmp(event, "config.", 7) == 0)
		return mem_strdup("config");
	if (strncmp(event, "rto.", 4) == 0)
		return mem_printf("rto/%s", system);
	if (strncmp(event, "rpo.", 4) == 0)
		return mem_printf("rpo/%s", system);
	if (strncmp(event, "log.sync_", 9) == 0)
		return mem_printf("logsync/%s", system);
	if (strncmp(event, "log.", 4) == 0 && strcmp(event, "log.gap") != 0)
		return mem_printf("log/%s", system);
	if (strncmp(event, "changes.", 8) == 0)
		return mem_printf("changes/%s", system);
	if (strncmp(event, "monitor.", 8) == 0) /* its name is what the text begins with */
		return mem_printf("monitor/%s/%.*s", system, (int)strcspn(text, " :"), text);
	return mem_printf("%s/%s", event, system ? system : "");
}

static char *subject_of(const char *event, const char *system, const char *text)
{
	static const char *const says[][2] = {{"run.started", "began"},
	    {"run.completed", "completed"}, {"run.problems", "completed with problems"},
	    {"run.failed", "failed"}};

	for (size_t i = 0; i < sizeof says / sizeof *says; i++)
		if (strcmp(event, says[i][0]) == 0)
			return mem_printf("%.*s of %s %s", kind_of(text), text,
			    system ? system : "?", says[i][1]);
	return mem_printf("%s%s%s: %s", event, system ? " " : "", system ? system : "", text);
}

static bool is_recovered(const char *event)
{
	static const char *const names[] = {"config.reloaded", "rpo.kept", "rto.kept",
	    "monitor.kept", "changes.watched", "log.started", "log.caught_up", "log.sync_had"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(event, names[i]) == 0)
			return true;
	return false;
}

void daemon_notify_told(struct daemon_notify *n, const char *event, enum event_level level,
    const char *system, int64_t run, const char *text)
{
	static const enum notify_severity severities[] = {
	    NOTIFY_INFO, NOTIFY_INFO, NOTIFY_WARNING, NOTIFY_CRITICAL};
	struct notify_message m = {.event = event,
	    .severity = severities[level],
	    .state = state_of(event),
	    .system = system,
	    .host = os_host(),
	    .text = text,
	    .recovered = is_recovered(event)};
	char number[24], *key, *subject;
	struct notify_field field = {"run", number};

	if (n == NULL || strncmp(event, "notify.", 7) == 0)
		return;
	snprintf(number, sizeof number, "%" PRId64, run);
	m.fields = &field;
	m.nfields = run != 0;
	m.key = key = key_of(event, system, text);
	m.subject = subject = subject_of(event, system, text);
	m.at_ns = now_of(n);
	notify_router_push(n->router, &m, m.at_ns);
	save(n);
	if (notify_router_next(n->router) <= m.at_ns)
		daemon_wake(n->d);
	free(key);
	free(subject);
}

void daemon_notify_tick(struct daemon_notify *n)
{
	struct notify_delivery *d;

	if (n == NULL)
		return;
	take_back(n);
	while ((d = notify_router_take(n->router, now_of(n))) != NULL)
		hand_over(n, d);
	save(n);
}
