/*
 * instant_state: which blocks of an instant recovery are on the local disk, as a file that only
 * grows.
 *
 * After a header (magic, a random key, block size, the id of the snapshot, two marks) come records,
 * each with its length and a SipHash of its place and its bytes, so that the end of what was
 * written whole is found again; what follows it is cut off.  The newer mark (eight bytes and their
 * SipHash) says up to where all was on disk: a record that is not whole before that is damage.
 *
 *   file    number, size, path       incomplete when the recovery began; numbers go from 0
 *   ready                            all of them were told, and the rest is on disk
 *   boot    id                       who writes from here on runs since this start of the machine
 *   soft    number, first, count     blocks were written; holds until the machine stops
 *   hard    number, first, count     blocks are on disk
 *   cut     number, limit            what was beyond is gone, whatever its size is later
 *   done    number                   complete, or removed
 *   lost    number                   a sync failed: soft blocks before it hold no more
 *
 * Appending is not syncing: a record is durable once instant_state_sync has returned.  One that
 * could not be written may be told again.  After a sync that failed no other succeeds: what the
 * kernel gave up it says once.
 *
 * Threads: any.
 */
#ifndef HF_ENGINE_INSTANT_STATE_H
#define HF_ENGINE_INSTANT_STATE_H

#include "base/err.h"
#include "base/id.h"
#include "base/span.h"

enum { INSTANT_BLOCK = 8 << 10, INSTANT_PATH_MAX = 4096 }; /* a database's page: written whole */

struct instant_state;

/* What opening tells, in the order of the file; `soft` blocks only if they still hold. */
struct instant_heard {
	int (*file)(void *arg, uint32_t n, uint64_t size, const char *path, struct err *e);
	int (*have)(
	    void *arg, uint32_t n, uint64_t first, uint64_t count, bool hard, struct err *e);
	int (*cut)(void *arg, uint32_t n, uint64_t limit, struct err *e);
	int (*done)(void *arg, uint32_t n, struct err *e);
	int (*lost)(void *arg, uint32_t n, struct err *e);
	void *arg;
};

/* Where there is none yet. */
int instant_state_create(
    const char *path, const struct id *snapshot, struct instant_state **out, struct err *e);

/*
 * ERR_ABSENT if there is none; *ready false: the preparation did not end, and nothing of it is to
 * be used.  ERR_CORRUPT where a record makes no sense, or one that was on disk is not whole;
 * ERR_UNSUPPORTED: an older program began it.
 */
int instant_state_open(const char *path, const struct instant_heard *heard, struct id *snapshot,
    bool *ready, struct instant_state **out, struct err *e);
/* Of which snapshot?  *there false: there is none. */
int instant_state_header(const char *path, struct id *snapshot, bool *there, struct err *e);

void instant_state_close(struct instant_state *s); /* NULL does nothing */

int instant_state_file(
    struct instant_state *s, uint32_t n, uint64_t size, const char *path, struct err *e);
int instant_state_ready(struct instant_state *s, struct err *e); /* and syncs */
int instant_state_have(
    struct instant_state *s, uint32_t n, uint64_t first, uint64_t count, bool hard, struct err *e);
int instant_state_cut(struct instant_state *s, uint32_t n, uint64_t limit, struct err *e);
int instant_state_done(struct instant_state *s, uint32_t n, struct err *e); /* and syncs */
int instant_state_lost(struct instant_state *s, uint32_t n, struct err *e);
int instant_state_sync(struct instant_state *s, struct err *e);

#endif
