/* world_schedule_table: the keys that say when, how well, and with what around it. */
#include <stddef.h>

#include "config/world_tables.h"

#define O(member) offsetof(struct world_objective, member)
#define C(member) offsetof(struct world_schedule, member)
#define P(member) offsetof(struct world_prune, member)
#define V(member) offsetof(struct world_verify, member)
#define H(member) offsetof(struct world_hook, member)
#define J(member) offsetof(struct world_jobs, member)

/* clang-format off */
static const struct field objective_rows[] = {
    {"target", FIELD_DURATION, O(target), true, NULL, NULL, "what is promised"},
    {"acceptable", FIELD_DURATION, O(acceptable), false, NULL, NULL, "what is still borne"},
    {0},
};
const struct field_table world_objective_table = {objective_rows, sizeof(struct world_objective)};

static const struct field schedule_rows[] = {
    {"full", FIELD_SCHEDULE, C(full), false, NULL, NULL, "every source is read whole"},
    {"differential", FIELD_SCHEDULE, C(differential), false, NULL, NULL, "what changed since the last full one"},
    {"incremental", FIELD_SCHEDULE, C(incremental), false, NULL, NULL, "what changed since the last one"},
    {"archive", FIELD_SCHEDULE, C(archive), false, NULL, NULL, "the newest snapshot is copied to destinations of role archive; monthly"},
    {"timezone", FIELD_TEXT, C(timezone), false, NULL, NULL, "by whose clock: Europe/Berlin; left out: the machine's"},
    {"jitter", FIELD_DURATION, C(jitter), false, NULL, NULL, "begin up to so much later, each system at its own moment"},
    {"only", FIELD_WINDOWS, C(only), false, NULL, NULL, "begin only within: \"22:00-05:00\", \"sat,sun 00:00-24:00\""},
    {"never", FIELD_WINDOWS, C(never), false, NULL, NULL, "begin nothing within"},
    {"catch_up", FIELD_CHOICE, C(catch_up), false, "once|skip", NULL, "of what was due while nothing ran"},
    {0},
};
const struct field_table world_schedule_table = {schedule_rows, sizeof(struct world_schedule)};

static const struct field prune_rows[] = {
    {"every", FIELD_SCHEDULE, P(every), true, NULL, NULL, "how often"},
    {"timezone", FIELD_TEXT, P(timezone), false, NULL, NULL, "by whose clock; left out: the machine's"},
    {"jitter", FIELD_DURATION, P(jitter), false, NULL, NULL, "begin up to so much later"},
    {"only", FIELD_WINDOWS, P(only), false, NULL, NULL, "begin only within: \"01:00-05:00\""},
    {"never", FIELD_WINDOWS, P(never), false, NULL, NULL, "begin nothing within"},
    {0},
};
const struct field_table world_prune_table = {prune_rows, sizeof(struct world_prune)};

static const struct field verify_rows[] = {
    {"every", FIELD_SCHEDULE, V(every), true, NULL, NULL, "how often"},
    {"level", FIELD_CHOICE, V(level), false, "standard|comprehensive", NULL, "standard: what is stored; comprehensive: what comes back, too"},
    {"all_data_within", FIELD_DURATION, V(all_data_within), false, NULL, NULL, "every byte that is stored is read once in so long"},
    {0},
};
const struct field_table world_verify_table = {verify_rows, sizeof(struct world_verify)};

static const struct field hook_rows[] = {
    {"run", FIELD_TEXT, H(run), true, NULL, NULL, "for /bin/sh"},
    {"timeout", FIELD_DURATION, H(timeout), false, NULL, NULL, "it is ended after so long; 5m"},
    {"environment", FIELD_PAIRS, H(environment), false, NULL, NULL, "variables it gets"},
    {"on_error", FIELD_CHOICE, H(on_error), false, "fail|warn|ignore", NULL, "what its failure means for the run"},
    {0},
};
static const struct field_table hook_table = {hook_rows, sizeof(struct world_hook)};

static const struct field hooks_rows[] = {
    {"before", FIELD_LIST, offsetof(struct world_hooks, before), false, NULL, &hook_table, "before anything is read"},
    {"after", FIELD_LIST, offsetof(struct world_hooks, after), false, NULL, &hook_table, "after the backup, however it went"},
    {"on_failure", FIELD_LIST, offsetof(struct world_hooks, on_failure), false, NULL, &hook_table, "when the run failed"},
    {0},
};
const struct field_table world_hooks_table = {hooks_rows, sizeof(struct world_hooks)};

static const struct field jobs_rows[] = {
    {"parallel", FIELD_COUNT, J(parallel), false, NULL, NULL, "runs at once; 2"},
    {"per_repository", FIELD_COUNT, J(per_repository), false, NULL, NULL, "of them for one repository; 1"},
    {"nice", FIELD_TEXT, J(nice), false, NULL, NULL, "their CPU priority, -20 to 19"},
    {"ionice", FIELD_CHOICE, J(ionice), false, "idle|best-effort", NULL, "their turn at the disks"},
    {"timeout", FIELD_DURATION, J(timeout), false, NULL, NULL, "one that takes longer is ended"},
    {0},
};
const struct field_table world_jobs_table = {jobs_rows, sizeof(struct world_jobs)};
/* clang-format on */
