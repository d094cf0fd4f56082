/* role: see role.h. */
#include "repo/role.h"

#include <string.h>

static const struct {
	const char *name;
	unsigned signs; /* a bit for each format_type; what a note may say: note.c */
} roles[ROLES] = {
    [ROLE_FULL] = {"full", ~0U},
    /* Prune moves frames and writes the index anew, in anybody's domain. */
    [ROLE_MAINTENANCE] = {"maintenance", 1U << FORMAT_INDEX | 1U << FORMAT_PACK |
					     1U << FORMAT_META | 1U << FORMAT_MARK |
					     1U << FORMAT_NOTE},
    /* In its own domain only; whoever checks a signature checks that too. */
    [ROLE_WRITE] = {"write", 1U << FORMAT_INDEX | 1U << FORMAT_PACK | 1U << FORMAT_META |
				 1U << FORMAT_SNAPSHOT | 1U << FORMAT_NOTE | 1U << FORMAT_LOG},
};

const char *role_name(enum role r)
{
	return r < ROLES ? roles[r].name : "unknown";
}

bool role_parse(const char *name, enum role *out)
{
	for (int r = 0; r < ROLES; r++)
		if (strcmp(name, roles[r].name) == 0) {
			*out = (enum role)r;
			return true;
		}
	return false;
}

bool role_has_domain(enum role r)
{
	return r == ROLE_FULL || r == ROLE_WRITE;
}

bool role_may_sign(enum role r, enum format_type type)
{
	return r < ROLES && (roles[r].signs >> type & 1);
}
