/* seal: what is sealed opens with everything that was bound, and with nothing less. */
#include "../unit.h"

#include "repo/seal.h"

static const uint8_t repo_a[FORMAT_UID] = {1}, repo_b[FORMAT_UID] = {2};
static const uint8_t uid_a[FORMAT_UID] = {3}, uid_b[FORMAT_UID] = {4};
static const uint8_t raw_a[CRYPTO_KEY] = {5}, raw_b[CRYPTO_KEY] = {6};

enum { PLAIN = 100 };

struct t {
	struct sealer s;
	struct seal_key k;
	uint8_t plain[PLAIN], box[PLAIN + FORMAT_BOX], out[PLAIN];
	struct err e;
};

static void begin(struct t *t)
{
	uint64_t seed = 1;

	memset(t, 0, sizeof *t);
	sealer_init(&t->s, repo_a);
	seal_key_init(&t->k, uid_a, raw_a);
	unit_rand_fill(&seed, t->plain, sizeof t->plain);
	seal_box(&t->s, &t->k, PURPOSE_CONTENT, span_str("bind"), span_str("more"),
	    span_of(t->plain, PLAIN), t->box);
}

static int open_box(struct t *t, const struct seal_key *k, enum format_purpose purpose)
{
	return seal_open(&t->s, k, purpose, span_of(t->box, sizeof t->box), t->out, &t->e);
}

#define CORRUPT(call)                                                                              \
	do {                                                                                       \
		assert_int_equal((call), -1);                                                      \
		assert_int_equal(t.e.kind, ERR_CORRUPT);                                           \
	} while (0)

static void a_box_opens_to_what_was_sealed(void **state)
{
	struct t t;

	begin(&t);
	assert_int_equal(open_box(&t, &t.k, PURPOSE_CONTENT), 0);
	assert_memory_equal(t.out, t.plain, PLAIN);
	sealer_fini(&t.s);
}

static void an_empty_box_opens(void **state)
{
	uint8_t box[FORMAT_BOX], out[1];
	struct t t;

	begin(&t);
	seal_box(&t.s, &t.k, PURPOSE_NOTE, span_str("x"), span_of(NULL, 0), span_of(out, 0), box);
	assert_int_equal(
	    seal_open(&t.s, &t.k, PURPOSE_NOTE, span_of(box, sizeof box), out, &t.e), 0);
	sealer_fini(&t.s);
}

static void every_flipped_bit_breaks_a_box(void **state)
{
	struct t t;

	begin(&t);
	for (size_t i = 0; i < 8 * sizeof t.box; i++) {
		t.box[i / 8] ^= (uint8_t)(1 << i % 8);
		CORRUPT(open_box(&t, &t.k, PURPOSE_CONTENT));
		t.box[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	assert_int_equal(open_box(&t, &t.k, PURPOSE_CONTENT), 0);
	sealer_fini(&t.s);
}

static void every_shortened_box_is_broken(void **state)
{
	struct t t;

	begin(&t);
	for (size_t n = 0; n < sizeof t.box; n++)
		CORRUPT(seal_open(&t.s, &t.k, PURPOSE_CONTENT, span_of(t.box, n), t.out, &t.e));
	sealer_fini(&t.s);
}

static void a_box_is_bound_to_its_purpose(void **state)
{
	struct t t;

	begin(&t);
	for (int p = 0; p <= PURPOSE_KEY + 1; p++)
		if (p != PURPOSE_CONTENT)
			CORRUPT(open_box(&t, &t.k, (enum format_purpose)p));
	sealer_fini(&t.s);
}

static void a_box_is_bound_to_repository_and_key(void **state)
{
	struct seal_key other_id, other_key;
	struct t t;

	begin(&t);
	seal_key_init(&other_id, uid_b, raw_a);
	seal_key_init(&other_key, uid_a, raw_b);
	CORRUPT(open_box(&t, &other_id, PURPOSE_CONTENT));
	CORRUPT(open_box(&t, &other_key, PURPOSE_CONTENT));
	memcpy(t.s.repo, repo_b, FORMAT_UID);
	CORRUPT(open_box(&t, &t.k, PURPOSE_CONTENT));
	sealer_fini(&t.s);
}

static void the_same_plaintext_is_sealed_differently_each_time(void **state)
{
	uint8_t first[sizeof((struct t *)0)->box];
	struct t t;

	begin(&t);
	memcpy(first, t.box, sizeof first);
	seal_box(&t.s, &t.k, PURPOSE_CONTENT, span_str("bind"), span_str("more"),
	    span_of(t.plain, PLAIN), t.box);
	/* Salt and ciphertext both: a salt used twice would be a key used twice. */
	assert_memory_not_equal(first, t.box, 32);
	assert_memory_not_equal(first + 32, t.box + 32, PLAIN);
	sealer_fini(&t.s);
}

static void associated_data_is_bound(void **state)
{
	struct span aad = span_str("info");
	struct t t;

	begin(&t);
	seal_box_aad(&t.s, &t.k, PURPOSE_KEY, span_str("h"), aad, span_of(t.plain, PLAIN), t.box);
	assert_int_equal(
	    seal_open_aad(&t.s, &t.k, PURPOSE_KEY, aad, span_of(t.box, sizeof t.box), t.out, &t.e),
	    0);
	assert_memory_equal(t.out, t.plain, PLAIN);
	CORRUPT(seal_open_aad(
	    &t.s, &t.k, PURPOSE_KEY, span_str("infp"), span_of(t.box, sizeof t.box), t.out, &t.e));
	CORRUPT(seal_open_aad(
	    &t.s, &t.k, PURPOSE_KEY, span_str(""), span_of(t.box, sizeof t.box), t.out, &t.e));
	CORRUPT(open_box(&t, &t.k, PURPOSE_KEY));
	sealer_fini(&t.s);
}

/* ---- Data keys. */

struct d {
	uint8_t priv[32], pub[32], sealed[FORMAT_SEALED_KEY];
	struct seal_key key;
	struct err e;
};

static void data_begin(struct d *d)
{
	crypto_random(d->priv, sizeof d->priv);
	crypto_x25519_public(d->priv, d->pub);
	seal_data_key_new(repo_a, SEAL_STRUCTURE, 0x1234, d->pub, &d->key, d->sealed);
}

static void a_data_key_opens_with_its_private_key_alone(void **state)
{
	struct seal_key got;
	uint8_t priv[32], pub[32];
	struct d d;

	data_begin(&d);
	assert_int_equal(seal_data_key_open(repo_a, d.priv, d.pub, d.sealed, &got, &d.e), 0);
	assert_memory_equal(&got, &d.key, sizeof got);
	assert_int_equal(seal_data_key_class(d.sealed), SEAL_STRUCTURE);
	assert_memory_equal(seal_data_key_id(d.sealed), d.key.id, FORMAT_UID);

	crypto_random(priv, sizeof priv);
	crypto_x25519_public(priv, pub);
	assert_int_equal(seal_data_key_open(repo_a, priv, pub, d.sealed, &got, &d.e), -1);
	assert_int_equal(d.e.kind, ERR_CORRUPT);
	assert_int_equal(seal_data_key_open(repo_b, d.priv, d.pub, d.sealed, &got, &d.e), -1);
	assert_int_equal(d.e.kind, ERR_CORRUPT);
}

static void every_flipped_bit_breaks_a_data_key(void **state)
{
	struct seal_key got;
	struct d d;

	data_begin(&d);
	for (size_t i = 0; i < 8 * FORMAT_SEALED_KEY; i++) {
		/* X25519 takes no notice of the top bit of a point; the salt does. */
		d.sealed[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_equal(
		    seal_data_key_open(repo_a, d.priv, d.pub, d.sealed, &got, &d.e), -1);
		assert_int_equal(d.e.kind, ERR_CORRUPT);
		d.sealed[i / 8] ^= (uint8_t)(1 << i % 8);
	}
}

/* A key and an id that are authentic, yet not the ones committed to. */
static void the_commitment_is_checked(void **state)
{
	struct seal_key got;
	struct d d, other;

	data_begin(&d);
	other = d;
	seal_data_key_new(repo_a, SEAL_STRUCTURE, 0x1234, d.pub, &other.key, other.sealed);
	memcpy(d.sealed + 100, other.sealed + 100, 32);
	assert_int_equal(seal_data_key_open(repo_a, d.priv, d.pub, d.sealed, &got, &d.e), -1);
	assert_int_equal(d.e.kind, ERR_CORRUPT);
	assert_non_null(strstr(d.e.msg, "commitment"));
}

static void padme_is_as_the_format_says(void **state)
{
	static const uint64_t rows[][2] = {{0, 0}, {1, 1}, {2, 2}, {3, 3}, {7, 7}, {8, 8}, {9, 10},
	    {10, 10}, {11, 12}, {100, 104}, {255, 256}, {256, 256}, {257, 272}, {1000, 1024},
	    {1 << 20, 1 << 20}, {(1 << 20) + 1, (1 << 20) + (1 << 15)},
	    {(16 << 20) + 1, (16 << 20) + (512 << 10)}};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(seal_padme(rows[i][0]), rows[i][1]);
	for (uint64_t n = 0; n < 100000; n++) {
		uint64_t p = seal_padme(n);

		assert_true(p >= n);
		assert_true((p - n) * 100 <= n * 12);
		assert_int_equal(seal_padme(p), p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_box_opens_to_what_was_sealed),
	    cmocka_unit_test(an_empty_box_opens),
	    cmocka_unit_test(every_flipped_bit_breaks_a_box),
	    cmocka_unit_test(every_shortened_box_is_broken),
	    cmocka_unit_test(a_box_is_bound_to_its_purpose),
	    cmocka_unit_test(a_box_is_bound_to_repository_and_key),
	    cmocka_unit_test(the_same_plaintext_is_sealed_differently_each_time),
	    cmocka_unit_test(associated_data_is_bound),
	    cmocka_unit_test(a_data_key_opens_with_its_private_key_alone),
	    cmocka_unit_test(every_flipped_bit_breaks_a_data_key),
	    cmocka_unit_test(the_commitment_is_checked),
	    cmocka_unit_test(padme_is_as_the_format_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
