/*
 * pg_dump: databases of a server as its own pg_dump writes them, as a source (source.h).
 *
 * One folder with a file for each: DATABASE.dump, DATABASE.SCHEMA.dump in the custom format of
 * pg_restore, uncompressed, so that what did not change is found again; and globals.sql, roles and
 * tablespaces by pg_dumpall.  A byte of a name that may not stand in a file's is %XX.
 *
 * Each is read from a pg_dump of its own as it comes, in one consistent state of its database; one
 * that fails is an error of its file, with the last of what it said.  The password goes by the
 * programs' environment.
 *
 * Threads: as source.h says; a file is opened, read and finished by one thread.
 */
#ifndef HF_SOURCE_PG_DUMP_H
#define HF_SOURCE_PG_DUMP_H

#include "db/pg.h"
#include "source/source.h"

struct pg_dump_item {
	const char *database; /* NULL: the globals */
	const char *schema;   /* NULL: all of them */
};

struct pg_dump_params {
	const struct pg_target *target;   /* stays */
	const char *bin;                  /* the folder of pg_dump */
	bool passwords;                   /* of roles may be read: superusers */
	const struct pg_dump_item *items; /* copied */
	size_t n;
};

int source_pg_dump_open(
    const struct pg_dump_params *p, struct ctx *ctx, struct source **out, struct err *e);

/* How many of them came whole. */
size_t source_pg_dump_whole(struct source *s);

/* The file of an item; new. */
char *pg_dump_file(const struct pg_dump_item *item);

/* ---- pg_dump_run.c: a program's output, as it comes. */

struct pg_dump_run {
	int pid;   /* 0: none */
	int out;   /* a pipe */
	int error; /* what it says, a file without a name */
	bool ended;
};

int pg_dump_start(struct pg_dump_run *r, const char *const *argv, const struct pg_target *t,
    const char *database, struct err *e);
/* Fewer than n at its end. */
int64_t pg_dump_read(struct pg_dump_run *r, struct ctx *ctx, void *p, size_t n, struct err *e);
/* -1: it was not read to its end, or says that it failed. */
int pg_dump_finish(struct pg_dump_run *r, const char *program, struct err *e);

#endif
