/*
 * wal_dir: a range of the log from the files of a folder, as they lie in a data directory's pg_wal.
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

/*
 * Bytes [start, end), which lie in one segment of that size, in pieces.  ERR_ABSENT: the file is
 * not there, is too short, or holds another segment; then `piece` was not called.  -1 of it ends
 * the reading.
 */
int wal_dir_read(const char *dir, uint32_t timeline, uint32_t segment, uint64_t start, uint64_t end,
    int (*piece)(void *arg, struct span bytes, struct err *e), void *arg, struct err *e);

#endif
