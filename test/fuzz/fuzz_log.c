/*
 * fuzz: a stretch of a log, sealed and signed around the input, as a hostile holder of a key would;
 * the first byte chooses: its directory, or a name, or a timeline's history.
 */
#include "fuzz_repo.h"

#include <stdio.h>

#include "repo/log.h"
#include "repo/pack.h"

static void seal_to(struct repo *r, struct sealer *s, enum format_purpose purpose,
    struct span plain, struct buf *out)
{
	seal_box(s, r->index_key, purpose, span_str("x"), span_of(NULL, 0), plain,
	    buf_extend(out, plain.n + FORMAT_BOX));
}

/* p: how many bytes of frames, kind, and then the payload behind the place. */
static void directory(const uint8_t *p, size_t n)
{
	static uint8_t sealed[FORMAT_SEALED_KEY];
	struct buf out = {0}, plain = {0}, payload = {0}, covered = {0}, trailer = {0}, got = {0};
	struct repo *r = fuzz_repo();
	struct log_at at = {.timeline = 1, .end = 5000, .kind = (enum log_kind)(p[1] % 4)};
	const uint8_t *slots[1] = {sealed};
	uint8_t stream[LOG_STREAM], text[80], sig[CRYPTO_SIG];
	struct seal_key key;
	struct sealer s;
	struct err e = {0};
	size_t len, begin;

	if (sealed[0] == 0)
		seal_data_key_new(r->config.repo, SEAL_CONTENT, (uint16_t)r->config.epoch,
		    r->config.content, &key, sealed);
	sealer_init(&s, r->config.repo);
	log_stream(r, "s", "p", stream);
	buf_put(&payload, stream, sizeof stream);
	buf_put_u32(&payload, 1);
	buf_put_u64(&payload, 0);
	buf_put_u64(&payload, 5000);
	buf_put_u8(&payload, (uint8_t)at.kind);
	buf_put(&payload, p + 2, n - 2);
	envelope_begin(&out, FORMAT_LOG, slots, 1);
	buf_put_span(&covered, buf_span(&out));
	buf_put_zeros(&out, (size_t)p[0] * 64);
	begin = out.n;
	buf_put_span(&covered, buf_span(&payload));
	envelope_sign_text(r->config.repo, FORMAT_LOG, buf_span(&covered), text, &len);
	crypto_sign(r->keys->signing, span_of(text, len), sig);
	buf_put_u32(&plain, (uint32_t)(payload.n + FORMAT_UID + CRYPTO_SIG));
	buf_put_span(&plain, buf_span(&payload));
	buf_put(&plain, r->keys->holder, FORMAT_UID);
	buf_put(&plain, sig, sizeof sig);
	seal_to(r, &s, PURPOSE_DIRECTORY, buf_span(&plain), &out);
	buf_put_u64(&trailer, begin);
	buf_put_u64(&trailer, out.n - begin);
	seal_to(r, &s, PURPOSE_TRAILER, buf_span(&trailer), &out);
	if (log_check_bytes(r, stream, &at, buf_span(&out), &got, &e) == -1)
		fuzz_kind(&e);
	sealer_fini(&s);
	buf_fini(&out);
	buf_fini(&plain);
	buf_fini(&payload);
	buf_fini(&covered);
	buf_fini(&trailer);
	buf_fini(&got);
}

/* What is a name comes back as it was. */
static void name(const uint8_t *p, size_t n)
{
	char *text = mem_strndup((const char *)p, n), again[LOG_NAME_MAX];
	uint8_t stream[LOG_STREAM];
	struct log_at at;

	if (log_name_parse(text, stream, &at) && strcmp(log_name(again, stream, &at), text) != 0)
		abort();
	free(text);
}

static void history(const uint8_t *p, size_t n)
{
	struct log_line *v;
	struct err e = {0};
	size_t count;

	if (log_history_parse(span_of(p, n), &v, &count, &e) == -1) {
		fuzz_kind(&e);
		return;
	}
	for (size_t i = 1; i < count; i++)
		if (v[i].timeline <= v[i - 1].timeline || v[i].end < v[i - 1].end)
			abort();
	free(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (n < 3)
		return 0;
	switch (p[0] % 3) {
	case 0:
		directory(p + 1, n - 1);
		break;
	case 1:
		name(p + 1, n - 1);
		break;
	default:
		history(p + 1, n - 1);
	}
	return 0;
}
