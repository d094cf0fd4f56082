/* world_monitor_table: the keys of a monitor. */
#include <stddef.h>

#include "config/world_monitor.h"
#include "config/world_tables.h"

#define M(member) offsetof(struct world_monitor, member)

/* clang-format off */
static const struct field monitor_rows[] = {
    {"type", FIELD_CHOICE, M(type), false, "checksum|record_count|state_hash|version_check", NULL, "what is looked at; left out: its name says it"},
    {"every", FIELD_DURATION, M(every), false, NULL, NULL, "how often"},
    {"action", FIELD_CHOICE, M(action), false, "alert_on_mismatch|alert_on_threshold|block_on_mismatch", NULL, "what then; block: backups and retention are held until somebody accepts"},
    {"threshold", FIELD_PERCENT, M(threshold), false, NULL, NULL, "of a record_count: by how much it may differ from the last; 5"},
    {"paths", FIELD_TEXTS, M(paths), false, NULL, NULL, "of a checksum: in the newest snapshot; else files as they are"},
    {"command", FIELD_TEXT, M(command), false, NULL, NULL, "for /bin/sh: what it prints is looked at"},
    {"expect", FIELD_TEXT, M(expect), false, NULL, NULL, "of a version_check; left out: what was accepted last"},
    {"timeout", FIELD_DURATION, M(timeout), false, NULL, NULL, "of the command; 1m"},
    {0},
};
/* clang-format on */
const struct field_table world_monitor_table = {monitor_rows, sizeof(struct world_monitor)};
