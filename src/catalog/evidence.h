/*
 * evidence: the audit trail, a chain of signed records in one file that is only added to.
 *
 * Each line is a record (doc/evidence.md): what was done to what, by whom, when, and how it came
 * out; its number, which is the number of its line; the hash of the line before; and an Ed25519
 * signature.  So nothing can be altered, left out or put elsewhere without breaking the chain
 * (evidence_check.h finds where), and what is cut off at the end is missed by whoever has a later
 * head (evidence_head.h).
 *
 * In the state folder: evidence.log, evidence.key (mode 0600), evidence.pub.  The file and not
 * the catalog is the record: it needs no database to be read, and verified, in twenty years.
 *
 * Any number of processes append; each record is durable before it is acknowledged.  What a crash
 * left torn at the end was never acknowledged: the next record says that it was there, and what.
 *
 * Threads: any; a head or record belongs to one thread at a time.
 */
#ifndef HF_CATALOG_EVIDENCE_H
#define HF_CATALOG_EVIDENCE_H

#include <jansson.h>

#include "base/ctx.h"
#include "base/err.h"
#include "crypto/crypto.h"

enum {
	EVIDENCE_CHAIN = 16,       /* bytes of a chain's id */
	EVIDENCE_LINE_MAX = 65536, /* of a record, without its newline */
	EVIDENCE_DETAILS_MAX = 49152,
};

/* The closed list of what is recorded; kept by name (evidence_action_name). */
enum evidence_action {
	EVIDENCE_BEGIN = 1, /* the chain begins here */
	EVIDENCE_MEND,      /* what a crash left at the end was replaced by this */
	EVIDENCE_ROTATE,    /* from the next record on another key signs */
	EVIDENCE_INIT,
	EVIDENCE_BACKUP,
	EVIDENCE_COPY,
	EVIDENCE_REPAIR,
	EVIDENCE_TAG,
	EVIDENCE_KEY_ADD,
	EVIDENCE_KEY_REMOVE,
	EVIDENCE_KEY_CHANGE,
	EVIDENCE_KEY_ROTATE,
	EVIDENCE_KEY_EXPORT,
	EVIDENCE_KEY_IMPORT,
	EVIDENCE_CONFIG,
	EVIDENCE_TOKEN,
	EVIDENCE_DAEMON,
	EVIDENCE_JOB,
	EVIDENCE_RESTORE,
	EVIDENCE_CAT,
	EVIDENCE_MOUNT,
	EVIDENCE_KIT,
	EVIDENCE_FORGET,
	EVIDENCE_UNDO,
	EVIDENCE_PRUNE,
	EVIDENCE_PIN,
	EVIDENCE_UNPIN,
	EVIDENCE_HOLD,
	EVIDENCE_RELEASE,
	EVIDENCE_ASK,
	EVIDENCE_APPROVE,
	EVIDENCE_REFUSE,
	EVIDENCE_VERIFY,
	EVIDENCE_DRILL,
	EVIDENCE_ACTIONS
};

enum evidence_outcome {
	EVIDENCE_BEGUN = 1, /* of what takes long; another record says how it ended */
	EVIDENCE_COMPLETED,
	EVIDENCE_PROBLEMS, /* done, with problems */
	EVIDENCE_FAILED,
	EVIDENCE_INTERRUPTED,
	EVIDENCE_OUTCOMES
};

struct evidence_action_info {
	const char *name;  /* "key.add" */
	const char *class; /* "chain", "change", "access", "retention", "approval", "proof" */
	const char *what;
};

const struct evidence_action_info *evidence_action(enum evidence_action a); /* its row */
enum evidence_action evidence_action_of(const char *name);                  /* 0: none */
const char *evidence_outcome_name(enum evidence_outcome o);
enum evidence_outcome evidence_outcome_of(const char *name); /* 0: none */

/* What is to be recorded.  Texts that are not UTF-8 are kept with \xNN for what is none. */
struct evidence_event {
	enum evidence_action action;
	enum evidence_outcome outcome;
	const char *actor;   /* a user, a token's name; NULL: whose process this is */
	const char *subject; /* what it was done to */
	json_t *details;     /* an object, or NULL; borrowed.  Nothing secret */
};

/* Where a chain ends: enough to tell later that it went on from here. */
struct evidence_head {
	uint8_t chain[EVIDENCE_CHAIN], hash[32], key[CRYPTO_KEY];
	uint64_t sequence;
};

/* The state folder's files; new text. */
char *evidence_path_log(const char *dir);
char *evidence_path_key(const char *dir);
char *evidence_path_public(const char *dir);

/* Is a chain kept in this folder? */
bool evidence_is_kept(const char *dir);

/*
 * Add a record; the folder, a key and the chain's first record are made where there is no chain
 * yet.  Waits for others some seconds (ERR_BUSY).  ERR_CORRUPT: what the chain ends with is no
 * record, nor what a crash leaves.  head, which may be NULL, is where the chain ends now.
 */
int evidence_append(const char *dir, const struct evidence_event *ev, struct ctx *ctx,
    struct evidence_head *head, struct err *e);

/*
 * Another key from now on.  The last record of the old one names the new one, which signs in it
 * that it takes over this chain; then the old one is no more.
 */
int evidence_rotate(
    const char *dir, const char *actor, struct ctx *ctx, struct evidence_head *head, struct err *e);

/* Where the chain ends, signed by its key: a line as evidence_head.h has it.  New text. */
int evidence_head_now(
    const char *dir, struct ctx *ctx, struct evidence_head *head, char **line, struct err *e);

#endif
