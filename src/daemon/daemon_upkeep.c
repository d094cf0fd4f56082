/*
 * daemon_upkeep: repositories are pruned when they say.
 *
 * Such a run is of the repository, whose name stands where that of the system does, and waits in
 * its queue as backups do.  As with them, one is in the queue before that is noted.
 *
 * A path is of the host that it is on: where the systems that are stored there name one host,
 * theirs is the prune, whichever daemon of the catalog sees first that it is due.
 */
#include "daemon/daemon_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static bool is_path(const char *url)
{
	return url[0] == '/' || strncmp(url, "fs:", 3) == 0;
}

static bool is_among(const struct field_texts *names, const char *name)
{
	for (size_t i = 0; i < names->n; i++)
		if (strcmp(names->v[i], name) == 0)
			return true;
	return false;
}

/* Where it has to be pruned; NULL: anywhere, or that cannot be told. */
const char *daemon_upkeep_node(const struct world *w, const struct world_repository *r)
{
	const char *node = NULL;

	for (size_t i = 0; i < w->systems.n && is_path(r->url); i++) {
		const struct world_system *s = world_system_at(w, i);

		if (!is_among(&world_tier(w, s->tier)->destinations, r->item.name))
			continue;
		if (s->node == NULL || (node != NULL && strcmp(node, s->node) != 0))
			return NULL;
		node = s->node;
	}
	return node;
}

static char *memory_name(const struct upkept *u)
{
	return mem_printf("settled.prune.%s", u->repository->item.name);
}

static int settle(struct daemon *d, struct upkept *u, int64_t s, struct err *e)
{
	char *name = memory_name(u), value[32];
	int rc;

	snprintf(value, sizeof value, "%" PRId64, s);
	rc = catalog_put(d->catalog, name, value, e);
	if (rc == 0)
		u->settled_s = s;
	free(name);
	return rc;
}

static int recall(struct daemon *d, struct upkept *u, int64_t now_s, struct err *e)
{
	char *name = memory_name(u), *value = NULL;
	int rc = catalog_get(d->catalog, name, &value, e);

	free(name);
	if (rc == -1)
		return -1;
	if (value == NULL)
		return settle(d, u, now_s, e);
	u->settled_s = strtoll(value, NULL, 10);
	if (u->settled_s > now_s)
		u->settled_s = now_s;
	free(value);
	return 0;
}

int daemon_upkeep_new(
    struct daemon *d, const struct world *w, int64_t now_s, struct upkept **out, struct err *e)
{
	size_t n = w->repositories.n;
	struct upkept *v = mem_zalloc((n + 1) * sizeof *v);

	for (size_t i = 0; i < n; i++) {
		v[i].repository = world_repository_at(w, i);
		if (world_prune_times(v[i].repository, &v[i].times, e) == -1 ||
		    recall(d, &v[i], now_s, e) == -1) {
			daemon_upkeep_free(v, n);
			return -1;
		}
	}
	*out = v;
	return 0;
}

void daemon_upkeep_free(struct upkept *v, size_t n)
{
	for (size_t i = 0; i < n && v != NULL; i++)
		world_times_free(v[i].times);
	free(v);
}

static int is_one(void *arg, const struct run *r, struct err *e)
{
	*(bool *)arg = true;
	return 0;
}

/* One that waits or runs is enough: what is due now it does as well. */
static int queue(struct daemon *d, const struct upkept *u, const struct due *due, struct err *e)
{
	const char *name = u->repository->item.name;
	struct run_filter open = {.system = name, .kind = "prune", .open = true, .limit = 1};
	struct run r = {.system = name,
	    .kind = "prune",
	    .node = daemon_upkeep_node(d->world, u->repository),
	    .trigger = due->late ? "catch-up" : "schedule",
	    .queue = name,
	    .status = RUN_QUEUED,
	    .due_ns = due->due_s * CALENDAR_SECOND,
	    .not_before_ns = due->start_s * CALENDAR_SECOND,
	    .queued_ns = d->ctx->clock->wall_ns(d->ctx->clock)};
	bool some = false;
	int64_t id;

	if (run_list(d->catalog, &open, is_one, &some, e) == -1)
		return -1;
	if (some || run_add(d->catalog, &r, &id, e) == 0)
		return 0;
	return e->kind == ERR_EXISTS ? 0 : -1;
}

void daemon_upkeep_due(struct daemon *d, int64_t now_s)
{
	struct due due;
	struct err e;

	for (size_t i = 0; i < d->nupkept && now_s >= d->rests_until_s; i++) {
		struct upkept *u = &d->upkept[i];

		if (u->next_s > now_s)
			continue;
		if (due_what(u->times, TIMES_PRUNE, u->settled_s, now_s, &due) &&
		    (queue(d, u, &due, &e) == -1 || settle(d, u, now_s, &e) == -1)) {
			daemon_log(
			    d, EVENT_ERROR, "prune of %s: %s", u->repository->item.name, e.msg);
			d->rests_until_s = now_s + DAEMON_RENEW_S;
			return;
		}
		u->next_s = due_next(u->times, now_s);
	}
}
