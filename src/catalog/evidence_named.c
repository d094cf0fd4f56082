/* evidence_named: see evidence_named.h. */
#include "catalog/evidence_named.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "catalog/evidence_key.h"
#include "catalog/evidence_read.h"
#include "catalog/evidence_statement.h"

enum { HASH = 32 };

/* A record of the chain that names a drill; not yet verified. */
struct name {
	uint8_t hash[HASH];
	size_t key;
	char *line;
};

struct evidence_named {
	uint8_t (*keys)[CRYPTO_KEY]; /* of the chain, in their order: the last one signs */
	size_t nkeys;
	struct name *v; /* by hash */
	size_t n;
};

static const char SAYS[] = "\"record_sha256\":\"";

static void add_key(struct evidence_named *n, const uint8_t key[CRYPTO_KEY])
{
	n->keys = mem_realloc(n->keys, (n->nkeys + 1) * sizeof *n->keys);
	memcpy(n->keys[n->nkeys++], key, CRYPTO_KEY);
}

static void add_name(struct evidence_named *n, const uint8_t hash[HASH], struct span line)
{
	if ((n->n & (n->n - 1)) == 0)
		n->v = mem_realloc(n->v, (n->n ? 2 * n->n : 1) * sizeof *n->v);
	n->v[n->n] = (struct name){
	    .key = n->nkeys - 1, .line = mem_strndup((const char *)line.p, line.n)};
	memcpy(n->v[n->n++].hash, hash, HASH);
}

/* Its first record, or one that may be a rotation. */
static void look_for_key(struct evidence_named *n, struct span line)
{
	struct evidence_record r;
	struct err ignored;
	uint8_t next[CRYPTO_KEY];
	const uint8_t *now = n->nkeys ? n->keys[n->nkeys - 1] : NULL;

	if (evidence_record_read(line, &r, &ignored) == -1)
		return;
	if (now == NULL && r.action == EVIDENCE_BEGIN && statement_verify(line, r.key))
		add_key(n, r.key);
	else if (now != NULL && evidence_rotation(&r, next) && statement_verify(line, now))
		add_key(n, next);
	evidence_record_fini(&r);
}

/* Lines are ours, and compact: what has not these words is not even parsed. */
static int look_at(void *arg, struct span line, struct err *e)
{
	struct evidence_named *n = arg;
	const uint8_t *says = memmem(line.p, line.n, SAYS, sizeof SAYS - 1);
	char hex[2 * HASH + 1] = "";
	uint8_t hash[HASH];

	(void)e;
	if (n->nkeys == 0 || memmem(line.p, line.n, "\"next_key\":", 11) != NULL) {
		look_for_key(n, line);
		return n->nkeys > 0 ? 0 : -1;
	}
	if (says != NULL && line.p + line.n - says >= (ptrdiff_t)(sizeof SAYS - 1 + 2 * HASH))
		memcpy(hex, says + sizeof SAYS - 1, 2 * HASH);
	if (hex_decode(hash, sizeof hash, hex))
		add_name(n, hash, line);
	return 0;
}

static bool is_trusted(const struct evidence_named *n, const char *state)
{
	uint8_t pubs[EVIDENCE_KEYS_MAX][CRYPTO_KEY];
	char *path = evidence_path_public(state);
	struct err ignored;
	size_t npubs = 0;
	bool good = false;

	if (evidence_public_read(path, pubs, EVIDENCE_KEYS_MAX, &npubs, &ignored) == -1)
		npubs = 0;
	free(path);
	for (size_t i = 0; i < npubs; i++)
		for (size_t j = 0; j < n->nkeys; j++)
			good |= memcmp(pubs[i], n->keys[j], CRYPTO_KEY) == 0;
	return good;
}

static int by_hash(const void *a, const void *b)
{
	return memcmp(((const struct name *)a)->hash, ((const struct name *)b)->hash, HASH);
}

static void forget(struct evidence_named *n)
{
	for (size_t i = 0; i < n->n; i++)
		free(n->v[i].line);
	n->n = n->nkeys = 0;
}

struct evidence_named *evidence_named_read(const char *state)
{
	struct evidence_named *n = mem_zalloc(sizeof *n);
	struct evidence_place from = {0};
	struct err ignored;

	if (evidence_read_from(state, &from, 0, 0, look_at, n, &ignored) == -1 ||
	    !is_trusted(n, state))
		forget(n);
	if (n->n > 0)
		qsort(n->v, n->n, sizeof *n->v, by_hash);
	return n;
}

void evidence_named_free(struct evidence_named *n)
{
	if (n == NULL)
		return;
	forget(n);
	free(n->v);
	free(n->keys);
	free(n);
}

static bool is_said(const struct evidence_named *n, const struct name *name)
{
	struct span line = span_str(name->line);
	struct evidence_record r;
	struct err ignored;
	uint8_t hash[HASH];
	bool good;

	if (!statement_verify(line, n->keys[name->key]) ||
	    evidence_record_read(line, &r, &ignored) == -1)
		return false;
	good = r.action == EVIDENCE_DRILL &&
	       statement_hex(r.details, "record_sha256", hash, sizeof hash) &&
	       memcmp(hash, name->hash, sizeof hash) == 0;
	evidence_record_fini(&r);
	return good;
}

bool evidence_named_has(struct evidence_named *n, const json_t *record, struct span line)
{
	const struct name *found;
	uint8_t key[CRYPTO_KEY];
	struct name want;
	bool known = false;

	if (n->n == 0 || !statement_hex(record, "key", key, sizeof key))
		return false;
	for (size_t i = 0; i < n->nkeys; i++)
		known |= memcmp(key, n->keys[i], sizeof key) == 0;
	crypto_sha256(line, want.hash);
	found = known ? bsearch(&want, n->v, n->n, sizeof *n->v, by_hash) : NULL;
	if (found == NULL)
		return false;
	while (found > n->v && by_hash(found - 1, &want) == 0)
		found--;
	for (; found < n->v + n->n && by_hash(found, &want) == 0; found++)
		if (is_said(n, found))
			return true;
	return false;
}
