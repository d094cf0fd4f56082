/*
 * ctx: what every long operation is given: the clock, the wish to stop, the
 * counters of progress, and where events go.
 *
 * Threads: the counters and `cancel` are atomic; `sink` is called from any
 * thread and must lock for itself; the rest is set before the work starts.
 */
#ifndef HF_BASE_CTX_H
#define HF_BASE_CTX_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/err.h"
#include "base/eta.h"
#include "base/span.h"

struct ctx;

/*
 * The closed list of what can happen.  `event_info` has each one's name and
 * severity; texts are one line, lower case, no full stop.
 */
enum event_id {
	EVENT_FILE_FAILED,    /* could not be read or made; counted, exit 3 */
	EVENT_FILE_CHANGED,   /* changed while it was read, twice */
	EVENT_FILE_SKIPPED,   /* a socket, say: not a problem */
	EVENT_FILE_EXCLUDED,  /* text names the rule */
	EVENT_FILE_DONE,      /* text: new, changed, unchanged, restored, ... */
	EVENT_OBJECT_DAMAGED, /* path is an object's name */
	EVENT_OBJECT_REMOVED,
	EVENT_OBJECT_MENDED,   /* damaged, but read by its parity */
	EVENT_OBJECT_REPAIRED, /* damaged, and whole again in the store */
	EVENT_SNAPSHOT_HURT,   /* path in a snapshot that damage reaches */
	EVENT_STORE_RETRY,
	EVENT_FINDING, /* somebody tampered: nothing is damaged, but it is not as it should be */
	EVENT_WARNING,
	EVENT_NOTICE,
	EVENT_COUNT
};

enum event_level { EVENT_DEBUG, EVENT_INFO, EVENT_WARN, EVENT_ERROR };

struct event_info {
	enum event_id id;
	const char *name; /* "file.failed" */
	enum event_level level;
};

struct event {
	enum event_id id;
	struct span path; /* may be empty */
	const char *text; /* may be "" */
};

const struct event_info *event_info(enum event_id id);

struct clock {
	int64_t (*wall_ns)(struct clock *); /* since 1970, UTC */
	int64_t (*mono_ns)(struct clock *); /* only differences count; includes suspension */
};

/* As struct eta_class, while it is counted. */
struct progress_class {
	_Atomic uint64_t files, bytes, total_files, total_bytes, busy_ns;
};

struct progress {
	_Atomic uint64_t files, dirs, bytes;       /* done */
	_Atomic uint64_t total_files, total_bytes; /* known so far */
	_Atomic bool total_known;                  /* the totals are final */
	_Atomic bool wanted;                       /* somebody looks: totals are worth their cost */
	_Atomic uint64_t errors;
	_Atomic uint64_t stored_bytes;            /* new in the repository */
	_Atomic(const char *) phase;              /* static text, may be NULL */
	_Atomic unsigned threads;                 /* that work on files; 0: no classes */
	struct progress_class class[ETA_CLASSES]; /* files by size, where they are counted so */
	atomic_flag item_busy;                    /* guards item */
	char item[256];                           /* current path, for eyes */
};

/* Requests to stores behind a wire, each one that was sent. */
enum count_verb {
	COUNT_NONE,
	COUNT_GET,
	COUNT_PUT,
	COUNT_LIST,
	COUNT_HEAD,
	COUNT_POST,
	COUNT_DELETE,
	COUNT_VERBS
};

struct requests {
	_Atomic uint64_t n[COUNT_VERBS];
	_Atomic uint64_t sent, received; /* bytes of bodies */
};

const char *ctx_verb_name(enum count_verb v); /* "get" */

struct ctx {
	struct clock *clock;
	_Atomic bool cancel;
	struct ctx *above; /* of the whole run, where this is of one of its repositories; or NULL */
	struct progress progress;
	struct requests requests;
	void (*sink)(struct ctx *, const struct event *); /* may be NULL */
	void *sink_arg;
};

/* Tell the sink; fmt makes the text. */
void event_emit(struct ctx *ctx, enum event_id id, struct span path, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Did somebody ask to stop this, or all of the run? */
static inline bool ctx_cancelled(const struct ctx *ctx)
{
	return atomic_load_explicit(&ctx->cancel, memory_order_relaxed) ||
	       (ctx->above && atomic_load_explicit(&ctx->above->cancel, memory_order_relaxed));
}

/* A request that was sent, and the bytes of its body and of the answer's.  ctx may be NULL. */
void ctx_count(struct ctx *ctx, enum count_verb v, uint64_t sent, uint64_t received);

/* -1 with ERR_CANCELLED once somebody asked to stop, else 0. */
int ctx_check(struct ctx *ctx, struct err *e);

/* A file of `size` bytes: bytes of it done, the file itself done or not, in so much of a thread's
 * time. */
void ctx_done(struct ctx *ctx, uint64_t size, uint64_t bytes, bool whole, int64_t busy_ns);

/*
 * Show this path as the current item, unless somebody is looking at it just
 * now; and copy it out, NUL-terminated, unprintable bytes as '?'.
 */
void ctx_item(struct ctx *ctx, struct span path);
void ctx_item_get(struct ctx *ctx, char *out, size_t size);

#endif
