/* api_survey: see api_survey.h. */
#include "api/api_survey.h"

#include <stdlib.h>
#include <string.h>

#include "api/api_shape.h"
#include "base/mem.h"
#include "catalog/catalog_snapshot.h"

static char *copy(const char *s)
{
	return s ? mem_strdup(s) : NULL;
}

/* Tables double: there may be a few thousand systems. */
static void *grow(void *v, size_t n, size_t size)
{
	return n & (n - 1) ? v : mem_realloc(v, (n ? 2 * n : 1) * size);
}

static struct survey_system *add_system(struct api_survey *s, const char *name)
{
	struct survey_system *x;

	s->systems = grow(s->systems, s->nsystems, sizeof *s->systems);
	x = &s->systems[s->nsystems++];
	memset(x, 0, sizeof *x);
	x->name = mem_strdup(name);
	x->rpo_ns = x->verify_ns = x->rpo_age_ns = x->verify_age_ns = x->drill_age_ns = -1;
	x->receiver.lag_ns = -1;
	return x;
}

static int take_declared(void *to, const struct api_system *d, struct err *e)
{
	struct survey_system *x = add_system(to, d->name);

	x->tier = copy(d->tier);
	x->node = copy(d->node);
	x->declared = true;
	x->rpo_ns = d->rpo_ns ? d->rpo_ns : -1;
	x->verify_ns = d->verify_ns ? d->verify_ns : -1;
	x->next_ns = d->next_ns;
	if (d->receiver != NULL) {
		x->receiver = *d->receiver;
		x->receiver.state = copy(d->receiver->state);
		x->receiver.why = copy(d->receiver->why);
		x->receiver.received = copy(d->receiver->received);
		x->receiver.stored = copy(d->receiver->stored);
	}
	return 0;
}

static int take_repository(void *to, const struct api_repository *r, struct err *e)
{
	struct api_survey *s = to;

	s->repositories = grow(s->repositories, s->nrepositories, sizeof *s->repositories);
	s->repositories[s->nrepositories++] = (struct survey_repository){
	    copy(r->name), copy(r->role), copy(r->location), copy(r->media), 0};
	return 0;
}

static int take_newest(void *to, const char *repository, int64_t end_ns, struct err *e)
{
	struct api_survey *s = to;

	for (size_t i = 0; i < s->nrepositories; i++)
		if (strcmp(s->repositories[i].name, repository) == 0 &&
		    end_ns > s->repositories[i].newest_ns)
			s->repositories[i].newest_ns = end_ns;
	return 0;
}

static int take_latest(void *to, const struct run_latest *l, struct err *e)
{
	struct api_survey *s = to;
	struct run_latest *x;

	s->latest = grow(s->latest, s->nlatest, sizeof *s->latest);
	x = &s->latest[s->nlatest++];
	*x = *l;
	x->system = mem_strdup(l->system ? l->system : "");
	x->kind = mem_strdup(l->kind ? l->kind : "");
	x->message = copy(l->message);
	x->snapshot = copy(l->snapshot);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(
	    ((const struct survey_system *)a)->name, ((const struct survey_system *)b)->name);
}

static struct survey_system *find(const struct api_survey *s, const char *name)
{
	struct survey_system key = {.name = (char *)name};

	return s->nsystems && name
		   ? bsearch(&key, s->systems, s->nsystems, sizeof *s->systems, by_name)
		   : NULL;
}

const struct survey_system *api_survey_find(const struct api_survey *s, const char *name)
{
	return find(s, name);
}

static void count(struct api_survey *s, struct survey_queue *q, const struct run *r)
{
	struct survey_system *x = find(s, r->system);
	bool runs = r->status == RUN_RUNNING;

	*(runs ? &s->running : &s->queued) += 1;
	*(runs ? &q->running : &q->queued) += 1;
	if (x != NULL)
		*(runs ? &x->running : &x->queued) += 1;
}

static int take_open(void *to, const struct run *r, struct err *e)
{
	struct api_survey *s = to;
	const char *name = r->queue ? r->queue : "";
	size_t i = 0;

	while (i < s->nqueues && strcmp(s->queues[i].name, name) != 0)
		i++;
	if (i == s->nqueues) {
		s->queues = grow(s->queues, s->nqueues, sizeof *s->queues);
		s->queues[s->nqueues++] = (struct survey_queue){.name = mem_strdup(name)};
	}
	count(s, &s->queues[i], r);
	return 0;
}

/*
 * Of what somebody has removed from the configuration something may be recorded still.  A prune is
 * a repository's.
 */
static void add_recorded(struct api_survey *s)
{
	size_t declared = s->nsystems;

	for (size_t i = 0; i < s->nlatest; i++) {
		const char *name = s->latest[i].system;
		struct survey_system key = {.name = (char *)name};

		if (name[0] == '\0' || strcmp(s->latest[i].kind, "prune") == 0 ||
		    (s->nsystems > declared && strcmp(s->systems[s->nsystems - 1].name, name) == 0))
			continue;
		if (declared == 0 ||
		    bsearch(&key, s->systems, declared, sizeof *s->systems, by_name) == NULL)
			add_system(s, name);
	}
	if (s->nsystems > 0)
		qsort(s->systems, s->nsystems, sizeof *s->systems, by_name);
}

static int64_t age(const struct api_survey *s, const struct run_latest *l)
{
	int64_t ns = s->now_ns - l->success_started_ns;

	/* A clock that was set back makes nothing newer than now. */
	return l->success_id == 0 ? -1 : ns < 0 ? 0 : ns;
}

static const char *state_of(const struct survey_system *x)
{
	if (x->backup.last_status == RUN_FAILED || x->backup.last_status == RUN_INTERRUPTED)
		return "failing";
	if (x->rpo_age_ns < 0)
		return "never";
	return x->rpo_ns >= 0 && x->rpo_age_ns > x->rpo_ns ? "late" : "ok";
}

static void judge(struct api_survey *s)
{
	for (size_t i = 0; i < s->nlatest; i++) {
		const struct run_latest *l = &s->latest[i];
		struct survey_system *x = find(s, l->system);

		if (x != NULL && strcmp(l->kind, "backup") == 0) {
			x->backup = *l;
			x->rpo_age_ns = age(s, l);
		} else if (x != NULL && strcmp(l->kind, "verify") == 0) {
			x->verify_age_ns = age(s, l);
		} else if (x != NULL && strcmp(l->kind, "drill") == 0) {
			x->drill_age_ns = age(s, l);
		}
	}
	for (size_t i = 0; i < s->nsystems; i++) {
		struct survey_system *x = &s->systems[i];

		/* From its base on what was received comes back, too; no gap between. */
		if (x->receiver.point_ns > 0 && x->rpo_age_ns > s->now_ns - x->receiver.point_ns &&
		    x->backup.success_started_ns > x->receiver.gap_ns)
			x->rpo_age_ns = s->now_ns - x->receiver.point_ns;
		x->state = state_of(x);
		x->rpo_missed = x->rpo_ns >= 0 && (x->rpo_age_ns < 0 || x->rpo_age_ns > x->rpo_ns);
		s->missed += x->rpo_missed;
	}
}

static int by_system_and_kind(const void *a, const void *b)
{
	const struct run_latest *x = a, *y = b;
	int c = strcmp(x->system, y->system);

	return c ? c : strcmp(x->kind, y->kind);
}

int api_survey_make(struct catalog *c, const struct api_host *host, int64_t now_ns,
    struct api_survey *out, struct err *e)
{
	struct run_filter open = {.open = true};

	memset(out, 0, sizeof *out);
	out->now_ns = now_ns;
	if ((host->systems && host->systems(host->arg, take_declared, out, e) == -1) ||
	    (host->repositories && (host->repositories(host->arg, take_repository, out, e) == -1 ||
				       catalog_newest_list(c, take_newest, out, e) == -1)) ||
	    run_latest(c, NULL, take_latest, out, e) == -1)
		goto bad;
	if (out->nsystems > 0)
		qsort(out->systems, out->nsystems, sizeof *out->systems, by_name);
	if (out->nlatest > 0)
		qsort(out->latest, out->nlatest, sizeof *out->latest, by_system_and_kind);
	add_recorded(out);
	if (run_list(c, &open, take_open, out, e) == -1)
		goto bad;
	judge(out);
	return 0;
bad:
	api_survey_fini(out);
	return -1;
}

static json_t *list_json(
    const struct shape *shape, const void *v, size_t n, size_t size, uint64_t fields)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(
		    list, shape_json_of(shape, (const char *)v + i * size, fields));
	return list;
}

json_t *api_survey_json(const struct api_survey *s, uint64_t fields)
{
	return json_pack("{s:o, s:o, s:i, s:i, s:i}", "repositories",
	    list_json(&shape_repository, s->repositories, s->nrepositories, sizeof *s->repositories,
		SHAPE_ALL),
	    "systems",
	    list_json(&shape_system, s->systems, s->nsystems, sizeof *s->systems, fields),
	    "running", (int)s->running, "queued", (int)s->queued, "missed", (int)s->missed);
}

void api_survey_fini(struct api_survey *s)
{
	for (size_t i = 0; i < s->nrepositories; i++) {
		free(s->repositories[i].name);
		free(s->repositories[i].role);
		free(s->repositories[i].location);
		free(s->repositories[i].media);
	}
	free(s->repositories);
	for (size_t i = 0; i < s->nsystems; i++) {
		free(s->systems[i].name);
		free(s->systems[i].tier);
		free(s->systems[i].node);
		free((char *)s->systems[i].receiver.state);
		free((char *)s->systems[i].receiver.why);
		free((char *)s->systems[i].receiver.received);
		free((char *)s->systems[i].receiver.stored);
	}
	for (size_t i = 0; i < s->nlatest; i++) {
		free((char *)s->latest[i].system);
		free((char *)s->latest[i].kind);
		free((char *)s->latest[i].message);
		free((char *)s->latest[i].snapshot);
	}
	for (size_t i = 0; i < s->nqueues; i++)
		free(s->queues[i].name);
	free(s->systems);
	free(s->latest);
	free(s->queues);
	memset(s, 0, sizeof *s);
}
