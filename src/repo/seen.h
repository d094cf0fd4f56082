/*
 * seen: what this machine has seen of a repository: the newest revision and
 * epoch of config,
 * each author's newest snapshot (author.h), key objects there and gone.  A store that is
 * set back to an older state does not know what we have seen.
 *
 * It is kept for each place that the repository was seen at: a copy goes its own
 * way.  At a place that is new, what was seen elsewhere counts until all of it is
 * here too.
 *
 * It is a text file in the state folder, not in the cache; damaged (it has a
 * sum) or lost it begins anew.  Two that write it at once: one of them is kept,
 * and both are true.
 *
 * Threads: one owner.
 */
#ifndef HF_REPO_SEEN_H
#define HF_REPO_SEEN_H

#include "base/id.h"
#include "repo/author.h"
#include "repo/repo.h"

struct seen_client {
	struct author by;
	uint64_t sequence;
};

struct seen_key {
	struct id id;
	bool gone;
};

struct seen {
	uint64_t revision, epoch; /* config's */
	struct id config;         /* the hash of that revision's text, if has_config */
	bool has_config;
	struct seen_client *clients;
	size_t nclients;
	struct seen_key *keys;
	size_t nkeys;
	bool changed;    /* since it was read */
	char *elsewhere; /* it was seen there, and nothing yet at this place; or NULL */
	char *rest;      /* what is remembered of it at other places, as text */
};

void seen_read(struct repo *r, struct seen *out); /* empty where nothing is remembered */
int seen_write(struct repo *r, const struct seen *s, struct err *e); /* no state folder: nothing */
/* All that was seen elsewhere is here too: from now on it was seen here. */
void seen_settle(struct seen *s);
int seen_forget(struct repo *r, struct err *e); /* of this place */
void seen_fini(struct seen *s);

/* Remember the newer of both. */
void seen_add_client(struct seen *s, const struct author *by, uint64_t sequence);
void seen_add_config(struct seen *s, const struct repo *r);

/* Is the config in use, and the one in the store, older than what was seen? */
bool seen_newer_config(struct repo *r, const struct seen *s);

/*
 * Is the config in use of the revision that was seen here, and another?  Then two holders
 * changed it at the same time, and one of the two changes is lost.
 */
bool seen_other_config(const struct repo *r, const struct seen *s);

/* What to do about what was set back, as a hint.  Returns -1. */
int seen_hint(const struct seen *s, struct err *e);

/*
 * Refuse to build on a config that is older than what this machine has seen, or another of
 * the same revision (ERR_FAILED);
 * else remember it, which is told as a warning where it can't be done.
 */
struct config;
int seen_config(struct repo *r, const struct config *c, struct err *e);
int seen_own_config(struct repo *r, struct err *e); /* the one in use */

/* A copy of the config in use, beside what was seen: if it is lost, key import takes it back. */
void seen_keep_config(struct repo *r);

/*
 * The copy that this machine keeps of the config at this place, where that is lost, and with it
 * whose it is: new text, or NULL.  Before the repository is open.
 */
char *seen_find_copy(struct repo *r);

#endif
