/*
 * proof: what this machine last tried on a repository at its place, and how it went: a small
 * JSON file each in the state folder.  It is word of our own, for rules to count by, and
 * no proof to anybody else.
 *
 * Threads: as the repository.
 */
#ifndef HF_ENGINE_PROOF_H
#define HF_ENGINE_PROOF_H

#include "repo/repo.h"

enum proof_kind { PROOF_CHECK, PROOF_TAMPER, PROOF_LOCKS };

struct proof {
	bool known; /* false: it was never tried from here, or the file is damaged */
	int64_t when_ns;
	uint64_t problems; /* damage and findings; tamperings that succeeded */
	int64_t until_ns;  /* of tamperings: locks that were seen end then; 0: no locks */
	bool whole;        /* of a check: every stored byte was read */
};

/* ERR_... where it could not be kept; nowhere to keep it is no error. */
int proof_put(struct repo *r, enum proof_kind kind, const struct proof *p, struct err *e);
void proof_get(struct repo *r, enum proof_kind kind, struct proof *out);

#endif
