/*
 * repo: a repository, opened: configuration, keys, store, index.
 *
 * Threads: open and close by one; what is read-only afterwards by any.
 */
#ifndef HF_REPO_REPO_H
#define HF_REPO_REPO_H

#include "base/ctx.h"
#include "base/err.h"
#include "base/id.h"
#include "crypto/crypto.h"
#include "repo/role.h"
#include "store/store.h"

struct repo;

struct repo_cred {
	bool key_file;      /* secret is the 32 bytes of a key file, else a passphrase */
	struct span secret; /* borrowed */
};

struct repo_init_params {
	struct repo_cred cred;
	const char *label; /* of the first key, in the clear; NULL: none */
	int64_t grace_s;   /* 0: a day */
	enum crypto_family object_hash, blob_id;
	unsigned parity;           /* share in thousandths; 0: none */
	const struct repo *family; /* opened with a full key: share its ids; NULL: an own family */
};

/*
 * Make a repository in an empty store; `s` is taken, also on failure.
 * ERR_EXISTS if there is one.
 */
int repo_init(struct store *s, const struct repo_init_params *p, const char *cache_dir,
    struct ctx *ctx, struct repo **out, struct err *e);

/*
 * Open: read and verify config, unlock with the credential.  cache_dir is the
 * folder for all repositories' caches (ours is a folder in it), NULL for none.
 * The index is loaded at first need.  `s` is taken, also on failure.
 */
int repo_open(struct store *s, const struct repo_cred *cred, const char *cache_dir, struct ctx *ctx,
    struct repo **out, struct err *e);
void repo_close(struct repo *r); /* NULL does nothing */

/* Text of a key file: make one, read one (32 bytes out). */
void repo_key_file_new(uint8_t key[32], char text[96]);
int repo_key_file_parse(struct span text, uint8_t key[32], struct err *e);

/*
 * The index, loaded at first need (one LIST of index/), or loaded again, with
 * every object read and every block of the local cache checked.
 * Damaged index objects are told as EVENT_OBJECT_DAMAGED and left out.
 */
int repo_index_load(struct repo *r, bool again, struct err *e);
struct index_cache *repo_index(struct repo *r);       /* after repo_index_load */
uint64_t repo_index_generation(const struct repo *r); /* rises when ordinals may change */
size_t repo_bad_indexes(const struct repo *r);
size_t repo_foreign_indexes(const struct repo *r); /* those of them that config is too old for */
/*
 * Packs that index objects name which came after their deadline, and that are
 * not there: left out of the loaded index; no damage, but garbage for prune.
 * All of them only where it was loaded again.
 */
uint64_t repo_late_gone(const struct repo *r);

/*
 * Read config anew, whatever changed in it: holders, domains, epochs.  The
 * caller has no writer or reader open.  ERR_FOREIGN if it is older than ours.
 */
int repo_reload_config(struct repo *r, struct err *e);

/* ERR_FOREIGN, with what to do.  Returns -1. */
int repo_foreign(struct err *e, const char *why);
/* Could a data key of this epoch be ours? */
bool repo_knows_epoch(const struct repo *r, const uint8_t *sealed_key);

struct store *repo_store(struct repo *r);

/* Threads that read it best: so many as were asked for (0: it depends), more where the way is long.
 */
unsigned repo_workers(struct repo *r, unsigned jobs);
struct ctx *repo_set_ctx(struct repo *r, struct ctx *ctx); /* returns the one before */
const char *repo_url(const struct repo *r);
const char *repo_id_text(const struct repo *r); /* 32 hex digits */
/* Where this machine remembers what it has seen (repo/seen.h); NULL, as at first: nowhere. */
void repo_set_state_dir(struct repo *r, const char *dir); /* copied */
const char *repo_place(const struct repo *r);             /* hex; another for a copy elsewhere */
bool repo_remembers(const struct repo *r);
/* A file of this repository's in it, made so that it can be written; new text, or NULL. */
char *repo_state_path(const struct repo *r, const char *name, const char *suffix);
uint64_t repo_config_revision(const struct repo *r);
const char *repo_cache_dir(const struct repo *r); /* ours, or NULL */
int64_t repo_grace_s(const struct repo *r);
/*
 * Of the grace, what a writer may count on after it looked (0.8); and what is left
 * for listings that lag and clocks that differ (0.1, at either end).
 */
int64_t repo_lease_ns(const struct repo *r);
int64_t repo_lag_ns(const struct repo *r);
const char *repo_key_holder(const struct repo *r); /* hex id of the key in use */

/* What the key in use may do. */
enum role repo_role(const struct repo *r);

/*
 * Can it read structure, or content and names too?  ERR_WRONG_KEY says which
 * role could.
 */
int repo_need(const struct repo *r, bool content, struct err *e);

/*
 * May this program write here at all?  ERR_UNSUPPORTED where config names a feature in
 * required_to_write that it doesn't know.  Every put and delete asks; what takes long
 * asks before it begins.
 */
int repo_may_write(const struct repo *r, struct err *e);

/* Holders of keys. */
struct repo_key {
	struct id object;
	char holder[33], domain[33]; /* domain "" for maintenance */
	char *label, *role, *created, *removed;
	bool key_file; /* else passphrase */
	bool current;  /* the one that opened r */
	bool gone;     /* removed: no object any more, and `removed` says when */
	bool missing;  /* not removed, but its object is not there, or damaged */
};
int repo_keys_list(struct repo *r, struct repo_key **out, size_t *n, struct err *e);
void repo_keys_free(struct repo_key *k, size_t n);

/*
 * A new holder.  A write key gets a dedup domain of its own, unless `domain`
 * (4 digits or more of a holder's or a domain's id) says whose it shares.
 */
struct repo_key_params {
	struct repo_cred cred;
	const char *label; /* in the clear, in config and keys/; NULL: none */
	enum role role;
	const char *domain; /* NULL: a new one for a write key, the full holders' for a full one */
};
int repo_key_add(struct repo *r, const struct repo_key_params *p, struct id *object, struct err *e);

/*
 * By object id prefix or holder prefix; the current one is refused.  Who could
 * read leaves behind a new epoch of keys.
 */
int repo_key_remove(struct repo *r, const char *prefix, struct err *e);

/* A new epoch of keys for what comes, given to every holder. */
int repo_key_rotate(struct repo *r, struct err *e);

/* A new credential for the current holder; the old bundle is deleted after the new is durable. */
int repo_key_passwd(struct repo *r, const struct repo_cred *cred, struct id *object, struct err *e);

#endif
