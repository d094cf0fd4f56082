/*
 * log follow: the receiver of a system's log, in this process.
 *
 * Its tier's first destination (or --repo) is where it has to be durable; the others get whole
 * segments after that.  With --json each event is one line, as the daemon takes them.
 */
#include "cli/cmd_log.h"

#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"
#include "cli/cli_job.h"
#include "cli/cli_out.h"
#include "cli/declared.h"
#include "config/world.h"
#include "engine/op_log_follow.h"
#include "os/os.h"
#include "os/os_child.h"
#include "repo/repo.h"

enum { LARGE = 8 << 20, FOLLOW_DESTINATIONS = 17 };

struct following {
	struct cli *c;
	const struct world_system *system;
	const char *names[FOLLOW_DESTINATIONS]; /* as typed, or of the tier's repositories */
	size_t n;
	pthread_mutex_t lock;
	struct other *open[FOLLOW_DESTINATIONS]; /* NULL: none */
	char *state;
	struct follow_state before; /* of the receiver before us */
};

/* ---- What it follows. */

static bool receives(const struct world_system *s)
{
	const struct world_source *src = world_source_of(s, WORLD_POSTGRESQL);

	return src != NULL && src->postgresql.receive.enabled;
}

static const struct world_system *the_only_one(struct cli *c, struct err *e)
{
	const struct world_system *found = NULL;

	for (size_t i = 0; i < c->world->systems.n; i++) {
		const struct world_system *s = world_system_at(c->world, i);

		if (!receives(s))
			continue;
		if (found != NULL) {
			err_set(e, ERR_USAGE, "log follow: several systems have a receiver");
			err_hint(e, "say which: holdfast log follow %s", s->item.name);
			return NULL;
		}
		found = s;
	}
	if (found == NULL) {
		err_set(e, ERR_USAGE,
		    "log follow: no system has a source with `receive: {enabled: yes}`");
		err_hint(e, "holdfast log follow SYSTEM takes any with a postgresql source");
	}
	return found;
}

static const struct world_system *find(struct cli *c, const char *name, struct err *e)
{
	const struct world_system *s;

	if (name == NULL)
		return the_only_one(c, e);
	s = declared_system(c->world, name, ERR_USAGE, e);
	if (s != NULL && world_source_of(s, WORLD_POSTGRESQL) == NULL) {
		err_set(e, ERR_USAGE, "%s has no source of kind postgresql", name);
		return NULL;
	}
	return s;
}

/* Those of its tier's destinations that backups write; the first is where it has to be durable. */
static int destinations(struct following *x, struct err *e)
{
	const struct world *w = x->c->world;
	const struct world_tier *t = world_tier(w, x->system->tier);
	const struct world_repository **v = mem_alloc((w->repositories.n + 1) * sizeof(void *));
	size_t n = world_written(w, t, v);

	for (size_t i = 0; i < n && x->n < FOLLOW_DESTINATIONS; i++)
		x->names[x->n++] = v[i]->item.name;
	free(v);
	return x->n > 0 ? 0
			: err_set(e, ERR_USAGE, "%s: its tier %s has no destination",
			      x->system->item.name, x->system->tier);
}

/* ---- What op_log_follow asks of us. */

static int open_repository(void *arg, const char *name, struct repo **out, struct err *e)
{
	struct following *x = arg;
	struct other *o = other_new(x->c);
	size_t i = 0;

	if (other_open(x->c, name, NULL, o, e) == -1) {
		other_free(o);
		return -1;
	}
	*out = o->repo;
	pthread_mutex_lock(&x->lock);
	while (x->open[i] != NULL)
		i++;
	x->open[i] = o;
	pthread_mutex_unlock(&x->lock);
	return 0;
}

static void close_repository(void *arg, struct repo *r)
{
	struct following *x = arg;
	struct other *o = NULL;

	pthread_mutex_lock(&x->lock);
	for (size_t i = 0; i < FOLLOW_DESTINATIONS; i++)
		if (x->open[i] != NULL && x->open[i]->repo == r) {
			o = x->open[i];
			x->open[i] = NULL;
		}
	pthread_mutex_unlock(&x->lock);
	other_free(o);
}

static const char *severity(enum event_level level)
{
	return level == EVENT_ERROR ? "critical" : level == EVENT_WARN ? "warning" : "info";
}

/* Behind a gap nothing is recovered but from a base that is made after it. */
static void queue_base(struct following *x)
{
	const char *name = x->system->item.name;
	struct catalog *cat = NULL;
	struct job_place place;
	struct err e;
	int64_t id;
	bool added;

	if (job_place(x->c->world, name, "backup", &place, &e) == -1 ||
	    cli_catalog_open(x->c, &cat, &e) == -1 ||
	    job_queue(cat, &place, name, "backup", NULL, "log",
		x->c->ctx->clock->wall_ns(x->c->ctx->clock), &id, &added, &e) == -1)
		out_message(x->c, "a new base backup of %s could not be queued: %s", name, e.msg);
	else
		out_message(x->c, "a new base backup of %s is queued", name);
	catalog_close(cat);
}

static void tell(void *arg, const char *event, enum event_level level, const char *text)
{
	struct following *x = arg;

	if (x->c->opt.json) {
		json_t *o = json_object();

		out_json_str(o, "event", event);
		out_json_str(o, "severity", severity(level));
		out_json_str(o, "system", x->system->item.name);
		out_json_str(o, "text", text);
		out_json(x->c, "item", o);
		fflush(stdout);
	} else
		out_message(x->c, "%s: %s", x->system->item.name, text);
	if (strcmp(event, "log.gap") == 0)
		queue_base(x);
}

static void show(void *arg, const struct follow_state *s)
{
	struct following *x = arg;
	struct follow_state now = *s;
	struct err e;

	if (now.gap_ns == 0) { /* it is there still, whoever found it */
		now.gap_start = x->before.gap_start;
		now.gap_end = x->before.gap_end;
		now.gap_ns = x->before.gap_ns;
	}
	if (follow_state_write(x->state, &now, &e) == -1 && x->c->opt.verbose)
		out_message(x->c, "%s", e.msg);
}

/* ---- The command. */

static int64_t duration_ns(const struct calendar_duration *d)
{
	return d->ns + d->months * INT64_C(30) * 86400 * CALENDAR_SECOND;
}

static int follow(struct following *x, const struct world_source *src, struct err *e)
{
	const struct world_postgresql *pg = &src->postgresql;
	const struct world_pg_receive *r = &pg->receive;
	struct world_pg_place place;
	struct follow_params p = {.system = x->system->item.name,
	    .source = src->part,
	    .slot = world_postgresql_slot(pg),
	    .synchronous = r->synchronous,
	    .synchronous_wait_ns = duration_ns(&r->synchronous_wait),
	    .every_ns = duration_ns(&r->every),
	    .spool_limit = pg->spool_limit,
	    .slot_warn = pg->slot_warn,
	    .once = x->c->opt.once,
	    .first = x->names[0],
	    .others = x->names + 1,
	    .nothers = x->n - 1,
	    .open = open_repository,
	    .close = close_repository,
	    .tell = tell,
	    .state = show,
	    .arg = x};
	struct err none;
	char *spool;
	int rc;

	if (world_postgresql_place(pg, &place, e) == -1)
		return -1;
	p.target = place.target;
	p.target.application = r->application ? r->application : p.slot;
	spool = mem_printf("%s/spool/%s.%s", x->state, p.system, p.source);
	if (follow_state_read(x->state, p.system, p.source, &x->before, &none) == -1)
		x->before = (struct follow_state){.gap_ns = 0};
	p.spool = spool;
	rc = op_log_follow(&p, x->c->ctx, e);
	free(spool);
	world_pg_place_fini(&place);
	return rc;
}

int cmd_log_follow(struct cli *c, struct err *e)
{
	const char *system = c->args.n > 1 ? c->args.v[1] : c->opt.system;
	const char *parent = getenv("HOLDFAST_RUN_PARENT");
	struct following x = {.c = c, .lock = PTHREAD_MUTEX_INITIALIZER};
	int rc;

	if (parent != NULL && parent[0] != '\0' && !os_die_with_parent(atoi(parent)))
		return err_set(e, ERR_CANCELLED, "the daemon is gone");

	if (config_load(c, true, e) == -1 || (x.system = find(c, system, e)) == NULL)
		return -1;
	if (c->opt.repo != NULL)
		x.names[x.n++] = c->opt.repo;
	else if (destinations(&x, e) == -1)
		return -1;
	other_know_cred(c);
	/* libpq allocates each message anew: not as pages of the system's. */
	mallopt(M_MMAP_THRESHOLD, LARGE);
	mallopt(M_TRIM_THRESHOLD, LARGE);
	x.state = os_state_dir();
	rc = follow(&x, world_source_of(x.system, WORLD_POSTGRESQL), e);
	free(x.state);
	if (rc == 0 && ctx_cancelled(c->ctx))
		return err_set(e, ERR_CANCELLED, "interrupted");
	return rc;
}
