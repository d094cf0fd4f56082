/*
 * store_sim: a store as bad as its contract allows, for actors that share it.
 *
 * Objects live in a store_mem.  Each actor opens a handle of its own, and
 * every operation through it is a moment at which others run: before it takes
 * effect, and again before the actor learns of that.  What can go wrong, by
 * chance:
 *
 *   failing     before or after the effect (a lost answer), as io, timeout
 *   late        a put that timed out lands minutes later
 *   crash       the actor's process ends here; its next one is a new handle
 *   sleep       the actor is suspended for up to three times the grace
 *   lag         a listing shows what was put, and hides what was deleted, late
 *   partial     a listing is taken in two halves with others' work between;
 *               a failing one has visited some keys
 *   lazy        uploads become visible one by one during sync
 *
 * What can't: get, stat and put see the latest; nothing that was
 * acknowledged is lost; lag and lateness stay within a limit.
 *
 * Threads: simulated ones (turns.h).
 */
#ifndef HF_TEST_SIM_STORE_SIM_H
#define HF_TEST_SIM_STORE_SIM_H

#include <stdio.h>

#include "store/store_drivers.h"

/* How bad it is: chances are of 1000 operations. */
struct sim_weather {
	unsigned fail, late, crash, sleep;
	int64_t pace_ns; /* at most, of a usual operation; 0: none */
	unsigned hurry;  /* prune is so many times as quick; 0: no quicker */
	int64_t lag_ns;  /* at most; 0: listings are true */
	int64_t grace_ns;
};

/*
 * What breaks prune's protocol, to see that the simulation would notice: each is
 * done to the store's answers, so that the engine is the real one.
 */
enum sim_break {
	SIM_SOUND,
	SIM_NO_GRACE,        /* the store's clock tells prune that every mark is old */
	SIM_STALE_SNAPSHOTS, /* prune sees snapshots as they were two graces ago */
	SIM_PACKS_FIRST,     /* marks go with their packs, and indexes only then: else the
			      * tombstone hides what they name */
	SIM_NO_MARKS,        /* writers see no marks */
	SIM_ACK_UNSYNCED,    /* sync says done, and drops what it should make durable */
	SIM_BREAKS
};
extern const char *const sim_break_names[SIM_BREAKS];

struct sim_place; /* what the actors share */

struct sim_place *sim_place_new(const struct sim_weather *w, enum sim_break b);
void sim_place_free(struct sim_place *p);
void sim_place_weather(struct sim_place *p, const struct sim_weather *w, enum sim_break b);
void sim_place_calm(struct sim_place *p); /* from now on nothing goes wrong */
void sim_place_trace(struct sim_place *p, FILE *to);
uint64_t sim_place_history(const struct sim_place *p); /* a hash of all that happened */
uint64_t sim_place_ops(const struct sim_place *p);
void sim_place_note(struct sim_place *p, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* One process of an actor. */
struct sim_process {
	const char *name;
	bool pruner, dead;
};

struct store *sim_store_open(struct sim_place *p, struct sim_process *by);

#endif
