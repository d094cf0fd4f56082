/*
 * fuzz: a pack's directory, sealed and signed around the input.  The first
 * two bytes are how many bytes of frames there are, the third moves what the
 * trailer says.
 */
#include "fuzz_repo.h"

#include "repo/pack.h"

static void seal_to(struct repo *r, struct sealer *s, enum format_purpose purpose,
    struct span plain, struct buf *out)
{
	seal_box(s, r->index_key, purpose, span_str("x"), span_of(NULL, 0), plain,
	    buf_extend(out, plain.n + FORMAT_BOX));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const uint8_t sealed[FORMAT_SEALED_KEY];
	const uint8_t *slots[1] = {sealed};
	struct buf out = {0}, plain = {0}, covered = {0}, trailer = {0};
	struct repo *r = fuzz_repo();
	uint8_t text[80], sig[CRYPTO_SIG];
	struct pack_dir dir = {0};
	struct index_pack got;
	struct sealer s;
	struct err e = {0};
	size_t len, at;

	if (n < 3)
		return 0;
	sealer_init(&s, r->config.repo);
	envelope_begin(&out, FORMAT_PACK, slots, 1);
	buf_put_span(&covered, buf_span(&out));
	buf_put_zeros(&out, (size_t)p[0] | (size_t)p[1] << 8);
	at = out.n;
	buf_put(&covered, p + 3, n - 3);
	envelope_sign_text(r->config.repo, FORMAT_PACK, buf_span(&covered), text, &len);
	crypto_sign(r->keys->signing, span_of(text, len), sig);
	buf_put_u32(&plain, (uint32_t)(n - 3 + FORMAT_UID + CRYPTO_SIG));
	buf_put(&plain, p + 3, n - 3);
	buf_put(&plain, r->keys->holder, FORMAT_UID);
	buf_put(&plain, sig, sizeof sig);
	seal_to(r, &s, PURPOSE_DIRECTORY, buf_span(&plain), &out);
	buf_put_u64(&trailer, at + (uint64_t)(int64_t)(int8_t)p[2]);
	buf_put_u64(&trailer, plain.n + FORMAT_BOX - (uint64_t)(int64_t)(int8_t)p[2]);
	seal_to(r, &s, PURPOSE_TRAILER, buf_span(&trailer), &out);
	if (pack_parse_directory(r, FORMAT_PACK, buf_span(&out), &dir, &got, &e) == -1)
		fuzz_kind(&e);
	sealer_fini(&s);
	pack_dir_fini(&dir);
	buf_fini(&out);
	buf_fini(&plain);
	buf_fini(&covered);
	buf_fini(&trailer);
	return 0;
}
