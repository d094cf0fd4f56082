/*
 * follow_spool: received WAL on this machine's disk until it is in the repository.
 *
 * One folder for each stream, one file a segment, in the order of its bytes, so that a file's size
 * is what was received of it; what a receiver that was killed leaves is used by the next one.
 * Whether it also survives the machine's crash is known for what was synced only
 * (follow_spool_sync leaves a mark): after another start of the machine a spool is cut there.
 *
 * WAL is not a secret to who can read the spool's folder (mode 0700): it is the database's, as
 * pg_wal is.
 *
 * Threads: map and unmap by any; the rest by one.
 */
#ifndef HF_ENGINE_FOLLOW_SPOOL_H
#define HF_ENGINE_FOLLOW_SPOOL_H

#include "base/buf.h"
#include "base/err.h"

struct follow_spool;

struct follow_spooled {
	uint32_t timeline;
	bool history;
	uint64_t start, end; /* of a history 0 */
	int64_t written_ns;  /* wall clock: when the last of it came */
};

/*
 * The folder is made; ERR_BUSY: another receiver has it.  `boot` names the start of this machine
 * (NULL: asked).
 */
int follow_spool_open(const char *dir, const char *boot, struct follow_spool **out, struct err *e);
void follow_spool_close(struct follow_spool *s); /* NULL does nothing; what is there stays */

/* Once, before all else: of which database, in which segments.  ERR_FAILED: it holds another's. */
int follow_spool_of(struct follow_spool *s, const char *system_id, uint64_t segment, struct err *e);

/* What is there, in the order in which it came; new memory. */
int follow_spool_list(
    struct follow_spool *s, struct follow_spooled **out, size_t *n, struct err *e);

/* Within one segment, and right after what is there of it. */
int follow_spool_append(
    struct follow_spool *s, uint32_t timeline, uint64_t at, struct span data, struct err *e);
int follow_spool_put_history(
    struct follow_spool *s, uint32_t timeline, struct span data, struct err *e);

/* Those bytes of one segment; a history's, with end 0. */
struct follow_mapped {
	struct span bytes;
	void *map;
	struct buf copy;
};
int follow_spool_map(const struct follow_spool *s, uint32_t timeline, uint64_t segment,
    uint64_t start, uint64_t end, struct follow_mapped *out, struct err *e);
void follow_spool_unmap(struct follow_mapped *m);

/* All that was appended is on the disk when it returns, and stays there whatever happens. */
int follow_spool_sync(struct follow_spool *s, struct err *e);

int follow_spool_drop(
    struct follow_spool *s, uint32_t timeline, uint64_t segment, bool history, struct err *e);
/* All of it: it is of no use any more. */
int follow_spool_empty(struct follow_spool *s, struct err *e);

uint64_t follow_spool_bytes(const struct follow_spool *s);
const char *follow_spool_dir(const struct follow_spool *s);

#endif
