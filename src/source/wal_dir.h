/*
 * wal_dir: a range of the log from the files of a folder, as they lie in a data directory's pg_wal
 * or in an archive.
 *
 * A server takes old files for new segments at any time: what is read may be another segment's by
 * then.  Who reads pages (wal_reader) sees it by the positions in them.
 *
 * Threads: any.
 */
#ifndef HF_SOURCE_WAL_DIR_H
#define HF_SOURCE_WAL_DIR_H

#include "base/err.h"
#include "base/span.h"

enum { WAL_NAME = 25 }; /* "0000000100000016000000B3" and its NUL */

/* The name of the segment that holds a position; `segment` is its size.  Returns out. */
const char *wal_dir_name(uint32_t timeline, uint64_t lsn, uint32_t segment, char out[WAL_NAME]);

/*
 * Bytes [start, end), which lie in one segment, in pieces.  ERR_ABSENT: the file is not there, or
 * ends before; -1 of `piece` ends it.
 */
int wal_dir_read(const char *dir, uint32_t timeline, uint32_t segment, uint64_t start, uint64_t end,
    int (*piece)(void *arg, struct span bytes, struct err *e), void *arg, struct err *e);

#endif
