/*
 * source: what can be read, as directories of named things with content.
 *
 * A source knows nothing of repositories.  The engine pulls: it lists a
 * directory, looks at each name (cheap: one statx), and only for what is
 * new or changed asks for the rest (xattrs, link target, owners' names) and
 * reads the content.  Drivers: files (files.c), one stream (stream.c).
 *
 *   list     names of a directory, sorted as bytes, without "." and "..".
 *            For the root, and folders above the paths asked for, only the
 *            names that lead to them.
 *   look     one name's facts.  SOURCE_SKIP: excluded (the driver has told
 *            the sink why), a socket, or gone meanwhile; nothing is stored.
 *   enter    a directory for listing; holds its parent.  Directories are
 *            counted: source_dir_ref/unref, from any thread.
 *   fill     the whole entry for a name ("" for the root itself); strings live
 *            in `hold` until it is reset or grows: one entry a hold.
 *   open     a file's content for reading, as the stream of its data without
 *            holes, in order; `holes` are known then.  Fails with ERR_ABSENT
 *            if it is no longer the file that look saw.
 *   read     next bytes of the data, up to n; 0 at the end.  The end is where
 *            the file ended when it was opened, or earlier if it shrank: then
 *            the holes beyond are taken off the reader's, so copy them last.
 *   skip     passes over the next n bytes unread (only of drivers whose files have parts that need
 *            not be read).
 *   finish   ends reading; tells whether the file changed since open (size,
 *            mtime, ctime), and its true size (data and holes) as read.
 *   late     once, when all that is not late has been read: what is late can be looked at and
 *            read from now on.  -1: what was read is worth nothing.
 *
 * Errors name the path.  A failure of one name is the caller's to count; it
 * never ends the walk.
 *
 * Threads: list, look, enter by one walking thread; fill, open, read, finish
 * by any, a reader by one at a time.
 */
#ifndef HF_SOURCE_SOURCE_H
#define HF_SOURCE_SOURCE_H

#include "base/buf.h"
#include "base/ctx.h"
#include "base/entry.h"
#include "base/err.h"

struct source;
struct source_dir;
struct source_reader;

struct source_stat {
	enum entry_type type;
	uint32_t mode, uid, gid; /* mode: 12 bits */
	uint64_t size;
	int64_t mtime, ctime; /* seconds */
	uint32_t mtime_ns, ctime_ns;
	uint64_t ino, dev, nlink;
	uint32_t major, minor;
	uint64_t blocks; /* of 512 bytes in use; fewer than size: has holes */
	bool late;       /* looked at again, and read, when all else is done (ops->late) */
};

enum source_look { SOURCE_TAKE, SOURCE_SKIP };

/* Names packed one after another: NUL-terminated, offsets in `at`. */
struct source_names {
	struct buf text;
	uint32_t *at;
	size_t n, cap;
};
void source_names_fini(struct source_names *names);
static inline const char *source_name(const struct source_names *names, size_t i)
{
	return (const char *)names->text.p + names->at[i];
}

struct source_ops {
	const char *kind; /* "files", "stdin" */
	struct source_dir *(*root)(struct source *, struct source_stat *st, struct err *);
	int (*list)(struct source_dir *, struct source_names *out, struct err *);
	int (*look)(struct source_dir *, const char *name, struct source_stat *st,
	    enum source_look *what, struct err *);
	struct source_dir *(*enter)(
	    struct source_dir *, const char *name, const struct source_stat *st, struct err *);
	int (*fill)(struct source_dir *, const char *name, const struct source_stat *st,
	    struct entry *out, struct buf *hold, struct err *);
	int (*open)(struct source_dir *, const char *name, const struct source_stat *st,
	    struct source_reader **out, struct err *);
	int64_t (*read)(struct source_reader *, void *p, size_t n, struct err *);
	void (*skip)(struct source_reader *, uint64_t n); /* or NULL */
	int (*finish)(struct source_reader *, bool *changed, uint64_t *size, struct err *);
	int (*late)(struct source *, struct err *); /* or NULL: nothing ever is */
	void (*close)(struct source *);
};

struct source { /* first member of each driver's own struct */
	const struct source_ops *ops;
	struct ctx *ctx; /* borrowed */
};

struct source_reader { /* first member of each driver's own */
	struct source *source;
	const struct entry_hole *holes; /* set by open; valid until finish */
	size_t nholes;
	struct source_stat st; /* as found at open */
	bool again;            /* set while reading: the next run is to read it, however it looks */
};

struct source_dir { /* first member of each driver's own */
	struct source *source;
	struct source_dir *parent; /* held; NULL for the root */
	_Atomic unsigned refs;
	char *path; /* absolute, "/" for the root */
	void (*free)(struct source_dir *);
};

/* Of a driver's own kind, zeroed but for this part; holds parent (or NULL), takes path. */
void *source_dir_new(size_t size, struct source *s, struct source_dir *parent, char *path,
    void (*free)(struct source_dir *));
struct source_dir *source_dir_ref(struct source_dir *d); /* returns d */
void source_dir_unref(struct source_dir *d);             /* NULL does nothing */

/* For drivers of plain files alone: there is no folder to enter; a name and what stat says is all.
 */
struct source_dir *source_enter_none(
    struct source_dir *d, const char *name, const struct source_stat *st, struct err *e);
int source_fill_plain(struct source_dir *d, const char *name, const struct source_stat *st,
    struct entry *out, struct buf *hold, struct err *e);

/* Abandon a reader without asking how it went; NULL does nothing. */
void source_reader_abandon(struct source_reader *r);

/* The folder `path` is read at another place, where it stands still; it goes by its own name. */
struct source_place {
	const char *path, *at;
};

/* What is frozen has names that begin so, and is never read as what lies there by chance. */
#define SOURCE_FROZEN ".holdfast-frozen-"

struct files_params {
	const char *const *paths; /* absolute, normalised (no "." or ".."), at least one */
	size_t npaths;
	const struct exclude *exclude; /* may be NULL; borrowed */
	bool exclude_caches;           /* CACHEDIR.TAG with the right signature */
	bool one_file_system;
	const char *const *never; /* paths never entered, e.g. the repository itself */
	size_t nnever;
	const struct source_place *places; /* absolute, normalised; copied */
	size_t nplaces;
};

/* -1 with ERR_ABSENT and the path if one of the paths isn't there. */
int source_files_open(
    const struct files_params *p, struct ctx *ctx, struct source **out, struct err *e);

/* One file /NAME holding all that can be read from fd; can be read once. */
int source_stream_open(
    int fd, const char *name, struct ctx *ctx, struct source **out, struct err *e);

void source_close(struct source *s); /* NULL does nothing */

#endif
