/* crypto_rsa: see rsa.h. */
#include "crypto/rsa.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

/* An encrypted key would be asked for on the terminal: it has the empty password instead. */
static int no_password(char *out, int size, int writing, void *arg)
{
	(void)out, (void)size, (void)writing, (void)arg;
	return 0;
}

int crypto_rs256_sign(struct span pem, struct span s, struct buf *sig, struct err *e)
{
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	size_t n = 0;
	int rc = -1;

	if (key == NULL || EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA)
		err_set(e, ERR_USAGE, "the private key is not one of RSA in PEM");
	else if (md == NULL || EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, key) != 1 ||
		 EVP_DigestSign(md, NULL, &n, s.p, s.n) != 1 ||
		 (buf_reserve(sig, n), EVP_DigestSign(md, sig->p + sig->n, &n, s.p, s.n)) != 1)
		err_set(e, ERR_FAILED, "RSA does not sign");
	else
		rc = 0;
	if (rc == 0)
		sig->n += n;
	EVP_MD_CTX_free(md);
	EVP_PKEY_free(key);
	BIO_free(bio);
	return rc;
}
