/*
 * evidence_named: the drills that the state folder's chain names, by the hashes of their records.
 *
 * For who asks often: the chain is read once, and of it only what tells this is verified: the first
 * record, rotations, and, once it is asked for, the record that names a drill.  Whether all of it
 * is whole evidence_check.h tells.  Its keys have to be those of the folder's evidence.pub.
 *
 * Threads: one owner.
 */
#ifndef HF_CATALOG_EVIDENCE_NAMED_H
#define HF_CATALOG_EVIDENCE_NAMED_H

#include "base/span.h"
#include "catalog/evidence.h"

struct evidence_named;

/* Names nothing where there is no chain, or no key of it. */
struct evidence_named *evidence_named_read(const char *state);
void evidence_named_free(struct evidence_named *n); /* NULL does nothing */

/* This record of a drill, and its line: of a key of the chain, which has its hash? */
bool evidence_named_has(struct evidence_named *n, const json_t *record, struct span line);

#endif
