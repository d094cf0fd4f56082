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
#include "repo/epoch.h"
#include "repo/format.h"
#include "repo/role.h"

enum { CONFIG_MAX = 64 << 20 };

struct config_writer {
	uint8_t id[FORMAT_UID];
	uint8_t key[CRYPTO_KEY];    /* Ed25519 */
	uint8_t own[CRYPTO_KEY];    /* X25519: what new epochs are sealed to */
	enum role role;             /* ROLES: one of a later version */
	uint8_t domain[FORMAT_UID]; /* zero for maintenance, or an unknown role */
	bool removed;
	char text[80]; /* "1a2b3c4d" or "1a2b3c4d (label)", for messages */
};

/* Keys of an epoch that is over; each private one sealed under its successor. */
struct config_epoch {
	uint16_t epoch;
	uint8_t content[CRYPTO_KEY], structure[CRYPTO_KEY];
	uint8_t sealed_content[EPOCH_SEALED], sealed_structure[EPOCH_SEALED];
};

/* The one feature of `required` that is known: frames may be of CODEC_PAGES. */
#define CONFIG_PAGES "pages"

struct config {
	uint64_t revision;
	uint8_t repo[FORMAT_UID];
	uint8_t (*domains)[FORMAT_UID]; /* the full holders' first */
	size_t ndomains;
	uint8_t root[CRYPTO_KEY], content[CRYPTO_KEY], structure[CRYPTO_KEY];
	uint32_t chunk_min, chunk_avg, chunk_max;
	uint16_t epoch;
	int64_t grace_s;
	enum crypto_family object_hash, blob_id;
	bool pages;                    /* CODEC_PAGES may be written here */
	unsigned parity;               /* share in thousandths, 0 none */
	char unwritable[64];           /* a feature of required_to_write not known here, or "" */
	struct config_writer *writers; /* removed ones too: their work stays valid */
	size_t nwriters;
	struct config_epoch *epochs; /* past ones, from 1 */
	size_t nepochs;
	uint8_t self[32]; /* SHA-256 of the stored text; zeros: never stored */
	json_t *json;     /* the whole object, for rewriting */
};

void config_fini(struct config *c);

/*
 * Parse; everything is checked but the signature, for which the root key
 * must come from a key bundle: config_verify.
 */
int config_parse(struct span text, struct config *out, struct err *e);
int config_verify(const struct config *c, const uint8_t root[CRYPTO_KEY], struct err *e);

/*
 * Is it signed by the root key that it names itself?  That much can be told
 * of a config whose fields this program doesn't understand.
 */
bool config_is_signed(struct span text);

/*
 * The same, whole as it was written, and what every version says (format.md 3.1): a revision or
 * epoch that is not understood is beyond all others.  What is older never takes its place,
 * whether this program could read it or not.
 */
struct config_claim {
	uint8_t root[CRYPTO_KEY], self[32];
	uint64_t revision, epoch;
};
bool config_claim(struct span text, struct config_claim *out);

/* A new one, revision 1, without writers; `domain` is the full holders'. */
void config_new(struct config *out, const uint8_t root[CRYPTO_KEY],
    const uint8_t content[CRYPTO_KEY], const uint8_t structure[CRYPTO_KEY],
    const uint8_t domain[FORMAT_UID], int64_t grace_s, enum crypto_family object_hash,
    enum crypto_family blob_id, const char *created);

/* A new config of the same family as another: its id, and where content is cut. */
void config_join(struct config *c, const struct config *family);

/* Each of these raises the revision. */
struct config_add {
	const uint8_t *id;  /* FORMAT_UID bytes */
	const uint8_t *key; /* CRYPTO_KEY bytes, as the next */
	const uint8_t *own;
	enum role role;
	const uint8_t *domain; /* FORMAT_UID bytes, a new one is added; NULL: none */
	const char *label, *when;
};
void config_add_writer(struct config *c, const struct config_add *a);

/*
 * Mark a writer as removed; its work stays valid, up to the newest number of each client
 * (an object of client to number) but for those that were missing (client to numbers,
 * from, to, from, to...).  Both are borrowed.  False if it is none (any more).
 */
bool config_remove_writer(struct config *c, const uint8_t id[FORMAT_UID], const char *when,
    json_t *newest, json_t *missing);

/* Was this number of a removed writer's client missing then? */
bool config_writer_missed(const struct config *c, const uint8_t id[FORMAT_UID],
    const uint8_t client[FORMAT_UID], uint64_t number);

/* The newest number, 0 none, that a removed writer's client had then; false: not removed. */
bool config_writer_newest(const struct config *c, const uint8_t id[FORMAT_UID],
    const uint8_t client[FORMAT_UID], uint64_t *newest);

/* Keep parity of that share, in thousandths, from now on; raises the revision. */
void config_set_parity(struct config *c, unsigned share);
/*
 * Begin a new epoch: `sealed_*` are the present private keys sealed under the
 * new ones.  What was granted before is void.
 */
void config_new_epoch(struct config *c, const uint8_t content[CRYPTO_KEY],
    const uint8_t structure[CRYPTO_KEY], const uint8_t sealed_content[EPOCH_SEALED],
    const uint8_t sealed_structure[EPOCH_SEALED]);

/* The present epoch's keys, sealed to a writer: set them; get them (false: none). */
void config_set_grant(struct config *c, size_t writer, struct span grant);
bool config_grant(const struct config *c, size_t writer, struct buf *out);

/* Name the one that it follows, sign with the root key, and write the stored text. */
void config_sign(struct config *c, const uint8_t root_key[CRYPTO_KEY], struct buf *out);

/* The stored text, which is canonical. */
void config_text(const struct config *c, struct buf *out);
/* The writer of that id, removed or not, or NULL. */
const struct config_writer *config_writer(const struct config *c, const uint8_t signer[FORMAT_UID]);

/* The public key of a writer whose role may sign that type, or NULL; an envelope_writer. */
const uint8_t *config_writer_key(
    const void *config, enum format_type type, const uint8_t signer[FORMAT_UID]);

/* Text that a person knows the writer by: its label, else "". */
const char *config_writer_text(
    const struct config *c, const uint8_t id[FORMAT_UID], const char *field);

#endif
