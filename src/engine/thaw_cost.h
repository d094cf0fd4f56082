/*
 * thaw_cost: what it takes and costs to read packs that lie in cold storage: a sum, by class
 * and state, and from it an offer for each speed.  Nothing is asked of a store here.
 *
 * An estimate, of list prices (store/store_class.h): traffic out of the cloud and taxes come on
 * top of it.
 *
 * Threads: one owner.
 */
#ifndef HF_ENGINE_THAW_COST_H
#define HF_ENGINE_THAW_COST_H

#include "store/store_cold.h"

struct thaw_sum {
	uint64_t packs, bytes;
};

enum { THAW_STATES = STORE_THAWED + 1 };

struct thaw_offer {
	bool offered;    /* by every class with something asleep */
	int64_t seconds; /* until the last is readable, at the longest */
	double cost;     /* of getting it out, of keeping the copies, and of leaving early */
	double early;    /* the part of it for leaving a class before its minimum time */
};

/* What a thousand requests and a GB cost, where that is not as on the list. */
struct thaw_prices {
	bool given[STORE_SPEEDS];
	struct store_price price[STORE_SPEEDS];
};

struct thaw_cost {
	struct thaw_sum of[STORE_CLASSES][THAW_STATES];
	double early; /* of what is asleep and would leave its class for good */
	struct thaw_sum all, asleep, thawing;
	double read; /* to read what is awake, in classes that charge for it */
	struct thaw_offer offer[STORE_SPEEDS];
};

/* Zeroed it is empty. */
void thaw_cost_add(struct thaw_cost *c, const struct store_cold *pack, int64_t now_ns);

/* Once all is added. */
void thaw_cost_offers(struct thaw_cost *c, const struct thaw_prices *prices, unsigned days);

/* What is charged for deleting so much, in that class since then, now; 0: nothing. */
double thaw_cost_early(unsigned class, int64_t class_ns, uint64_t bytes, int64_t now_ns);

/* When that is over. */
int64_t thaw_cost_free_ns(unsigned class, int64_t class_ns);

#endif
