/*
 * thaw: the packs that somebody is about to read, some of which sleep in cold storage: look
 * at each, ask the store to wake them, and wait for each before it is read.
 *
 * Nothing is remembered between runs but by the store: what it was asked for already is not
 * asked for again, so who was interrupted starts the same command once more and pays nothing.
 *
 * Threads: thaw_need and thaw_look by one, before anybody waits; thaw_wait by any.
 */
#ifndef HF_ENGINE_THAW_H
#define HF_ENGINE_THAW_H

#include "engine/thaw_cost.h"
#include "repo/index_cache.h"
#include "repo/repo.h"

enum { THAW_DAYS = 7 };

struct thaw_params {
	bool asked; /* to pay for it, at this speed */
	enum store_speed speed;
	unsigned days;   /* readable for so long; 0: THAW_DAYS */
	bool no_wait;    /* only ask */
	int64_t poll_ns; /* look again after so long; 0: by how long it may take */
	struct thaw_prices prices;
	/* What there is to decide, once it is known and before anything is asked for; may be NULL.
	 */
	int (*tell)(void *arg, const struct thaw_cost *cost, struct err *e);
	/* Then of each that is not awake; may be NULL. */
	int (*tell_pack)(
	    void *arg, const char *object, const struct store_cold *pack, struct err *e);
	void *arg;
};

/*
 * Is it likely that packs of content sleep there?  Their names are hashes, so the first page of
 * a listing is as good as any sample.  1, 0, -1.
 */
int thaw_likely(struct repo *r, struct err *e);

struct thaw;
struct thaw *thaw_new(struct repo *r, const struct thaw_params *p, struct ctx *ctx);
void thaw_free(struct thaw *t); /* NULL does nothing */

/* Waits end soon after this is true; borrowed. */
void thaw_stop_by(struct thaw *t, const _Atomic bool *stop);

/* This one will be read, before those that are told later. */
void thaw_need(struct thaw *t, const struct index_cache_pack *pack);

/* Look at all of them, and sum up. */
int thaw_look(struct thaw *t, struct err *e);
const struct thaw_cost *thaw_cost_of(const struct thaw *t);
int thaw_tell(struct thaw *t, struct err *e);

/* Ask for what sleeps.  ERR_USAGE, before any is paid for, where a class has no such speed. */
int thaw_ask(struct thaw *t, struct err *e);

/*
 * Return once it can be read.  ERR_COLD if it sleeps though it was asked for (the thawed copy's
 * time is over), or was not among those that are needed and nobody is asked to pay.
 */
int thaw_wait(struct thaw *t, const struct index_cache_pack *pack, struct err *e);
/* The same of the first that is needed. */
int thaw_wait_first(struct thaw *t, struct err *e);

#endif
