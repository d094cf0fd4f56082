/*
 * rules: do the declared repositories together keep what 3-2-1-1-0 asks of each system?
 *
 *   copies      3 copies: the original and two repositories that hold a snapshot of it
 *   media       on 2 kinds of media, the original's being "disk"
 *   offsite     1 of them elsewhere: of role offsite, at another location than the primary ones
 *   immutable   1 that nobody can delete or replace: proven, not declared; or that is offline:
 *               declared so, away now, and seen in the last 31 days with its copy
 *   errors      0: every copy was checked in the last 31 days, and was whole
 *   residency   nothing of it lies where its tier does not allow
 *   encryption  all is encrypted where the tier asks for it
 *   roles       what is declared of places makes sense
 *
 * Judges facts and looks at nothing itself.
 *
 * Threads: any.
 */
#ifndef HF_ENGINE_RULES_H
#define HF_ENGINE_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "engine/proof.h"

struct rules_place {                                /* one declared repository */
	const char *name, *role, *location, *media; /* location NULL: not said */
	bool declared_lock;
	bool offline;    /* declared: away but for the time of a backup */
	int64_t seen_ns; /* of one that is away: when it was last looked at; what else is said is of
			    then; 0: never */
	bool open;       /* it could be opened and listed */
	const char *why_not; /* else */
	const char
	    *same_as;  /* NULL, or another place that is the same repository: it counts once */
	bool stranger; /* declared of a family with another one, and not kin to it */
	struct proof check, tamper;
	int64_t newest_ns; /* end of the newest complete snapshot of all; 0: none */
};

struct rules_system {
	const char *name; /* NULL: no system is declared, any snapshot counts */
	const char *const *residency;
	size_t nresidency;
	bool encryption_required;
	const bool *meant;        /* of each place: is it a destination? */
	const int64_t *newest_ns; /* of each place: its newest complete snapshot; 0: none */
	const bool *some;         /* of each place: anything of it, incomplete or forgotten too */
};

enum rule {
	RULE_COPIES,
	RULE_MEDIA,
	RULE_OFFSITE,
	RULE_IMMUTABLE,
	RULE_ERRORS,
	RULE_RESIDENCY,
	RULE_ENCRYPTION,
	RULE_ROLES,
	RULE_COUNT
};

struct rules_verdict {
	bool kept;
	struct buf reason; /* always says why */
	struct buf todo;   /* what to do, where it is missed */
};

enum { RULES_FRESH_DAYS = 31 };

const char *rules_name(enum rule r);

/* All of them; `out` is zeroed before, and freed by rules_fini. */
void rules_judge(const struct rules_place *places, size_t n, const struct rules_system *s,
    int64_t now_ns, struct rules_verdict out[RULE_COUNT]);
void rules_fini(struct rules_verdict v[RULE_COUNT]);

#endif
