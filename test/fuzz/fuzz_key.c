/* fuzz: the clear part of a key object; nothing is derived for it. */
#include "fuzz_repo.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const uint8_t secret[32] = {1};
	struct repo_cred cred = {.key_file = true, .secret = span_of(secret, 32)};
	struct key_bundle k;
	struct key_info info;
	struct buf b = {0};
	struct err e = {0};

	if (key_read_info(span_of(p, n), &info, &e) == -1)
		fuzz_kind(&e);
	envelope_begin(&b, FORMAT_KEY, NULL, 0);
	buf_put_u32(&b, (uint32_t)n);
	buf_put(&b, p, n);
	buf_put_u32(&b, 64);
	buf_put_zeros(&b, 64);
	if (key_read_info(buf_span(&b), &info, &e) == -1)
		fuzz_kind(&e);
	else if (!info.key_file && (info.n * info.r > 1 << 23 || info.nsalt > sizeof info.salt))
		abort();
	/* A password's bundle is refused before its cost is paid. */
	if (key_open(buf_span(&b), fuzz_repo()->config.repo, &cred, &k, &e) == 0)
		abort();
	buf_fini(&b);
	return 0;
}
