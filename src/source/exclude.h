/*
 * exclude: which paths to leave out, by gitignore's rules.
 *
 * Rules are tried in order, the last match wins; "!" takes back.  A "/" at
 * the start or in the middle anchors the pattern to the base of the rules
 * (absolute paths for --exclude), one at the end means directories only;
 * "*" and "?" stop at "/", "**" does not; "[...]" is a class; "\" quotes.
 * What lies below an excluded directory cannot be taken back, for it is not
 * read.  Lines that begin with "#" are comments in files.
 *
 * Threads: after the last add, any.
 */
#ifndef HF_SOURCE_EXCLUDE_H
#define HF_SOURCE_EXCLUDE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct exclude;

struct exclude *exclude_new(void);
void exclude_free(struct exclude *x);

/* One pattern; `origin` (copied) says where it came from: "--exclude", "file:12". */
int exclude_add(struct exclude *x, const char *pattern, const char *origin, struct err *e);

/* Patterns of a file, one a line; errors name file and line. */
int exclude_add_file(struct exclude *x, const char *path, struct err *e);

/*
 * Is this absolute path left out?  Returns the rule that decided as text
 * "ORIGIN: PATTERN" (owned by x), or NULL to keep it.
 */
const char *exclude_match(const struct exclude *x, const char *path, bool is_dir);

/*
 * The next rule from *at on (0 at first) that has decided about nothing yet;
 * false if there is none.  `relative` begins at the root without saying so:
 * "a/b" is "/a/b", which people write for any depth.  Negated ones are left out.
 */
struct exclude_idle {
	const char *text, *pattern; /* "ORIGIN: PATTERN", "PATTERN"; owned by x */
	bool relative;
};
bool exclude_next_idle(const struct exclude *x, size_t *at, struct exclude_idle *out);

#endif
