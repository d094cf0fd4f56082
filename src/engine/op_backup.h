/*
 * op_backup: read a source and store it as one snapshot.
 *
 * Files that cannot be read are told to the sink, counted, listed in the
 * snapshot's facts, and the rest is stored: ERR_NONE with errors > 0, outcome
 * incomplete (exit 3).  -1 means no snapshot was made.
 *
 * Threads: one call at a time per repo; it runs its own workers.
 */
#ifndef HF_ENGINE_OP_BACKUP_H
#define HF_ENGINE_OP_BACKUP_H

#include "codec/codec.h"
#include "repo/repo.h"
#include "repo/snapshot.h"
#include "source/exclude.h"

struct backup_params {
	const char *const *paths; /* as typed; made absolute here */
	size_t npaths;
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
	bool fixed; /* fixed chunker */
	enum codec_id codec;
	int level;
	unsigned jobs;               /* 0: one a core */
	bool count;                  /* walk twice, to know how much there is, once it is wanted */
	bool dry_run;                /* reads and counts, stores nothing */
	const char *const *canaries; /* absolute; told when one changes or goes */
	size_t ncanaries;
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

int op_backup(struct repo *r, const struct backup_params *p, struct ctx *ctx,
    struct backup_result *out, struct err *e);

#endif
