#include "unit/unit.h"

#include "base/hex.h"
#include "crypto/crypto.h"

/* Bytes of a hex text; at most 512 of them, in one of four turns. */
static struct span hx(const char *s)
{
	static uint8_t mem[4][512];
	static unsigned turn;
	uint8_t *p = mem[turn++ % 4];

	assert_true(strlen(s) <= 1024);
	assert_true(hex_decode(p, strlen(s) / 2, s));
	return span_of(p, strlen(s) / 2);
}

static void check_hex(const void *got, size_t n, const char *want)
{
	char text[2 * CRYPTO_SIG + 1];

	assert_string_equal(hex_encode(text, got, n), want);
}

static void sha256_has_its_known_digests(void **state)
{
	/* FIPS 180-4 examples */
	struct crypto_hash *h = crypto_hash_new(CRYPTO_SHA2);
	uint8_t out[32], a[1000];

	crypto_sha256(span_of(NULL, 0), out);
	check_hex(out, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	crypto_sha256(span_str("abc"), out);
	check_hex(out, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	crypto_sha256(span_str("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), out);
	check_hex(out, 32, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	memset(a, 'a', sizeof a);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 1000; i++)
			crypto_hash_add(h, span_of(a, sizeof a));
		crypto_hash_end(h, out);
		check_hex(
		    out, 32, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
		crypto_hash_reset(h);
	}
	crypto_hash_free(h);
	crypto_hash_free(NULL);
}

/* RFC 4231, with the keys of 32 bytes or less padded as HMAC itself pads them. */
static void hmac_has_its_known_values(void **state)
{
	uint8_t key[CRYPTO_KEY] = {0}, out[32];
	struct crypto_mac *m;

	memset(key, 0x0b, 20);
	m = crypto_mac_new(CRYPTO_SHA2, key);
	/* Twice: the first must not spoil the second. */
	for (int i = 0; i < 2; i++) {
		crypto_mac(m, span_str("Hi There"), out);
		check_hex(
		    out, 32, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	}
	crypto_mac_free(m);
	crypto_mac_free(NULL);
	memset(key, 0, sizeof key);
	memcpy(key, "Jefe", 4);
	crypto_mac3(
	    key, span_str("what do "), span_of(NULL, 0), span_str("ya want for nothing?"), out);
	check_hex(out, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

static void mac3_is_the_mac_of_the_parts_joined(void **state)
{
	uint8_t key[CRYPTO_KEY], text[300], one[32], three[32];
	struct crypto_mac *m;

	crypto_random(key, sizeof key);
	crypto_random(text, sizeof text);
	m = crypto_mac_new(CRYPTO_SHA2, key);
	crypto_mac(m, span_of(text, 300), one);
	crypto_mac3(
	    key, span_of(text, 100), span_of(text + 100, 1), span_of(text + 101, 199), three);
	assert_memory_equal(one, three, 32);
	crypto_mac_free(m);
}

/* RFC 5869, appendix A, the first 32 bytes of each. */
static void hkdf_has_its_known_values(void **state)
{
	uint8_t ikm[80], salt[80], info[80], out[32];

	memset(ikm, 0x0b, 22);
	crypto_hkdf(
	    span_of(ikm, 22), hx("000102030405060708090a0b0c"), hx("f0f1f2f3f4f5f6f7f8f9"), out);
	check_hex(out, 32, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf");
	for (int i = 0; i < 80; i++) {
		ikm[i] = (uint8_t)i;
		salt[i] = (uint8_t)(0x60 + i);
		info[i] = (uint8_t)(0xb0 + i);
	}
	crypto_hkdf(span_of(ikm, 80), span_of(salt, 80), span_of(info, 80), out);
	check_hex(out, 32, "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c");
	memset(ikm, 0x0b, 22);
	crypto_hkdf(span_of(ikm, 22), span_of(NULL, 0), span_of(NULL, 0), out);
	check_hex(out, 32, "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d");
}

/* The GCM specification's test cases 13 and 14: key and nonce of zeros. */
static void gcm_has_its_known_answers(void **state)
{
	static const uint8_t key[CRYPTO_KEY], zeros[16];
	struct crypto_aead *a = crypto_aead_new();
	uint8_t out[16], tag[CRYPTO_TAG];

	for (int i = 0; i < 2; i++) {
		crypto_aead_seal(a, key, span_of(NULL, 0), span_of(NULL, 0), out, tag);
		check_hex(tag, 16, "530f8afbc74536b9a963b4f1c4cb738b");
		crypto_aead_seal(a, key, span_of(NULL, 0), span_of(zeros, 16), out, tag);
		check_hex(out, 16, "cea7403d4d606b6e074ec5d3baf39d18");
		check_hex(tag, 16, "d0d1c8a799996bf0265b98b5d48ab919");
	}
	crypto_aead_free(a);
	crypto_aead_free(NULL);
}

static void what_is_sealed_opens_again(void **state)
{
	static const size_t size[] = {0, 1, 15, 16, 17, 4096, 100001};
	struct crypto_aead *a = crypto_aead_new();

	for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
		size_t n = size[i];
		uint8_t *plain = malloc(n + 1), *sealed = malloc(n + 1), *back = malloc(n + 1);
		uint8_t key[CRYPTO_KEY], tag[CRYPTO_TAG], tag2[CRYPTO_TAG];
		struct span aad = span_str("bound to this");

		crypto_random(key, sizeof key);
		crypto_random(plain, n);
		crypto_aead_seal(a, key, aad, span_of(plain, n), sealed, tag);
		assert_int_equal(crypto_aead_open(a, key, aad, span_of(sealed, n), tag, back), 0);
		assert_memory_equal(back, plain, n);
		/* In place, both ways. */
		crypto_aead_seal(a, key, aad, span_of(back, n), back, tag2);
		assert_memory_equal(back, sealed, n);
		assert_memory_equal(tag, tag2, sizeof tag);
		assert_int_equal(crypto_aead_open(a, key, aad, span_of(back, n), tag2, back), 0);
		assert_memory_equal(back, plain, n);
		free(plain);
		free(sealed);
		free(back);
	}
	crypto_aead_free(a);
}

static void nothing_forged_opens_and_nothing_is_left_of_it(void **state)
{
	enum { N = 40 };
	static const uint8_t zeros[N];
	struct crypto_aead *a = crypto_aead_new();
	uint8_t key[CRYPTO_KEY], plain[N], sealed[N], tag[CRYPTO_TAG], out[N];
	char aad[] = "header";

	crypto_random(key, sizeof key);
	crypto_random(plain, N);
	crypto_aead_seal(a, key, span_str(aad), span_of(plain, N), sealed, tag);
	for (size_t bit = 0; bit < 8 * (N + CRYPTO_TAG + CRYPTO_KEY + 6); bit++) {
		size_t at = bit / 8;
		uint8_t *p = at < N                ? sealed + at
			     : at < N + CRYPTO_TAG ? tag + (at - N)
			     : at < N + CRYPTO_TAG + CRYPTO_KEY
				 ? key + (at - N - CRYPTO_TAG)
				 : (uint8_t *)aad + (at - N - CRYPTO_TAG - CRYPTO_KEY);

		*p ^= (uint8_t)(1 << bit % 8);
		memset(out, 0xff, N);
		assert_int_equal(
		    crypto_aead_open(a, key, span_of(aad, 6), span_of(sealed, N), tag, out), -1);
		assert_memory_equal(out, zeros, N);
		*p ^= (uint8_t)(1 << bit % 8);
	}
	assert_int_equal(
	    crypto_aead_open(a, key, span_of(aad, 6), span_of(sealed, N), tag, out), 0);
	assert_int_equal(
	    crypto_aead_open(a, key, span_of(aad, 6), span_of(sealed, N - 1), tag, out), -1);
	crypto_aead_free(a);
}

/* RFC 7748, section 6.1: Bob's side */
static void x25519_has_its_known_values(void **state)
{
	struct span priv = hx("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
	struct span peer = hx("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
	uint8_t out[32];

	crypto_x25519_public(priv.p, out);
	check_hex(out, 32, "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
	assert_int_equal(crypto_x25519(priv.p, peer.p, out), 0);
	check_hex(out, 32, "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
}

static void both_sides_agree_on_a_secret(void **state)
{
	uint8_t a[32], b[32], pa[32], pb[32], sa[32], sb[32];

	crypto_random(a, 32);
	crypto_random(b, 32);
	crypto_x25519_public(a, pa);
	crypto_x25519_public(b, pb);
	assert_int_equal(crypto_x25519(a, pb, sa), 0);
	assert_int_equal(crypto_x25519(b, pa, sb), 0);
	assert_memory_equal(sa, sb, 32);
}

static void a_point_of_small_order_is_refused(void **state)
{
	uint8_t priv[32], point[32] = {0}, out[32];

	crypto_random(priv, 32);
	assert_int_equal(crypto_x25519(priv, point, out), -1);
	point[0] = 1;
	assert_int_equal(crypto_x25519(priv, point, out), -1);
}

/* RFC 8032, section 7.1, tests 1 and 2 */
static void ed25519_has_its_known_values(void **state)
{
	static const struct {
		const char *priv, *pub, *msg, *sig;
	} v[] = {
	    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
		"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
		"e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
		"5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
	    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
		"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
		"92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
		"085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
	};

	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		struct span priv = hx(v[i].priv), msg = hx(v[i].msg);
		uint8_t pub[CRYPTO_KEY], sig[CRYPTO_SIG];

		crypto_sign_public(priv.p, pub);
		check_hex(pub, sizeof pub, v[i].pub);
		crypto_sign(priv.p, msg, sig);
		check_hex(sig, sizeof sig, v[i].sig);
		assert_true(crypto_verify(pub, msg, sig));
	}
}

static void a_changed_signature_message_or_key_is_refused(void **state)
{
	uint8_t priv[CRYPTO_KEY], pub[CRYPTO_KEY], sig[CRYPTO_SIG], text[50];

	crypto_random(priv, sizeof priv);
	crypto_random(text, sizeof text);
	crypto_sign_public(priv, pub);
	crypto_sign(priv, span_of(text, sizeof text), sig);
	assert_true(crypto_verify(pub, span_of(text, sizeof text), sig));
	assert_false(crypto_verify(pub, span_of(text, sizeof text - 1), sig));
	for (size_t i = 0; i < sizeof sig; i++) {
		sig[i] ^= 0x10;
		assert_false(crypto_verify(pub, span_of(text, sizeof text), sig));
		sig[i] ^= 0x10;
	}
	for (size_t i = 0; i < sizeof pub; i++) {
		pub[i] ^= 1;
		assert_false(crypto_verify(pub, span_of(text, sizeof text), sig));
		pub[i] ^= 1;
	}
}

/* RFC 7914, section 12, the first 32 bytes of each. */
static void scrypt_has_its_known_values(void **state)
{
	uint8_t out[CRYPTO_KEY];
	struct err e;

	assert_int_equal(crypto_scrypt(span_str(""), span_str(""), 16, 1, 1, out, &e), 0);
	check_hex(out, 32, "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442");
	assert_int_equal(
	    crypto_scrypt(span_str("password"), span_str("NaCl"), 1024, 8, 16, out, &e), 0);
	check_hex(out, 32, "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162");
	assert_int_equal(crypto_scrypt(span_str("pleaseletmein"), span_str("SodiumChloride"), 16384,
			     8, 1, out, &e),
	    0);
	check_hex(out, 32, "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2");
}

/* The format's own cost takes more memory than libcrypto allows by default. */
static void scrypt_takes_the_costs_of_the_format(void **state)
{
	uint8_t out[CRYPTO_KEY];
	struct err e;

	assert_int_equal(crypto_scrypt(span_str("p"), span_str("s"), 32768, 8, 3, out, &e), 0);
	assert_int_equal(crypto_scrypt(span_str("p"), span_str("s"), 65536, 16, 1, out, &e), 0);
}

static void a_cost_that_is_none_is_unsupported(void **state)
{
	uint8_t out[CRYPTO_KEY];
	struct err e;

	assert_int_equal(crypto_scrypt(span_str("p"), span_str("s"), 1000, 8, 1, out, &e), -1);
	assert_int_equal(e.kind, ERR_UNSUPPORTED);
	assert_int_equal(crypto_scrypt(span_str("p"), span_str("s"), 0, 8, 1, out, &e), -1);
	assert_int_equal(crypto_scrypt(span_str("p"), span_str("s"), 1024, 0, 1, out, &e), -1);
}

static void random_bytes_differ_and_equal_tells(void **state)
{
	uint8_t a[1000] = {0}, b[1000] = {0};

	crypto_random(a, sizeof a);
	crypto_random(b, sizeof b);
	assert_false(crypto_equal(a, b, sizeof a));
	/* Every part is filled. */
	for (size_t i = 0; i + 16 <= sizeof a; i += 16)
		assert_memory_not_equal(a + i, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	memcpy(b, a, sizeof a);
	assert_true(crypto_equal(a, b, sizeof a));
	b[999] ^= 1;
	assert_false(crypto_equal(a, b, sizeof a));
	crypto_wipe(a, sizeof a);
	for (size_t i = 0; i < sizeof a; i++)
		assert_int_equal(a[i], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sha256_has_its_known_digests),
	    cmocka_unit_test(hmac_has_its_known_values),
	    cmocka_unit_test(mac3_is_the_mac_of_the_parts_joined),
	    cmocka_unit_test(hkdf_has_its_known_values),
	    cmocka_unit_test(gcm_has_its_known_answers),
	    cmocka_unit_test(what_is_sealed_opens_again),
	    cmocka_unit_test(nothing_forged_opens_and_nothing_is_left_of_it),
	    cmocka_unit_test(x25519_has_its_known_values),
	    cmocka_unit_test(both_sides_agree_on_a_secret),
	    cmocka_unit_test(a_point_of_small_order_is_refused),
	    cmocka_unit_test(ed25519_has_its_known_values),
	    cmocka_unit_test(a_changed_signature_message_or_key_is_refused),
	    cmocka_unit_test(scrypt_has_its_known_values),
	    cmocka_unit_test(scrypt_takes_the_costs_of_the_format),
	    cmocka_unit_test(a_cost_that_is_none_is_unsupported),
	    cmocka_unit_test(random_bytes_differ_and_equal_tells),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
