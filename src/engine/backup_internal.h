/*
 * backup_internal: what the files of op_backup share.
 *
 *   op_backup.c    the run: source, caches, workers, snapshot
 *   op_backup_many.c  which repositories take part in which pass
 *   backup_cache.c the run before: what to compare with
 *   backup_new.c   what a run has before it does anything
 *   backup_walk.c  the walking thread: lists, looks, compares with the cache
 *   backup_file.c  workers: read, chunk, store one file
 *   backup_share.c the chunks of a large file, stored by several workers
 *   backup_threads.c  the walker and its workers
 *   backup_parts.c the sources of a run, one after the other
 *   backup_pg.c    one that is a server of PostgreSQL's; backup_pg_facts.c what is said of it,
 *                  backup_pg_stream.c and backup_older*.c what comes over its connection
 *   backup_dump.c  its databases as pg_dump writes them
 *   backup_blocks.c  files of which the log tells the blocks that changed
 *   backup_map.c   what it tells
 *   backup_late.c  files that can be read only when all else is
 *   backup_paths.c what was asked for
 *   backup_count.c a second walk, for progress
 *   backup_anomaly.c  what is strange about it
 *   backup_targets.c  the end: each repository's snapshot
 *   backup_slice.c slices of a directory, done in any order, encoded in theirs
 *   backup_dir.c   slices become a tree
 *
 * A directory in flight is a struct bdir.  Its names are listed whole; its
 * entries are in work by slices, runs of neighbouring names, a few at a time.
 * A slice is encoded by whichever thread completes the last entry of it or of
 * one before it.  After the last slice the tree's id goes up into the parent's
 * entry.  The walker stays at most QUEUE_MAX files ahead, so what is in flight
 * is bounded by the depth of the tree, and the names in its directories.
 *
 * Threads: a slice's entries are written by the thread that has the entry (the
 * walker, then one worker); `pending` hands them over.
 */
#ifndef HF_ENGINE_BACKUP_INTERNAL_H
#define HF_ENGINE_BACKUP_INTERNAL_H

#include <pthread.h>

#include "engine/budget.h"
#include "engine/op_backup.h"
#include "repo/chunker.h"
#include "repo/file_cache.h"
#include "repo/reader.h"
#include "repo/siphash.h"
#include "repo/tree.h"
#include "repo/writer.h"
#include "source/source.h"
#include "source/wal_map.h"

enum { QUEUE_MAX = 2048, TASK_BATCH = 128, ERRORS_KEPT = 100 };

/* What the parent has of a name, where it is known which blocks have changed since. */
struct bold {
	uint64_t size;
	uint8_t tag, depth;
	uint32_t nids;
	struct id *ids;
};

struct bentry {
	uint32_t name;      /* offset in the directory's names */
	bool skip;          /* not stored after all */
	bool same;          /* as the cache knows it */
	bool racy;          /* touched just now: the next run reads it again */
	bool was_racy;      /* known so; ids are those of the last run until it is read */
	bool known;         /* the cache has it in some form */
	bool changed;       /* while it was read; of a directory: not all in it could be read */
	bool missing;       /* a directory that could not be listed */
	uint8_t tag, depth; /* as struct tree_ref */
	uint32_t nids;
	struct id one, *ids; /* ids when nids > 1, owned */
	uint8_t fp[FILE_CACHE_FP];
	struct source_stat st;
	struct entry_hole *holes; /* owned */
	uint32_t nholes;
	struct bold *old; /* owned; NULL: the parent does not have it, or nobody asked */
};

/* Entries of names [begin, end) of a directory. */
struct bslice {
	struct bslice *next;
	struct bdir *dir;
	size_t begin, end;
	bool last; /* of the directory */
	bool done; /* under slice_lock: it waits for those before it */
	struct bentry *entries;
	size_t n;
	_Atomic size_t pending;
	uint8_t key[FILE_CACHE_FP]; /* of its record in the file cache */
	_Atomic bool same;          /* every entry as cached, none gone */
	struct id *leaves;          /* as cached: names and refs of each */
	size_t nleaves;
};

struct bdir {
	struct bslice *parent;
	size_t slot;            /* which entry of the parent */
	struct source_dir *src; /* held */
	struct source_names names;
	size_t next;          /* the walker's: the first name in no slice yet */
	bool late;            /* the walker's: something in it is late, and holds its slices */
	_Atomic bool partial; /* something in it could not be read */

	/* The walker's: without a cache, the directory as the parent has it. */
	bool has_parent;
	struct id parent_tree;
	struct tree_reader *old; /* NULL at the end */
	bool old_ahead;          /* old_entry and old_ref are not used up */
	struct entry old_entry;
	struct tree_ref old_ref;

	/* Under slice_lock. */
	struct bslice *head, **tail;
	unsigned held;
	bool encoding; /* somebody is at `head` */

	struct btree *tree; /* NULL: one slice is all of it */
};

/* A tree being written, by one worker after another. */
struct btree {
	struct tree_writer *writer;
	struct writer_lane *lane; /* of who is writing */
	struct buf leaves;        /* of the slice at hand */
};

struct btask {
	struct bslice *slice;
	size_t slot;
};

/* A source of the run; its part of the snapshot has the same place. */
struct backup_part {
	const struct backup_pg *pg;          /* NULL: files, or standard input, or */
	const struct backup_pg *dump;        /* its databases dumped */
	struct backup_dump_run *dumping;     /* backup_dump.c's */
	struct backup_pg_run *run;           /* backup_pg.c's */
	struct file_cache_writer *cache_out; /* once it is read; NULL: none */
	struct wal_map *map; /* what has changed since the parent; NULL: not known */
	uint32_t relation;   /* blocks of a whole segment of a relation */
	bool failed;         /* nothing of it is worth anything: err */
	struct err err;
};

enum { BACKUP_PAGES = 3 }; /* sizes of a database's chunks */

struct backup {
	struct repo *repo;
	struct ctx *ctx;
	struct clock *clock;
	const struct backup_params *p;
	struct source *source;
	struct bpaths *paths;             /* of files */
	struct backup_part *parts, *part; /* all of them; the one at hand */
	size_t nparts;
	struct btask *late; /* the walker's: what is read when all else is */
	size_t nlate;
	struct writer *writer; /* the first target's, whom the others' follow */
	struct backup_target *targets[WRITER_SET_MAX]; /* that take part */
	struct writer *writers[WRITER_SET_MAX];
	size_t ntargets;
	struct chunker chunker;
	struct chunker pages[BACKUP_PAGES]; /* of a database's files: backup_blocks.c */
	uint8_t sip[2][SIPHASH_KEY];
	struct backup_past *past; /* backup_anomaly.c's */
	bool has_parent_tree;     /* without a cache: to tell new from changed */
	struct id parent_tree;
	struct file_cache *cache;            /* the walker's; NULL: none */
	struct file_cache_writer *cache_out; /* under cache_lock; NULL: none */
	pthread_mutex_t cache_lock;
	pthread_mutex_t slice_lock;
	pthread_cond_t slice_less;

	struct bworker *workers;
	unsigned nworkers;
	pthread_mutex_t queue_lock;
	pthread_cond_t queue_more, queue_less, chunk_done;
	struct btask queue[QUEUE_MAX];
	size_t head, count, queue_max; /* fewer than QUEUE_MAX where descriptors are few */
	unsigned busy;                 /* workers with files: chunks may come of them */
	struct budget rings;           /* for the data of large files, RINGS_BYTES */
	bool walked;                   /* nothing more will come */

	struct source *counted; /* for backup_count; NULL: don't */
	struct ctx count_ctx;   /* its own, without a sink */
	_Atomic bool count_stop;
	pthread_cond_t count_wake; /* with queue_lock */

	_Atomic bool failed;
	pthread_mutex_t result_lock; /* guards what follows */
	struct err err;              /* the first one */
	struct snapshot_error errors[ERRORS_KEPT];
	size_t nerrors;
	bool done;
	struct id tree;

	_Atomic uint64_t files, dirs, others, files_new, files_changed, files_unchanged;
	_Atomic uint64_t bytes, bytes_read, nfailed;
};

/* A chunk of the file that a worker reads, in its data until it is stored. */
struct bchunk {
	size_t at, n;
	struct id id;
	bool done;
};

/* Counters: chunks [first, taken) are being stored or done, [taken, cut) wait. */
enum { SHARE_CHUNKS = 16 };
struct bshare {
	struct bchunk v[SHARE_CHUNKS];
	unsigned first, taken, cut;
};

/* The chunks of the file at hand as the parent has them; none: it is read whole. */
struct bknown {
	struct id *ids;
	size_t n, cap;
	uint64_t size;
	const struct wal_map_file *file; /* NULL: nothing has changed */
	uint32_t first;                  /* block with which it begins */
};

/* A thread of the run with what it needs. */
struct bworker {
	struct backup *b;
	struct writer_lane *lane;
	struct btree *tree;
	struct content_writer *content;
	struct reader *reader;
	struct index_near near;        /* the walker's, of unchanged files */
	struct buf hold;               /* strings of the entry at hand */
	const struct chunker *chunker; /* of the file at hand */
	uint8_t *data;                 /* `room` bytes, made at first use */
	size_t room;
	uint64_t size;   /* of the file at hand, as the walk saw it */
	int64_t mark_ns; /* when the work on a file was last accounted for */
	struct bshare share;
	struct bknown known;
	pthread_t thread;
};

enum { DATA_MAX = 8 << 20, DATA_MIN = 2 << 20, DATA_SMALL = 1 << 20, RINGS_BYTES = 24 << 20 };

struct bpaths {
	char **v;
	size_t n;
	char **present; /* borrowed from v */
	size_t npresent;
};

/*
 * backup_paths.c: a path that isn't there is a problem, not the end; -1 with
 * ERR_ABSENT if none is.
 */
int backup_paths_gather(struct backup *b, struct bpaths *out, struct err *e);
void backup_paths_fini(struct bpaths *p);

/* The run failed: keep the first reason. */
void backup_fail(struct backup *b, const struct err *e);
bool backup_stopping(struct backup *b);

/* One entry could not be read: tell, count, keep for the facts. */
void backup_problem(struct backup *b, const char *path, const struct err *e);

/* "/dir/name", new text. */
char *backup_path(const struct bdir *d, const struct bentry *en);

/* backup_file.c: tell progress of bytes of a file of this size, and the time since the last word.
 */
void backup_account(struct bworker *w, uint64_t size, uint64_t bytes, bool whole);

void backup_fingerprint(struct backup *b, struct span s, uint8_t out[FILE_CACHE_FP]);

/* backup_anomaly.c: judge the run by those before it; remember it once it is stored. */
void backup_anomalies(struct backup *b, struct snapshot *s);
void backup_remember(struct backup *b);
struct backup_past;
void backup_past_free(struct backup_past *p);

/* op_backup.c: one read for these targets, which are kin; each gets its rc, error and result. */
void backup_pass(
    struct backup_target **targets, size_t n, const struct backup_params *p, struct ctx *ctx);

/*
 * backup_targets.c: the run is whole: each target's writer is ended and its snapshot put, and
 * none waits for another.  Or it was cut short: what is stored is kept for the next run.
 */
void backup_targets_finish(struct backup *b, const struct snapshot *s);
void backup_targets_stop(struct backup *b);
/* Into *st what differs between repositories. */
void backup_stored(const struct backup *b, size_t i, struct snapshot_stats *st);

struct backup *backup_new(struct repo *r, const struct backup_params *p, struct ctx *ctx);
void backup_free(struct backup *b);

/* backup_walk.c: to the workers, once there is room. */
void backup_enqueue(struct backup *b, struct bslice *s, size_t slot);
/* Is all that a cached entry refers to still in the repository? */
bool backup_present(struct bworker *w, const struct bentry *en);
/* The whole walk; 0 also if single names failed. */
int backup_walk(struct bworker *w, struct err *e);

/* backup_threads.c: all of the source, and its tree. */
void backup_run_threads(struct backup *b);

/* backup_late.c: what is late is put aside; then read, once all else is. */
void backup_late_add(struct backup *b, struct bslice *s, size_t slot);
void backup_late_run(struct bworker *walker);

/* backup_blocks.c: before a part that is a database. */
void backup_blocks_begin(struct backup *b);
/* Has no block of it changed?  Then it is what the parent has. */
bool backup_blocks_same(struct bworker *w, const struct bdir *d, struct bentry *en);
/* How it is cut, and what is known of it, into w; then instead of reading all of it. */
void backup_blocks_open(struct bworker *w, const struct bdir *d, const struct bentry *en);
int backup_blocks_share(struct bworker *w, struct source_reader *r, struct err *e);

/* backup_pg.c: a server's part.  Begin: the source is open, and may be read; -1: it cannot be. */
int backup_pg_begin(
    struct backup *b, struct backup_part *part, const struct snapshot *s, struct err *e);
/* What has changed since the parent, where the log tells it; else why not. */
void backup_pg_changes(struct backup *b, struct backup_part *part, const struct snapshot *s);
/* Did the parent find wrong pages in this file? */
bool backup_pg_was_bad(const struct backup_part *part, const char *path);
/* Its files are read: what it says of itself, and what of it was wrong. */
int backup_pg_end(
    struct backup *b, struct backup_part *part, struct snapshot_part *out, struct err *e);
/* The log that the part needs, into a target's repository; before its snapshot. */
int backup_pg_logs(struct backup *b, struct backup_part *part, struct snapshot_part *out,
    struct repo *r, struct err *e);
void backup_pg_free(struct backup_part *part);

/* backup_dump.c: the same of a server's dumps. */
int backup_dump_begin(struct backup *b, struct backup_part *part, struct err *e);
int backup_dump_end(
    struct backup *b, struct backup_part *part, struct snapshot_part *out, struct err *e);
void backup_dump_free(struct backup_part *part);

/* backup_parts.c: the parts one after the other; then the snapshot's facts are whole. */
void backup_parts_new(struct backup *b, struct snapshot *s, struct bpaths *paths);
int backup_files_open(struct backup *b, struct err *e);
char **backup_copy_texts(const char *const *v, size_t n);
void backup_parts_run(struct backup *b, struct snapshot *s);
void backup_parts_free(struct backup *b);

/* backup_file.c: read and store one file, then hand it back to its directory. */
void backup_file(struct bworker *w, struct btask t);
void *backup_worker_main(void *bworker);

/* backup_share.c: a chunk was cut in w->data; it is stored now or soon, by somebody. */
int backup_share_add(struct bworker *w, size_t at, size_t n, struct err *e);
/* One that the repository has. */
int backup_share_known(struct bworker *w, const struct id *id, struct err *e);
/* Wait until no chunk lies in [lo, hi) of w->data. */
int backup_share_clear(struct bworker *w, size_t lo, size_t hi, struct err *e);
/* Every chunk is stored, and the ids are in w->content, in order. */
int backup_share_end(struct bworker *w, struct err *e);
/* A chunk of whichever worker has one waiting; queue_lock is held. */
bool backup_share_take(struct backup *b, struct bworker **reader, struct bchunk **chunk);
void backup_share_store(struct bworker *w, struct bworker *reader, struct bchunk *chunk);

/* backup_cache.c: what to compare with; then what this run will be compared with. */
void backup_open_cache(struct backup *b, struct snapshot *s, size_t part);
void backup_create_cache(struct backup *b, const struct snapshot *s, size_t part);
void backup_keep_journal(struct backup *b, const struct snapshot *s);
void backup_commit_cache(struct backup *b, const struct snapshot *s);

/* backup_count.c: a thread's main; adds to the totals of progress. */
void *backup_count_main(void *backup);

/*
 * backup_slice.c: the directory's next slice, which waits while too many are
 * held; one that has no names if there are none.  After the last one is done
 * the directory may be gone.
 */
struct bslice *backup_slice_next(struct backup *b, struct bdir *d);
/* One of the slice's pending parts is done; goes on with what that was the last of. */
void backup_entry_done(struct bworker *w, struct bslice *s);

/* backup_dir.c: into the directory's tree, in order of the slices; all are: its parent. */
void backup_slice_encode(struct bworker *w, struct bslice *s);
struct bslice *backup_dir_finish(struct bworker *w, struct bdir *d);
struct btree *backup_tree_new(void);
void backup_tree_free(struct btree *t); /* NULL does nothing */

static inline const char *bentry_name(const struct bdir *d, const struct bentry *en)
{
	return (const char *)d->names.text.p + en->name;
}

static inline const struct id *bentry_ids(const struct bentry *en)
{
	return en->nids > 1 ? en->ids : &en->one;
}

#endif
