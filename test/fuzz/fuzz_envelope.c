/* fuzz: small objects.  The first byte is the type that the rest is read as. */
#include "fuzz_repo.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct repo *r = fuzz_repo();
	uint8_t signer[FORMAT_UID];
	struct buf payload = {0};
	struct envelope env;
	struct sealer sealer;
	struct err e = {0};

	if (n == 0)
		return 0;
	sealer_init(&sealer, r->config.repo);
	for (size_t sections = 1; sections <= 3; sections++) {
		if (envelope_parse(
			span_of(p + 1, n - 1), (enum format_type)p[0], sections, &env, &e) == -1) {
			fuzz_kind(&e);
			continue;
		}
		if (envelope_verify(&sealer, &env, r->index_key, config_writer_key, &r->config,
			signer, &e) == -1)
			fuzz_kind(&e);
		for (size_t i = 0; i < sections; i++)
			if (envelope_open(
				&sealer, &env, i, r->index_key, PURPOSE_INDEX, &payload, &e) == -1)
				fuzz_kind(&e);
	}
	sealer_fini(&sealer);
	buf_fini(&payload);
	return 0;
}
