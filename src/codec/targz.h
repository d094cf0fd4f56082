/*
 * targz: a few small files as one .tar.gz, in memory.  Written only: ustar (POSIX.1-1988) in gzip.
 *
 * Threads: one owner.
 */
#ifndef HF_CODEC_TARGZ_H
#define HF_CODEC_TARGZ_H

#include "base/buf.h"

enum { TARGZ_NAME_MAX = 99, TARGZ_FILE_MAX = 1 << 30 };

/* A file of mode 0600, appended to a zeroed buf; the name and size are within those limits. */
void targz_add(struct buf *tar, const char *name, int64_t mtime_s, struct span content);

/* The end of the archive; and all of it compressed, appended to out. */
void targz_end(struct buf *tar, struct buf *out);

#endif
