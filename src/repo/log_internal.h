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
	struct buf scratch, plain;
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

/* ---- What is there already. */

/* Of one stream, as who puts knows it; `v` is to be freed. */
struct log_known {
	uint8_t stream[LOG_STREAM];
	struct log_at *v; /* as log_list */
	size_t n, cap;
	int64_t looked_ns, cost_ns;
};
int log_known_open(
    struct repo *r, const uint8_t stream[LOG_STREAM], struct log_known *k, struct err *e);
/* Look again, unless that was done just now: it takes little of the time, however long it takes. */
int log_known_again(struct repo *r, struct log_known *k, struct err *e);
/* ... where somebody waits: seldom. */
int log_known_at_times(struct repo *r, struct log_known *k, struct err *e);
void log_known_add(struct log_known *k, const struct log_at *at);
void log_known_drop(struct log_known *k, const struct log_at *at);
/* The first that could have something of that place. */
size_t log_known_from(const struct log_known *k, const struct log_at *at);
/* Is something known of any of its bytes (of what is no range: of that place)? */
bool log_known_any(const struct log_known *k, const struct log_at *at);
/* Is something known of each of its bytes (of what is no range: of that place)? */
bool log_known_covers(const struct log_known *k, const struct log_at *at);

/* The hashes of the cuts of what was put lately.  Threads: any. */
struct log_ids;
void log_ids_free(struct log_ids *c); /* NULL does nothing */
struct log_ids *log_ids_of(struct repo *r);
void log_ids_put(struct log_ids *c, const struct id *object, const struct id *v, size_t n);
size_t log_ids_get(struct log_ids *c, const struct id *object, struct id *v, size_t max);

/* What is offered; the hashes of those of its cuts that are named. */
struct log_offer {
	const uint8_t *stream;
	struct log_at at;
	struct span bytes; /* p NULL: in the file, from `off` on */
	int fd;
	const struct stat *was; /* NULL: nobody looked */
	uint64_t off;
	bool at_once;
	bool untold; /* by log_compare: this key cannot compare all that is there */
	struct id ids[LOG_CUTS_MAX];
	bool named[LOG_CUTS_MAX];
};
/*
 * Compared with what is known: it is all there in few pieces (same), or ERR_EXISTS where something
 * else is.  What is damaged, or can't be told with this key, proves nothing; nor does what is gone,
 * which is known no more.
 */
int log_compare(struct repo *r, struct log_lanes *lanes, struct log_known *k, struct log_offer *o,
    bool *same, struct err *e);

/*
 * The directory of what is stored there; nothing (no blobs): damaged, gone, or not what its name
 * says; it proves nothing.
 */
int log_read_dir(struct repo *r, const uint8_t stream[LOG_STREAM], const struct log_at *at,
    struct pack_dir *dir, struct err *e);

/* As log_check_bytes, into memory of end - start bytes (of a history: as many as it has). */
int log_open_bytes(struct repo *r, struct log_lanes *ls, const uint8_t stream[LOG_STREAM],
    const struct log_at *at, struct span stored, struct buf *out, struct err *e);

#endif
