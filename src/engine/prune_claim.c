/*
 * prune_claim: see prune_internal.h.  A pack is of one domain, as its own
 * directory says.  Where indexes of two domains name it, one of them was
 * signed by who would keep what is not his: so that nothing of it is ever pruned.
 */
#include "base/mem.h"
#include "engine/prune_internal.h"
#include "repo/pack.h"

bool prune_is_its(const struct ppack *pk, uint64_t domain)
{
	return !pk->disputed || pk->domain == domain;
}

static int note_claims(struct prune *pr, struct err *e)
{
	for (uint32_t i = 0; i < index_cache_packs(repo_index(pr->repo)); i++) {
		struct index_cache_pack p;
		struct ppack *pk;

		if (index_cache_pack(repo_index(pr->repo), i, &p, e) == -1)
			return -1;
		pk = idmap_get(pr->packs, &p.id);
		if (pk == NULL || !pk->present || pk->type != p.type)
			continue;
		pk->disputed = pk->disputed || (pk->claimed && pk->domain != p.origin.domain);
		pk->claimed = true;
		pk->domain = p.origin.domain;
	}
	return 0;
}

int prune_settle_claims(struct prune *pr, struct err *e)
{
	struct pack_dir dir = {0};
	struct buf bytes = {0};
	struct ppack *pk;
	struct id id;
	size_t pos = 0;
	int rc = note_claims(pr, e);

	while (rc == 0 && (pk = idmap_next(pr->packs, &pos, &id)) != NULL) {
		struct index_pack own;

		if (!pk->disputed)
			continue;
		if (pack_read_directory(pr->repo, (enum format_type)pk->type, &id, pk->size, &dir,
			&bytes, &own, e) == 0)
			pk->domain = own.origin.domain;
		else if (repo_is_bad(e) || e->kind == ERR_ABSENT)
			pk->disputed = false; /* who can tell: it is everybody's */
		else
			rc = -1;
	}
	pack_dir_fini(&dir);
	buf_fini(&bytes);
	return rc;
}
