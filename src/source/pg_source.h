/*
 * pg_source: a data directory of PostgreSQL's as a source (source.h), while its server runs.
 *
 * The root is the data directory, as pg_layout.h says what of it is taken; tablespaces lie at
 * pg_tblspc/OID, wherever they are.  Files may change while they are read: WAL mends them, so that
 * nothing is ever "changed".  There are no holes: pages keep their places.
 *
 * Pages are checked against their checksums on the way, where the cluster has them.  One that is
 * wrong is read again, in case it was just being written.  WAL makes anew what was changed since
 * the backup began: a position between there and where the server has come to by then excuses a
 * page, one that the server has not written yet does not.  What stays wrong is remembered, and its
 * file is read again by the next run too.
 *
 * Of a folder into which a server sent an incremental backup, files come as they were at the
 * server: what was sent of them, and the rest from the backup before.
 *
 * What is late (source_stat.late) comes once all else is read: pg_control is read, then `stop` is
 * called, which ends the backup and gives the texts of backup_label and tablespace_map.
 *
 * Threads: as source.h says.
 */
#ifndef HF_SOURCE_PG_SOURCE_H
#define HF_SOURCE_PG_SOURCE_H

#include "source/pg_manifest.h"
#include "source/source.h"

/* New texts; *map may stay NULL. */
typedef int pg_source_stop(void *arg, char **label, char **map, struct err *e);
/* Where the server's WAL ends now.  Called by one thread at a time, and never after stop. */
typedef int pg_source_written(void *arg, uint64_t *lsn, struct err *e);

/*
 * n bytes (whole pages) of a file as the backup before this one has it, from there on; zeroes past
 * its end.  Any thread.
 */
typedef int pg_source_older(
    void *arg, const char *file, uint64_t from, size_t n, void *out, struct err *e);

struct pg_source_params {
	const char *data;  /* absolute */
	int major;         /* 15 */
	bool checksums;    /* of pages of 8 KiB */
	uint64_t since;    /* where the backup's WAL begins */
	uint32_t relation; /* pages of a whole segment of a relation */
	pg_source_stop *stop;
	pg_source_written *written;
	pg_source_older *older;            /* NULL: there are no increments (pg_increment.h) */
	const struct pg_manifest *spooled; /* files that lie in a spool (pg_stream.h), or NULL */
	int spool;
	void *arg; /* of all of them */
};

/* ERR_DENIED where the folder cannot be read. */
int source_pg_open(
    const struct pg_source_params *p, struct ctx *ctx, struct source **out, struct err *e);

struct pg_bad_page {
	char *file; /* below the data directory */
	uint32_t block;
};
/* Those found so far, PG_BAD_MAX at most, borrowed; *all is how many there were. */
enum { PG_BAD_MAX = 1000 };
const struct pg_bad_page *source_pg_bad(struct source *s, size_t *n, uint64_t *all);

#endif
