/*
 * envelope: the common form of the small objects: header, sealed data keys,
 * padded and sealed sections, the last of which is a signature (format.md 4).
 *
 * Threads: one owner.
 */
#ifndef HF_REPO_ENVELOPE_H
#define HF_REPO_ENVELOPE_H

#include "base/buf.h"
#include "repo/seal.h"

enum { ENVELOPE_SECTIONS_MAX = 4 };

/* Writing: begin, sections in order, sign.  The bytes grow in out. */
void envelope_begin(
    struct buf *out, enum format_type type, const uint8_t *const *sealed_keys, size_t nkeys);
void envelope_section(struct sealer *s, struct buf *out, const struct seal_key *key,
    enum format_purpose purpose, struct span payload);
void envelope_sign(struct sealer *s, struct buf *out, const struct seal_key *key,
    const uint8_t signer[FORMAT_UID], const uint8_t signing_key[CRYPTO_KEY]);

/* Reading.  Spans point into the object, which must outlive it. */
struct envelope {
	enum format_type type;
	const uint8_t *keys; /* nkeys times FORMAT_SEALED_KEY bytes */
	size_t nkeys;
	size_t header_len; /* where the sections begin */
	struct span section[ENVELOPE_SECTIONS_MAX];
	size_t section_at[ENVELOPE_SECTIONS_MAX]; /* of its length field */
	size_t nsections;
	struct span object;
};

/* Header only, which packs share.  Of another version than config's: ERR_FOREIGN. */
int envelope_parse_header(
    struct span object, enum format_type type, struct envelope *out, struct err *e);

/* Header and exactly `nsections` sections, nothing behind. */
int envelope_parse(struct span object, enum format_type type, size_t nsections,
    struct envelope *out, struct err *e);

/* Open section i and take the padding off; payload is set (reset first). */
int envelope_open(struct sealer *s, const struct envelope *env, size_t i,
    const struct seal_key *key, enum format_purpose purpose, struct buf *payload, struct err *e);

/*
 * Check the signature in the last section.  `writer` gives the public key
 * of a signer, or NULL if it may not sign what this is: ERR_CORRUPT then, as
 * for a wrong signature.
 */
typedef const uint8_t *envelope_writer(
    const void *arg, enum format_type type, const uint8_t signer[FORMAT_UID]);
int envelope_verify(struct sealer *s, const struct envelope *env, const struct seal_key *key,
    envelope_writer *writer, const void *arg, uint8_t signer[FORMAT_UID], struct err *e);

/* What is signed: "holdfast/1 sig" ‖ type ‖ REPO ‖ SHA-256(covered). */
void envelope_sign_text(const uint8_t repo[FORMAT_UID], enum format_type type, struct span covered,
    uint8_t out[80], size_t *n);

#endif
