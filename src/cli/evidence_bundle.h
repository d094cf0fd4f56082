/*
 * evidence_bundle: the audit trail and the records of drills as one file, for others to check
 * offline.
 *
 * Lines of JSON: {"type":"bundle",...} with the public key, the chain's records, its head now, then
 * the drills'.  It is whole if the chain is, each drill is signed by a key of the chain, the
 * chain has its hash, and no drill that the chain has a hash of is missing.
 */
#ifndef HF_CLI_EVIDENCE_BUNDLE_H
#define HF_CLI_EVIDENCE_BUNDLE_H

#include "base/buf.h"
#include "catalog/evidence_check.h"
#include "cli/cli.h"

int bundle_make(struct cli *c, const char *state, struct buf *out, struct err *e);

bool bundle_is(struct span text); /* by its first line */

struct bundle_verdict {
	struct evidence_verdict chain;
	size_t drills;   /* found right */
	char wrong[320]; /* the first thing that is not; "" */
};
/* heads may be NULL; keys: those that are trusted, 0: the one in it. */
int bundle_verify(struct span text, const uint8_t (*keys)[CRYPTO_KEY], size_t nkeys,
    struct evidence_heads *heads, struct bundle_verdict *out, struct err *e);

#endif
