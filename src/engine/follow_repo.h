/*
 * follow_repo: the repository as a receiver of WAL needs it: puts by two lanes, and what of the
 * stream is there.
 *
 * Threads: follow_repo_put by each lane for itself; follow_repo_fold by one;
 * the rest by one.
 */
#ifndef HF_ENGINE_FOLLOW_REPO_H
#define HF_ENGINE_FOLLOW_REPO_H

#include "engine/follow_put.h"

struct log_fold;
struct repo;
struct follow_repo;

/* r stays the caller's. */
int follow_repo_open(struct repo *r, const char *system, const char *source, bool synchronous,
    struct follow_repo **out, struct err *e);
void follow_repo_close(struct follow_repo *f); /* NULL does nothing */

/* A follow_sink; arg is the struct follow_repo. */
int follow_repo_put(
    void *arg, unsigned lane, const struct follow_job *j, struct span bytes, struct err *e);
/* Keys of the repository were changed: it has to be opened anew. */
bool follow_repo_stale(const struct follow_repo *f);

/* What is there without a hole from that position on: up to *to, which is `from` where nothing is.
 */
int follow_repo_covered(
    struct follow_repo *f, uint32_t timeline, uint64_t from, uint64_t *to, struct err *e);

/* Those bytes, appended; ERR_ABSENT: not all of them are there. */
int follow_repo_read(struct follow_repo *f, uint32_t timeline, uint64_t from, uint64_t to,
    struct buf *out, struct err *e);

/* For keys that read nothing: are those bytes what is there?  ERR_EXISTS: no. */
int follow_repo_same(
    struct follow_repo *f, uint32_t timeline, uint64_t from, struct span bytes, struct err *e);

/*
 * log_fold_some of the stream; *fold NULL: begun first, and the caller's from then on.
 * ERR_WRONG_KEY: this key may not.
 */
int follow_repo_fold(struct follow_repo *f, int64_t age_ns, size_t max, struct log_fold **fold,
    bool *left, struct err *e);

/*
 * The end of what is there and begins before that position, of this timeline or an older one.
 * *timeline 0: there is nothing.
 */
int follow_repo_before(struct follow_repo *f, uint32_t timeline, uint64_t position, uint32_t *found,
    uint64_t *end, struct err *e);

#endif
