/*
 * pg_facts: what a server of PostgreSQL's holds, cheaply: settings, roles, databases with their
 * tables, rows and schemas, as JSON.  Backups note it, drills compare it with what came back.
 *
 *     {"lsn": "0/5000110", "lsn_end": "0/5000110", "next_xid": "751", "settings": {name: value},
 * "roles": [name], "logins": roles that may, "memberships": of roles in roles, "tablespaces":
 * [{"oid", "name", "location"}], "databases": [{"name", "oid", "bytes", "schema_hash", "objects":
 * {"indexes": how many, "views", "functions", ...}, "tables":
 *      [{"schema", "name", "bytes", "rows", "exact", "unlogged", "checksum"}]}]}
 *
 * With `names` also "other_databases": [name] beside "databases", and of each "schemas": [name] and
 * "others": [[schema, name]] of views, sequences, partitioned and foreign tables; so that what is
 * in none of them was not there.
 *
 * What stands in one database is from one snapshot of it (REPEATABLE READ).  "exact" is false for
 * rows that the server estimates, null where it cannot (never analysed); tables of up to
 * PG_FACTS_SMALL are counted, as far as this role may read them, nobody holds them, and they are
 * not too many together.  "lsn" is a position before all of these snapshots, "lsn_end" one after
 * them.  "next_xid" is null unless all of them saw the same transactions and none in progress:
 * whoever holds the same of it, from no earlier position than "lsn_end", holds the same rows.
 * Unlogged tables have no rows: a recovery empties them.  A database that this role may not connect
 * to, or that has no connection left, has an "error" in place of its tables.  Templates are left
 * out. "settings" are the server's, without those that a role or database has of its own; neither
 * they nor the server's change how rows and schemas are written for their hashes.
 *
 * Threads: any; a call has connections of its own.
 */
#ifndef HF_SOURCE_PG_FACTS_H
#define HF_SOURCE_PG_FACTS_H

#include <jansson.h>

#include "db/pg.h"

#define PG_FACTS_SMALL   (UINT64_C(16) << 20)
#define PG_FACTS_COUNTED (UINT64_C(256) << 20) /* bytes of tables that are counted in one go */

struct pg_facts_params {
	bool exact_rows;         /* count them all */
	bool table_checksums;    /* and read them all: "checksum" is of all rows, in any order */
	const char *const *only; /* databases; NULL: all of them */
	size_t nonly;
	bool names;  /* also of all that is no table, and of the databases that are left out */
	int count_s; /* count what is larger, too, from the smallest on, for so long */
};

/* p may be NULL; *out is new. */
int pg_facts_gather(const struct pg_target *t, const struct pg_facts_params *p, json_t **out,
    struct ctx *ctx, struct err *e);

/*
 * The same by a connection to the target's database, given back as it was but for its settings,
 * and of the other databases by one more after the other.  *full: one of them had none left.
 */
int pg_facts_gather_by(struct pg *g, const struct pg_target *t, const struct pg_facts_params *p,
    json_t **out, bool *full, struct ctx *ctx, struct err *e);

/* A text of the server's, whatever bytes it has. */
json_t *pg_facts_string(const char *s);

#endif
