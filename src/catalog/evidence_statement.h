/*
 * evidence_statement: a line of JSON that is signed, and what is read of one.
 *
 * A statement is an object whose last member is "signature": 128 lower-case hex digits, Ed25519
 * over the bytes of the line before `,"signature":"`, as they stand.  So who checks one needs no
 * opinion about how JSON is written, and no byte of it can change unseen.  What it is (a record, a
 * head, a key's consent) its first member says, so that none is taken for another.
 *
 * Threads: any.
 */
#ifndef HF_CATALOG_EVIDENCE_STATEMENT_H
#define HF_CATALOG_EVIDENCE_STATEMENT_H

#include "base/span.h"
#include "catalog/evidence.h"

/* The object as a line without newline, signed; new text. */
char *statement_sign(json_t *o, const uint8_t key[CRYPTO_KEY]);

/* The signed part and the signature of a line; false if it has not this shape. */
bool statement_split(struct span line, struct span *body, uint8_t sig[CRYPTO_SIG]);
bool statement_verify(struct span line, const uint8_t pub[CRYPTO_KEY]);

/* A record as read.  Nothing of it is trusted before statement_verify. */
struct evidence_record {
	uint8_t chain[EVIDENCE_CHAIN], previous[32], key[CRYPTO_KEY];
	uint64_t sequence;
	int64_t time_ns;
	enum evidence_action action;
	enum evidence_outcome outcome;
	const char *machine, *actor, *subject; /* of json */
	json_t *details;                       /* of json */
	json_t *json;                          /* owned */
};

/* -1 with ERR_CORRUPT and what is wrong, and nothing to fini. */
int evidence_record_read(struct span line, struct evidence_record *r, struct err *e);
void evidence_record_fini(struct evidence_record *r);

/* A record's line, signed; new text. */
char *evidence_record_write(const struct evidence_record *r, const uint8_t key[CRYPTO_KEY]);

/* Members of an object: texts, hex of exactly n bytes, whole numbers from 1.  false: not there. */
const char *statement_text(const json_t *o, const char *name); /* NULL */
bool statement_hex(const json_t *o, const char *name, void *out, size_t n);
bool statement_number(const json_t *o, const char *name, uint64_t *out);
void statement_put_hex(json_t *o, const char *name, const void *p, size_t n);

/* A text as JSON takes it: bytes that are not UTF-8 as \xNN. */
json_t *statement_string(const char *s);

/*
 * That the new key takes over the chain after `previous`: what it signs, new text.  It stands in
 * the details of an evidence.rotate record, as `consent`.
 */
char *evidence_consent_text(const struct evidence_record *r, const uint8_t next[CRYPTO_KEY]);
/* The key that this record of a rotation names, with its consent; false: it has not. */
bool evidence_rotation(const struct evidence_record *r, uint8_t next[CRYPTO_KEY]);

#endif
