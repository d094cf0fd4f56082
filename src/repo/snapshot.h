/*
 * snapshot: one run of one system (format.md 8), decoded, with the state
 * that its notes give it.
 *
 * Threads: one owner.
 */
#ifndef HF_REPO_SNAPSHOT_H
#define HF_REPO_SNAPSHOT_H

#include "base/ctx.h"
#include "base/err.h"
#include "base/id.h"
#include "repo/format.h"
#include "repo/author.h"
#include "repo/gone.h"
#include "repo/pruned.h"

/* A later version may have others: its snapshots are of SNAPSHOT_OTHER strategy, and incomplete. */
enum snapshot_strategy {
	SNAPSHOT_FULL,
	SNAPSHOT_INCREMENTAL,
	SNAPSHOT_DIFFERENTIAL,
	SNAPSHOT_OTHER
};
enum snapshot_outcome { SNAPSHOT_COMPLETE, SNAPSHOT_INCOMPLETE, SNAPSHOT_FAILED };

const char *snapshot_strategy_name(enum snapshot_strategy s); /* "full"... */
const char *snapshot_outcome_name(enum snapshot_outcome o);   /* "complete"... */

struct snapshot_stats {
	uint64_t files, dirs, others; /* in the tree */
	uint64_t files_new, files_changed, files_unchanged;
	uint64_t bytes; /* of content, logical */
	uint64_t bytes_read;
	uint64_t added_bytes, stored_bytes;     /* new content before and after compression */
	uint64_t content_added, content_stored; /* the same without trees */
	uint64_t errors;
};

struct snapshot_part {
	char *name, *kind;
	char **paths;
	size_t npaths;
	bool has_tree;
	struct id tree;
	enum snapshot_outcome outcome;
	struct snapshot_stats stats;
	struct snapshot_error {
		char *path, *message;
	} * errors;
	size_t nerrors; /* at most 100 of stats.errors */
	char *facts;    /* what the source noted of itself, JSON of an object; NULL: nothing */
	/* The stretch of a continuous log (repo/log.h) that this part needs, as the head has it. */
	bool has_log;
	uint8_t stream[FORMAT_UID];
	uint32_t timeline;
	uint64_t log_start, log_end;
};

/* What was strange about a run, as engine/anomaly.h found; value against usual. */
struct snapshot_anomaly {
	char kind[16]; /* "changed", "entropy", "canary" */
	char message[256];
	double value, usual;
};

struct snapshot {
	struct id id;
	int64_t stored_ns; /* the store's time */
	uint64_t object_size;
	uint8_t signer[FORMAT_UID], client[FORMAT_UID], group[FORMAT_UID];
	uint8_t domain[FORMAT_UID]; /* its blobs' */
	bool late;                  /* came after its signer was removed (late.h) */
	bool head_only; /* paths, statistics, errors: not for the key in use to read, or unread */
	bool unread; /* its facts are not as this version knows them: the head says what it needs */
	uint64_t sequence;
	bool has_previous, has_parent;
	struct id previous, parent;
	bool has_original; /* it is a copy: of this snapshot, of the repository where that was made
			    */
	uint8_t original_repo[FORMAT_UID];
	struct id original;
	int64_t start_ns, end_ns;
	int64_t deadline_ns; /* by when it had to be stored (the store's clock); else it is void */
	char *host, *user, *system; /* system NULL if none */
	char *producer;
	enum snapshot_strategy strategy;
	struct snapshot_part *parts;
	size_t nparts;
	char **excludes;
	size_t nexcludes;
	struct snapshot_anomaly *anomalies;
	size_t nanomalies;
	/* After folding the notes: */
	char **tags;
	size_t ntags;
	bool forgotten, pinned, held;
	bool unclear; /* a note on it cannot be read: it stays, and counts as not forgotten... */
	bool unheard; /* ...though it was */
	int64_t forgotten_ns,
	    due_ns;                 /* when forgotten; from when prune deletes it (store's time) */
	int64_t held_until_ns;      /* 0: until it is released */
	int64_t kept_ns;            /* the last pin or hold: when, */
	uint8_t keeper[FORMAT_UID]; /* and signed by whom */
	int64_t noted_ns;           /* the newest note's time */
	bool is_void;               /* stored too late, and what it needs is gone: engine/void.h */
};

/* Does a pin or a hold keep it from everything? */
bool snapshot_kept(const struct snapshot *s, int64_t now_ns);
/* Is it void, or forgotten and due by this (the store's) time, and not kept? */
bool snapshot_goes(const struct snapshot *s, int64_t now_ns);

void snapshot_facts_fini(struct snapshot *s); /* parts, excludes, anomalies: back to none */
void snapshot_free(struct snapshot *s);       /* and all it owns; NULL does nothing */

struct repo;

/*
 * Every snapshot object, notes folded in, by start time (then id).  Damaged
 * ones are told as EVENT_OBJECT_DAMAGED and counted; a damaged note is told
 * and keeps its snapshot.  One LIST of snapshots/, one of notes/.
 */
struct snapshot_list {
	struct snapshot **v; /* owned */
	size_t n;
	size_t damaged, foreign, later; /* the last two among the first: ERR_FOREIGN, ERR_LATER */
	size_t junk; /* with the right hash, and wrong: no snapshot of anybody's; told as damaged */
	/* Signed by write keys, heads not understood: each may need anything of its domain. */
	struct snapshot_riddle {
		struct id id;
		uint8_t signer[FORMAT_UID], domain[FORMAT_UID];
	} * riddles; /* owned */
	size_t nriddles;
	struct gone gone; /* what was deleted rightly */
	struct pruned_list pruned;
};
int snapshot_load_all(struct repo *r, struct snapshot_list *out, struct err *e);
/* And the very notes that were folded: what comes later is in none of the snapshots. */
struct note_list;
int snapshot_load_noted(
    struct repo *r, struct snapshot_list *out, struct note_list *notes, struct err *e);
void snapshot_list_fini(struct snapshot_list *l);

/* One object, verified; without its notes. */
int snapshot_load(struct repo *r, const struct id *id, struct snapshot **out, struct err *e);

/*
 * Seal, sign and put one; `s` gives everything but signer and id, which are
 * set, as is the domain, where it is zero, to that of the key in use.
 */
int snapshot_put(struct repo *r, struct snapshot *s, struct err *e);
int snapshot_del(struct repo *r, const struct id *id, struct err *e);

/* Whose numbers it has. */
struct author snapshot_author(const struct snapshot *s);

/* What a copy is a copy of; its own id where it is none. */
const struct id *snapshot_origin(const struct snapshot *s);

/* Its domain, as readers and indexes know it. */
uint64_t snapshot_domain(const struct snapshot *s);

/* The group of a snapshot: signer, host, and system or sorted paths. */
void snapshot_group(struct repo *r, const char *host, const char *system, const char *const *paths,
    size_t npaths, uint8_t group[FORMAT_UID]);

#endif
