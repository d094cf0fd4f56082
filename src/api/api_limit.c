/* api_limit: see api_limit.h. */
#include "api/api_limit.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"
#include "crypto/crypto.h"

enum { SETS = 256, WAYS = 4 }; /* a key has its place in one of the ways of its set */

struct bucket {
	uint8_t key[16]; /* of its hash */
	int64_t at_ns;   /* 0: free */
	double left;     /* then */
};

struct api_limit {
	pthread_mutex_t lock;
	double rate, burst;
	uint8_t secret[CRYPTO_KEY]; /* so that nobody outside chooses a set to fill */
	struct bucket v[SETS][WAYS];
};

struct api_limit *api_limit_new(double rate, double burst)
{
	struct api_limit *l = mem_zalloc(sizeof *l);

	pthread_mutex_init(&l->lock, NULL);
	l->rate = rate;
	l->burst = burst;
	crypto_random(l->secret, sizeof l->secret);
	return l;
}

void api_limit_free(struct api_limit *l)
{
	if (l == NULL)
		return;
	pthread_mutex_destroy(&l->lock);
	free(l);
}

static struct bucket *bucket_of(struct api_limit *l, const uint8_t hash[32], int64_t now_ns)
{
	struct bucket *set = l->v[hash[31]], *oldest = &set[0];

	for (int i = 0; i < WAYS; i++) {
		if (set[i].at_ns != 0 && memcmp(set[i].key, hash, sizeof set[i].key) == 0)
			return &set[i];
		if (set[i].at_ns < oldest->at_ns)
			oldest = &set[i];
	}
	memcpy(oldest->key, hash, sizeof oldest->key);
	oldest->at_ns = now_ns;
	oldest->left = l->burst;
	return oldest;
}

bool api_limit_take(struct api_limit *l, struct span key, int64_t now_ns, unsigned *wait_s)
{
	uint8_t hash[32];
	struct bucket *b;
	bool may;

	crypto_hmac_sha256(span_of(l->secret, sizeof l->secret), key, hash);
	pthread_mutex_lock(&l->lock);
	b = bucket_of(l, hash, now_ns);
	if (now_ns > b->at_ns) {
		b->left += (double)(now_ns - b->at_ns) / 1e9 * l->rate;
		if (b->left > l->burst)
			b->left = l->burst;
		b->at_ns = now_ns;
	}
	may = b->left >= 1;
	if (may)
		b->left -= 1;
	*wait_s = may ? 0 : 1 + (unsigned)((1 - b->left) / l->rate - 1e-9);
	pthread_mutex_unlock(&l->lock);
	return may;
}
