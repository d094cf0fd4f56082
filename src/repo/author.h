/*
 * author: who numbers snapshots: a client (a machine's memory) of one signer.
 * What a key's holder says of another's client is said of a client of its own,
 * which only bears the same id.
 *
 * Threads: any.
 */
#ifndef HF_REPO_AUTHOR_H
#define HF_REPO_AUTHOR_H

#include <stdint.h>
#include <string.h>

#include "repo/format.h"

struct author {
	uint8_t signer[FORMAT_UID], client[FORMAT_UID];
};

static inline struct author author_of(
    const uint8_t signer[FORMAT_UID], const uint8_t client[FORMAT_UID])
{
	struct author a;

	memcpy(a.signer, signer, FORMAT_UID);
	memcpy(a.client, client, FORMAT_UID);
	return a;
}

static inline int author_cmp(const struct author *a, const struct author *b)
{
	int c = memcmp(a->signer, b->signer, FORMAT_UID);

	return c ? c : memcmp(a->client, b->client, FORMAT_UID);
}

#endif
