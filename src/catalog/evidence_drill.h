/*
 * evidence_drill: the records of drills, each a signed line in a file of its own in the state
 * folder's drills/, and the chain's record of a drill has its SHA-256: so what was proven, when and
 * how fast is told by whoever holds both, and can be changed by nobody.
 *
 * A record that the chain does not name is none: it may be of any key, or be changed.
 *
 * Threads: any.
 */
#ifndef HF_CATALOG_EVIDENCE_DRILL_H
#define HF_CATALOG_EVIDENCE_DRILL_H

#include "base/span.h"
#include "catalog/evidence.h"

enum { EVIDENCE_DRILL_HASH = 65 };

/* The folder of them; new text. */
char *evidence_drill_dir(const char *state);

/*
 * Sign a record (whose "id" names its file) and keep it, durably; hash: of its line, hex.  The
 * chain's key is that of the state folder, which has to be there.
 */
int evidence_drill_put(
    const char *state, json_t *record, char hash[EVIDENCE_DRILL_HASH], struct err *e);

/*
 * Each that is there, the newest first: the record, and its line without a newline, both
 * borrowed; -1 of `each` ends.  What cannot be read, or is not named by the chain with a key of
 * it, is passed over, and counted in *bad.  The chain is read once (evidence_named.h).
 */
typedef int evidence_drill_row(void *arg, json_t *record, struct span line, struct err *e);
int evidence_drill_list(const char *state, const char *system, evidence_drill_row *each, void *arg,
    size_t *bad, struct err *e);

#endif
