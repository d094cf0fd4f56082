/*
 * log_pool: files of one system's log, stored by the daemon for who archives it.
 *
 * PostgreSQL hands over one file after the other, each by a process of its own, and waits until it
 * is durable.  So while one is stored those that it marked as ready (archive_status beside it) are
 * stored, too: what was stored ahead is answered at once when it comes, if it is still the file
 * that was read.  Read ahead is only what belongs to who handed over the first, or to its owner if
 * that is root.
 *
 * Threads: any; it has some of its own, which end when nothing comes.
 */
#ifndef HF_CLI_LOG_POOL_H
#define HF_CLI_LOG_POOL_H

#include "cli/log_place.h"

struct log_pool;

/* `first` is taken over; `c` lasts longer than the pool, and is not changed. */
struct log_pool *log_pool_new(struct cli *c, struct log_place *first);
/* What is being stored is waited for.  NULL does nothing. */
void log_pool_free(struct log_pool *p);
const char *log_pool_system(const struct log_pool *p);
const char *log_pool_source(const struct log_pool *p);

/* As log_place_push. */
int log_pool_push(struct log_pool *p, uid_t who, const char *name, int fd,
    enum log_put_outcome *out, struct err *e);

#endif
