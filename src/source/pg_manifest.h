/*
 * pg_manifest: the files of a streamed backup, and what the server says they are.
 *
 * Threads: one owner.
 */
#ifndef HF_SOURCE_PG_MANIFEST_H
#define HF_SOURCE_PG_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

struct pg_manifest_reading;

struct pg_manifest_file {
	char *path; /* below the data directory */
	uint64_t size;
	uint32_t crc; /* CRC-32C */
	bool named;   /* by the server's manifest */
	bool spooled; /* it lies in a file with others, from `at` on */
	uint64_t at;
};

struct pg_manifest { /* of what came; begins zeroed */
	struct pg_manifest_file *v;
	size_t n, cap;
};

struct pg_manifest_file *pg_manifest_add(struct pg_manifest *m, const char *path);
void pg_manifest_fini(struct pg_manifest *m);

/* By path; before pg_manifest_find. */
void pg_manifest_sort(struct pg_manifest *m);

/*
 * Is what came what the server's manifest names, and nothing else?  But for WAL, which it does not
 * name.  It is looked at as it comes, in pieces of any size: a cluster of a million relations has
 * one of 500 MiB, and what is kept of it is one name.  Sorts m, to which nothing may be added
 * until the end.  ERR_CORRUPT with the first difference.
 */
struct pg_manifest_reading *pg_manifest_read(struct pg_manifest *m);
int pg_manifest_feed(struct pg_manifest_reading *r, struct span text, struct err *e);
int pg_manifest_end(struct pg_manifest_reading *r, struct err *e);
void pg_manifest_free(struct pg_manifest_reading *r); /* NULL does nothing */

/* Of one that is sorted: the first file whose path is not before this one; m->n: none. */
size_t pg_manifest_find(const struct pg_manifest *m, const char *path);

#endif
