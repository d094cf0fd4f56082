/* pack_sound: see pack_sound.h. */
#include "engine/pack_sound.h"

#include <stdlib.h>

#include "base/mem.h"
#include "crypto/crypto.h"

enum { PIECE = 1 << 20 };

int pack_sound(struct repo *r, enum format_type type, const struct id *id, struct err *e)
{
	struct crypto_hash *hash = repo_object_hash(r);
	uint8_t *piece = mem_alloc(PIECE);
	char name[REPO_NAME_MAX];
	struct store_stat st;
	struct id got;
	int rc = -1;

	repo_object_name(name, type, id);
	if (store_stat(repo_store(r), name, &st, e) == -1)
		goto out;
	rc = 0;
	if (st.size > FORMAT_PACK_MAX)
		goto out;
	for (uint64_t at = 0; at < st.size && rc == 0; at += PIECE) {
		size_t n = st.size - at < PIECE ? (size_t)(st.size - at) : PIECE;

		rc = store_get(repo_store(r), name, at, piece, n, e);
		crypto_hash_add(hash, span_of(piece, n));
	}
	if (rc == -1)
		goto out;
	crypto_hash_end(hash, got.b);
	rc = id_eq(&got, id);
out:
	crypto_hash_free(hash);
	free(piece);
	return rc;
}
