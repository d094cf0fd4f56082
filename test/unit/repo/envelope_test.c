/* envelope: whatever is done to an object, it is corrupt or of another version. */
#include "../unit.h"

#include "base/mem.h"
#include "repo/envelope.h"

static const uint8_t repo[FORMAT_UID] = {1}, uid[FORMAT_UID] = {2}, raw[CRYPTO_KEY] = {3};
static const uint8_t writer_id[FORMAT_UID] = {4}, writer_seed[CRYPTO_KEY] = {5};

struct t {
	struct sealer s;
	struct seal_key k;
	uint8_t pub[CRYPTO_KEY];
	struct buf object;
	struct err e;
};

static void begin(struct t *t, size_t payload)
{
	static const uint8_t sealed[FORMAT_SEALED_KEY] = {1, 1};
	const uint8_t *keys[2] = {sealed, sealed};
	uint8_t *p = mem_zalloc(payload);

	memset(t, 0, sizeof *t);
	sealer_init(&t->s, repo);
	seal_key_init(&t->k, uid, raw);
	crypto_sign_public(writer_seed, t->pub);
	envelope_begin(&t->object, FORMAT_NOTE, keys, 2);
	envelope_section(&t->s, &t->object, &t->k, PURPOSE_NOTE, span_of(p, payload));
	envelope_sign(&t->s, &t->object, &t->k, writer_id, writer_seed);
	free(p);
}

static void end(struct t *t)
{
	sealer_fini(&t->s);
	buf_fini(&t->object);
}

static const uint8_t *known_writer(
    const void *arg, enum format_type type, const uint8_t signer[FORMAT_UID])
{
	return memcmp(signer, writer_id, FORMAT_UID) == 0 ? arg : NULL;
}

static const uint8_t *no_writer(
    const void *arg, enum format_type type, const uint8_t signer[FORMAT_UID])
{
	return NULL;
}

/* Everything that a reader of an object does. */
static int read_all(struct t *t, struct span object, struct buf *payload)
{
	uint8_t signer[FORMAT_UID];
	struct envelope env;

	if (envelope_parse(object, FORMAT_NOTE, 2, &env, &t->e) == -1 ||
	    envelope_verify(&t->s, &env, &t->k, known_writer, t->pub, signer, &t->e) == -1)
		return -1;
	assert_memory_equal(signer, writer_id, FORMAT_UID);
	return envelope_open(&t->s, &env, 0, &t->k, PURPOSE_NOTE, payload, &t->e);
}

static void assert_refused(struct t *t, struct span object)
{
	struct buf payload = {0};
	/* Memory of its own, for the sanitizer to see where it ends. */
	uint8_t *copy = mem_alloc(object.n);

	memcpy(copy, object.p, object.n);
	err_clear(&t->e);
	assert_int_equal(read_all(t, span_of(copy, object.n), &payload), -1);
	assert_true(t->e.kind == ERR_CORRUPT || t->e.kind == ERR_FOREIGN);
	free(copy);
	buf_fini(&payload);
}

static void an_object_comes_back(void **state)
{
	static const size_t sizes[] = {0, 1, 4, 5, 300, 70000};

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct buf payload = {0};
		struct t t;

		begin(&t, sizes[i]);
		assert_int_equal(read_all(&t, buf_span(&t.object), &payload), 0);
		assert_int_equal(payload.n, sizes[i]);
		buf_fini(&payload);
		end(&t);
	}
}

static void payloads_of_like_length_take_the_same_room(void **state)
{
	struct t a, b;

	begin(&a, 1001);
	begin(&b, 1019);
	assert_int_equal(a.object.n, b.object.n);
	end(&a);
	end(&b);
}

static void every_shortened_object_is_refused(void **state)
{
	struct t t;

	begin(&t, 20);
	for (size_t n = 0; n < t.object.n; n++)
		assert_refused(&t, span_of(t.object.p, n));
	end(&t);
}

static void every_lengthened_object_is_refused(void **state)
{
	struct t t;

	begin(&t, 20);
	for (size_t n = 1; n < 200; n++) {
		buf_put_u8(&t.object, 0);
		assert_refused(&t, buf_span(&t.object));
	}
	end(&t);
}

static void every_flipped_bit_is_refused(void **state)
{
	struct t t;

	begin(&t, 20);
	for (size_t i = 0; i < 8 * t.object.n; i++) {
		t.object.p[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_refused(&t, buf_span(&t.object));
		t.object.p[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	end(&t);
}

static void another_version_is_told_from_damage(void **state)
{
	struct envelope env;
	struct t t;

	begin(&t, 20);
	t.object.p[8] = FORMAT_VERSION + 1;
	assert_int_equal(envelope_parse(buf_span(&t.object), FORMAT_NOTE, 2, &env, &t.e), -1);
	assert_int_equal(t.e.kind, ERR_FOREIGN);
	end(&t);
}

static void an_object_of_another_type_is_refused(void **state)
{
	struct envelope env;
	struct t t;

	begin(&t, 20);
	for (int type = FORMAT_INDEX; type <= FORMAT_META; type++)
		assert_int_equal(
		    envelope_parse(buf_span(&t.object), (enum format_type)type, 2, &env, &t.e),
		    type == FORMAT_NOTE ? 0 : -1);
	end(&t);
}

static void a_signature_by_an_unknown_writer_is_refused(void **state)
{
	uint8_t signer[FORMAT_UID];
	struct envelope env;
	struct t t;

	begin(&t, 20);
	assert_int_equal(envelope_parse(buf_span(&t.object), FORMAT_NOTE, 2, &env, &t.e), 0);
	assert_int_equal(envelope_verify(&t.s, &env, &t.k, no_writer, NULL, signer, &t.e), -1);
	assert_int_equal(t.e.kind, ERR_CORRUPT);
	end(&t);
}

/* Who has the data key but not the signing key can seal, and no more. */
static void a_signature_with_another_key_is_refused(void **state)
{
	static const uint8_t other[CRYPTO_KEY] = {9};
	struct t t;

	begin(&t, 20);
	buf_reset(&t.object);
	envelope_begin(&t.object, FORMAT_NOTE, NULL, 0);
	envelope_section(&t.s, &t.object, &t.k, PURPOSE_NOTE, span_str("forged"));
	envelope_sign(&t.s, &t.object, &t.k, writer_id, other);
	assert_refused(&t, buf_span(&t.object));
	end(&t);
}

/* A section whose inner length lies, sealed properly by a hostile writer. */
static void a_payload_longer_than_its_section_is_refused(void **state)
{
	static const uint32_t lengths[] = {17, 18, 1000, UINT32_MAX - 3, UINT32_MAX};

	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		struct buf plain = {0};
		struct t t;

		begin(&t, 0);
		buf_put_u32(&plain, lengths[i]);
		buf_put_zeros(&plain, 16);
		buf_reset(&t.object);
		envelope_begin(&t.object, FORMAT_NOTE, NULL, 0);
		buf_put_u32(&t.object, (uint32_t)plain.n + FORMAT_BOX);
		seal_box(&t.s, &t.k, PURPOSE_NOTE, span_str("b"), span_of(NULL, 0),
		    buf_span(&plain), buf_extend(&t.object, plain.n + FORMAT_BOX));
		envelope_sign(&t.s, &t.object, &t.k, writer_id, writer_seed);
		assert_refused(&t, buf_span(&t.object));
		buf_fini(&plain);
		end(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_object_comes_back),
	    cmocka_unit_test(payloads_of_like_length_take_the_same_room),
	    cmocka_unit_test(every_shortened_object_is_refused),
	    cmocka_unit_test(every_lengthened_object_is_refused),
	    cmocka_unit_test(every_flipped_bit_is_refused),
	    cmocka_unit_test(another_version_is_told_from_damage),
	    cmocka_unit_test(an_object_of_another_type_is_refused),
	    cmocka_unit_test(a_signature_by_an_unknown_writer_is_refused),
	    cmocka_unit_test(a_signature_with_another_key_is_refused),
	    cmocka_unit_test(a_payload_longer_than_its_section_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
