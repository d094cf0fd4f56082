/*
 * pg_tar: the tar stream of a base backup, read as it comes, a piece at a time.
 *
 * It comes over a wire, so that it may say anything: names are relative, without "." and "..", and
 * not longer than a header holds; things are files, folders and links, nothing else; each header
 * has the right checksum; after the end there are only zeroes.  ERR_CORRUPT for all else.
 *
 * Threads: one owner.
 */
#ifndef HF_SOURCE_PG_TAR_H
#define HF_SOURCE_PG_TAR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/entry.h"
#include "base/err.h"

enum { PG_TAR_BLOCK = 512, PG_TAR_NAME = 256 };

struct pg_tar_entry {
	enum entry_type type; /* a file, a folder or a symbolic link */
	char name[PG_TAR_NAME];
	uint64_t size;
	uint32_t mode; /* 12 bits */
};

struct pg_tar_ops {
	int (*entry)(void *arg, const struct pg_tar_entry *entry, struct err *e);
	int (*data)(void *arg, struct span s, struct err *e); /* of the last file, in order */
	int (*end)(void *arg, struct err *e);                 /* that file is whole */
};

struct pg_tar { /* begins zeroed but for ops and arg */
	const struct pg_tar_ops *ops;
	void *arg;
	uint8_t head[PG_TAR_BLOCK];
	size_t nhead;       /* bytes of it that are there */
	uint64_t left, pad; /* of the file at hand, and after it */
	unsigned zeroes;    /* empty blocks in a row */
};

int pg_tar_feed(struct pg_tar *t, struct span s, struct err *e);
/* Was that all of it?  ERR_CORRUPT if it stops within something. */
int pg_tar_finish(const struct pg_tar *t, struct err *e);

#endif
