/*
 * evidence_bundle: the audit trail and the records of drills as one file, for others to check
 * offline.
 *
 * Lines of JSON, in this order: {"type":"bundle",...} with the public key; the chain's records; its
 * head; the drills'.  It is whole if the chain is; the head is the chain's last record, signed by
 * the key that signs next; each drill is signed by a key of the chain, which has its hash, and is
 * there once; and no drill that the chain has a hash of is missing.  tools/verify-evidence says the
 * same of each.
 *
 * Threads: any.
 */
#ifndef HF_CATALOG_EVIDENCE_BUNDLE_H
#define HF_CATALOG_EVIDENCE_BUNDLE_H

#include "base/buf.h"
#include "catalog/evidence_check.h"

/*
 * Of a state folder; what is made is whole, or it fails.  Records of drills that the chain does not
 * name (of a crash, or of a chain before this one) or that cannot be read are left out, and
 * counted.
 */
int evidence_bundle_make(
    const char *state, struct ctx *ctx, struct buf *out, size_t *left_out, struct err *e);

bool evidence_bundle_is(struct span text); /* by how its first line begins */

struct evidence_bundle_verdict {
	struct evidence_verdict chain; /* and of the rest, with lines of the bundle */
	size_t drills;                 /* found right */
};

/*
 * heads may be NULL; keys: those that are trusted, 0: the one in it.  The file is read line by
 * line, however large it is.
 */
void evidence_bundle_verify(struct span text, const uint8_t (*keys)[CRYPTO_KEY], size_t nkeys,
    struct evidence_heads *heads, struct evidence_bundle_verdict *out);
int evidence_bundle_verify_file(const char *path, const uint8_t (*keys)[CRYPTO_KEY], size_t nkeys,
    struct evidence_heads *heads, struct evidence_bundle_verdict *out, struct err *e);

#endif
