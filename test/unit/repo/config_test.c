/* config: signed whole, kept whole, refused when it asks for more than we know. */
#include "../unit.h"

#include "base/hex.h"
#include "base/mem.h"
#include "repo/config.h"

static const uint8_t root[CRYPTO_KEY] = {1}, content[CRYPTO_KEY] = {2}, structure[CRYPTO_KEY] = {3},
		     writer[FORMAT_UID] = {4}, writer_key[CRYPTO_KEY] = {5}, own[CRYPTO_KEY] = {6},
		     domain[FORMAT_UID] = {7};

static uint8_t root_public[CRYPTO_KEY];

static void add(struct config *c, const uint8_t *id, const char *label)
{
	config_add_writer(c, &(struct config_add){.id = id,
				 .key = writer_key,
				 .own = own,
				 .role = ROLE_WRITE,
				 .domain = domain,
				 .label = label,
				 .when = "2026-11-21T00:00:00Z"});
}

static void make(struct config *c, struct buf *text)
{
	crypto_sign_public(root, root_public);
	config_new(c, root_public, content, structure, domain, 86400, CRYPTO_BLAKE3, CRYPTO_SHA2,
	    "2026-11-21T00:00:00Z");
	add(c, writer, "l\303\244bel");
	config_sign(c, root, text);
}

static int read_config(struct span text, struct config *c, struct err *e)
{
	if (config_parse(text, c, e) == -1)
		return -1;
	if (config_verify(c, root_public, e) == 0)
		return 0;
	config_fini(c);
	return -1;
}

static void a_config_comes_back(void **state)
{
	struct config c, got;
	struct buf text = {0};
	struct err e;

	make(&c, &text);
	assert_int_equal(read_config(buf_span(&text), &got, &e), 0);
	assert_memory_equal(got.repo, c.repo, FORMAT_UID);
	assert_int_equal(got.ndomains, 1);
	assert_memory_equal(got.domains[0], domain, FORMAT_UID);
	assert_int_equal(config_writer(&got, writer)->role, ROLE_WRITE);
	assert_memory_equal(config_writer(&got, writer)->domain, domain, FORMAT_UID);
	assert_memory_equal(got.content, content, CRYPTO_KEY);
	assert_memory_equal(got.structure, structure, CRYPTO_KEY);
	assert_int_equal(got.revision, 2);
	assert_int_equal(got.chunk_avg, c.chunk_avg);
	assert_int_equal(got.grace_s, 86400);
	assert_memory_equal(
	    config_writer_key(&got, FORMAT_SNAPSHOT, writer), writer_key, CRYPTO_KEY);
	assert_null(config_writer_key(&got, FORMAT_SNAPSHOT, root_public));
	/* A write key cannot mark packs; what its notes may say is judged by their op. */
	assert_null(config_writer_key(&got, FORMAT_MARK, writer));
	assert_non_null(config_writer_key(&got, FORMAT_NOTE, writer));
	config_fini(&got);
	config_fini(&c);
	buf_fini(&text);
}

/* Even of those that change nothing that is said, like the case of a digit of the signature. */
static void every_flipped_bit_is_caught(void **state)
{
	struct config c, got;
	struct buf text = {0};

	make(&c, &text);
	for (size_t i = 0; i < 8 * text.n; i++) {
		struct err e = {0};

		text.p[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_equal(read_config(buf_span(&text), &got, &e), -1);
		assert_true(e.kind == ERR_CORRUPT || e.kind == ERR_UNSUPPORTED);
		text.p[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	config_fini(&c);
	buf_fini(&text);
}

static void every_shortened_config_is_caught(void **state)
{
	struct config c, got;
	struct buf text = {0};
	struct err e;

	make(&c, &text);
	for (size_t n = 0; n < text.n; n++) {
		uint8_t *copy = mem_alloc(n);

		memcpy(copy, text.p, n);
		assert_int_equal(read_config(span_of(copy, n), &got, &e), -1);
		assert_int_equal(e.kind, ERR_CORRUPT);
		free(copy);
	}
	config_fini(&c);
	buf_fini(&text);
}

static void another_root_key_is_refused(void **state)
{
	static const uint8_t other[CRYPTO_KEY] = {77};
	struct config c, got;
	struct buf text = {0};
	uint8_t pub[CRYPTO_KEY];
	struct err e;

	make(&c, &text);
	buf_reset(&text);
	config_sign(&c, other, &text);
	assert_int_equal(read_config(buf_span(&text), &got, &e), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
	crypto_sign_public(other, pub);
	assert_int_equal(config_parse(buf_span(&text), &got, &e), 0);
	assert_int_equal(config_verify(&got, pub, &e), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
	config_fini(&got);
	config_fini(&c);
	buf_fini(&text);
}

/* Set a member to a JSON text and sign: what a newer program may have written. */
static int with(const char *key, const char *value, struct config *got, struct err *e)
{
	struct config c;
	struct buf text = {0};
	int rc;

	make(&c, &text);
	buf_reset(&text);
	if (value != NULL)
		assert_int_equal(
		    json_object_set_new(c.json, key, json_loads(value, JSON_DECODE_ANY, NULL)), 0);
	else
		json_object_del(c.json, key);
	config_sign(&c, root, &text);
	config_fini(&c);
	rc = read_config(buf_span(&text), got, e);
	buf_fini(&text);
	return rc;
}

static void unknown_fields_survive_a_rewrite(void **state)
{
	const uint8_t client[FORMAT_UID] = {0xab};
	json_t *numbers = json_pack("{s:i}", "ab000000000000000000000000000000", 7);
	json_t *missing = json_pack(
	    "{s:[i,i,i,i]}", "ab000000000000000000000000000000", 2, 3, 6, 6);
	struct config c, again;
	struct buf text = {0};
	uint64_t newest;
	struct err e;

	assert_int_equal(with("later", "{\"b\":[1,2.5,null],\"a\":\"\\u00e4\"}", &c, &e), 0);
	add(&c, root_public, "second");
	assert_false(config_writer_newest(&c, writer, client, &newest));
	assert_false(config_writer_missed(&c, writer, client, 2));
	assert_true(config_remove_writer(&c, writer, "then", numbers, missing));
	assert_false(config_remove_writer(&c, writer, "again", numbers, NULL));
	json_decref(numbers);
	json_decref(missing);
	config_sign(&c, root, &text);
	assert_int_equal(read_config(buf_span(&text), &again, &e), 0);
	assert_true(
	    json_equal(json_object_get(again.json, "later"), json_object_get(c.json, "later")));
	assert_int_equal(again.revision, 4);
	assert_int_equal(again.nwriters, 2);
	assert_true(config_writer_newest(&again, writer, client, &newest));
	assert_int_equal(newest, 7);
	assert_true(config_writer_newest(&again, writer, writer, &newest));
	assert_int_equal(newest, 0);
	for (uint64_t n = 0; n < 9; n++)
		assert_int_equal(
		    config_writer_missed(&again, writer, client, n), n == 2 || n == 3 || n == 6);
	assert_false(config_writer_missed(&again, writer, writer, 2));
	/* What a removed writer signed stays valid. */
	assert_non_null(config_writer_key(&again, FORMAT_SNAPSHOT, writer));
	config_fini(&again);
	config_fini(&c);
	buf_fini(&text);
}

static void a_required_feature_is_refused(void **state)
{
	static const char *const values[] = {
	    "[\"parity\"]", "[1]", "[null]", "[\"a\",\"b\"]", "[\"pages\",\"later\"]"};
	struct config c;

	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		struct err e = {0};

		assert_int_equal(with("required", values[i], &c, &e), -1);
		assert_int_equal(e.kind, ERR_UNSUPPORTED);
		assert_null(strstr(e.msg, "(null)"));
		if (i == 0)
			assert_non_null(strstr(e.msg, "parity"));
	}
}

static void the_one_feature_that_is_known_is_read(void **state)
{
	struct config c;
	struct err e;

	assert_int_equal(with("required", "[]", &c, &e), 0);
	assert_false(c.pages);
	config_fini(&c);
	assert_int_equal(with("required", "[\"pages\"]", &c, &e), 0);
	assert_true(c.pages);
	config_fini(&c);
}

static void a_feature_that_writers_must_know_still_lets_read(void **state)
{
	struct config c;
	struct err e;

	assert_int_equal(with("required_to_write", "[\"later\"]", &c, &e), 0);
	assert_string_equal(c.unwritable, "later");
	config_fini(&c);
	assert_int_equal(with("required_to_write", "[]", &c, &e), 0);
	assert_string_equal(c.unwritable, "");
	config_fini(&c);
	assert_int_equal(with("required_to_write", NULL, &c, &e), 0);
	assert_string_equal(c.unwritable, "");
	config_fini(&c);
	assert_int_equal(with("required_to_write", "[7]", &c, &e), 0);
	assert_string_equal(c.unwritable, "?");
	config_fini(&c);
	assert_int_equal(with("required_to_write", "\"later\"", &c, &e), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
}

static void a_writer_of_an_unknown_role_signs_nothing(void **state)
{
	struct config c;
	struct err e;

	assert_int_equal(with("writers",
			     "[{\"id\":\"04000000000000000000000000000000\",\"role\":\"auditor\","
			     "\"removed\":null}]",
			     &c, &e),
	    0);
	assert_int_equal(config_writer(&c, writer)->role, ROLES);
	assert_null(config_writer_key(&c, FORMAT_SNAPSHOT, writer));
	assert_null(config_writer_key(&c, FORMAT_NOTE, writer));
	config_fini(&c);
}

static void each_config_names_the_one_that_it_follows(void **state)
{
	struct config c, next;
	struct buf first = {0}, second = {0};
	uint8_t h[32];
	char hex[65];
	struct err e;

	make(&c, &first);
	assert_null(json_object_get(c.json, "previous"));
	config_fini(&c);
	assert_int_equal(read_config(buf_span(&first), &c, &e), 0);
	add(&c, root_public, "second");
	config_sign(&c, root, &second);
	assert_int_equal(read_config(buf_span(&second), &next, &e), 0);
	crypto_sha256(buf_span(&first), h);
	assert_string_equal(
	    json_string_value(json_object_get(next.json, "previous")), hex_encode(hex, h, 32));
	assert_memory_equal(next.self, c.self, sizeof next.self);
	config_fini(&next);
	config_fini(&c);
	buf_fini(&first);
	buf_fini(&second);
}

static void an_optional_feature_is_no_matter(void **state)
{
	struct config c;
	struct err e;

	assert_int_equal(with("optional", "[\"parity\"]", &c, &e), 0);
	config_fini(&c);
}

static void both_families_of_hashes_are_known_and_no_other(void **state)
{
	static const char *const hash[] = {"\"blake3\"", "\"sha256\""};
	static const char *const id[] = {"\"blake3\"", "\"hmac-sha256\""};
	struct config c;
	struct err e;

	for (int i = 0; i < 2; i++) {
		assert_int_equal(with("object_hash", hash[i], &c, &e), 0);
		assert_int_equal(c.object_hash, i == 0 ? CRYPTO_BLAKE3 : CRYPTO_SHA2);
		assert_int_equal(c.blob_id, CRYPTO_SHA2); /* as made */
		config_fini(&c);
		assert_int_equal(with("blob_id", id[i], &c, &e), 0);
		assert_int_equal(c.blob_id, i == 0 ? CRYPTO_BLAKE3 : CRYPTO_SHA2);
		assert_int_equal(c.object_hash, CRYPTO_BLAKE3);
		config_fini(&c);
	}
	assert_int_equal(with("object_hash", "\"hmac-sha256\"", &c, &e), -1);
	assert_int_equal(e.kind, ERR_UNSUPPORTED);
	assert_non_null(strstr(e.msg, "object_hash"));
	assert_int_equal(with("blob_id", "\"sha256\"", &c, &e), -1);
	assert_int_equal(e.kind, ERR_UNSUPPORTED);
	assert_non_null(strstr(e.msg, "blob_id"));
	assert_non_null(strstr(e.hint, "newer"));
}

#define ZEROS "\"0000000000000000000000000000000000000000000000000000000000000000\""

static void what_is_missing_or_malformed_is_named(void **state)
{
	static const struct {
		const char *key, *value;
		enum err_kind kind;
	} rows[] = {
	    {"format", "2", ERR_UNSUPPORTED},
	    {"format", NULL, ERR_CORRUPT},
	    {"format", "\"1\"", ERR_CORRUPT},
	    {"required", NULL, ERR_CORRUPT},
	    {"object_hash", "\"sha3\"", ERR_UNSUPPORTED},
	    {"blob_id", "1", ERR_UNSUPPORTED},
	    {"revision", "0", ERR_CORRUPT},
	    {"epoch", "65536", ERR_CORRUPT},
	    {"grace", "-1", ERR_CORRUPT},
	    {"grace", "1e3", ERR_CORRUPT},
	    {"repository", "\"00\"", ERR_CORRUPT},
	    {"content", "null", ERR_CORRUPT},
	    /* Points of small order: what is sealed to them anybody opens. */
	    {"content", ZEROS, ERR_CORRUPT},
	    {"structure", ZEROS, ERR_CORRUPT},
	    {"domains", "[]", ERR_CORRUPT},
	    {"domains", "{}", ERR_CORRUPT},
	    {"writers", "{}", ERR_CORRUPT},
	    {"writers", "[{}]", ERR_CORRUPT},
	    {"writers", "[1]", ERR_CORRUPT},
	    {"chunker", "null", ERR_CORRUPT},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct config c;
		struct err e = {0};

		assert_int_equal(with(rows[i].key, rows[i].value, &c, &e), -1);
		assert_int_equal(e.kind, rows[i].kind);
	}
}

static void chunker_limits_are_kept(void **state)
{
	static const struct {
		const char *name;
		long long min, avg, max;
		int rc;
	} rows[] = {
	    {"gear", 4096, 4096, 4096, 0},
	    {"gear", 262144, 1048576, 4194304, 0},
	    {"gear", 4096, 8388608, 8388608, 0},
	    {"rabin", 262144, 1048576, 4194304, -1},
	    {"gear", 4095, 4096, 4096, -1},
	    {"gear", 64, 4096, 4096, -1},
	    {"gear", 0, 4096, 4096, -1},
	    {"gear", -1, 4096, 4096, -1},
	    {"gear", 8192, 4096, 16384, -1},
	    {"gear", 4096, 6000, 16384, -1},
	    {"gear", 4096, 8192, 4096, -1},
	    {"gear", 4096, 8192, 8388609, -1},
	    {"gear", 4096, 8192, 1LL << 40, -1},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct config c;
		struct err e = {0};
		char text[200];

		snprintf(text, sizeof text,
		    "{\"name\":\"%s\",\"min\":%lld,\"avg\":%lld,\"max\":%lld}", rows[i].name,
		    rows[i].min, rows[i].avg, rows[i].max);
		assert_int_equal(with("chunker", text, &c, &e), rows[i].rc);
		if (rows[i].rc == 0)
			config_fini(&c);
		else
			assert_int_equal(e.kind, ERR_CORRUPT);
	}
}

static void a_member_twice_is_refused(void **state)
{
	struct config c, got;
	struct buf text = {0}, twice = {0};
	struct err e;

	make(&c, &text);
	buf_put_span(&twice, span_str("{\"grace\":1,"));
	buf_put(&twice, text.p + 1, text.n - 1);
	assert_int_equal(read_config(buf_span(&twice), &got, &e), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
	config_fini(&c);
	buf_fini(&text);
	buf_fini(&twice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_config_comes_back),
	    cmocka_unit_test(every_flipped_bit_is_caught),
	    cmocka_unit_test(every_shortened_config_is_caught),
	    cmocka_unit_test(another_root_key_is_refused),
	    cmocka_unit_test(unknown_fields_survive_a_rewrite),
	    cmocka_unit_test(a_required_feature_is_refused),
	    cmocka_unit_test(the_one_feature_that_is_known_is_read),
	    cmocka_unit_test(a_feature_that_writers_must_know_still_lets_read),
	    cmocka_unit_test(a_writer_of_an_unknown_role_signs_nothing),
	    cmocka_unit_test(each_config_names_the_one_that_it_follows),
	    cmocka_unit_test(an_optional_feature_is_no_matter),
	    cmocka_unit_test(both_families_of_hashes_are_known_and_no_other),
	    cmocka_unit_test(what_is_missing_or_malformed_is_named),
	    cmocka_unit_test(chunker_limits_are_kept),
	    cmocka_unit_test(a_member_twice_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
