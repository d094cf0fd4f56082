/* domain: see domain.h. */
#include "repo/domain.h"

#include <string.h>

uint64_t domain_tag(const uint8_t id[FORMAT_UID])
{
	uint64_t tag;

	memcpy(&tag, id, sizeof tag);
	return tag ? tag : 1;
}

static void derive(
    const uint8_t key[CRYPTO_KEY], const uint8_t id[FORMAT_UID], const char *what, uint8_t *out)
{
	crypto_hkdf(span_of(key, CRYPTO_KEY), span_of(id, FORMAT_UID), span_str(what), out);
}

void domain_init(struct domain *d, const struct key_bundle *k, const uint8_t id[FORMAT_UID])
{
	uint8_t index_key[CRYPTO_KEY];

	memcpy(d->id, id, FORMAT_UID);
	d->tag = domain_tag(id);
	d->has_ids = k->role != ROLE_MAINTENANCE;
	if (k->role == ROLE_WRITE) {
		memcpy(index_key, k->index_key, CRYPTO_KEY);
		memcpy(d->id_key, k->id_key, CRYPTO_KEY);
		memcpy(d->chunker_key, k->chunker_key, CRYPTO_KEY);
	} else {
		derive(k->index_master, id, "holdfast/1 index key", index_key);
	}
	if (k->role == ROLE_FULL) {
		derive(k->master, id, "holdfast/1 id key", d->id_key);
		derive(k->master, id, "holdfast/1 chunker key", d->chunker_key);
	}
	seal_key_init(&d->index_key, id, index_key);
	crypto_wipe(index_key, sizeof index_key);
}

static struct crypto_mac *labelled(
    enum crypto_family family, const uint8_t key[CRYPTO_KEY], const char *label)
{
	uint8_t derived[CRYPTO_KEY];
	struct crypto_mac *mac;

	crypto_mac3(key, span_str(label), span_of(NULL, 0), span_of(NULL, 0), derived);
	mac = crypto_mac_new(family, derived);
	crypto_wipe(derived, sizeof derived);
	return mac;
}

void domain_macs(
    const struct domain *d, enum crypto_family blob_id, struct crypto_mac *mac[BLOB_KINDS])
{
	/* Never the id key itself: one key, one algorithm. */
	mac[PURPOSE_CONTENT - 1] = d->has_ids ? labelled(blob_id, d->id_key, "holdfast/1 content")
					      : NULL;
	mac[PURPOSE_NAMES - 1] = d->has_ids ? labelled(blob_id, d->id_key, "holdfast/1 names")
					    : NULL;
	mac[PURPOSE_REFS - 1] = labelled(blob_id, d->index_key.key, "holdfast/1 refs");
}

void domain_macs_free(struct crypto_mac *mac[BLOB_KINDS])
{
	for (size_t i = 0; i < BLOB_KINDS; i++)
		crypto_mac_free(mac[i]);
}
