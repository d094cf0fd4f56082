/*
 * domain: the keys of one dedup domain (format.md 3.1): those who share it
 * share what is stored, and can tell whether something is stored.  They
 * follow from the secrets of a bundle and the domain's id, so a new domain
 * costs nobody a new bundle.
 *
 * Threads: const after init.
 */
#ifndef HF_REPO_DOMAIN_H
#define HF_REPO_DOMAIN_H

#include "repo/key.h"

struct domain {
	uint8_t id[FORMAT_UID];
	uint64_t tag;              /* the id, as indexes carry it */
	struct seal_key index_key; /* opens indexes and directories of packs */
	bool has_ids;              /* not for maintenance: */
	uint8_t id_key[CRYPTO_KEY], chunker_key[CRYPTO_KEY];
};

/* What index caches know a domain, or a signer, by: never 0. */
uint64_t domain_tag(const uint8_t id[FORMAT_UID]);

/* Its keys, from a bundle that has them: any domain's, or a writer's own. */
void domain_init(struct domain *d, const struct key_bundle *k, const uint8_t id[FORMAT_UID]);

/*
 * Keyed hashes for the ids of blobs, one for each kind: if a file's bytes
 * happen to be (or were made to be) those of a tree, they are still two blobs.
 * Refs hang on the index key, so that maintenance can verify the structure.
 * NULL where the key is not held.
 */
enum { BLOB_KINDS = 3 };
void domain_macs(
    const struct domain *d, enum crypto_family blob_id, struct crypto_mac *mac[BLOB_KINDS]);
void domain_macs_free(struct crypto_mac *mac[BLOB_KINDS]);

#endif
