/*
 * repo_parity: objects and their parity together.  Whatever puts or deletes
 * an object does it by these, and whatever finds one damaged asks here.
 *
 * Order: parity is durable before its object, and goes after it (a key's
 * before it), so that a crash leaves parity without an object (garbage, for
 * prune).  Without a share in config nothing is written or asked.
 *
 * Threads: any.
 */
#ifndef HF_REPO_REPO_PARITY_H
#define HF_REPO_REPO_PARITY_H

#include "base/buf.h"
#include "repo/repo_object.h"

/* "parity/packs/<id>" of "packs/ab/<id>"; `id` names config's, and may be NULL otherwise. */
const char *repo_parity_name(char out[REPO_NAME_MAX], const char *object, const struct id *id);

/* The id that config's parity goes by: of its text, for config has none in its name. */
void repo_config_id(struct span text, struct id *id);

/* The id that an object's name ends with; false for config. */
bool repo_name_id(const char *object, struct id *id);

/* Put an object whose name ends with the id of these bytes; and delete one. */
int repo_put_named(struct repo *r, const char *object, struct span bytes, struct err *e);
int repo_del_named(struct repo *r, const char *object, struct err *e);

/* The parity of an object, by itself; replaces what is there. */
int repo_put_parity(
    struct repo *r, const char *object, const struct id *id, struct span bytes, struct err *e);

/* Config's parity: put before config is replaced by this text, and that of older ones dropped
 * after. */
int repo_config_parity(struct repo *r, struct span text, struct err *e);
int repo_config_parity_over(struct repo *r, struct span text, struct err *e);

/*
 * Whatever of an object can be read into out, zeros where a device fails.
 * ERR_ABSENT; other errors only where nothing can be read at all: a failing
 * device's (ERR_IO, ERR_CORRUPT) leave zeros in out, others leave it empty.
 */
int repo_get_left(struct repo *r, const char *object, uint64_t max, struct buf *out, struct err *e);

/*
 * Mend what was read of a damaged object, in memory; the result has its hash.
 * -1 with e untouched where there is no parity, or too much is damaged (which
 * is told in `why`, that may be NULL).
 */
bool repo_mend_bytes(
    struct repo *r, const char *object, const struct id *id, struct buf *bytes, struct err *why);

/* Read through damage: an object, or a range of one; told to the sink, and counted. */
bool repo_mend_object(
    struct repo *r, const char *object, const struct id *id, uint64_t max, struct buf *out);
bool repo_mend_range(
    struct repo *r, const char *object, const struct id *id, uint64_t off, void *buf, size_t n);

/* Objects that were read through damage since the repository was opened. */
size_t repo_mended(struct repo *r);
const char *repo_mended_name(struct repo *r, size_t i);
bool repo_was_mended(struct repo *r, const char *object);

/* The text of config as it was read and verified, or mended. */
void repo_config_text(struct repo *r, struct buf *out);

/* Put it back where what is stored is not whole; `*mended` says whether that was so. */
int repo_put_back_config(struct repo *r, bool *mended, struct err *e);

/*
 * Stored config text that does not hold: mended, if a parity of config leads
 * to one that does (signed by its own root), the one of the highest revision.
 */
struct config;
bool repo_mend_config(struct repo *r, struct config *out);

/* The share that is kept, in thousandths; 0 none.  Set one, in config. */
unsigned repo_parity(const struct repo *r);
int repo_set_parity(struct repo *r, unsigned share, struct err *e);

#endif
