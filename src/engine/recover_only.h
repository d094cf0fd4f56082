/*
 * recover_only: one database, schema or table as it was at a moment, brought into a server that
 * runs.
 *
 * The whole is recovered into a folder on the side, with a scratch server (pg_server.h), and what
 * is wanted goes over by pg_dump and pg_restore in one transaction: all of it, or nothing.  The
 * folder and the server are gone afterwards, however it ends.
 *
 * Threads: one owner.
 */
#ifndef HF_ENGINE_RECOVER_ONLY_H
#define HF_ENGINE_RECOVER_ONLY_H

#include "engine/op_recover.h"
#include "db/pg_conninfo.h"

struct recover_only {
	const char *what; /* DB[.SCHEMA[.TABLE]]; "a.b" in double quotes is one name */
	const struct pg_conninfo *into; /* the database that gets it */
	const char *folder; /* where the one on the side is made; NULL: TMPDIR, or /var/tmp */
	bool replace;       /* drop what is there of these names first */
};

/*
 * p: as for op_recover, without target, start and scratch.  ERR_EXISTS: what is wanted is there
 * already, told before anything is restored; ERR_ABSENT: a table's schema is not there to go to,
 * told then as well.  What the base backup did not note is a warning.
 */
int op_recover_only(struct repo *r, const struct recover_params *p, const struct recover_only *o,
    struct ctx *ctx, struct recover_result *out, struct err *e);

/* The names in it, each unquoted, new texts (NULL where there is none).  ERR_USAGE. */
struct recover_names {
	char *database, *schema, *table;
};
int recover_names_parse(const char *what, struct recover_names *out, struct err *e);
void recover_names_fini(struct recover_names *n);

#endif
