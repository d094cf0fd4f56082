/* world_tables: the tables that config/world_*_table.c share. */
#ifndef HF_CONFIG_WORLD_TABLES_H
#define HF_CONFIG_WORLD_TABLES_H

#include "config/world.h"

extern const struct field_table world_objective_table, world_schedule_table, world_verify_table,
    world_hooks_table, world_jobs_table, world_channel_table, world_monitor_table,
    world_freeze_table, world_postgresql_table, world_prune_table, world_drill_table,
    world_tier_drill_table, world_drill_check_table;

#endif
