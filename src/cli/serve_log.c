/* serve_log: see serve_log.h. */
#include "cli/serve_log.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "cli/cmd_log.h"
#include "cli/log_pool.h"
#include "config/world.h"
#include "daemon/daemon.h"
#include "daemon/log_socket.h"
#include "engine/archived.h"
#include "os/os.h"

/* What was declared at one time, and the systems whose log came since. */
struct age {
	struct serve_log *s;
	struct age *next;
	struct ctx ctx; /* cancelled once nobody asks it any more: what it stores ahead ends */
	struct cli cli; /* as the daemon's, with a world of its own */
	struct log_pool **pools;
	size_t n;
	unsigned used; /* by so many pushes */
	bool past;     /* there is a newer one */
};

struct serve_log {
	struct daemon *d;
	struct ctx ctx;
	struct cli_options opt;
	struct log_server *server;
	pthread_mutex_t lock; /* guards ages and their pools; nothing is waited for under it */
	struct age *now;      /* NULL: not read yet */
	struct age *ages;     /* all that are there */
	unsigned ending;      /* so many are ended by threads of their own */
	pthread_cond_t ended;
	_Atomic bool reload;
	char *state; /* the state folder */
	pthread_mutex_t noting;
};

static void sink(struct ctx *ctx, const struct event *ev)
{
	struct serve_log *s = ctx->sink_arg;

	if (event_info(ev->id)->level >= EVENT_WARN)
		daemon_log(s->d, event_info(ev->id)->level, "log: %.*s: %s", (int)ev->path.n,
		    (const char *)ev->path.p, ev->text);
}

/* Waits for what it stores ahead. */
static void age_free(struct age *a)
{
	while (a->n > 0)
		log_pool_free(a->pools[--a->n]);
	free(a->pools);
	world_free(a->cli.world);
	free(a);
}

static void *end_main(void *arg)
{
	struct age *a = arg;
	struct serve_log *s = a->s;

	age_free(a);
	pthread_mutex_lock(&s->lock);
	s->ending--;
	pthread_cond_signal(&s->ended);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/*
 * With the lock: nobody uses it any more.  What it still stores may hang with its repository, so
 * no push waits for that; without a thread it stays until the daemon ends.
 */
static void age_over(struct age *a)
{
	struct serve_log *s = a->s;
	struct age **at = &s->ages;
	pthread_t t;

	atomic_store(&a->ctx.cancel, true);
	while (*at != a)
		at = &(*at)->next;
	*at = a->next; /* before the thread begins: it frees */
	if (pthread_create(&t, NULL, end_main, a) == 0) {
		pthread_detach(t);
		s->ending++;
	} else {
		a->next = s->ages;
		s->ages = a;
	}
}

static struct age *age_new(struct serve_log *s)
{
	struct age *a = mem_zalloc(sizeof *a);

	a->s = s;
	a->ctx.clock = s->ctx.clock;
	a->ctx.above = &s->ctx;
	/* What is below it looks no farther up than here. */
	atomic_store(&a->ctx.cancel, atomic_load(&s->ctx.cancel));
	a->ctx.sink = s->ctx.sink;
	a->ctx.sink_arg = s->ctx.sink_arg;
	a->cli.opt = s->opt;
	a->cli.ctx = &a->ctx;
	return a;
}

/* With the lock. */
static struct age *age_begin(struct serve_log *s, struct err *e)
{
	struct age *a, *was = s->now;

	if (was != NULL && !atomic_exchange(&s->reload, false)) {
		was->used++;
		return was;
	}
	a = age_new(s);
	if (config_load(&a->cli, true, e) == -1) {
		atomic_store(&s->reload, true); /* once more, until it is right again */
		age_free(a);
		return NULL;
	}
	a->next = s->ages;
	s->ages = s->now = a;
	a->used = 1;
	if (was != NULL)
		was->past = true;
	if (was != NULL && was->used == 0)
		age_over(was);
	return a;
}

static void age_end(struct serve_log *s, struct age *a)
{
	pthread_mutex_lock(&s->lock);
	if (--a->used == 0 && a->past)
		age_over(a);
	pthread_mutex_unlock(&s->lock);
}

/* That of a system; several databases may be told apart by the log's own identifier. */
static int pool_of(
    struct age *a, const char *system, uint64_t wal, struct log_pool **out, struct err *e)
{
	struct log_place *p = NULL;

	if (system == NULL) {
		if (log_place_new(&a->cli, NULL, wal, &p, e) == -1)
			return -1;
		system = log_place_system(p);
	}
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(log_pool_system(a->pools[i]), system) == 0) {
			*out = a->pools[i];
			log_place_free(p);
			return 0;
		}
	if (p == NULL && log_place_new(&a->cli, system, wal, &p, e) == -1)
		return -1;
	a->pools = mem_realloc(a->pools, (a->n + 1) * sizeof(void *));
	a->pools[a->n++] = *out = log_pool_new(&a->cli, p);
	return 0;
}

/* For who asks how much would be lost; what is stored is stored without it. */
static void note(struct serve_log *s, const struct log_pool *pool, const char *name, int fd)
{
	struct wal_file f;
	struct stat st;
	struct err ignored;

	if (wal_file_parse(name, &f, &ignored) == -1 || fstat(fd, &st) == -1 ||
	    st.st_size < WAL_FILE_MIN || st.st_size > WAL_FILE_MAX)
		return;
	pthread_mutex_lock(&s->noting);
	archived_note(s->state, log_pool_system(pool), log_pool_source(pool), &f,
	    (uint32_t)st.st_size, st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec,
	    &ignored);
	pthread_mutex_unlock(&s->noting);
}

static int push(void *arg, uid_t who, const char *system, const char *name, int fd,
    char outcome[LOG_OUTCOME_MAX], struct err *e)
{
	static const char *const texts[] = {[LOG_SAME] = "same", [LOG_STORED] = "stored"};
	enum log_put_outcome out = LOG_SAME;
	struct serve_log *s = arg;
	struct log_pool *pool = NULL;
	struct age *a;
	int rc = -1;

	pthread_mutex_lock(&s->lock);
	a = age_begin(s, e);
	if (a != NULL)
		rc = pool_of(a, system, log_file_system(fd), &pool, e);
	pthread_mutex_unlock(&s->lock);
	if (rc == 0)
		rc = log_pool_push(pool, who, name, fd, &out, e);
	if (rc == 0)
		note(s, pool, name, fd);
	if (a != NULL)
		age_end(s, a);
	if (rc == -1)
		daemon_log(s->d, EVENT_ERROR, "log: %.80s: %s", name, e->msg);
	snprintf(outcome, LOG_OUTCOME_MAX, "%s", texts[out]);
	return rc;
}

/* Where what is declared cannot be read just now, who asks is told so, and not this. */
static bool may(void *arg, uid_t who)
{
	struct serve_log *s = arg;
	struct err ignored;
	struct age *a;
	bool ok = true;

	pthread_mutex_lock(&s->lock);
	a = age_begin(s, &ignored);
	pthread_mutex_unlock(&s->lock);
	if (a != NULL) {
		ok = log_place_may_any(&a->cli, who);
		age_end(s, a);
	}
	return ok;
}

int serve_log_start(struct cli *c, struct daemon *d, struct serve_log **out, struct err *e)
{
	struct serve_log *s = mem_zalloc(sizeof *s);
	struct log_socket_host host = {.arg = s, .may = may, .push = push};
	char *path = cmd_log_socket(0);
	int rc;

	s->d = d;
	s->ctx.clock = c->ctx->clock;
	s->ctx.above = c->ctx;
	s->ctx.sink = sink;
	s->ctx.sink_arg = s;
	s->opt = c->opt;
	s->opt.repo = NULL;
	s->state = os_state_dir();
	pthread_mutex_init(&s->noting, NULL);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->ended, NULL);
	rc = log_server_start(path, &host, &s->server, e);
	free(path);
	if (rc == 0)
		*out = s;
	else
		serve_log_stop(s);
	return rc;
}

void serve_log_stop(struct serve_log *s)
{
	if (s == NULL)
		return;
	/* A store that is away is not waited for: PostgreSQL offers the file again. */
	atomic_store(&s->ctx.cancel, true);
	pthread_mutex_lock(&s->lock);
	for (struct age *a = s->ages; a != NULL; a = a->next)
		atomic_store(&a->ctx.cancel, true);
	pthread_mutex_unlock(&s->lock);
	log_server_stop(s->server);
	pthread_mutex_lock(&s->lock);
	while (s->ending > 0)
		pthread_cond_wait(&s->ended, &s->lock);
	pthread_mutex_unlock(&s->lock);
	for (struct age *a; (a = s->ages) != NULL;) {
		s->ages = a->next;
		age_free(a);
	}
	pthread_cond_destroy(&s->ended);
	pthread_mutex_destroy(&s->noting);
	pthread_mutex_destroy(&s->lock);
	free(s->state);
	free(s);
}

void serve_log_reload(struct serve_log *s)
{
	if (s != NULL)
		atomic_store(&s->reload, true);
}
