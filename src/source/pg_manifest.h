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

struct pg_manifest_file {
	char *path; /* below the data directory */
	uint64_t size;
	uint32_t crc; /* CRC-32C */
	bool spooled; /* it lies in a file with others, from `at` on */
	uint64_t at;
};

struct pg_manifest { /* of what came; begins zeroed */
	struct pg_manifest_file *v;
	size_t n, cap;
};

struct pg_manifest_file *pg_manifest_add(struct pg_manifest *m, const char *path);
void pg_manifest_fini(struct pg_manifest *m);

/*
 * Is what came what this text names, and nothing else?  But for WAL, which it does not name.
 * ERR_CORRUPT with the first difference; sorts m.
 */
int pg_manifest_check(struct pg_manifest *m, struct span text, struct err *e);

/* Of one that was checked: the first file whose path is not before this one; m->n: none. */
size_t pg_manifest_find(const struct pg_manifest *m, const char *path);

#endif
