/* family: see family.h. */
#include "repo/family.h"

#include "crypto/crypto.h"
#include "repo/repo_internal.h"

bool family_same_content(const struct repo *from, uint64_t domain, const struct repo *to)
{
	const struct domain *a = repo_domain(from, domain), *b = repo_own_domain(to);

	return a != NULL && b != NULL && a->has_ids && b->has_ids &&
	       from->config.blob_id == to->config.blob_id &&
	       crypto_equal(a->id_key, b->id_key, sizeof a->id_key);
}

bool family_is_kin(const struct repo *a, const struct repo *b)
{
	const struct config *x = &a->config, *y = &b->config;
	const struct domain *d = repo_own_domain(a), *f = repo_own_domain(b);

	return d != NULL && f != NULL && d->has_ids && f->has_ids && x->blob_id == y->blob_id &&
	       x->chunk_min == y->chunk_min && x->chunk_avg == y->chunk_avg &&
	       x->chunk_max == y->chunk_max && crypto_equal(d->id_key, f->id_key, CRYPTO_KEY) &&
	       crypto_equal(d->chunker_key, f->chunker_key, CRYPTO_KEY) &&
	       crypto_equal(d->index_key.key, f->index_key.key, CRYPTO_KEY);
}
