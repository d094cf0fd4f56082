/*
 * store_rules: what a store keeps its users from, or does by itself: locks on
 * objects, and rules of a life cycle.  Of S3 so far; elsewhere ERR_UNSUPPORTED.
 *
 * A lock is put on an object with the object (-o s3.object-lock=30d: for twice that) and can
 * be made longer, never shorter.  Rules belong to the whole bucket, in which
 * others may have theirs: those are left as they are.
 *
 * Threads: as the store.
 */
#ifndef HF_STORE_STORE_RULES_H
#define HF_STORE_STORE_RULES_H

#include "store/store.h"

/* What the locks of the store's options are put for the double of; 0: nothing is locked. */
int64_t store_lock_period(struct store *s);

struct store_lock {
	int64_t until_ns; /* 0: it is not locked */
	bool loose;       /* who has a right to it may take it off (governance) */
};

/* Of an object, or one version of it (NULL: the latest). */
int store_lock_get(
    struct store *s, const char *key, const char *version, struct store_lock *out, struct err *e);

/*
 * Locked until until_ns, unless it is until least_ns already.  Seconds count.  *done: it was
 * made longer.
 */
int store_lock_extend(struct store *s, const char *key, const char *version, int64_t least_ns,
    int64_t until_ns, bool *done, struct err *e);

/*
 * Every version of objects whose key begins so, the newest of each first; what deletes left is
 * none.  Nothing where the store keeps no versions.
 */
typedef int store_version_visit(
    void *arg, const char *key, const char *version, bool latest, struct err *e);
int store_versions(
    struct store *s, const char *prefix, store_version_visit *visit, void *arg, struct err *e);

/*
 * Is an old version of this object kept from us?  Its oldest version is deleted, if it is locked
 * (with whatever takes a lock off) or there is a newer one: *kept is true where that was refused.
 * False where nothing keeps versions.  For objects that nobody needs.
 */
int store_versions_kept(struct store *s, const char *key, bool locked, bool *kept, struct err *e);

struct store_rule {
	const char *folder;  /* "packs/"; "" is all that the repository has there */
	int unfinished_days; /* uploads that did not end are dropped; 0: no such rule */
	int old_days;        /* versions that were replaced or deleted are dropped */
	int move_days;       /* objects go into move_class */
	const char *move_class;
};

enum { STORE_RULES_MAX = 8 };

/*
 * These are the repository's rules from now on, all of them; n may be 0.  They are read
 * back: on return 0 the store has them.
 */
int store_rules_put(struct store *s, const struct store_rule *rules, size_t n, struct err *e);

/* The rules that the store's options ask for; 0: they ask for none, and what is there stays. */
size_t store_rules_wanted(struct store *s, struct store_rule rules[STORE_RULES_MAX]);

#endif
