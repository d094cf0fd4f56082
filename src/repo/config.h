/*
 * config: the repository's public parameters, signed by the root key
 * (format.md 3.1).  Fields that this program doesn't know are kept.
 *
 * Threads: one owner; read-only after parsing, any.
 */
#ifndef HF_REPO_CONFIG_H
#define HF_REPO_CONFIG_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "crypto/crypto.h"
#include "repo/format.h"

enum { CONFIG_MAX = 4 << 20 };

struct config_writer {
	uint8_t id[FORMAT_UID];
	uint8_t key[CRYPTO_KEY];
};

struct config {
	uint64_t revision;
	uint8_t repo[FORMAT_UID], domain[FORMAT_UID];
	uint8_t root[CRYPTO_KEY], content[CRYPTO_KEY], structure[CRYPTO_KEY];
	uint32_t chunk_min, chunk_avg, chunk_max;
	uint16_t epoch;
	int64_t grace_s;
	enum crypto_family object_hash, blob_id;
	struct config_writer *writers; /* removed ones too: their work stays valid */
	size_t nwriters;
	json_t *json; /* the whole object, for rewriting */
};

void config_fini(struct config *c);

/*
 * Parse; everything is checked but the signature, for which the root key
 * must come from a key bundle: config_verify.
 */
int config_parse(struct span text, struct config *out, struct err *e);
int config_verify(const struct config *c, const uint8_t root[CRYPTO_KEY], struct err *e);

/* A new one, revision 1, without writers. */
void config_new(struct config *out, const uint8_t root[CRYPTO_KEY],
    const uint8_t content[CRYPTO_KEY], const uint8_t structure[CRYPTO_KEY], int64_t grace_s,
    enum crypto_family object_hash, enum crypto_family blob_id, const char *created);

/* Add a writer, or mark one as removed at `when`; both raise the revision. */
void config_add_writer(struct config *c, const uint8_t id[FORMAT_UID],
    const uint8_t key[CRYPTO_KEY], const char *role, const char *label, const char *when);
bool config_remove_writer(struct config *c, const uint8_t id[FORMAT_UID], const char *when);

/* Sign with the root key and write the stored text. */
void config_sign(struct config *c, const uint8_t root_key[CRYPTO_KEY], struct buf *out);

/* The public key of a writer, or NULL; an envelope_writer. */
const uint8_t *config_writer_key(const void *config, const uint8_t signer[FORMAT_UID]);

#endif
