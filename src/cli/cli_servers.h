/*
 * cli_servers: the servers among a declared system's sources, as a backup takes them.
 *
 * Threads: the command's.
 */
#ifndef HF_CLI_CLI_SERVERS_H
#define HF_CLI_CLI_SERVERS_H

#include "config/world.h"
#include "engine/op_backup.h"

struct cli_servers {
	struct backup_pg *pg;
	struct world_pg_place *places;
	size_t n;
};

/* Into a zeroed struct, there to be freed in any case; their secrets are read.  s may be NULL. */
int cli_servers_collect(const struct world_system *s, struct cli_servers *out, struct err *e);
void cli_servers_fini(struct cli_servers *v);

#endif
