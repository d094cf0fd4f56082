/*
 * store_suite: what store.h promises, as tests that every driver and every
 * wrapper passes unchanged.
 */
#ifndef HF_TEST_STORE_SUITE_H
#define HF_TEST_STORE_SUITE_H

#include "store/store.h"

struct store_suite {
	const char *name;
	/* A store at this place: a path below a temporary folder that is removed afterwards. */
	struct store *(*open)(const char *place, bool create);
	bool lazy_hides;  /* lazy commits are invisible until sync */
	bool lazy_closes; /* ...and gone after a close without one */
};

/* Run all tests (or those with threads only) as a group; the number of failures. */
int store_suite_run(const struct store_suite *driver, bool threads);

#endif
