/*
 * restore_internal: what the files of op_restore share.
 *
 *   restore_parts.c  several parts, one after the other
 *   op_restore.c     the walk in tree order: what goes where
 *   restore_data.c   windows of segments: frames are read in pack order, each
 *                    once, by workers that write the blobs into files
 *   restore_delta.c  what of a file that is there is right already
 *   restore_links.c  hard links
 *   restore_look.c   what is in the target already
 *   restore_cold.c   what must be thawed first, and waiting for it
 *   restore_verify.c the second pass: what is on disk against the blobs' ids
 *
 * A file of one segment is begun, written and ended by one worker; others are
 * begun by the walk, and ended by whoever writes the last segment.
 */
#ifndef HF_ENGINE_RESTORE_INTERNAL_H
#define HF_ENGINE_RESTORE_INTERNAL_H

#include <pthread.h>

#include "engine/budget.h"
#include "engine/holes.h"
#include "engine/op_restore.h"
#include "engine/tree_path.h"
#include "repo/reader.h"
#include "repo/tree.h"

enum {
	WINDOW_BYTES = 24 << 20, /* of plaintext in one window */
	WINDOW_SEGMENTS = 8192,
	WINDOWS_AHEAD = 2,
	/*
	 * A frame that two windows need is read twice.  Where that takes a long way windows
	 * are wider: each is twice the one before it, up to so much.
	 */
	WINDOW_BYTES_FAR = 192 << 20,
	WINDOW_SEGMENTS_FAR = 16384,
	RUN_MIN = 512 << 10,     /* of stored bytes in one request, from afar: between these, */
	RUN_MAX = 4 << 20,       /* so that there is one for each who may ask */
	RUN_GAP = 64 << 10,      /* not worth a request of its own */
	FRAMES_BYTES = 32 << 20, /* of memory for frames, of all workers together */
	FRAMES_FAR = 96 << 20,   /* the same where many must be on their way at a time */
};

struct rfile {
	struct restore *rs;
	struct target_dir *dir;   /* held */
	struct target_file *file; /* NULL until begun */
	struct entry entry;       /* strings in `strings` */
	struct buf strings;
	char *path;            /* for messages */
	_Atomic uint64_t left; /* segments not yet written, + 1 while planned */
	_Atomic bool failed, damaged;
	bool single;          /* one segment: the worker begins it */
	bool again;           /* it was there: its segments are compared first */
	_Atomic bool changed; /* something was written into it */
};

struct rsegment {
	struct rfile *file;
	struct id id;
	struct index_place at;
	uint64_t data_off; /* in the file's data, holes left out */
	bool right;        /* it is there already */
};

struct rwindow {
	struct rwindow *next;
	struct rsegment *seg;
	size_t n;
	size_t *group; /* first segment of each frame, and n */
	size_t ngroups;
	size_t *run; /* first group of those that are fetched by one request, and ngroups */
	size_t nruns;
	uint64_t bytes;
	size_t held;                  /* directories and files that are open for it, at most */
	const struct target_dir *dir; /* of the last segment, */
	const struct rfile *file;     /* and its file */
	size_t claimed, done;         /* runs, under the lock */
};

struct restore {
	struct repo *repo;
	struct ctx *ctx;
	const struct restore_params *p;
	struct target *target;
	bool cut;              /* an earlier one never ended: size and time prove nothing */
	size_t skip;           /* of a path in the snapshot, to get one below the target */
	struct reader *reader; /* the walk's */
	struct thaw *thaw;     /* NULL: nothing sleeps */
	unsigned far;          /* requests at a time that pay; 1: the store is near */
	size_t window_segments, window_held;
	uint64_t window_bytes;  /* of the present one */
	struct rwindow *window; /* being filled */

	pthread_mutex_t lock; /* guards windows, err and what follows */
	pthread_cond_t more, less;
	struct rwindow *first, *last;
	size_t waiting;
	bool planned; /* no more windows come */
	struct budget frames;
	size_t keep; /* what a worker keeps of a buffer when it needs it no more */
	struct err err;
	_Atomic bool failed; /* err is set: stop */

	struct rlinks *links; /* restore_links.c */
	struct buf left;      /* u64 each: hashes of paths, for restore_left */
	_Atomic uint64_t files, bytes, problems, damaged, compared;
	_Atomic uint64_t again,
	    again_bytes; /* files that were right already, and what is in them */
	uint64_t dirs, others, skipped, skipped_bytes, deleted, verified;
};

/* The run cannot go on. */
void restore_fail(struct restore *rs, const struct err *e);

/* One entry cannot be restored: tell and count. */
void restore_problem(struct restore *rs, const char *path, const struct err *e);

/* op_restore.c: what lies at one path of one part. */
int restore_tree(struct repo *r, const struct restore_params *p, struct ctx *ctx,
    struct restore_result *out, struct err *e);
/* op_restore.c: is it asked for?  *inside: below something that --include matched. */
bool restore_wanted(struct restore *rs, const char *path, bool is_dir, bool *inside);

/* restore_cold.c: ask for what must be thawed, and wait for the first; for one place. */
int restore_cold_begin(struct restore *rs, const struct tree_path *at, struct err *e);
int restore_cold_wait(
    struct restore *rs, struct reader *rd, const struct index_place *at, struct err *e);

/* restore_data.c */
struct rfile *restore_file_new(
    struct restore *rs, struct target_dir *dir, const struct entry *en, const char *path);
int restore_segment(struct restore *rs, struct rfile *f, const struct id *id, uint64_t data_off,
    uint64_t *len, struct err *e);
void restore_file_planned(struct rfile *f); /* no more segments come */
void restore_window_flush(struct restore *rs);
void *restore_worker_main(void *restore);
bool restore_stopping(struct restore *rs);

/*
 * restore_data.c, restore_delta.c: begin it, as it is there where that is asked for.  Look which of
 * a run's segments are right already; true: none is left to be written.
 */
int restore_file_begin(struct rfile *f, struct err *e);
bool restore_delta_run(struct restore *rs, struct reader *rd, struct rsegment *s, size_t n);

/*
 * restore_links.c: restore_link gives 1 if the name is a link, made or waiting
 * to be; 0 if it is the first of its group (or of none) and has to be restored
 * and then settled; or -1.
 */
enum restore_made { RESTORE_MADE, RESTORE_FAILED, RESTORE_DAMAGED };

void restore_links_init(struct restore *rs);
void restore_links_free(struct restore *rs);
void restore_links_first(struct restore *rs, struct target_dir *d, const struct entry *en);
int restore_link(struct restore *rs, struct target_dir *d, const struct entry *en, const char *path,
    struct err *e);
void restore_links_settle(struct restore *rs, const struct entry *en, enum restore_made made);
/* The group has a first name already; *same: this name is linked to it. */
bool restore_links_known(
    struct restore *rs, struct target_dir *d, const struct entry *en, bool *same);
void restore_links_drain(struct restore *rs); /* make those that wait */

/*
 * restore_look.c: what is in the target; dir NULL where it is not made yet, or
 * in a dry run, which looks by path.
 */
int restore_look(struct restore *rs, struct target_dir *dir, const char *path,
    struct target_stat *out, struct err *e);
int restore_list(struct restore *rs, struct target_dir *dir, const char *path,
    int (*visit)(void *, const char *name, struct err *), void *arg, struct err *e);
int restore_dry_open(struct restore *rs, struct err *e); /* refuses as target_open does */

/*
 * restore_look.c: leave what is there as it is?  1 yes, 0 no, -1.  What
 * seems to be the same is read and compared where --verify or --overwrite
 * always want that.  *size: of what is there.
 */
int restore_leave(struct restore *rs, struct target_dir *dir, const struct entry *en,
    const struct tree_ref *ref, const char *path, uint64_t *size, struct err *e);

/* restore_look.c: all of a file but its content, which somebody else brings. */
int restore_hollow(struct restore *rs, struct target_dir *dir, const struct entry *en,
    const char *path, struct err *e);

/* restore_look.c: leave word in the target before the first file; and when all is on disk. */
int restore_begin(struct restore *rs, struct err *e);
int restore_end(struct restore *rs, struct err *e);
/* Is this entry of the target's root to have the name of that word?  -1: it is left out. */
int restore_refuse_own(struct restore *rs, const struct entry *en, const char *path, struct err *e);

/* What --overwrite never left is not for --verify to judge: add, sort, then ask. */
void restore_left_add(struct restore *rs, const char *path);
void restore_left_sort(struct restore *rs);
bool restore_left(const struct restore *rs, const char *path);

/*
 * restore_verify.c: does the file on disk hold these blobs?  By its path below
 * the target, or open.
 */
int restore_verify_file(struct restore *rs, const char *below, const struct entry *en,
    const struct tree_ref *ref, struct err *e);
int restore_verify_all(struct restore *rs, const struct tree_path *at, struct err *e);
int restore_verify_fd(
    struct restore *rs, int fd, const struct entry *en, const struct tree_ref *ref, struct err *e);

#endif
