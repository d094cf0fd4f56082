/* run_status: names of what a run can be; see catalog.h. */
#include <string.h>

#include "catalog/catalog.h"

static const struct {
	const char *name;
	bool over;
} statuses[RUN_STATUSES] = {
    [RUN_QUEUED] = {"queued", false},
    [RUN_RUNNING] = {"running", false},
    [RUN_COMPLETED] = {"completed", true},
    [RUN_PROBLEMS] = {"problems", true},
    [RUN_FAILED] = {"failed", true},
    [RUN_INTERRUPTED] = {"interrupted", true},
    [RUN_SKIPPED] = {"skipped", true},
    [RUN_CANCELLED] = {"cancelled", true},
};

const char *run_status_name(enum run_status s)
{
	return s > 0 && s < RUN_STATUSES ? statuses[s].name : "";
}

enum run_status run_status_of(const char *name)
{
	for (int i = 1; i < RUN_STATUSES; i++)
		if (strcmp(statuses[i].name, name) == 0)
			return i;
	return 0;
}

bool run_status_over(enum run_status s)
{
	return s > 0 && s < RUN_STATUSES && statuses[s].over;
}
