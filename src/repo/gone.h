/*
 * gone: which snapshots were deleted rightly: by prune after a forget, or by repair.
 * Heads count an author's snapshots (author.h); a number that is missing and not gone was
 * deleted by somebody else.  It is a note on no snapshot (format.md 8).
 *
 * Threads: one owner.
 */
#ifndef HF_REPO_GONE_H
#define HF_REPO_GONE_H

#include "repo/author.h"
#include "repo/repo.h"

struct note;
struct note_list;

struct gone_range {
	struct author by;
	uint64_t from, to; /* both included */
};

struct gone {
	struct gone_range *v;
	size_t n;
};

void gone_fini(struct gone *g);
void gone_add(struct gone *g, const struct author *by, uint64_t from, uint64_t to);
/* The range that this number is in, or NULL. */
const struct gone_range *gone_find(
    const struct gone *g, const struct author *by, uint64_t sequence);
/* In order of authors and numbers, each number once, neighbours as one range. */
void gone_join(struct gone *g);
/* The first number from `at` on that is gone; `end` if there is none before. */
uint64_t gone_next(const struct gone *g, const struct author *by, uint64_t at, uint64_t end);

/* Is it on no snapshot?  Its name tells, of a damaged one too. */
bool gone_is(const struct note *n);
/* All that the notes say, added; then in order, as gone_find and gone_next want it. */
void gone_of_notes(struct gone *g, const struct note_list *l);

/*
 * Write it as one note, durably: afterwards what g names may be deleted.  Notes add up; when
 * there are many of them the next one says what all do, and gone_sweep deletes those.
 */
bool gone_is_many(const struct note_list *l);
int gone_put(struct repo *r, struct gone *g, struct id *note, struct err *e);
/* Nothing was deleted after all: take that note back. */
int gone_withdraw(struct repo *r, const struct id *note, struct err *e);
int gone_sweep(struct repo *r, const struct note_list *l, struct err *e);

#endif
