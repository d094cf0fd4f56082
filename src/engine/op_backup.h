/*
 * op_backup: read a source and store it as one snapshot.
 *
 * Files that cannot be read are told to the sink, counted, listed in the
 * snapshot's facts, and the rest is stored: ERR_NONE with errors > 0, outcome
 * incomplete (exit 3).  -1 means no snapshot was made.
 *
 * Several repositories: those of one family (init --family) are read, cut, hashed and
 * compressed once and sealed for each; others, and one that would hold up the rest, get a
 * pass of their own after that.  What happens to one is no matter of the others.
 *
 * Threads: one call at a time per repo; it runs its own workers.
 */
#ifndef HF_ENGINE_OP_BACKUP_H
#define HF_ENGINE_OP_BACKUP_H

#include "codec/codec.h"
#include "db/pg.h"
#include "repo/repo.h"
#include "repo/snapshot.h"
#include "source/exclude.h"
#include "source/source.h"

/* A server of PostgreSQL's as a part of the snapshot. */
struct backup_pg {
	const char *part; /* its name */
	const struct pg_target *target;
	bool stream;                /* over its connection, though its files may be here */
	bool direct;                /* only by its files */
	const char *data_directory; /* NULL: the server is asked */
	bool exact_rows, table_checksums;
	/* Not its files but dumps of these by pg_dump, "DATABASE" or "DATABASE.SCHEMA"; "*": all.
	 */
	const char *const *dump;
	size_t ndump;
	const char *bin_directory; /* where pg_dump is; NULL: found by the version */
};

struct backup_params {
	const char *const *paths; /* as typed; made absolute here */
	size_t npaths;            /* may be 0 where there are servers */
	const struct backup_pg *pg;
	size_t npg;
	int stdin_fd;           /* used if stdin_name is set */
	const char *stdin_name; /* else NULL */
	const char *system;     /* label, or NULL */
	const char *host;       /* NULL: this host */
	const char *const *tags;
	size_t ntags;
	enum snapshot_strategy strategy;
	const struct exclude *exclude;    /* may be NULL */
	const char *const *exclude_texts; /* for the facts */
	size_t nexclude_texts;
	bool exclude_caches, one_file_system;
	const struct source_place *places; /* folders that are read elsewhere: source.h */
	size_t nplaces;
	bool fixed; /* fixed chunker */
	enum codec_id codec;
	int level;
	unsigned jobs;               /* 0: one a core */
	bool count;                  /* walk twice, to know how much there is, once it is wanted */
	bool dry_run;                /* reads and counts, stores nothing */
	const char *const *canaries; /* absolute; told when one changes or goes */
	size_t ncanaries;
	int64_t patience_ns; /* for a repository that holds up others; 0: 30 s */
};

struct backup_result {
	bool has_snapshot;
	struct id snapshot, parent;
	bool has_parent;
	enum snapshot_outcome outcome;
	struct snapshot_stats stats;
	uint64_t resumed_bytes; /* of content read, stored before by a run that did not finish */
	struct snapshot_anomaly *anomalies; /* the caller frees it */
	size_t nanomalies;
	uint64_t repo_bytes; /* written to the repository, all objects */
	double seconds;
};

struct backup_target {
	struct repo *repo; /* NULL: it could not be opened, rc and err say why */
	int rc;
	struct err err; /* if rc is -1 */
	bool behind;    /* it was given up, or that was why it had a pass of its own */
	bool done;      /* in: it had its turn in an earlier call, and stays as it is */
	struct backup_result result;
};

/* -1 with the first one's error if no target has what was asked for. */
int op_backup_many(struct backup_target *targets, size_t n, const struct backup_params *p,
    struct ctx *ctx, struct err *e);

int op_backup(struct repo *r, const struct backup_params *p, struct ctx *ctx,
    struct backup_result *out, struct err *e);

#endif
