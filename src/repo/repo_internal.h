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
#include "repo/envelope.h"
#include "repo/index_cache.h"
#include "repo/key.h"
#include "repo/repo.h"
#include "repo/repo_object.h"

struct repo {
	struct store *store;
	struct ctx *ctx;
	struct config config;
	struct key_bundle *keys;    /* secret memory */
	struct seal_key *index_key; /* secret memory */
	char id_text[2 * FORMAT_UID + 1], holder_text[2 * FORMAT_UID + 1];
	char *cache_dir; /* this repository's, or NULL */

	pthread_rwlock_t index_lock;
	struct index_cache *index;         /* NULL until first needed */
	_Atomic uint64_t index_generation; /* rises when ordinals may have changed */
	struct id *index_ids;              /* the objects that it holds */
	size_t nindex_ids;
	struct id *bad_indexes; /* damaged ones, left out */
	size_t nbad_indexes;

	pthread_mutex_t mend_lock; /* guards the names of what was read through damage */
	char **mended;
	size_t nmended;
	pthread_mutex_t mending_lock; /* guards the last object that was mended to read of it */
	struct id mending_id;
	bool mending_ok;
	struct buf mending;

	pthread_mutex_t data_keys_lock;
	struct idmap *data_keys; /* padded data-key id -> struct seal_key * */
};

/* Name it by its hash and put it, durably, never replacing. */
int repo_put_object(
    struct repo *r, enum format_type type, struct span bytes, struct id *id, struct err *e);

/*
 * Keyed hashes for the ids of blobs, one for each kind: if a file's bytes
 * happen to be (or were made to be) those of a tree, they are still two blobs.
 */
enum { BLOB_KINDS = 3 };
void repo_blob_macs(struct repo *r, struct crypto_mac *mac[BLOB_KINDS]);
void repo_blob_macs_free(struct crypto_mac *mac[BLOB_KINDS]);

/* The opened data key of a sealed one, cached; NULL with e set. */
const struct seal_key *repo_data_key(
    struct repo *r, const uint8_t sealed[FORMAT_SEALED_KEY], struct err *e);

#endif
