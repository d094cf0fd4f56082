/*
 * files_internal: what files.c (the walk), files_meta.c (the whole entry) and
 * files_read.c (the content) share.
 */
#ifndef HF_SOURCE_FILES_INTERNAL_H
#define HF_SOURCE_FILES_INTERNAL_H

#include <pthread.h>
#include <sys/stat.h>

#include "source/exclude.h"
#include "source/source.h"

struct files_owner;

struct files {
	struct source base;
	struct files_params p;
	char **paths;				/* copies, sorted */
	struct files_never {
		uint64_t dev, ino;
	} *never;
	size_t nnever;
	pthread_mutex_t owners_lock;
	struct files_owner *owners;		/* names of users and groups, as looked up */
	size_t nowners;
};

struct files_dir {
	struct source_dir base;
	int fd;
	bool full;		/* at or below a path that was asked for */
	bool empty;		/* another file system's: its name only */
	uint64_t dev;		/* of the asked path, for one_file_system */
};

int files_fill(struct source_dir *d, const char *name, const struct source_stat *st,
    struct entry *out, struct buf *hold, struct err *e);
int files_open(struct source_dir *d, const char *name, const struct source_stat *st,
    struct source_reader **out, struct err *e);
int64_t files_read(struct source_reader *r, void *p, size_t n, struct err *e);
int files_finish(struct source_reader *r, bool *changed, uint64_t *size, struct err *e);

/* Facts of a name from statx; 0 or -1 with errno. */
int files_statx(int dir, const char *name, int flags, struct source_stat *st);

void files_owners_fini(struct files *f);

#endif
