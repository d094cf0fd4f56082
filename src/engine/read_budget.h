/*
 * read_budget: which packs are read today, so that all of a repository's data are read once in so
 * many days.
 *
 * What was read when is remembered in a file, so that restarts and days without a run lose
 * nothing: who comes later reads more.  Time that passed since the last run buys bytes, the same
 * share of all that is stored; they are spent on the packs that were read longest ago.  What would
 * be too late at the next run is read whatever it costs, and so is what was found bad, until it is
 * gone.  A new pack's time begins when it is first seen.  A file that is lost or damaged begins
 * all packs' time anew.
 *
 * Threads: one owner.
 */
#ifndef HF_ENGINE_READ_BUDGET_H
#define HF_ENGINE_READ_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"

struct read_memory;

/* From a file, or empty: path NULL, no file, or one that is none of ours (*lost says so). */
struct read_memory *read_memory_load(const char *path, bool *lost);
void read_memory_free(struct read_memory *m); /* NULL does nothing */

/*
 * What others have saved there since the load stays: what both have read is bad if either says so.
 * To be saved once.
 */
int read_memory_save(struct read_memory *m, const char *path, struct err *e);

struct read_pack {
	struct id id;
	uint64_t size;
	bool chosen; /* out */
};

struct read_times {
	int64_t now_s;
	int64_t within_s; /* all is read once in so long; above 0 */
	int64_t every_s;  /* how often we are asked, for the first time; above 0 */
};

/*
 * Choose among all packs that there are now; what is there no more is forgotten.  Time that is
 * before the last run's counts as none that passed.
 */
void read_budget_choose(
    struct read_memory *m, struct read_pack *packs, size_t n, const struct read_times *t);

/* Of a pack that was there at the last choice: it was read now, or could not be (cold storage). */
enum read_found { READ_SOUND, READ_BAD, READ_ASLEEP };
void read_memory_note(
    struct read_memory *m, const struct id *pack, int64_t now_s, enum read_found found);

/* Packs that were read since then, and found sound; and those known to be bad. */
uint64_t read_memory_sound(const struct read_memory *m, int64_t since_s);
uint64_t read_memory_bad(const struct read_memory *m);

#endif
