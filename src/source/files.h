/* files.h: what the parts of the files driver share; nobody else includes it. */
#ifndef HF_SOURCE_FILES_H
#define HF_SOURCE_FILES_H

#include <pthread.h>
#include <sys/stat.h>

#include "source/source.h"

/*
 * ask: the paths asked for as a tree.  A node that is not `whole` is only a
 * way to those below it.  Children are sorted by name.
 */
struct ask {
	char *name;
	bool whole;
	struct ask **child;
	size_t n;
};

struct ask *ask_new(const char *const *paths, size_t n);
void ask_free(struct ask *a); /* NULL does nothing */
const struct ask *ask_child(const struct ask *a, const char *name);

struct never {
	char *path;
	bool found; /* it was there when the source was opened: dev, ino hold */
	dev_t dev;
	ino_t ino;
};

/* Device numbers are told as those of the path: what is unchanged stays unchanged. */
struct files_place {
	char *path, *at;
	dev_t dev, dev_at;
};

/* owners: names of users or groups by number, asked for once each. */
struct owners {
	pthread_mutex_t lock; /* never held while the system looks a name up */
	struct owner {
		uint32_t id;
		char *name; /* NULL: free slot; "" unknown */
	} * slot;
	size_t n, cap;
};

struct files {
	struct source base;
	struct ask *ask;
	const struct exclude *exclude;
	bool exclude_caches, one_file_system;
	struct never *never;
	size_t nnever;
	struct files_place *place;
	size_t nplaces;
	struct ask *places; /* their paths; NULL: there are none */
	struct owners users, groups;
	bool have_proc; /* xattrs of any kind of file are read through /proc/self/fd */
};

struct files_dir {
	struct source_dir base;
	int fd;                   /* -1: never listed, for it is `empty` */
	const struct ask *ask;    /* NULL: below a path asked for */
	const struct ask *places; /* NULL: none of them is below */
	uint64_t dev;             /* of the path asked for that it is below */
	bool empty;               /* another file system begins here */
};

static inline bool files_dir_whole(const struct files_dir *d)
{
	return d->ask == NULL || d->ask->whole;
}

/* Does this name only lead to paths asked for?  Then symbolic links are followed. */
bool files_is_way(const struct files_dir *d, const char *name);

void files_stat_take(const struct files *f, struct source_stat *out, const struct stat *st);
uint64_t files_dev(const struct files *f, dev_t dev);

/* Where a name of a directory is looked at. */
struct files_at {
	int dir;
	const char *name;
};
struct files_at files_at(const struct files_dir *d, const char *name);

/* files_place.c */
int files_places_set(struct files *f, const struct files_params *p, struct err *e);
void files_places_fini(struct files *f);
const struct files_place *files_place_find(const struct files *f, const char *path);

char *files_path(const struct source_dir *d, const char *name); /* new text */

/*
 * Without O_NOATIME where that is not ours to ask.  Returns -1 with errno.
 */
int files_openat(int dir, const char *name, int flags);

/* files_meta.c */
void owners_init(struct owners *o);
void owners_fini(struct owners *o);
int files_fill(struct source_dir *d, const char *name, const struct source_stat *st,
    struct entry *out, struct buf *hold, struct err *e);

/* files_read.c */
int files_open(struct source_dir *d, const char *name, const struct source_stat *st,
    struct source_reader **out, struct err *e);
int64_t files_read(struct source_reader *r, void *p, size_t n, struct err *e);
int files_finish(struct source_reader *r, bool *changed, uint64_t *size, struct err *e);

#endif
