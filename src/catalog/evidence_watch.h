/*
 * evidence_watch: the state folder's chain, for who asks about it again and again.
 *
 * A verdict costs a signature for each record; of those that were verified before, only that their
 * bytes are the same is looked at again.  One verification is under way at a time: whoever comes
 * meanwhile is given the last verdict, and when it was.  A page that begins where another ended
 * costs what is on it.
 *
 * Threads: any, but for new and free.
 */
#ifndef HF_CATALOG_EVIDENCE_WATCH_H
#define HF_CATALOG_EVIDENCE_WATCH_H

#include "catalog/evidence_read.h"

struct evidence_watch;

/* dir and clock are borrowed. */
struct evidence_watch *evidence_watch_new(const char *dir, struct clock *clock);
void evidence_watch_free(struct evidence_watch *w); /* NULL does nothing */

/*
 * Check all of it, by the key beside it.  at_ns: when that was.  ERR_BUSY: the first verification
 * is under way.
 */
int evidence_watch_verify(
    struct evidence_watch *w, struct evidence_verdict *out, int64_t *at_ns, struct err *e);

/* As evidence_read. */
int evidence_watch_read(struct evidence_watch *w, uint64_t after, uint64_t most,
    evidence_line *each, void *arg, struct err *e);

#endif
