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
