/*
 * evidence_head: where a chain ended at some moment, signed, to be kept elsewhere.
 *
 * Who has one knows when the chain is cut off before it, or rewritten: so each run leaves one in
 * the repositories that it wrote to, as `evidence/<chain>.<sequence>` (doc/format.md), where who
 * took over this machine may be unable to delete it.
 *
 * Threads: any; the store's.
 */
#ifndef HF_CATALOG_EVIDENCE_HEAD_H
#define HF_CATALOG_EVIDENCE_HEAD_H

#include "base/span.h"
#include "catalog/evidence.h"
#include "store/store.h"

/* A head's line, without newline; new text. */
char *evidence_head_write(const struct evidence_head *h, const char *machine, int64_t now_ns,
    const uint8_t priv[CRYPTO_KEY]);
/* ERR_CORRUPT, also where the key that it names has not signed it.  Whose key that is, ask. */
int evidence_head_read(struct span line, struct evidence_head *h, struct err *e);

/*
 * Put it there; that it is there already is success.  ERR_EXISTS: another head of the same number
 * is: two machines go on from one state folder, or the chain was rewritten.
 */
int evidence_head_publish(
    struct store *s, const struct evidence_head *h, const char *line, struct err *e);

struct evidence_heads {
	struct evidence_head *v;
	size_t n;
	size_t bad; /* objects that are none, or of no right signature: they say nothing */
};

/* Add those of a store. */
int evidence_heads_fetch(struct store *s, struct evidence_heads *out, struct err *e);
void evidence_heads_add(struct evidence_heads *l, const struct evidence_head *h);
void evidence_heads_fini(struct evidence_heads *l);

#endif
