/* backup_pg_priv: what backup_pg's files share. */
#ifndef HF_ENGINE_BACKUP_PG_PRIV_H
#define HF_ENGINE_BACKUP_PG_PRIV_H

#include <jansson.h>
#include <pthread.h>

#include "engine/backup_internal.h"
#include "engine/backup_map.h"
#include "engine/backup_older.h"
#include "source/pg_session.h"
#include "source/pg_stream.h"
#include "source/wal_lost.h"

struct backup_pg_run {
	struct backup *b;
	const struct backup_pg *pg;
	struct pg_session s;
	char *data;
	char *scratch; /* where it was streamed to, or NULL: it is read where it is */
	struct pg_streamed streamed;
	struct snapshot *parent;             /* of what was streamed, where that is an increment */
	struct backup_older *older;          /* what the parent has; NULL: all of it came */
	char *map;                           /* tablespace_map's text; NULL: it has none */
	struct wal_lost_database *databases; /* that the server had at the end */
	char **names;                        /* of them */
	size_t ndatabases;
	bool asked; /* for them, and was told */
	bool gathering;
	pthread_t gatherer;
	struct pg *beside;    /* has the server keep its WAL, and does nothing else */
	uint64_t kept;        /* from here on, 0: it is not; valid once it was looked at */
	pthread_mutex_t asks; /* who asks by the session while files are read */
	pthread_mutex_t lock; /* of the four that follow */
	pthread_cond_t turn;
	bool looked, go, over;   /* after `kept`; facts are wanted; the run is */
	bool idle;               /* the session: files are read, or they came */
	bool closed;             /* a connection of ours that may still count */
	bool full;               /* some facts had no connection left */
	json_t *facts;           /* NULL: they could not be had, facts_err */
	const char *incremental; /* as in the facts */
	json_t *was_bad;         /* the parent's list of wrong pages; may be NULL */
	struct err facts_err;
};

/* There is a backup that facts are of. */
void backup_pg_go(struct backup_pg_run *run);
/* The facts are there, or why they are not. */
void backup_pg_end_gathering(struct backup_pg_run *run);

/*
 * Databases that replay would make of a folder that is not in the backup: problems of the run.  The
 * server is asked for those that it has as soon as the backup has ended.
 */
void backup_pg_ask_databases(struct backup_pg_run *run);
void backup_pg_free_databases(struct backup_pg_run *run);
int backup_pg_find_lost(struct backup_pg_run *run, struct err *e);

/* The server as its log is read; new text, the folder that `out` borrows. */
char *backup_pg_map_params(const struct backup_pg_run *run, struct backup_map_params *out);

/*
 * backup_pg_stream.c: its files over the connection, into run->scratch; only what changed since the
 * parent where the server can tell.
 */
int backup_pg_stream(struct backup_pg_run *run, const struct snapshot *s, struct err *e);

/* The parent's part of this server; NULL: it has none. */
const struct snapshot_part *backup_pg_same_part(
    const struct snapshot *s, const struct backup_pg_run *run);
/* The pages that the parent found wrong; false: they are too many to be listed. */
bool backup_pg_take_bad(struct backup_pg_run *run, const struct snapshot_part *old);

#endif
