/*
 * writer_internal: what writer.c (the run), writer_lane.c (blobs to frames),
 * writer_resume.c (runs that did not finish) and writer_commit.c (the end)
 * share.
 */
#ifndef HF_REPO_WRITER_INTERNAL_H
#define HF_REPO_WRITER_INTERNAL_H

#include "repo/mark.h"
#include "repo/pack.h"
#include "repo/repo_internal.h"
#include "repo/writer.h"

enum { SEEN_SHARDS = 16, WRITER_SLOTS_MAX = FORMAT_KEYS_MAX };

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
	_Atomic int64_t last_index_ns; /* set with the lock, read without */

	pthread_mutex_t flush_lock; /* one index at a time */

	_Atomic uint64_t lookups;
	char *journal;    /* NULL: none */
	uint8_t *resumed; /* by pack ordinal, nrelied of them: of an unfinished run; or NULL */

	bool increment; /* see writer_increment */

	_Atomic bool broken; /* something claimed was not stored */

	uint8_t *copy_keys; /* sealed, of frames to be copied */
	size_t ncopy_keys;

	/* For prune's sake. */
	int64_t begin_ns;        /* boot time */
	struct mark_set marks;   /* as first listed */
	_Atomic uint8_t *relied; /* by pack ordinal at the start */
	uint32_t nrelied;
	uint64_t generation;        /* of the index that `relied` counts by */
	_Atomic bool cache_damaged; /* made anew when the run is over */
};

/* Give a sealed frame to the pack of its kind. */
int writer_append(struct writer *w, struct pack_frame *frame, const struct pack_blob *blobs,
    const uint8_t *sealed_key, struct span box, struct err *e);

/*
 * 1 if the repository's index has it, `at` in it; the run relies on that pack
 * now.  0, -1.
 */
int writer_in_index(struct writer *w, const struct id *id, struct index_place *at, struct err *e);

/* These packs are in an index now; and: the run is over. */
void writer_journal(struct writer *w, const struct id *packs, size_t n);
void writer_journal_end(struct writer *w);

/* True if it was claimed already; else it is claimed for the caller now. */
bool writer_claim(struct writer *w, const struct id *id);

int64_t writer_boot_ns(struct writer *w);

/* What waits since then, to be stored or named in an index, has waited long enough. */
bool writer_due(struct writer *w, int64_t since_ns);

/*
 * These packs of our own, begun at `since_ns` or later, are all still there: a
 * prune may have taken for garbage what no index names for longer than the grace.
 */
int writer_packs_kept(
    struct writer *w, int64_t since_ns, const struct id *ids, size_t n, struct err *e);

#endif
