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

/* mem: objects in memory; "mem:NAME" is shared in the process by its name. */
int store_mem_open(const char *name, bool create, struct store **out, struct err *e);

/* retry: what err_info says may help, up to 5 times, with jittered backoff. */
struct store *store_retry_new(struct store *under, struct ctx *ctx);

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
