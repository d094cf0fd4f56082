/*
 * repo_internal: what the files of repo/ (and nobody else) know of an open
 * repository, and the steps they share.
 *
 * Threads: config, keys and ids are read-only after open.  The index is
 * behind `index_lock`: readers look up, reloading writes.  Data keys are
 * behind their own mutex.
 */
#ifndef HF_REPO_REPO_INTERNAL_H
#define HF_REPO_REPO_INTERNAL_H

#include <pthread.h>

#include "repo/config.h"
#include "repo/domain.h"
#include "repo/envelope.h"
#include "repo/index_cache.h"
#include "repo/key.h"
#include "repo/repo.h"
#include "repo/repo_object.h"

struct repo {
	struct store *store;
	struct ctx *ctx;
	struct config config;
	struct key_bundle *keys;   /* secret memory, as the next three */
	struct domain *domains;    /* those whose keys we hold */
	struct repo_epoch *epochs; /* from 1 */
	struct seal_key *mark_key;
	size_t ndomains, own; /* ours among them; 0 for maintenance */
	size_t nepochs;
	const struct seal_key *index_key; /* of domains[own] */
	char id_text[2 * FORMAT_UID + 1], holder_text[2 * FORMAT_UID + 1];
	char place_text[17]; /* of where it lies: a copy elsewhere is remembered apart */
	char *cache_dir;     /* this repository's, or NULL */
	char *state_dir;     /* all repositories', or NULL */

	pthread_rwlock_t index_lock;
	struct index_cache *index;         /* NULL until first needed */
	_Atomic uint64_t index_generation; /* rises when ordinals may have changed */
	struct id *index_ids;              /* the objects that it holds */
	size_t nindex_ids;
	struct id *bad_indexes;        /* damaged ones, left out */
	size_t nbad_indexes, nforeign; /* foreign ones among the bad: ERR_FOREIGN */
	uint64_t late_gone;            /* see repo_late_gone */

	pthread_mutex_t again_lock;      /* guards the next three; see repo_index_look_again */
	bool again_whole;                /* every object was read once more */
	int64_t again_ns, again_wait_ns; /* not before, if the second is not 0 */

	pthread_mutex_t mend_lock; /* guards the names of what was read through damage */
	char **mended;
	size_t nmended;
	pthread_mutex_t mending_lock; /* guards the last object that was mended to read of it */
	struct id mending_id;
	bool mending_ok;
	struct buf mending;

	pthread_mutex_t data_keys_lock; /* guards the next two */
	struct idmap *data_keys;        /* padded data-key id -> struct seal_key * */
	struct log_ids *log_ids;        /* NULL until first needed */
};

/* Name it by its hash and put it, durably, never replacing. */
int repo_put_object(
    struct repo *r, enum format_type type, struct span bytes, struct id *id, struct err *e);

/* Make the cache hold what index/ lists now; what it holds already is not read again. */
int repo_index_refresh(struct repo *r, struct err *e);

/*
 * For who does not find, or finds damaged, what should be there: has index/ changed since he looked
 * (by the generation `seen`)?  1: look once more; 0: no; -1.  Threads wait for each other, and
 * after a look in vain it is asked again only after 1 s, 2 s, up to a minute: a million blobs that
 * are missing make no storm.  `at_once`: whenever it was asked last.  `whole`: for once every index
 * object is read again, and the local cache proven.
 */
int repo_index_look_again(struct repo *r, uint64_t seen, bool whole, bool at_once, struct err *e);
void repo_index_looked_well(struct repo *r); /* it was found after that */

/* Private keys of an epoch, as far as our role has them. */
struct repo_epoch {
	uint8_t content[CRYPTO_KEY], structure[CRYPTO_KEY];
};

/* Read config, mended by its parity if need be, as far as it can be judged without a key. */
int repo_load_config(struct repo *r, struct err *e);

/*
 * What is stored just now, mended by its parity if need be; nothing of r changes, so that a run
 * whose threads go on can ask.  ERR_FOREIGN if it is older than ours.
 */
int repo_config_now(struct repo *r, struct config *out, struct err *e);

/* Config as it is now: may this program, with this key, still write?  One GET. */
int repo_may_go_on(struct repo *r, struct err *e);

/* Revision and epoch of what is stored just now; nothing of r changes. */
int repo_peek_config(struct repo *r, uint64_t *revision, uint64_t *epoch, struct err *e);

/*
 * Change config: after begin r->config is the newest and no other holder
 * replaces it (ERR_BUSY if one did not end); commit signs and puts what the
 * caller made of it.  abort after either, also after commit.
 */
struct config_lease;
int repo_config_begin(struct repo *r, struct config_lease *l, struct err *e);
int repo_config_commit(struct repo *r, struct config_lease *l, struct err *e);
void repo_config_abort(struct config_lease *l);

/* After a bundle was opened and config verified: all that follows from both. */
int repo_refresh_keys(struct repo *r, struct err *e); /* after config changed */
void repo_name_place(struct repo *r);                 /* from its URL alone */
int repo_unlocked(struct repo *r, const char *cache_dir, struct err *e);

/* A domain whose keys we hold, by its id or tag; NULL. */
const struct domain *repo_domain(const struct repo *r, uint64_t tag);
const struct domain *repo_own_domain(const struct repo *r);

/*
 * Does this writer's role let it sign objects of this type (in this domain,
 * if that is given)?  ERR_CORRUPT, naming it, if not.
 */
int repo_accept(const struct repo *r, const uint8_t signer[FORMAT_UID], enum format_type type,
    const uint8_t *domain, struct err *e);
/* The same by another config than the one in use; and what repo_may_write asks. */
int repo_accept_by(const struct config *c, const uint8_t signer[FORMAT_UID], enum format_type type,
    const uint8_t *domain, struct err *e);
int repo_may_write_by(const struct config *c, struct err *e);

/*
 * After an object whose bytes have its name's hash was refused: if its signer is
 * nobody whom config knows (zeros: it did not come to that), or its keys are not
 * among ours (repo_foreign), that is no damage.  e becomes ERR_FOREIGN (or ERR_LATER).  Returns -1.
 */
int repo_judge_signer(const struct repo *r, const uint8_t signer[FORMAT_UID], struct err *e);

/*
 * A listed writer signed what this program does not know: ERR_LATER, which nothing deletes;
 * ERR_FOREIGN where its key was removed, so that who took that key cannot leave it for ever.
 * Returns -1.
 */
int repo_later(
    const struct config *c, const uint8_t signer[FORMAT_UID], const char *why, struct err *e);

/* The opened data key of a sealed one, cached; NULL with e set. */
const struct seal_key *repo_data_key(
    struct repo *r, const uint8_t sealed[FORMAT_SEALED_KEY], struct err *e);

#endif
