/* backup_pg_priv: what backup_pg's files share. */
#ifndef HF_ENGINE_BACKUP_PG_PRIV_H
#define HF_ENGINE_BACKUP_PG_PRIV_H

#include <jansson.h>
#include <pthread.h>

#include "engine/backup_internal.h"
#include "engine/backup_map.h"
#include "source/pg_session.h"
#include "source/pg_stream.h"

struct backup_pg_run {
	struct backup *b;
	const struct backup_pg *pg;
	struct pg_session s;
	char *data;
	char *scratch; /* where it was streamed to, or NULL: it is read where it is */
	struct pg_streamed streamed;
	char *map; /* tablespace_map's text; NULL: it has none */
	bool gathering;
	pthread_t gatherer;
	json_t *facts;           /* NULL: they could not be had, facts_err */
	const char *incremental; /* as in the facts */
	json_t *was_bad;         /* the parent's list of wrong pages; may be NULL */
	struct err facts_err;
};

/* The facts are there, or why they are not. */
void backup_pg_end_gathering(struct backup_pg_run *run);

/* The server as its log is read; new text, the folder that `out` borrows. */
char *backup_pg_map_params(const struct backup_pg_run *run, struct backup_map_params *out);

#endif
