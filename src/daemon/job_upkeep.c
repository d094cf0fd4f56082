/* job_upkeep: copies to archives, and the prune of a repository. */
#include <stdlib.h>

#include "base/mem.h"
#include "daemon/job_internal.h"

/* From the first of those that are written by backups that can be read. */
static int copy_to(struct job *j, const struct world_repository *archive, struct err *e)
{
	const char *name = j->p->system->item.name;
	const struct world_repository **from = mem_alloc(
	    (j->tier->destinations.n + 1) * sizeof(void *));
	char *latest = mem_printf("latest:%s", name);
	size_t n = world_written(j->p->world, j->tier, from);
	int rc = -1;

	for (size_t i = 0; i < n && rc == -1; i++) {
		const char *words[] = {"-r", archive->item.name, "copy", "--from-repo",
		    from[i]->item.name, latest, NULL};

		rc = job_command(j, words, true, e);
		if (rc == -1 && e->kind != ERR_UNREACHABLE && e->kind != ERR_TIMEOUT)
			break;
	}
	free(latest);
	free(from);
	return rc;
}

static void fill(struct job *j, const struct world_repository *archive)
{
	const char *name = archive->item.name;
	const char *words[] = {"-r", name, "forget", "--system", j->p->system->item.name, NULL};
	struct err e;

	if (!world_may_reside(j->tier, archive)) {
		err_set(&e, ERR_USAGE, "%s is not where data of tier %s may be (residency)", name,
		    j->tier->item.name);
		job_fail(j, &e);
		return;
	}
	if ((copy_to(j, archive, &e) == -1 && !job_settle(j, name, &e)) || !job_retains(j))
		return;
	if (job_command(j, words, false, &e) == -1)
		job_warn(j, "retention", &e);
}

void job_copy(struct job *j)
{
	const struct world_repository **to = mem_alloc(
	    (j->tier->destinations.n + 1) * sizeof(void *));
	size_t n = world_archives(j->p->world, j->tier, to);
	struct err e;

	for (size_t i = 0; i < n && !ctx_cancelled(j->ctx); i++)
		fill(j, to[i]);
	if (n == 0) {
		err_set(&e, ERR_USAGE, "%s has no destination of role archive beside others",
		    j->p->system->item.name);
		job_fail(j, &e);
	}
	free(to);
}

void job_prune(struct job *j)
{
	const char *name = j->p->repository->item.name;
	const char *words[] = {"-r", name, "prune", NULL};
	struct err e;

	if (job_command(j, words, false, &e) == -1)
		job_settle(j, name, &e);
}
