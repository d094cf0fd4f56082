/*
 * log_internal: what the files of log share: threads that each take a blob, with what sealing and
 * opening needs.
 *
 * Threads: lanes belong to one thread, which log_lanes_run shares out.
 */
#ifndef HF_REPO_LOG_INTERNAL_H
#define HF_REPO_LOG_INTERNAL_H

#include <pthread.h>

#include "codec/codec.h"
#include "repo/log.h"
#include "repo/pack.h"
#include "repo/repo_internal.h"

enum { LOG_LANES_MAX = 4, LOG_CUTS_MAX = FORMAT_LOG_STRETCH / FORMAT_LOG_CUT };

struct log_lane {
	struct sealer sealer;
	struct codec *codec;
	struct crypto_mac *mac; /* of content; NULL: no such key */
	struct buf scratch;
	struct log_lanes *all;
};

struct log_lanes {
	struct log_lane lane[LOG_LANES_MAX];
	unsigned n;
	/* Of a run: */
	void (*step)(void *arg, struct log_lane *l, size_t i);
	void *arg;
	size_t todo;
	_Atomic size_t next;
};

void log_lanes_init(struct log_lanes *ls, struct repo *r, const struct domain *d);
void log_lanes_fini(struct log_lanes *ls);
/* step(arg, some lane, i) for each i below n, in no order. */
void log_lanes_run(struct log_lanes *ls, size_t n,
    void (*step)(void *arg, struct log_lane *l, size_t i), void *arg);

/* 37 bytes that are signed with it. */
void log_place(
    uint8_t out[FORMAT_PLACE], const uint8_t stream[LOG_STREAM], const struct log_at *at);

void log_at_insert(struct log_at **v, size_t *n, size_t *cap, const struct log_at *at);

/* As log_check_bytes, into memory of end - start bytes (of a history: as many as it has). */
int log_open_bytes(struct repo *r, struct log_lanes *ls, const uint8_t stream[LOG_STREAM],
    const struct log_at *at, struct span stored, struct buf *out, struct err *e);

#endif
