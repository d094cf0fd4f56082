/*
 * writer_internal: what the files of a writer share.
 *
 *   writer.c         the run: data keys, what was seen, open packs
 *   writer_lane.c    blobs to frames
 *   writer_set.c     several repositories at once
 *   writer_feed.c    ...each with a queue and a thread
 *   writer_index.c   packs made durable and named in an index
 *   writer_resume.c  runs that did not finish
 *   writer_lease.c   for how long what was looked at may be counted on
 *   writer_commit.c  the snapshot
 */
#ifndef HF_REPO_WRITER_INTERNAL_H
#define HF_REPO_WRITER_INTERNAL_H

#include "repo/mark.h"
#include "repo/pack.h"
#include "repo/repo_internal.h"
#include "repo/writer.h"

enum { SEEN_SHARDS = 16, WRITER_SLOTS_MAX = FORMAT_KEYS_MAX };
enum { WRITER_TRIES = 3 }; /* of a put that came too late */

/* One moment by the store's clock and by ours (boot time, read before). */
struct writer_moment {
	int64_t store_ns, boot_ns;
};

/* Where a blob of this run is: 0 in a lane's frame, else the pack's number. */
struct seen_shard {
	pthread_mutex_t lock;
	struct idmap *map; /* id -> uint32_t pack number */
};

struct open_pack {
	pthread_mutex_t lock;
	enum format_type type;
	struct pack_writer *w; /* NULL: none open */
	uint32_t number;       /* of the open one, from 1 */
	uint8_t slots[WRITER_SLOTS_MAX][FORMAT_SEALED_KEY];
	size_t nslots;
};

struct writer {
	struct repo *repo;
	struct writer_params params;
	const struct domain *domain;
	struct writer_stats stats;
	struct seal_key *content, *structure; /* secret memory */
	uint8_t sealed_content[FORMAT_SEALED_KEY], sealed_structure[FORMAT_SEALED_KEY];

	struct seen_shard seen[SEEN_SHARDS];
	struct open_pack pack[2]; /* content, trees */

	pthread_mutex_t index_lock; /* guards what follows */
	struct index_builder *builder;
	uint64_t builder_bytes;
	struct id_list own_packs;
	size_t own_indexed; /* of these, how many an index names */
	_Atomic uint32_t next_pack;
	_Atomic int64_t last_index_ns;      /* set with the lock, read without */
	struct writer_moment told, flushed; /* the newest that was asked; as of the last flush */

	pthread_mutex_t flush_lock; /* one index at a time */

	char *journal;    /* NULL: none */
	uint8_t *resumed; /* by pack ordinal, nrelied of them: of an unfinished run; or NULL */

	bool increment; /* see writer_increment */
	bool pages;     /* see writer_pages */

	struct writer *set[WRITER_SET_MAX]; /* itself first, then who follows it */
	unsigned nset;
	struct writer_feed *feed; /* NULL: alone */

	_Atomic bool broken; /* something claimed was not stored */

	uint8_t *copy_keys; /* sealed, of frames to be copied */
	size_t ncopy_keys;

	/* For prune's sake. */
	struct writer_moment begun; /* before marks were listed */
	struct mark_set marks;      /* as first listed */
	_Atomic uint8_t *relied;    /* by pack ordinal at the start */
	uint32_t nrelied;
	uint64_t generation;        /* of the index that `relied` counts by */
	_Atomic bool cache_damaged; /* made anew when the run is over */
};

/* Give a sealed frame to the pack of its kind. */
int writer_append(struct writer *w, struct pack_frame *frame, const struct pack_blob *blobs,
    const uint8_t *sealed_key, struct span box, struct err *e);

/*
 * 1 if the repository's index has it, `at` in it; the run relies on that pack
 * now.  0, -1.  `near` as in index_cache_find_near, or NULL.
 */
int writer_in_index(struct writer *w, const struct id *id, struct index_near *near,
    struct index_place *at, struct err *e);

/* Is it in this writer's own repository, or on its way there?  1, 0, -1. */
int writer_has_own(struct writer *w, const struct id *id, struct index_near *near, struct err *e);

/*
 * Does the d-th of the set take part still?  And: it failed; alone that is the
 * caller's to tell (-1), of several it is given up (0), unless it was the last (-1).
 */
bool writer_takes(const struct writer *w, unsigned d);
int writer_lose(struct writer *w, unsigned d, struct err *e);

/* Was it seen in this run, by whatever lane? */
bool writer_in_run(struct writer *w, const struct id *id);

/* These packs are in an index now; and: the run is over. */
void writer_journal(struct writer *w, const struct id *packs, size_t n);
void writer_journal_end(struct writer *w);

/* True if it was claimed already; else it is claimed for the caller now. */
bool writer_claim(struct writer *w, const struct id *id);

int64_t writer_boot_ns(struct writer *w);

/* What waits since then, to be stored or named in an index, has waited long enough. */
bool writer_due(struct writer *w, int64_t since_ns);

/* Make what is closed durable, and name it in an index object. */
int writer_flush_index(struct writer *w, struct err *e);

static inline struct seen_shard *writer_shard(struct writer *w, const struct id *id)
{
	return &w->seen[id->b[0] % SEEN_SHARDS];
}

/*
 * The lease (format.md 10).  What was there and unmarked at a moment cannot be
 * deleted before the grace is over: what is put by then, and visible, protects it.
 */
int writer_now(struct writer *w, struct writer_moment *out, struct err *e);
/* By our clock alone, has most of the lease gone since? */
bool writer_long_ago(struct writer *w, const struct writer_moment *since);

/*
 * Config as it is now: may this program, with this key, still write?  One GET.  Asked before
 * a snapshot is put and where a run looks anew, not for every pack: what comes in between
 * is garbage at worst.
 */
int writer_may_go_on(struct writer *w, struct err *e);

/*
 * Look anew: may the run go on, are these packs of our own (and, `relied`, all that the run relies
 * on) there, and in no mark that may be executed?  Then *base is now, and *deadline
 * by when what needs them must be stored.
 */
int writer_look(struct writer *w, const struct id *own, size_t nown, bool relied,
    struct writer_moment *base, int64_t *deadline, struct err *e);

/* What was put just now with this deadline, is it there in time?  1, 0, -1 nobody knows. */
int writer_in_time(
    struct writer *w, const struct writer_moment *base, int64_t deadline, struct err *e);

#endif
