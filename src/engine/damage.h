/*
 * damage: what a scan of the repository found to be bad: objects, frames,
 * blobs.  check tells it, repair mends it.
 *
 * Findings are told to the sink as EVENT_OBJECT_DAMAGED, each object once.
 *
 * Threads: damage_scan runs its own; the result is read-only afterwards.
 */
#ifndef HF_ENGINE_DAMAGE_H
#define HF_ENGINE_DAMAGE_H

#include "repo/reader.h"
#include "repo/repo.h"
#include "repo/snapshot.h"
#include "repo/tree.h"

struct damage;

struct damage_params {
	bool read_data;
	double subset; /* percent of packs to read; 0: all, if read_data */
	unsigned jobs;
};

struct damage_counts {
	uint64_t packs, packs_read, indexes, blobs, bytes_read;
	uint64_t asleep_packs;                      /* not read: they must be thawed first */
	uint64_t unreferenced_packs, foreign_packs; /* foreign: whole, of keys unknown */
	uint64_t objects;                           /* damaged ones */
	bool snapshots_damaged;                     /* a snapshot object could not be read */
};

/*
 * Look at everything but trees: indexes, presence and size of every pack,
 * key objects, and with read_data the bytes of packs down to every blob's id.
 */
int damage_scan(struct repo *r, const struct damage_params *p, struct ctx *ctx, struct damage **out,
    struct err *e);
void damage_free(struct damage *d); /* NULL does nothing */
const struct damage_counts *damage_counts(const struct damage *d);

/* An object is bad: tell and count it, once. */
void damage_object(struct damage *d, const char *name, const char *why);

/* Is this blob of a domain unusable: in no index, or only in places found bad? */
bool damage_blob(struct damage *d, uint64_t domain, const struct id *blob);

/*
 * The content of one entry: is every blob usable, and do they add up to its
 * size?  ERR_CORRUPT says which or that they do not.
 */
int damage_content(struct damage *d, struct reader *rd, const struct entry *en,
    const struct tree_ref *ref, struct err *e);

/* Note a blob that a reader could not get. */
void damage_note_blob(struct damage *d, uint64_t domain, const struct id *blob);

/*
 * Packs found bad (missing, unreadable, or with bad frames), for repair; one
 * that several indexes name is visited for each.
 */
typedef int damage_visit(
    void *arg, uint32_t ordinal, const struct id *pack, bool missing, struct err *e);
int damage_packs(struct damage *d, damage_visit *visit, void *arg, struct err *e);

#endif
