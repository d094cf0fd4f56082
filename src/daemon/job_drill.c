/*
 * job_drill: a recovery rehearsed, from the first destination that answers.  One that does not
 * answer is no finding against the backup: the next is asked.
 */
#include "daemon/job_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "catalog/drill_what.h"

static bool is_away(const struct err *e)
{
	return e->kind == ERR_UNREACHABLE || e->kind == ERR_TIMEOUT ||
	       e->kind == ERR_NO_REPOSITORY || e->kind == ERR_BUSY || e->kind == ERR_COLD;
}

static int drill_from(
    struct job *j, const struct drill_what *w, const char *repository, struct err *e)
{
	const char *const options[][2] = {
	    {"--level", w->level}, {"--point", w->point}, {"--to", w->to}};
	const char *words[12] = {"-r", repository, "drill"};
	size_t n = 3;

	for (size_t i = 0; i < sizeof options / sizeof *options; i++)
		if (options[i][1][0] != '\0') {
			words[n++] = options[i][0];
			words[n++] = options[i][1];
		}
	words[n++] = j->p->system->item.name;
	words[n] = NULL;
	return job_command(j, words, false, e);
}

/* All of them, or the one that was asked for. */
static size_t places(
    const struct job *j, const struct drill_what *w, const struct world_repository **to)
{
	size_t n = j->tier->destinations.n, kept = 0;

	world_destinations(j->p->world, j->tier, to);
	for (size_t i = 0; i < n; i++)
		if (w->from[0] == '\0' || strcmp(w->from, to[i]->item.name) == 0)
			to[kept++] = to[i];
	return kept;
}

void job_drill(struct job *j)
{
	const struct world_repository **to = mem_alloc((j->tier->destinations.n + 1) * sizeof *to);
	struct drill_what w;
	size_t n;
	struct err e;

	j->r->run.type = j->p->type                                    ? j->p->type
			 : j->tier->drill.level == WORLD_COMPREHENSIVE ? "comprehensive"
								       : "standard";
	drill_what_parse(j->p->type, &w);
	n = places(j, &w, to);
	if (n == 0) {
		err_set(&e, ERR_USAGE, "drill: %s is no destination of %s", w.from,
		    j->p->system->item.name);
		job_fail(j, &e);
	}
	for (size_t i = 0; i < n && !ctx_cancelled(j->ctx); i++) {
		int rc = drill_from(j, &w, to[i]->item.name, &e);

		if (rc == -1 && is_away(&e) && i + 1 < n) {
			job_warn(j, to[i]->item.name, &e);
			continue;
		}
		snprintf(j->r->destinations, sizeof j->r->destinations, "%s", to[i]->item.name);
		if (rc == -1)
			job_settle(j, to[i]->item.name, &e);
		break;
	}
	free(to);
	if (j->judged > 0 && j->r->run.verified == NULL)
		j->r->run.verified = "passed";
}
