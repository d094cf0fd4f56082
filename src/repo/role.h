/*
 * role: what a holder of a key may do (format.md 3).  The keys in its bundle
 * decide what it can; this says what others accept with its signature.
 *
 * Threads: pure.
 */
#ifndef HF_REPO_ROLE_H
#define HF_REPO_ROLE_H

#include <stdbool.h>

#include "repo/format.h"

enum role {
	ROLE_FULL,
	ROLE_MAINTENANCE, /* sees structure: no name, no content */
	ROLE_WRITE,       /* adds to its domain, reads nothing back */
	ROLES,            /* also: one that this program does not know; it signs nothing */
};

const char *role_name(enum role r); /* "full"... */
bool role_parse(const char *name, enum role *out);

/* Are its blobs of a domain that config names with it? */
bool role_has_domain(enum role r);

/* May an object of this type carry the signature of such a holder? */
bool role_may_sign(enum role r, enum format_type type);

#endif
