/* serve_log: see serve_log.h. */
#include "cli/serve_log.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"
#include "cli/cmd_log.h"
#include "cli/log_place.h"
#include "config/world.h"
#include "daemon/daemon.h"
#include "daemon/log_socket.h"
#include "os/os.h"

struct serve_log {
	struct daemon *d;
	struct ctx ctx;
	struct cli cli; /* as the daemon's, with a world and a ctx of its own */
	struct log_server *server;
	pthread_mutex_t lock; /* guards the places */
	struct log_place **places;
	size_t n;
	_Atomic bool reload;
};

static void sink(struct ctx *ctx, const struct event *ev)
{
	struct serve_log *s = ctx->sink_arg;

	if (event_info(ev->id)->level >= EVENT_WARN)
		daemon_log(s->d, event_info(ev->id)->level, "log: %.*s: %s", (int)ev->path.n,
		    (const char *)ev->path.p, ev->text);
}

static void drop_places(struct serve_log *s)
{
	while (s->n > 0)
		log_place_free(s->places[--s->n]);
	free(s->places);
	s->places = NULL;
}

static int take_world(struct serve_log *s, struct err *e)
{
	if (!atomic_exchange(&s->reload, false))
		return 0;
	drop_places(s);
	world_free(s->cli.world);
	s->cli.world = NULL;
	s->cli.looked = false;
	if (config_load(&s->cli, true, e) == 0)
		return 0;
	atomic_store(&s->reload, true); /* once more, until it is right again */
	return -1;
}

/* The place of a system; several databases may be told apart by the log's own identifier. */
static int place_of(
    struct serve_log *s, const char *system, uint64_t wal, struct log_place **out, struct err *e)
{
	struct log_place *p;

	for (size_t i = 0; system != NULL && i < s->n; i++)
		if (strcmp(log_place_system(s->places[i]), system) == 0) {
			*out = s->places[i];
			return 0;
		}
	if (log_place_new(&s->cli, system, wal, &p, e) == -1)
		return -1;
	for (size_t i = 0; system == NULL && i < s->n; i++)
		if (strcmp(log_place_system(s->places[i]), log_place_system(p)) == 0) {
			log_place_free(p);
			*out = s->places[i];
			return 0;
		}
	s->places = mem_realloc(s->places, (s->n + 1) * sizeof *s->places);
	s->places[s->n++] = p;
	*out = p;
	return 0;
}

static int push_locked(struct serve_log *s, uid_t who, const char *system, const char *name, int fd,
    enum log_put_outcome *out, struct err *e)
{
	struct log_place *p;

	if (take_world(s, e) == -1 || place_of(s, system, log_file_system(fd), &p, e) == -1)
		return -1;
	if (!log_place_may(p, who)) {
		err_set(e, ERR_DENIED, "user %u may not write the log of %s", (unsigned)who,
		    log_place_system(p));
		return err_hint(e, "the owner of its data directory may, and root");
	}
	return log_place_push(p, name, fd, out, e);
}

static int push(void *arg, uid_t who, const char *system, const char *name, int fd,
    char outcome[LOG_OUTCOME_MAX], struct err *e)
{
	static const char *const texts[] = {[LOG_SAME] = "same", [LOG_STORED] = "stored"};
	enum log_put_outcome out = LOG_SAME;
	struct serve_log *s = arg;
	int rc;

	pthread_mutex_lock(&s->lock);
	rc = push_locked(s, who, system, name, fd, &out, e);
	pthread_mutex_unlock(&s->lock);
	if (rc == -1)
		daemon_log(s->d, EVENT_ERROR, "log: %.80s: %s", name, e->msg);
	snprintf(outcome, LOG_OUTCOME_MAX, "%s", texts[out]);
	return rc;
}

int serve_log_start(struct cli *c, struct daemon *d, struct serve_log **out, struct err *e)
{
	struct serve_log *s = mem_zalloc(sizeof *s);
	struct log_socket_host host = {.arg = s, .push = push};
	char *path = cmd_log_socket(0);
	int rc;

	s->d = d;
	s->ctx.clock = c->ctx->clock;
	s->ctx.above = c->ctx;
	s->ctx.sink = sink;
	s->ctx.sink_arg = s;
	s->cli.opt = c->opt;
	s->cli.opt.repo = NULL;
	s->cli.ctx = &s->ctx;
	s->reload = true;
	pthread_mutex_init(&s->lock, NULL);
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
	log_server_stop(s->server);
	drop_places(s);
	world_free(s->cli.world);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

void serve_log_reload(struct serve_log *s)
{
	if (s != NULL)
		atomic_store(&s->reload, true);
}
