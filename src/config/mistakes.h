/*
 * mistakes: all that is wrong with a configuration, so that it is mended in one go.
 *
 * What cannot be read at all (a file, YAML) is the only one of its file.  Names that refer to
 * nothing are looked at once every value is understood.
 *
 * Threads: one owner.
 */
#ifndef HF_CONFIG_MISTAKES_H
#define HF_CONFIG_MISTAKES_H

#include <stddef.h>

#include "base/err.h"

enum { MISTAKES_MAX = 100 }; /* others are only counted */

struct mistakes {
	struct err *v; /* MISTAKES_MAX at most, in the order of the text */
	size_t n;      /* all of them */
};

void mistakes_add(struct mistakes *m, const struct err *e);
void mistakes_fini(struct mistakes *m);

/* 0 without any; else the first, which says how many more there are, and -1. */
int mistakes_tell(const struct mistakes *m, struct err *e);

#endif
