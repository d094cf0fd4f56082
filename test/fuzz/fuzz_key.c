/*
 * fuzz: a key object: the input as its clear part, for which no password's cost is
 * paid; and as the bundle that is sealed by our own key file.
 */
#include "fuzz_repo.h"

#include <stdio.h>

#include "base/hex.h"

static const uint8_t secret[32] = {1};
static const uint8_t holder[FORMAT_UID];

static void derive(const char *info, uint8_t out[32])
{
	crypto_hkdf(span_of(secret, sizeof secret), span_of(NULL, 0), span_str(info), out);
}

static void sealed(struct repo *r, struct span bundle, struct buf *out)
{
	uint8_t raw[32], hint[32], h[32];
	char text[300], hex[17];
	struct seal_key kek;
	struct sealer sealer;

	derive("holdfast/1 key file", raw);
	derive("holdfast/1 key file hint", hint);
	snprintf(text, sizeof text,
	    "{\"created\":\"\",\"holder\":\"00000000000000000000000000000000\",\"kdf\":{\"hint\":"
	    "\"%s\",\"name\":\"key-file\"},\"label\":\"\",\"role\":\"full\"}",
	    hex_encode(hex, hint, 8));
	seal_key_init(&kek, holder, raw);
	sealer_init(&sealer, r->config.repo);
	crypto_sha256(bundle, h);
	envelope_begin(out, FORMAT_KEY, NULL, 0);
	buf_put_u32(out, (uint32_t)strlen(text));
	buf_put_span(out, span_str(text));
	buf_put_u32(out, (uint32_t)(bundle.n + FORMAT_BOX));
	seal_box_aad(&sealer, &kek, PURPOSE_KEY, span_of(h, 32), span_str(text), bundle,
	    buf_extend(out, bundle.n + FORMAT_BOX));
	sealer_fini(&sealer);
}

/* What opens is of this repository, and has a role and an epoch. */
static void bundle(struct repo *r, const struct repo_cred *cred, struct span text)
{
	struct key_bundle k;
	struct buf b = {0};
	struct err e = {0};

	sealed(r, text, &b);
	if (key_open(buf_span(&b), r->config.repo, cred, &k, &e) == -1)
		fuzz_kind(&e);
	else if (memcmp(k.repo, r->config.repo, FORMAT_UID) != 0 || k.role >= ROLES || k.epoch == 0)
		abort();
	buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
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
	else if (!info.key_file &&
		 (info.n * info.r > 1 << 20 || info.n * info.r * info.p > 1 << 22 ||
		     info.nsalt > sizeof info.salt))
		abort();
	/* A password's bundle is refused before its cost is paid. */
	if (key_open(buf_span(&b), fuzz_repo()->config.repo, &cred, &k, &e) == 0)
		abort();
	buf_fini(&b);
	bundle(fuzz_repo(), &cred, span_of(p, n));
	return 0;
}
