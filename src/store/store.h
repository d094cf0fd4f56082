/*
 * store: named, immutable byte objects in one directory, bucket or share.
 *
 * A driver fills in a struct store_ops; callers use store_put() and friends.
 * Every driver and wrapper passes test/suite/store_suite.c unchanged.
 *
 *   put      all or nothing: on return 0 the object is there, whole, and
 *            survives power loss.  With STORE_NEW it never replaces: ERR_EXISTS.
 *   begin, append, commit/abort
 *            the same for an object whose name is known only at its end.
 *            With STORE_LAZY commit may return before the object is visible
 *            or durable; it is both after the next sync.
 *   sync     makes every lazy commit before it visible and durable, and every
 *            deletion before it durable.
 *   get      exactly len bytes from off, or fails; never short.  Beyond the
 *            end is ERR_CORRUPT: the caller knows how long an object is.
 *   stat     size and the store's time of writing.
 *   del      an absent object is success: deleting twice is one deletion.
 *   list     visits each key present during the whole call exactly once, in
 *            no order.  A prefix ends with '/' or is "".
 *
 *   put_repair
 *            the only put that replaces an immutable object: mended bytes for
 *            damaged ones.  What is gone stays gone (ERR_ABSENT); at any moment
 *            the old or the new is there whole; the new is durable, and was
 *            read back, on return 0.
 *
 * A sync that failed has not made everything durable, and the next one will
 * not claim it; what was never synced is gone after close.  A lazy commit
 * with STORE_NEW may meet ERR_EXISTS as late as in sync, once.
 *
 * Keys are relative paths of 1 to 255 bytes: components of [A-Za-z0-9._-]
 * that do not begin with '.', joined by '/'; the first is not "tmp", which is
 * the store's own.  Absent objects are ERR_ABSENT, never a short read.  After a failed put the
 * object is absent or whole, so who retries with STORE_NEW may meet ERR_EXISTS for its own object.
 *
 * Threads: a store may be used from many threads; open and close may not.
 * An upload belongs to one thread at a time.
 */
#ifndef HF_STORE_STORE_H
#define HF_STORE_STORE_H

#include "base/ctx.h"
#include "base/err.h"
#include "base/span.h"

enum store_flag {
	STORE_NEW = 1 << 0,  /* never replace */
	STORE_LAZY = 1 << 1, /* durable after sync */
};

enum { STORE_KEY_MAX = 255 };

struct store_stat {
	uint64_t size;
	int64_t mtime_ns; /* by the store's clock */
	unsigned class; /* enum store_class (store_class.h); 0: the usual, or the store has none */
	int64_t class_ns; /* in that since then, as far as the store tells; 0 in the usual */
};

struct store;
struct store_upload;

typedef int store_visit(void *arg, const char *key, const struct store_stat *st, struct err *e);

struct store_ops {
	const char *scheme;     /* "fs", "mem": the part before the colon */
	const char *durability; /* what put promises, for init to print */
	int (*put)(struct store *, const char *key, struct span data, unsigned flags, struct err *);
	int (*get)(
	    struct store *, const char *key, uint64_t off, void *buf, size_t len, struct err *);
	int (*stat)(struct store *, const char *key, struct store_stat *, struct err *);
	int (*del)(struct store *, const char *key, struct err *);
	int (*list)(struct store *, const char *prefix, store_visit *, void *arg, struct err *);
	int (*begin)(struct store *, struct store_upload **, struct err *);
	int (*append)(struct store_upload *, struct span data, struct err *);
	int (*commit)(struct store_upload *, const char *key, unsigned flags, struct err *);
	int (*sync)(struct store *, struct err *);
	void (*close)(struct store *);
};
/* commit with key NULL aborts; either way the upload is freed. */

/* A driver without begin gets uploads that spool and put; without sync, nothing is lazy. */

struct store { /* first member of each driver's own struct */
	const struct store_ops *ops;
	char *url;           /* "fs:/srv/b", secrets removed; owned */
	struct store *under; /* the store that a wrapper wraps, else NULL */
	unsigned parallel;   /* a driver's: requests at a time that pay, 0: it does not matter */
	const struct store_cold_ops *cold; /* a driver's, where things can be asleep, or NULL */
	bool leaves_uploads; /* a driver's: cut ones are in tmp/ (store_uploads_sweep) */
};

struct calendar_rates;
/*
 * How many requests at a time this store is best asked with: each waits for
 * its way there and back, and not for the others.  1: no more than there are
 * processors.
 */
unsigned store_parallel(const struct store *s);

struct store_limits { /* bytes a second; 0: as fast as it goes */
	uint64_t upload, download;
	/* By the time of the week, beside those; NULL: none.  Borrowed until close. */
	const struct calendar_rates *upload_in, *download_in;
};

struct store_params {
	struct store_limits limits;
	const char *const *options; /* "name=value" (store_options.h) */
	size_t noptions;
};

struct store_upload { /* first member of each driver's own */
	struct store *store;
};

/*
 * Open by URL: a path, "fs:PATH", "mem:NAME" or "s3:HOST/BUCKET/PREFIX".  With `create` an empty
 * place is prepared (ERR_EXISTS never comes from here: `config` decides);
 * without it, a place that isn't there is ERR_NO_REPOSITORY.  The result is
 * wrapped by store_retry.  ctx is borrowed until close.
 */
int store_open(const char *url, bool create, struct ctx *ctx, struct store **out, struct err *e);
/* The same with options, and within limits, which count what is tried again as well. */
int store_open_with(const char *url, bool create, const struct store_params *p, struct ctx *ctx,
    struct store **out, struct err *e);
/* Is there such a store, and can it be told that?  Nothing is asked of it. */
struct store_given;
int store_check(const char *url, const struct store_given *given, struct err *e);
void store_close(struct store *s); /* NULL does nothing */

/*
 * Checked faces of the ops: keys are validated, errors wrapped "URL: put KEY: ".  Success leaves
 * e as it was.
 */
int store_put(struct store *s, const char *key, struct span data, unsigned flags, struct err *e);
int store_put_repair(struct store *s, const char *key, struct span data, struct err *e);
int store_get(struct store *s, const char *key, uint64_t off, void *buf, size_t len, struct err *e);
int store_stat(struct store *s, const char *key, struct store_stat *st, struct err *e);
int store_del(struct store *s, const char *key, struct err *e);
int store_list(struct store *s, const char *prefix, store_visit *visit, void *arg, struct err *e);
int store_begin(struct store *s, struct store_upload **up, struct err *e);
int store_append(struct store_upload *up, struct span data, struct err *e);
int store_commit(struct store_upload *up, const char *key, unsigned flags, struct err *e);
void store_abort(struct store_upload *up); /* NULL does nothing */
int store_sync(struct store *s, struct err *e);

/* Whole object into a new buffer of at most max bytes (larger: ERR_CORRUPT). */
struct buf;
int store_get_all(struct store *s, const char *key, size_t max, struct buf *out, struct err *e);

bool store_key_valid(const char *key);

#endif
