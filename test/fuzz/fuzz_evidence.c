/* fuzz: a chain of evidence, a bundle, a head and a public key, each of any bytes. */
#include <stdint.h>
#include <stdlib.h>

#include "catalog/evidence_bundle.h"
#include "catalog/evidence_check.h"
#include "catalog/evidence_key.h"
#include "catalog/evidence_statement.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const uint8_t nobody[1][CRYPTO_KEY] = {{'n', 'o', 'b', 'o', 'd', 'y'}};
	uint8_t keys[EVIDENCE_KEYS_MAX][CRYPTO_KEY];
	struct evidence_check *k = evidence_check_new(nobody, 1, NULL);
	struct evidence_bundle_verdict b;
	struct evidence_verdict v;
	struct evidence_head h;
	struct evidence_record r;
	struct err e = {0};
	size_t found;

	/* Nobody's key signs nothing: no text is whole. */
	evidence_check_text(k, span_of(p, n), &v);
	if (v.fault == EVIDENCE_WHOLE)
		abort();
	evidence_check_free(k);
	evidence_bundle_verify(span_of(p, n), nobody, 1, NULL, &b);
	if (b.chain.fault == EVIDENCE_WHOLE)
		abort();
	if (evidence_record_read(span_of(p, n), &r, &e) == 0) {
		uint8_t next[CRYPTO_KEY];

		evidence_rotation(&r, next);
		evidence_record_fini(&r);
	}
	evidence_head_read(span_of(p, n), &h, &e);
	evidence_public_parse(span_of(p, n), keys, EVIDENCE_KEYS_MAX, &found, &e);
	return 0;
}
