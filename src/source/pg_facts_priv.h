/* pg_facts_priv: what pg_facts's files share. */
#ifndef HF_SOURCE_PG_FACTS_PRIV_H
#define HF_SOURCE_PG_FACTS_PRIV_H

#include "source/pg_facts.h"

struct pg_facts {
	const struct pg_target *target;
	struct pg_facts_params p;
	struct ctx *ctx;
	json_t *out;
	char **names; /* of databases */
	size_t n;
	bool *full;          /* set where a database's connection was refused */
	int64_t count_until; /* ms; of its params' count_s */
	uint64_t counted;    /* bytes of tables whose rows were counted */
	char *next_xid;      /* by the first snapshot; "": transactions were in progress */
	bool moved;          /* by a later one it is another */
};

int64_t pg_facts_now_ms(void);
json_t *pg_facts_number(const char *s);

/* Which transaction is next in this connection's snapshot, and does any run? */
int pg_facts_snapshot(struct pg_facts *f, struct pg *g, struct err *e);

/* "schema_hash" and "tables" into the database's object; g is connected to it. */
int pg_facts_tables(struct pg_facts *f, struct pg *g, json_t *database, struct err *e);

#endif
