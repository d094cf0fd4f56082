/*
 * The drivers and wrappers, for whoever composes them: store_open and tests.
 * Each returns a new store; a wrapper takes (closes) the one it wraps.
 */
#ifndef HF_STORE_DRIVERS_H
#define HF_STORE_DRIVERS_H

#include "store/store.h"

/*
 * fs: a directory.  put: temporary file, write, fsync, link or rename,
 * fsync directory.  Lazy commits keep their temporary name until sync, which
 * fsyncs all files, gives them their names, then fsyncs each directory once.
 * Folders are made when first needed, and made durable.
 */
int store_fs_open(const char *path, bool create, struct store **out, struct err *e);

/* The same with options: which disk must be mounted (store_fs_mount.c). */
struct store_given;
struct store_far;
int store_fs_open_given(const char *path, bool create, const struct store_given *given,
    struct store **out, struct err *e);

/* What each driver can be told. */
extern const struct store_option_table store_fs_options, store_s3_options, store_sftp_options,
    store_azure_options, store_gcs_options, store_ftp_options, store_webdav_options;

/*
 * Remove what crashed writers left in an fs store: temporary files untouched
 * for that long.  Unwraps wrappers; of other drivers nothing.
 */
int store_tmp_sweep(struct store *s, int64_t older_than_ns, uint64_t *removed, struct err *e);

/*
 * The same of drivers whose uploads are objects in tmp/ until they get their
 * names (sftp, ftp, webdav): those that the store wrote at that time or before;
 * and of s3, uploads in parts that were begun then.
 */
int store_uploads_sweep(struct store *s, int64_t before_ns, uint64_t *removed, struct err *e);

/* What the list of such a driver visits in a folder: keys, and if that is "tmp/" these uploads. */
bool store_key_listed(const char *folder, const char *key);

/*
 * The clock of an fs store, by the time of a nameless file: nothing is synced.
 * 1, 0 another driver (whoever asks puts an object and looks at it), -1.
 */
int store_fs_now(struct store *s, int64_t *ns, struct err *e);

/* The same of an s3 store, by the Date of an answer. */
int store_s3_now(struct store *s, int64_t *ns, struct err *e);

/* The store's clock where its driver has a way to ask: 1, 0 it has none, -1. */
int store_now(struct store *s, int64_t *ns, struct err *e);

/* mem: objects in memory; "mem:NAME" is shared in the process by its name. */
int store_mem_open(const char *name, bool create, struct store **out, struct err *e);

/*
 * kit: the objects in one file (kit.h), read-only; "kit:PATH".  ERR_NO_REPOSITORY if it is none,
 * ERR_CORRUPT if it is torn or its directory damaged.  verify reads all of it and tells of each
 * damaged object as EVENT_OBJECT_DAMAGED; of another store nothing.
 */
int store_kit_open(const char *path, struct store **out, struct err *e);
bool store_is_kit(struct store *s); /* also behind wrappers */
int store_kit_verify(struct store *s, struct ctx *ctx, uint64_t *damaged, struct err *e);

/*
 * One being made: a store for a new repository, whose packs go to fd (borrowed, perhaps a pipe)
 * as they are put.  After the last put end writes the rest; without it there is no kit.
 */
int store_kit_begin(int fd, const char *name, struct store **out, struct err *e);
int store_kit_end(struct store *kit, uint64_t *size, uint8_t sha256[32], struct err *e);

/*
 * s3: a bucket; `rest` is the URL after "s3:", the options are s3_options' (s3.h).  With `create`
 * it is tried whether objects can be put, read and deleted there.  ctx may not be NULL.
 */
int store_s3_open(const char *rest, bool create, const struct store_given *given,
    const struct store_far *far, struct ctx *ctx, struct store **out, struct err *e);

/*
 * Stores behind a wire: `rest` is the URL after the scheme, the options are
 * those of the driver's table.  With `create` it is tried whether objects can
 * be made there.  ctx may not be NULL.
 *
 *   sftp     a folder on a host that ssh gets to
 *   azure    a container of Azure Blob Storage
 *   gcs      a bucket of Google Cloud Storage
 *   ftp      a folder of an FTP server, with TLS; ftps has it from the first byte
 *   webdav   a folder of a WebDAV server; webdavs with TLS
 */
int store_sftp_open(const char *rest, bool create, const struct store_given *given,
    const struct store_far *far, struct ctx *ctx, struct store **out, struct err *e);
int store_azure_open(const char *rest, bool create, const struct store_given *given,
    const struct store_far *far, struct ctx *ctx, struct store **out, struct err *e);
int store_gcs_open(const char *rest, bool create, const struct store_given *given,
    const struct store_far *far, struct ctx *ctx, struct store **out, struct err *e);
int store_ftp_open(const char *rest, bool create, const struct store_given *given,
    const struct store_far *far, struct ctx *ctx, struct store **out, struct err *e);
int store_ftps_open(const char *rest, bool create, const struct store_given *given,
    const struct store_far *far, struct ctx *ctx, struct store **out, struct err *e);
int store_webdav_open(const char *rest, bool create, const struct store_given *given,
    const struct store_far *far, struct ctx *ctx, struct store **out, struct err *e);
int store_webdavs_open(const char *rest, bool create, const struct store_given *given,
    const struct store_far *far, struct ctx *ctx, struct store **out, struct err *e);

/*
 * retry: what err_info says may help, at a pace (store_pace_near unless told
 * otherwise; store_backoff.h).  A put with STORE_NEW that meets its own object
 * counts as done.  Not tried again: a write that a local device failed (what
 * fsync reported once, it does not report again), append, commit, and a list
 * that has visited something: drivers of paged lists repeat a page themselves.
 * ctx may be NULL: no events, no cancelling.
 */
struct store_pace;
struct store *store_retry_new(struct store *under, struct ctx *ctx);
void store_retry_pace(struct store *retry, const struct store_pace *p);

/*
 * breaker: a store that did not answer several operations in a row, each
 * tried in full, is not asked again for a while: then one may try, and if that
 * fails it is left alone again.  So work on a dead store ends soon.  ctx may be
 * NULL.
 */
enum { STORE_BREAKER_FAILURES = 3, STORE_BREAKER_REST_S = 30 };
struct store *store_breaker_new(struct store *under, struct ctx *ctx);

/*
 * limit: at most so many bytes a second each way, a quarter of a second's
 * worth at once.  Appends pay as they go; list, stat and del are free.  What is
 * paid for is what is asked of this store: below a cache, above a wire.
 * Cancelling ends every wait, and nothing waits after it.  ctx may be NULL.
 */
struct store *store_limit_new(
    struct store *under, const struct store_limits *limits, struct ctx *ctx);
/* Another clock, and what sleeps by it; for tests. */
void store_limit_time(
    struct store *limit, struct clock *clock, void (*sleep)(struct ctx *ctx, int64_t ns));

/*
 * spool: uploads for drivers that have none: into a nameless file in $TMPDIR
 * or /var/tmp, then one put.  store_begin and the wrappers use it by themselves.
 */
int store_spool_begin(struct store *s, struct store_upload **up, struct err *e);
int store_spool_append(struct store_upload *up, struct span data, struct err *e);
int store_spool_commit(struct store_upload *up, const char *key, unsigned flags, struct err *e);
/* Instead of a commit: the file itself, the caller's from now on; the upload is freed either way.
 */
int store_spool_take(struct store_upload *up, int *fd, uint64_t *size, struct err *e);

/*
 * queue: lazy commits are uploaded by up to so many threads while the caller
 * works; what waits is in $TMPDIR, at most 256 MiB of it.
 */
struct store *store_queue_new(struct store *under, unsigned threads);

/* Unchecked dispatch for wrappers: the op, or what stands in for it. */
int store_raw_begin(struct store *s, struct store_upload **up, struct err *e);
int store_raw_append(struct store_upload *up, struct span data, struct err *e);
int store_raw_commit(struct store_upload *up, const char *key, unsigned flags, struct err *e);
int store_raw_sync(struct store *s, struct err *e);

/*
 * fault: for tests.  `plan` is asked before each operation and may return an
 * error kind to fail it with (ERR_NONE: go on); `after` true fails it after it
 * was done, like a lost answer.
 */
struct store_fault_plan {
	enum err_kind (*decide)(void *arg, const char *op, const char *key, bool *after);
	void *arg;
};
struct store *store_fault_new(struct store *under, const struct store_fault_plan *plan);

#endif
