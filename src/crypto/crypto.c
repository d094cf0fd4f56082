/*
 * crypto: see crypto.h.
 *
 * Not here: what is sealed with what (repo), where keys live (secret.h).
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/crypto.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/md5.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/mem.h"
#include "crypto/blake3.h"
#include "crypto/secret.h"

enum { BLOCK = SHA256_CBLOCK, DIGEST = SHA256_DIGEST_LENGTH };

static EVP_CIPHER *aes_gcm;
static EVP_KDF *scrypt_kdf;

/* What can only fail by our mistake or for want of memory. */
static void must(bool ok)
{
	if (!ok)
		abort();
}

static void fetch(void)
{
	must((aes_gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL)) != NULL);
	must((scrypt_kdf = EVP_KDF_fetch(NULL, "SCRYPT", NULL)) != NULL);
}

static void crypto_init(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, fetch);
}

const char *crypto_version(void)
{
	return OpenSSL_version(OPENSSL_VERSION);
}

void crypto_random(void *out, size_t n)
{
	uint8_t *p = out;

	/* The kernel's, not the library's: it is reseeded when a machine is cloned. */
	while (n) {
		ssize_t k = getrandom(p, n, 0);

		must(k > 0 || (k == -1 && errno == EINTR));
		if (k > 0) {
			p += k;
			n -= (size_t)k;
		}
	}
}

bool crypto_equal(const void *a, const void *b, size_t n)
{
	return CRYPTO_memcmp(a, b, n) == 0;
}

void crypto_wipe(void *p, size_t n)
{
	OPENSSL_cleanse(p, n);
}

/*
 * SHA-256 uses the plain SHA256_CTX: it can be copied by assignment, where
 * an EVP context of OpenSSL 3.0 allocates each time it is copied or begun.
 * The code underneath is the same.
 */
void crypto_sha256(struct span s, uint8_t out[32])
{
	SHA256_CTX c;

	SHA256_Init(&c);
	SHA256_Update(&c, s.p, s.n);
	SHA256_Final(out, &c);
}

void crypto_md5(struct span s, uint8_t out[16])
{
	MD5_CTX c;

	MD5_Init(&c);
	MD5_Update(&c, s.p, s.n);
	MD5_Final(out, &c);
}

void crypto_sha1(struct span s, uint8_t out[20])
{
	SHA_CTX c;

	SHA1_Init(&c);
	SHA1_Update(&c, s.p, s.n);
	SHA1_Final(out, &c);
}

void crypto_digest(enum crypto_family family, struct span s, uint8_t out[32])
{
	if (family == CRYPTO_BLAKE3)
		blake3_hash(NULL, s, out);
	else
		crypto_sha256(s, out);
}

struct crypto_hash {
	struct blake3 *blake3; /* NULL: SHA-256 */
	SHA256_CTX c;
};

struct crypto_hash *crypto_hash_new(enum crypto_family family)
{
	struct crypto_hash *h = mem_zalloc(sizeof *h);

	if (family == CRYPTO_BLAKE3)
		h->blake3 = blake3_new();
	else
		SHA256_Init(&h->c);
	return h;
}

void crypto_hash_free(struct crypto_hash *h)
{
	if (h == NULL)
		return;
	blake3_free(h->blake3);
	free(h);
}

void crypto_hash_reset(struct crypto_hash *h)
{
	if (h->blake3)
		blake3_reset(h->blake3);
	else
		SHA256_Init(&h->c);
}

void crypto_hash_add(struct crypto_hash *h, struct span s)
{
	if (h->blake3)
		blake3_add(h->blake3, s);
	else
		SHA256_Update(&h->c, s.p, s.n);
}

void crypto_hash_end(struct crypto_hash *h, uint8_t out[32])
{
	if (h->blake3)
		blake3_end(h->blake3, out);
	else
		SHA256_Final(out, &h->c);
}

/* Both hashes of HMAC (RFC 2104), each after its block of padded key. */
struct hmac {
	SHA256_CTX inner, outer;
};

static void hmac_key(struct hmac *m, struct span key)
{
	uint8_t pad[BLOCK] = {0};

	if (key.n > BLOCK)
		crypto_sha256(key, pad);
	else if (key.n)
		memcpy(pad, key.p, key.n);
	for (size_t i = 0; i < BLOCK; i++)
		pad[i] ^= 0x36;
	SHA256_Init(&m->inner);
	SHA256_Update(&m->inner, pad, BLOCK);
	for (size_t i = 0; i < BLOCK; i++)
		pad[i] ^= 0x36 ^ 0x5c;
	SHA256_Init(&m->outer);
	SHA256_Update(&m->outer, pad, BLOCK);
	crypto_wipe(pad, sizeof pad);
}

static void hmac_parts(const struct hmac *m, const struct span *s, size_t n, uint8_t out[32])
{
	SHA256_CTX c = m->inner;
	uint8_t digest[DIGEST];

	for (size_t i = 0; i < n; i++)
		SHA256_Update(&c, s[i].p, s[i].n);
	SHA256_Final(digest, &c);
	c = m->outer;
	SHA256_Update(&c, digest, sizeof digest);
	SHA256_Final(out, &c);
	crypto_wipe(&c, sizeof c);
}

struct crypto_mac {
	enum crypto_family family;
	union {
		struct hmac hmac;
		uint8_t key[BLAKE3_KEY];
	};
};

struct crypto_mac *crypto_mac_new(enum crypto_family family, const uint8_t key[CRYPTO_KEY])
{
	struct crypto_mac *m = secret_new(sizeof *m);

	m->family = family;
	if (family == CRYPTO_BLAKE3)
		memcpy(m->key, key, sizeof m->key);
	else
		hmac_key(&m->hmac, span_of(key, CRYPTO_KEY));
	return m;
}

void crypto_mac_free(struct crypto_mac *m)
{
	secret_free(m);
}

void crypto_mac(struct crypto_mac *m, struct span s, uint8_t out[32])
{
	if (m->family == CRYPTO_BLAKE3)
		blake3_hash(m->key, s, out);
	else
		hmac_parts(&m->hmac, &s, 1, out);
}

void crypto_mac3(
    const uint8_t key[CRYPTO_KEY], struct span a, struct span b, struct span c, uint8_t out[32])
{
	struct hmac m;

	hmac_key(&m, span_of(key, CRYPTO_KEY));
	hmac_parts(&m, (struct span[]){a, b, c}, 3, out);
	crypto_wipe(&m, sizeof m);
}

void crypto_hmac_sha256(struct span key, struct span s, uint8_t out[32])
{
	struct hmac m;

	hmac_key(&m, key);
	hmac_parts(&m, &s, 1, out);
	crypto_wipe(&m, sizeof m);
}

void crypto_hkdf(struct span ikm, struct span salt, struct span info, uint8_t out[32])
{
	static const uint8_t one = 1;
	struct hmac m;
	uint8_t prk[DIGEST];

	hmac_key(&m, salt);
	hmac_parts(&m, &ikm, 1, prk);
	/* 32 bytes are one block of the expansion. */
	hmac_key(&m, span_of(prk, sizeof prk));
	hmac_parts(&m, (struct span[]){info, span_of(&one, 1)}, 2, out);
	crypto_wipe(&m, sizeof m);
	crypto_wipe(prk, sizeof prk);
}

struct crypto_aead {
	EVP_CIPHER_CTX *seal, *open;
};

static const uint8_t zero_nonce[12];

struct crypto_aead *crypto_aead_new(void)
{
	struct crypto_aead *a = mem_zalloc(sizeof *a);

	crypto_init();
	must((a->seal = EVP_CIPHER_CTX_new()) != NULL);
	must((a->open = EVP_CIPHER_CTX_new()) != NULL);
	must(EVP_EncryptInit_ex2(a->seal, aes_gcm, NULL, NULL, NULL) == 1);
	must(EVP_DecryptInit_ex2(a->open, aes_gcm, NULL, NULL, NULL) == 1);
	return a;
}

void crypto_aead_free(struct crypto_aead *a)
{
	if (a == NULL)
		return;
	EVP_CIPHER_CTX_free(a->seal);
	EVP_CIPHER_CTX_free(a->open);
	free(a);
}

/* EVP counts in int; out is NULL for data that is only authenticated. */
static void aead_update(EVP_CIPHER_CTX *c, struct span in, uint8_t *out)
{
	enum { STEP = 1 << 30 };

	for (size_t off = 0; off < in.n; off += STEP) {
		int n = in.n - off < STEP ? (int)(in.n - off) : STEP, got;

		must(EVP_CipherUpdate(c, out ? out + off : NULL, &got, in.p + off, n) == 1);
		must(got == n);
	}
}

void crypto_aead_seal(struct crypto_aead *a, const uint8_t key[CRYPTO_KEY], struct span aad,
    struct span in, uint8_t *out, uint8_t tag[CRYPTO_TAG])
{
	uint8_t none[CRYPTO_TAG];
	int n;

	must(EVP_EncryptInit_ex2(a->seal, NULL, key, zero_nonce, NULL) == 1);
	aead_update(a->seal, aad, NULL);
	aead_update(a->seal, in, out);
	must(EVP_EncryptFinal_ex(a->seal, none, &n) == 1);
	must(EVP_CIPHER_CTX_ctrl(a->seal, EVP_CTRL_AEAD_GET_TAG, CRYPTO_TAG, tag) == 1);
}

int crypto_aead_open(struct crypto_aead *a, const uint8_t key[CRYPTO_KEY], struct span aad,
    struct span in, const uint8_t tag[CRYPTO_TAG], uint8_t *out)
{
	uint8_t want[CRYPTO_TAG], none[CRYPTO_TAG];
	int n;

	memcpy(want, tag, sizeof want);
	must(EVP_DecryptInit_ex2(a->open, NULL, key, zero_nonce, NULL) == 1);
	aead_update(a->open, aad, NULL);
	aead_update(a->open, in, out);
	must(EVP_CIPHER_CTX_ctrl(a->open, EVP_CTRL_AEAD_SET_TAG, CRYPTO_TAG, want) == 1);
	if (EVP_DecryptFinal_ex(a->open, none, &n) == 1)
		return 0;
	if (in.n)
		crypto_wipe(out, in.n);
	return -1;
}

/* Any 32 bytes are a private key of either kind. */
static EVP_PKEY *private_key(int type, const uint8_t *priv)
{
	EVP_PKEY *k = EVP_PKEY_new_raw_private_key(type, NULL, priv, CRYPTO_KEY);

	must(k != NULL);
	return k;
}

static void public_of(int type, const uint8_t *priv, uint8_t *pub)
{
	EVP_PKEY *k = private_key(type, priv);
	size_t n = CRYPTO_KEY;

	must(EVP_PKEY_get_raw_public_key(k, pub, &n) == 1 && n == CRYPTO_KEY);
	EVP_PKEY_free(k);
}

void crypto_x25519_public(const uint8_t priv[CRYPTO_KEY], uint8_t pub[CRYPTO_KEY])
{
	public_of(EVP_PKEY_X25519, priv, pub);
}

int crypto_x25519(
    const uint8_t priv[CRYPTO_KEY], const uint8_t pub[CRYPTO_KEY], uint8_t shared[CRYPTO_KEY])
{
	EVP_PKEY *mine = private_key(EVP_PKEY_X25519, priv);
	EVP_PKEY *theirs = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, pub, CRYPTO_KEY);
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(mine, NULL);
	size_t n = CRYPTO_KEY;
	int rc = -1;

	must(theirs != NULL && c != NULL);
	must(EVP_PKEY_derive_init(c) == 1);
	must(EVP_PKEY_derive_set_peer(c, theirs) == 1);
	/* A point of small order gives zeros, which libcrypto refuses. */
	if (EVP_PKEY_derive(c, shared, &n) == 1 && n == CRYPTO_KEY)
		rc = 0;
	else
		crypto_wipe(shared, CRYPTO_KEY);
	EVP_PKEY_CTX_free(c);
	EVP_PKEY_free(theirs);
	EVP_PKEY_free(mine);
	return rc;
}

bool crypto_x25519_good(const uint8_t pub[CRYPTO_KEY])
{
	/* Any private key tells: every one is a multiple of the cofactor. */
	const uint8_t priv[CRYPTO_KEY] = {1};
	uint8_t shared[CRYPTO_KEY];

	return crypto_x25519(priv, pub, shared) == 0;
}

void crypto_sign_public(const uint8_t priv[CRYPTO_KEY], uint8_t pub[CRYPTO_KEY])
{
	public_of(EVP_PKEY_ED25519, priv, pub);
}

void crypto_sign(const uint8_t priv[CRYPTO_KEY], struct span s, uint8_t sig[CRYPTO_SIG])
{
	EVP_PKEY *k = private_key(EVP_PKEY_ED25519, priv);
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	size_t n = CRYPTO_SIG;

	must(c != NULL);
	must(EVP_DigestSignInit(c, NULL, NULL, NULL, k) == 1);
	must(EVP_DigestSign(c, sig, &n, s.p, s.n) == 1 && n == CRYPTO_SIG);
	EVP_MD_CTX_free(c);
	EVP_PKEY_free(k);
}

bool crypto_verify(const uint8_t pub[CRYPTO_KEY], struct span s, const uint8_t sig[CRYPTO_SIG])
{
	EVP_PKEY *k = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, pub, CRYPTO_KEY);
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool ok;

	must(k != NULL && c != NULL);
	ok = EVP_DigestVerifyInit(c, NULL, NULL, NULL, k) == 1 &&
	     EVP_DigestVerify(c, sig, CRYPTO_SIG, s.p, s.n) == 1;
	EVP_MD_CTX_free(c);
	EVP_PKEY_free(k);
	return ok;
}

int crypto_scrypt(struct span pass, struct span salt, uint64_t n, uint32_t r, uint32_t p,
    uint8_t out[CRYPTO_KEY], struct err *e)
{
	uint64_t max = UINT64_MAX; /* callers have bounded n and r */
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PASSWORD, (void *)pass.p, pass.n),
	    OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)salt.p, salt.n),
	    OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
	    OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &r),
	    OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &p),
	    OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &max),
	    OSSL_PARAM_construct_end(),
	};
	EVP_KDF_CTX *c;
	int rc;

	crypto_init();
	must((c = EVP_KDF_CTX_new(scrypt_kdf)) != NULL);
	rc = EVP_KDF_derive(c, out, CRYPTO_KEY, params);
	EVP_KDF_CTX_free(c);
	if (rc == 1)
		return 0;
	crypto_wipe(out, CRYPTO_KEY);
	return err_set(e, ERR_UNSUPPORTED, "scrypt with n=%llu r=%u p=%u is refused",
	    (unsigned long long)n, r, p);
}
