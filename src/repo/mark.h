/*
 * mark: packs that prune means to delete, or has deleted (format.md 8, 10).
 *
 * Threads: one owner.
 */
#ifndef HF_REPO_MARK_H
#define HF_REPO_MARK_H

#include "base/id.h"
#include "repo/repo.h"

enum { MARK_PACKS_MAX = 8 << 20 }; /* in one mark */

enum mark_kind {
	MARK_DOOMED, /* to be deleted when the mark is the grace old */
	MARK_GONE,   /* a tombstone: deleted, so that no index that names them is believed */
	MARK_KINDS   /* of a later version: it hides its packs and stays */
};

struct mark {
	struct id id;
	enum err_kind unread; /* ERR_NONE, or why it cannot be read: then it marks nothing */
	enum mark_kind kind;
	int64_t stored_ns; /* the store's time */
	struct id *packs;
	size_t npacks;
};

struct mark_set {
	struct idmap *oldest; /* pack -> int64_t: the time of the oldest mark that names it */
	struct idmap *spared; /* packs that MARK_KINDS name */
	struct mark *v;
	size_t n;
};

void mark_set_fini(struct mark_set *m);

/*
 * Every mark there is.  One that vanishes meanwhile is left out; what cannot be read is told and
 * kept with no packs.  If the config in use cannot tell whose one is, the stored one is read anew:
 * it may be of a key that was added since.
 */
int mark_load(struct repo *r, struct mark_set *out, struct err *e);

/* Does any mark name this pack?  And since when. */
bool mark_oldest(const struct mark_set *m, const struct id *pack, int64_t *ns);
bool mark_has_pack(const struct mark_set *m, const struct id *pack);
bool mark_has(const struct mark_set *m, const struct id *mark);

int mark_put(struct repo *r, enum mark_kind kind, const struct id *packs, size_t n, struct id *id,
    struct err *e);
int mark_del(struct repo *r, const struct id *id, struct err *e);

/* Does one of a later version name it?  Then nothing is done about this pack. */
bool mark_spares(const struct mark_set *m, const struct id *pack);

/* Hide every marked pack from the index: it counts as absent. */
void mark_hide(struct repo *r, const struct mark_set *m);

#endif
