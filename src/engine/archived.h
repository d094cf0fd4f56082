/*
 * archived: how far the log of a source has come by its server's archiver, as the daemon that takes
 * it remembers: one small file a source in the state folder.
 *
 * It says until when what the server wrote is stored, without a gap since `first_ns`; not that a
 * base backup reaches it.
 *
 * Threads: any; one writer a source at a time.
 */
#ifndef HF_ENGINE_ARCHIVED_H
#define HF_ENGINE_ARCHIVED_H

#include <stdint.h>

#include "base/err.h"
#include "source/wal_file.h"

struct archived {
	uint32_t timeline;
	uint64_t end; /* of the last segment */
	int64_t first_ns,
	    last_ns; /* wall clock: when the first and the last were written to last */
};

/* A segment of `size` bytes, written to last at `written_ns`, is durable: after the one before it,
 * or behind a gap.  Other files say nothing.  PLACE/archived is made. */
int archived_note(const char *place, const char *system, const char *source,
    const struct wal_file *f, uint32_t size, int64_t written_ns, struct err *e);
/* ERR_ABSENT: nothing was archived by this machine's daemon. */
int archived_read(
    const char *place, const char *system, const char *source, struct archived *out, struct err *e);

#endif
