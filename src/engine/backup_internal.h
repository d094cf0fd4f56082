/*
 * backup_internal: what the files of op_backup share.
 *
 *   op_backup.c    the run: source, caches, workers, snapshot
 *   backup_walk.c  the walking thread: lists, looks, compares with the cache
 *   backup_file.c  workers: read, chunk, store one file
 *   backup_share.c the chunks of a large file, stored by several workers
 *   backup_paths.c what was asked for
 *   backup_count.c a second walk, for progress
 *   backup_anomaly.c  what is strange about it
 *   backup_dir.c   a directory whose entries are all done becomes a tree
 *
 * A directory in flight is a struct bdir.  It is finished by whichever thread
 * completes its last entry; then its id goes up into its parent's entry.  The
 * walker stays at most QUEUE_MAX files ahead, so what is in flight is bounded
 * by the depth of the tree and the size of its directories.
 *
 * Threads: a bdir's entries are written by the thread that has the entry (the
 * walker, then one worker); `pending` hands them over.
 */
#ifndef HF_ENGINE_BACKUP_INTERNAL_H
#define HF_ENGINE_BACKUP_INTERNAL_H

#include <pthread.h>

#include "engine/op_backup.h"
#include "repo/chunker.h"
#include "repo/file_cache.h"
#include "repo/reader.h"
#include "repo/siphash.h"
#include "repo/tree.h"
#include "repo/writer.h"
#include "source/source.h"

enum { QUEUE_MAX = 2048, TASK_BATCH = 128, ERRORS_KEPT = 100 };

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
};

struct bdir {
	struct bdir *parent;
	size_t slot;            /* which entry of the parent */
	struct source_dir *src; /* held */
	struct source_names names;
	struct bentry *entries;
	size_t n;
	_Atomic size_t pending;
	uint8_t path_fp[FILE_CACHE_FP];
	_Atomic bool same;    /* every entry as cached, none gone */
	_Atomic bool partial; /* something in it could not be read */
	bool has_parent;      /* without a cache: the parent has this directory */
	struct id parent_tree;
	struct id cached_tree;
	struct id *blobs; /* of the cached tree itself: names, leaves, nodes */
	size_t nblobs;
};

struct btask {
	struct bdir *dir;
	size_t slot;
};

struct backup {
	struct repo *repo;
	struct ctx *ctx;
	struct clock *clock;
	const struct backup_params *p;
	struct source *source;
	struct writer *writer;
	struct chunker chunker;
	uint8_t sip[2][SIPHASH_KEY];
	struct backup_past *past; /* backup_anomaly.c's */
	bool has_parent_tree;     /* without a cache: to tell new from changed */
	struct id parent_tree;
	struct file_cache *cache;            /* the walker's; NULL: none */
	struct file_cache_writer *cache_out; /* under cache_lock; NULL: none */
	pthread_mutex_t cache_lock;

	struct bworker *workers;
	unsigned nworkers;
	pthread_mutex_t queue_lock;
	pthread_cond_t queue_more, queue_less, chunk_done;
	struct btask queue[QUEUE_MAX];
	size_t head, count, queue_max; /* fewer than QUEUE_MAX where descriptors are few */
	unsigned busy;                 /* workers with files: chunks may come of them */
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

/* A thread of the run with what it needs. */
struct bworker {
	struct backup *b;
	struct writer_lane *lane;
	struct tree_writer *tree;
	struct content_writer *content;
	struct reader *reader;
	struct buf hold;  /* strings of the entry at hand */
	struct buf blobs; /* ids of the tree's own blobs */
	uint8_t *data;    /* DATA_MAX bytes, made at first use */
	uint64_t size;    /* of the file at hand, as the walk saw it */
	int64_t mark_ns;  /* when the work on a file was last accounted for */
	struct bshare share;
	pthread_t thread;
};

enum { DATA_MAX = 8 << 20 };

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

/* backup_walk.c: the whole walk; 0 also if single names failed. */
int backup_walk(struct bworker *w, struct err *e);

/* backup_file.c: read and store one file, then hand it back to its directory. */
void backup_file(struct bworker *w, struct btask t);
void *backup_worker_main(void *bworker);

/* backup_share.c: a chunk was cut in w->data; it is stored now or soon, by somebody. */
int backup_share_add(struct bworker *w, size_t at, size_t n, struct err *e);
/* Wait until no chunk lies in [lo, hi) of w->data. */
int backup_share_clear(struct bworker *w, size_t lo, size_t hi, struct err *e);
/* Every chunk is stored, and the ids are in w->content, in order. */
int backup_share_end(struct bworker *w, struct err *e);
/* A chunk of whichever worker has one waiting; queue_lock is held. */
bool backup_share_take(struct backup *b, struct bworker **reader, struct bchunk **chunk);
void backup_share_store(struct bworker *w, struct bworker *reader, struct bchunk *chunk);

/* backup_count.c: a thread's main; adds to the totals of progress. */
void *backup_count_main(void *backup);

/* backup_dir.c: one of the directory's pending parts is done; finishes it if it was the last. */
void backup_dir_done(struct bworker *w, struct bdir *d);
void backup_dir_free(struct bdir *d);

/* A tree_put for the worker's tree writer, which remembers the tree's own blobs. */
int backup_put_own(
    void *bworker, enum format_purpose kind, struct span blob, struct id *id, struct err *e);

static inline const char *bentry_name(const struct bdir *d, const struct bentry *en)
{
	return (const char *)d->names.text.p + en->name;
}

static inline const struct id *bentry_ids(const struct bentry *en)
{
	return en->nids > 1 ? en->ids : &en->one;
}

#endif
