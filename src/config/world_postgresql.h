/*
 * world_postgresql: `- postgresql: {...}` of a system: a server of PostgreSQL's.
 *
 * A part of struct world_source (world.h).
 */
#ifndef HF_CONFIG_WORLD_POSTGRESQL_H
#define HF_CONFIG_WORLD_POSTGRESQL_H

#include "config/field.h"
#include "db/pg.h"

enum world_pg_method { /* 0: direct where the data directory can be read here, else stream */
	WORLD_PG_DIRECT = 1,
	WORLD_PG_STREAM,
};

/* The resident receiver of its WAL. */
struct world_pg_receive {
	bool enabled;                   /* written as `receive: {enabled: yes}` */
	char *slot;                     /* NULL: holdfast */
	char *application;              /* as in synchronous_standby_names; NULL: the slot's name */
	bool synchronous;               /* a commit waits until its WAL is in the repository */
	struct calendar_duration every; /* 0: not said */
	struct calendar_duration synchronous_wait; /* 0: for ever; then it goes on without */
};

struct world_postgresql {
	char *host, *user, *password, *database, *sslmode, *sslrootcert; /* password: reference */
	unsigned port;                                                   /* 0: not said */
	int method;                                                      /* enum world_pg_method */
	char *data_directory; /* NULL: the server is asked */
	char *bin_directory;  /* NULL: found by the data's version */
	struct world_pg_receive receive;
	bool archived;                   /* its archive_command brings us its WAL */
	uint64_t spool_limit, slot_warn; /* bytes; 0: not said */
	bool table_checksums, exact_rows;
	struct field_texts dump;      /* DATABASE, DATABASE.SCHEMA or "*"; none: its files */
	char *start, *stop, *restart; /* commands of the real server, for /bin/sh -c */
};

/* What pg_open takes, with the secret read; `p` has to outlive it. */
struct world_pg_place {
	struct pg_target target;
	char port[12];
	char *password; /* locked memory */
};
int world_postgresql_place(
    const struct world_postgresql *p, struct world_pg_place *out, struct err *e);
void world_pg_place_fini(struct world_pg_place *place);

/* Does its log come here, by a receiver or an archive_command? */
bool world_postgresql_log(const struct world_postgresql *p);

/* The slot of its receiver. */
const char *world_postgresql_slot(const struct world_postgresql *p);

#endif
