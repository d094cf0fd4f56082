/*
 * pg_conninfo: a database that other programs are to connect to, as it was typed; its password goes
 * to no command line and into no message.
 *
 * Threads: any; values.
 */
#ifndef HF_DB_PG_CONNINFO_H
#define HF_DB_PG_CONNINFO_H

#include "base/err.h"

struct pg_conninfo {
	char *text;  /* for programs' command lines: without the password */
	char *shown; /* for people */
	char *env;   /* "PGPASSWORD=...", for the programs' environment; NULL: none was typed */
};

/* A URL, a conninfo string ("host=... dbname=...", "service=..."), or a database's name. */
int pg_conninfo_parse(const char *typed, struct pg_conninfo *out, struct err *e);
void pg_conninfo_fini(struct pg_conninfo *i); /* wipes */

#endif
