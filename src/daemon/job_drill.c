/*
 * job_drill: a recovery rehearsed, from the first destination that answers.  One that does not
 * answer is no finding against the backup: the next is asked.
 */
#include "daemon/job_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static bool is_away(const struct err *e)
{
	return e->kind == ERR_UNREACHABLE || e->kind == ERR_TIMEOUT ||
	       e->kind == ERR_NO_REPOSITORY || e->kind == ERR_BUSY || e->kind == ERR_COLD;
}

static bool is_level(const char *type)
{
	return strcmp(type, "standard") == 0 || strcmp(type, "comprehensive") == 0;
}

static int drill_from(struct job *j, const char *repository, struct err *e)
{
	const char *words[8] = {"-r", repository, "drill"};
	size_t n = 3;

	if (j->p->type != NULL) {
		words[n++] = is_level(j->p->type) ? "--level" : "--point";
		words[n++] = j->p->type;
	}
	words[n] = j->p->system->item.name;
	return job_command(j, words, false, e);
}

void job_drill(struct job *j)
{
	const struct world_repository **to = mem_alloc((j->tier->destinations.n + 1) * sizeof *to);
	size_t n = j->tier->destinations.n;
	struct err e;

	j->r->run.type = j->p->type                                    ? j->p->type
			 : j->tier->drill.level == WORLD_COMPREHENSIVE ? "comprehensive"
								       : "standard";
	world_destinations(j->p->world, j->tier, to);
	for (size_t i = 0; i < n && !ctx_cancelled(j->ctx); i++) {
		int rc = drill_from(j, to[i]->item.name, &e);

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
