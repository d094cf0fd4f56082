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

/*
 * Run a group of tests; the number of failures.  NULL: all but "threads", and "cold", which is
 * for a place whose packs/ is an archive.
 */
int store_suite_run(const struct store_suite *driver, const char *which);

#endif
