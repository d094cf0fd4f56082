/*
 * instant_file: one file of an instant recovery whose content comes from the backup when somebody
 * asks for it, block by block, and stays where it came to.
 *
 * The local file has its size from the beginning; a block (INSTANT_BLOCK) that is not here reads
 * as zeros, and nobody but this sees them.  A write to a part of such a block fetches it first, a
 * write to all of it does not.  What is fetched is all that is missing of INSTANT_WINDOW bytes.
 * What was cut off never comes back: `limit` is how much of the backup's content still counts.
 *
 * After a crash every block that sync has promised is here, and a block that is here is never
 * fetched again.  A block that was written and not synced is here as long as the machine runs;
 * after a power cut it may be the backup's again, as with any file system; and once a sync has
 * failed, after which no other succeeds, so that nobody misses it, until it is begun again.
 *
 * Threads: any.  Who needs a block that is not here waits until it is fetched, and nobody else
 * does; what is written or cut meanwhile stays.
 */
#ifndef HF_ENGINE_INSTANT_FILE_H
#define HF_ENGINE_INSTANT_FILE_H

#include <sys/types.h>

#include "base/buf.h"
#include "engine/instant_state.h"

enum { INSTANT_WINDOW = 128 << 10 };

/* Who asks for content: each has readers of its own. */
enum instant_who { INSTANT_FRONT, INSTANT_BACK, INSTANT_WHO };

/* The backup's bytes of file n from off on, exactly len of them, appended to out. */
typedef int instant_fetch(void *arg, enum instant_who who, uint32_t n, uint64_t off, size_t len,
    struct buf *out, struct err *e);

struct instant_file;

/* Takes fd, open for reading and writing; one reference. */
struct instant_file *instant_file_new(uint32_t n, int fd, uint64_t size,
    struct instant_state *state, instant_fetch *fetch, void *arg);
struct instant_file *instant_file_ref(struct instant_file *f);
void instant_file_unref(struct instant_file *f); /* NULL does nothing */

/*
 * What the state has told, before anybody uses it.  A file may be made while the state is opened;
 * it has to be given it then.
 */
void instant_file_set_state(struct instant_file *f, struct instant_state *state);
int instant_file_heard(
    struct instant_file *f, uint64_t first, uint64_t count, bool hard, struct err *e);
void instant_file_heard_cut(struct instant_file *f, uint64_t limit);
void instant_file_heard_lost(struct instant_file *f);

int instant_file_fd(const struct instant_file *f); /* the local file's */

/* How many bytes were read: fewer at the end of the file; -1. */
ssize_t instant_file_read(struct instant_file *f, void *p, size_t n, off_t off, struct err *e);
bool instant_file_waits(struct instant_file *f, size_t n, off_t off, bool writes); /* for a fetch */
int instant_file_write(struct instant_file *f, const void *p, size_t n, off_t off, struct err *e);
int instant_file_cut(struct instant_file *f, off_t size, struct err *e);          /* or lengthen */
int instant_file_room(struct instant_file *f, off_t off, off_t n, struct err *e); /* fallocate */
int instant_file_sync(struct instant_file *f, struct err *e);

/*
 * Fetch up to `most` bytes of what is missing.  *left: bytes still missing; where there are none it
 * is synced and the state is told that it is done.
 *
 * ERR_DAMAGE_FOUND for INSTANT_BACK: some of it is damaged in the backup, the rest was fetched.  He
 * is not given the damaged blocks again until they are forgiven.
 */
int instant_file_copy(
    struct instant_file *f, uint64_t most, uint64_t *left, enum instant_who who, struct err *e);

uint64_t instant_file_left(struct instant_file *f); /* bytes */
uint64_t instant_file_bad(struct instant_file *f);  /* of these, bytes that are damaged */
void instant_file_forgive(struct instant_file *f);
/* The first damaged stretch from *off on; false: there is none. */
bool instant_file_bad_next(struct instant_file *f, uint64_t *off, uint64_t *len);
unsigned instant_file_asked(
    struct instant_file *f); /* how often something was fetched for a reader */

#endif
