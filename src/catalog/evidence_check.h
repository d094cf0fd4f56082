/*
 * evidence_check: is a chain of evidence whole?  Offline, by a public key alone.
 *
 * Lines are fed in their order; the first that breaks the chain is named, with what is wrong.
 * A cut at the end shows only by heads that were kept elsewhere (evidence_head.h).
 *
 * The public key is one of those that signed the chain, the first or a later one: a later key
 * consented in its rotation to all that stood before.
 *
 * Threads: one owner.
 */
#ifndef HF_CATALOG_EVIDENCE_CHECK_H
#define HF_CATALOG_EVIDENCE_CHECK_H

#include "base/buf.h"
#include "catalog/evidence_head.h"

enum evidence_fault {
	EVIDENCE_WHOLE,
	EVIDENCE_EMPTY,     /* there is no record */
	EVIDENCE_TORN,      /* the last line has no end: a crash, or a cut within it */
	EVIDENCE_ALTERED,   /* no record, or its signature does not fit */
	EVIDENCE_OTHER_KEY, /* signed by a key that the chain does not name */
	EVIDENCE_OTHER_CHAIN,
	EVIDENCE_REMOVED,   /* records before this line are missing */
	EVIDENCE_REORDERED, /* they come later, or this one came before */
	EVIDENCE_RELINKED,  /* it follows another record than the one before it */
	EVIDENCE_REWRITTEN, /* not what a head kept elsewhere says */
	EVIDENCE_CUT,       /* a head kept elsewhere knows of more */
	EVIDENCE_UNKNOWN,   /* of a bundle: a drill that the chain does not name, or twice */
	EVIDENCE_FAULTS
};
const char *evidence_fault_name(enum evidence_fault f); /* "altered" */

struct evidence_verdict {
	enum evidence_fault fault;
	uint64_t line, sequence;  /* of the first broken link; 0: none, or not known */
	char text[320];           /* what is wrong; "" for a whole chain */
	uint64_t records;         /* before it */
	uint64_t heads;           /* kept elsewhere, that were found right */
	struct evidence_head end; /* of the part that is whole */
};

struct evidence_check;

/* pubs and heads (may be NULL) are borrowed; heads are sorted. */
struct evidence_check *evidence_check_new(
    const uint8_t (*pubs)[CRYPTO_KEY], size_t npubs, struct evidence_heads *heads);
void evidence_check_free(struct evidence_check *k); /* NULL does nothing */

/* Goes on from where the other stands; pubs and heads are those. */
struct evidence_check *evidence_check_copy(const struct evidence_check *k);

/* The next line, without its newline; `ended` false: the file ends without one. */
void evidence_check_line(struct evidence_check *k, struct span line, bool ended);
/* Whole lines of what was read; the rest moves to the front.  A line too long goes in pieces. */
void evidence_check_feed(struct evidence_check *k, struct buf *b, bool end);
void evidence_check_end(struct evidence_check *k, struct evidence_verdict *out);

bool evidence_check_is_whole(const struct evidence_check *k); /* so far */

/* A file to be verified: -1 with ERR_USAGE for a pipe or device, which is not waited for. */
int evidence_open(const char *path, struct err *e);

/*
 * Lines of a text, or of a file piece by piece; a line too long goes in pieces.  The latter fails
 * where it cannot be read.
 */
typedef void evidence_line_fed(void *arg, struct span line, bool ended);
void evidence_lines(struct span text, evidence_line_fed *each, void *arg);
int evidence_lines_file(const char *path, evidence_line_fed *each, void *arg, struct err *e);

/* All of a text, or a file: the latter fails only where it cannot be read. */
void evidence_check_text(struct evidence_check *k, struct span text, struct evidence_verdict *out);
int evidence_check_file(
    struct evidence_check *k, const char *path, struct evidence_verdict *out, struct err *e);

#endif
