/*
 * target: the folder that a restore writes to.  The mirror of a source.
 *
 * Nothing is ever created, opened or changed outside the target: each step
 * down opens one component relative to its parent's descriptor with
 * RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS, and names are checked (no '/', NUL,
 * "." or "..").  Existing things are never written through: the new file is
 * written beside and renamed over the old one when it is whole, so the old one
 * stays until then, and other hard links to it keep their content.
 *
 * A directory's own metadata is applied when the last reference to it is
 * dropped, after everything inside it was made; until then it has mode 0700.
 *
 * What cannot be set (owner without being root, an xattr that the file
 * system refuses) is told to the sink as EVENT_FILE_FAILED, counted in
 * target_problems, and does not fail the entry.
 *
 * Threads: any; a target_file's begin and end by one thread each, writes by
 * several at once.
 */
#ifndef HF_SOURCE_TARGET_H
#define HF_SOURCE_TARGET_H

#include <sys/types.h>

#include "base/ctx.h"
#include "base/entry.h"
#include "base/err.h"

struct target;
struct target_dir;
struct target_file;

enum target_overwrite {
	TARGET_REFUSE,     /* the target must be empty (the default) */
	TARGET_NEVER,      /* add what is missing, leave what is there */
	TARGET_IF_CHANGED, /* replace files whose size, mtime or type differ */
	TARGET_ALWAYS,     /* replace */
};

struct target_stat {
	bool exists;
	enum entry_type type;
	uint64_t size;
	int64_t mtime;
	uint32_t mtime_ns;
	uint32_t mode, uid, gid;
	uint64_t ino, dev, nlink;
};

/*
 * Make or open the folder (its parents too).  TARGET_REFUSE and something in
 * it: ERR_USAGE with a hint at --overwrite.
 */
int target_open(const char *path, enum target_overwrite overwrite, struct ctx *ctx,
    struct target **out, struct err *e);

/* All that is made from now on belongs to that user, whatever its entry says. */
void target_give(struct target *t, uint32_t uid, uint32_t gid);

/* Wait until all that was made or changed is on disk. */
int target_sync(struct target *t, struct err *e);

/*
 * A power cut may leave files whose sizes and times are right and whose bytes are not.  So
 * before the first one a word is left in the target (what is restored, up to 8 KB of text),
 * and taken back after target_sync.  *cut: there is one of a restore that never ended, so
 * that size and time prove nothing.
 */
int target_begin(struct target *t, const char *what, bool *cut, struct err *e);
bool target_is_own(struct span name); /* is it the name of that word, in the root? */
int target_end(struct target *t, struct err *e);

void target_close(struct target *t); /* NULL does nothing; all dirs unreferenced before */
uint64_t target_problems(const struct target *t); /* metadata that could not be set */

struct target_dir *target_root(struct target *t); /* a new reference */
struct target_dir *target_dir_ref(struct target_dir *d);
void target_dir_unref(struct target_dir *d);             /* NULL does nothing */
const char *target_dir_path(const struct target_dir *d); /* below the target, "" for the root */

/*
 * The directory e->name in parent, made if it isn't there; something else
 * of that name is replaced (TARGET_ALWAYS, IF_CHANGED) or ERR_EXISTS.  e may
 * go away: what is needed later is copied.  Metadata of an existing directory
 * is set too, but under TARGET_NEVER.
 */
int target_mkdir(
    struct target_dir *parent, const struct entry *en, struct target_dir **out, struct err *e);

/*
 * Metadata for the root itself (restore of SNAP:/dir), applied when the last
 * reference that target_root gave is dropped.
 */
void target_root_meta(struct target_dir *root, const struct entry *en);

int target_look(struct target_dir *d, const char *name, struct target_stat *st, struct err *e);

/* What is there, opened for reading through no link; -1 with errno. */
int target_read(struct target_dir *d, const char *name);

/* The same by a path as target_dir_path gives it, which may be longer than PATH_MAX. */
int target_read_path(struct target *t, const char *path, struct err *e);

/*
 * A regular file: begin makes it, under a name for the time being unless it is
 * small (64 KiB); write puts bytes at an offset;
 * end sets size (holes are what was never written), owner, xattrs, mode and
 * times, and closes; abort closes and removes it.  If the policy says so, a file
 * that is there already is replaced at the end, and anything else, even a
 * directory with all in it, is removed at begin; under TARGET_NEVER it is
 * ERR_EXISTS.  en is copied by begin.  Files beyond 1 MiB without holes are preallocated.
 */
int target_file_begin(
    struct target_dir *d, const struct entry *en, struct target_file **out, struct err *e);
int target_file_write(struct target_file *f, uint64_t off, struct span data, struct err *e);
int target_file_end(struct target_file *f, struct err *e); /* frees f */

/*
 * The file that is there, to be written into as it stands (TARGET_ALWAYS): it gets the entry's
 * size now, its metadata at the end, and abort leaves it.  1; 0 where there is none, or one that
 * may not be written into (several names, a link): begin one.
 */
int target_file_again(
    struct target_dir *d, const struct entry *en, struct target_file **out, struct err *e);
/* Its bytes at an offset: how many, or -1 with errno. */
ssize_t target_file_read(struct target_file *f, uint64_t off, void *buf, size_t n);
void target_file_abort(struct target_file *f); /* frees f */

/* A symlink, fifo or device with its metadata. */
int target_node(struct target_dir *d, const struct entry *en, struct err *e);

/*
 * A hard link d/name to the thing at `path`, which is below the target as
 * target_dir_path gives it.  A file that is there is replaced in one step.
 */
int target_link(struct target_dir *d, const char *name, const char *path, struct err *e);

/* Are d/name and the thing at `path` one file? */
bool target_linked(struct target_dir *d, const char *name, const char *path);

/* Set the metadata only, of a file whose content is right already. */
int target_meta(struct target_dir *d, const struct entry *en, struct err *e);

/* Remove a name, and what is below it (for --delete). */
int target_remove(struct target_dir *d, const char *name, struct err *e);

/*
 * Names in a directory, for --delete: visits each but "." and "..", and those
 * of files that are being written just now, which target_remove spares too.
 */
int target_list(struct target_dir *d, int (*visit)(void *, const char *name, struct err *),
    void *arg, struct err *e);

#endif
