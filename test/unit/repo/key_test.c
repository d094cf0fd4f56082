/* key: a bundle opens with its own credential; hostile costs are refused. */
#include "../unit.h"

#include "base/mem.h"
#include "crypto/secret.h"
#include "repo/envelope.h"
#include "repo/key.h"

static const uint8_t secret_a[32] = {1, 2, 3}, secret_b[32] = {1, 2, 4};

static struct repo_cred file_cred(const uint8_t secret[32])
{
	return (struct repo_cred){.key_file = true, .secret = span_of(secret, 32)};
}

static struct repo_cred password(const char *s)
{
	return (struct repo_cred){.secret = span_str(s)};
}

struct t {
	struct key_bundle *k, *got;
	struct buf object;
	struct err e;
};

static void begin(struct t *t, struct repo_cred cred)
{
	memset(t, 0, sizeof *t);
	t->k = secret_new(sizeof *t->k);
	t->got = secret_new(sizeof *t->got);
	key_bundle_generate(t->k);
	crypto_random(t->k->repo, FORMAT_UID);
	crypto_random(t->k->domain, FORMAT_UID);
	if (key_seal(t->k, &cred, "l\303\244bel", "2026-11-21T00:00:00Z", &t->object, &t->e) == -1)
		fail_msg("%s", t->e.msg);
}

static void end(struct t *t)
{
	secret_free(t->k);
	secret_free(t->got);
	buf_fini(&t->object);
}

static int open_key(struct t *t, struct repo_cred cred)
{
	err_clear(&t->e);
	return key_open(buf_span(&t->object), t->k->repo, &cred, t->got, &t->e);
}

#define REFUSED(call, want)                                                                        \
	do {                                                                                       \
		assert_int_equal((call), -1);                                                      \
		assert_int_equal(t.e.kind, (want));                                                \
	} while (0)

static void a_key_file_opens_its_bundle(void **state)
{
	struct t t;

	begin(&t, file_cred(secret_a));
	assert_int_equal(open_key(&t, file_cred(secret_a)), 0);
	assert_memory_equal(t.got, t.k, sizeof *t.k);
	REFUSED(open_key(&t, file_cred(secret_b)), ERR_WRONG_KEY);
	REFUSED(open_key(&t, password("x")), ERR_WRONG_KEY);
	end(&t);
}

static void a_password_opens_its_bundle(void **state)
{
	struct t t;

	begin(&t, password("right"));
	assert_int_equal(open_key(&t, password("right")), 0);
	assert_memory_equal(t.got, t.k, sizeof *t.k);
	REFUSED(open_key(&t, password("Right")), ERR_WRONG_KEY);
	REFUSED(open_key(&t, password("")), ERR_WRONG_KEY);
	REFUSED(open_key(&t, file_cred(secret_a)), ERR_WRONG_KEY);
	end(&t);
}

static void a_bundle_of_another_repository_does_not_open(void **state)
{
	struct t t;

	begin(&t, file_cred(secret_a));
	t.k->repo[0] ^= 1;
	REFUSED(open_key(&t, file_cred(secret_a)), ERR_WRONG_KEY);
	end(&t);
}

static void the_info_is_readable_without_a_credential(void **state)
{
	struct key_info info;
	struct t t;

	begin(&t, file_cred(secret_a));
	assert_int_equal(key_read_info(buf_span(&t.object), &info, &t.e), 0);
	assert_string_equal(info.label, "l\303\244bel");
	assert_int_equal(info.role, ROLE_FULL);
	assert_string_equal(info.created, "2026-11-21T00:00:00Z");
	assert_true(info.key_file);
	assert_memory_equal(info.holder, t.k->holder, FORMAT_UID);
	end(&t);
}

/* The object must not give away its secrets. */
static void secrets_are_not_in_the_object(void **state)
{
	struct t t;

	begin(&t, file_cred(secret_a));
	assert_null(memmem(t.object.p, t.object.n, t.k->content, CRYPTO_KEY));
	assert_null(memmem(t.object.p, t.object.n, secret_a, 32));
	end(&t);
}

static void every_flipped_bit_is_refused(void **state)
{
	struct t t;

	begin(&t, file_cred(secret_a));
	for (size_t i = 0; i < 8 * t.object.n; i++) {
		t.object.p[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_equal(open_key(&t, file_cred(secret_a)), -1);
		if (t.e.kind != ERR_CORRUPT && t.e.kind != ERR_FOREIGN && t.e.kind != ERR_WRONG_KEY)
			fail_msg("bit %zu: %s", i, t.e.msg);
		t.object.p[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	end(&t);
}

static void every_shortened_bundle_is_refused(void **state)
{
	struct repo_cred cred = file_cred(secret_a);
	struct t t;

	begin(&t, cred);
	for (size_t n = 0; n < t.object.n; n++) {
		uint8_t *copy = mem_alloc(n);

		memcpy(copy, t.object.p, n);
		REFUSED(key_open(span_of(copy, n), t.k->repo, &cred, t.got, &t.e), ERR_CORRUPT);
		free(copy);
	}
	end(&t);
}

/* An object with this info and any bytes as its box. */
static void hostile(struct buf *b, const char *info)
{
	buf_reset(b);
	envelope_begin(b, FORMAT_KEY, NULL, 0);
	buf_put_u32(b, (uint32_t)strlen(info));
	buf_put_span(b, span_str(info));
	buf_put_u32(b, 100);
	buf_put_zeros(b, 100);
}

static void with_costs(
    struct buf *b, const char *n, const char *r, const char *p, size_t salt_bytes)
{
	char salt[200] = "", text[600];

	for (size_t j = 0; j < salt_bytes; j++)
		strcat(salt, "5a");
	snprintf(text, sizeof text,
	    "{\"created\":\"\",\"holder\":\"00000000000000000000000000000000\","
	    "\"kdf\":{\"n\":%s,\"name\":\"scrypt\",\"p\":%s,\"r\":%s,\"salt\":\"%s\"},"
	    "\"label\":\"\",\"role\":\"full\"}",
	    n, p, r, salt);
	hostile(b, text);
}

static void hostile_scrypt_costs_are_refused(void **state)
{
	static const struct {
		const char *n, *r, *p;
		size_t salt;
	} rows[] = {
	    {"0", "8", "1", 32},
	    {"1", "8", "1", 32},
	    {"-2", "8", "1", 32},
	    {"3", "8", "1", 32},
	    {"2097152", "8", "1", 32},
	    {"9223372036854775807", "8", "1", 32},
	    {"4611686018427387904", "8", "1", 32},
	    {"1048576", "9", "1", 32},
	    {"1048576", "32", "1", 32},
	    {"524288", "32", "1", 32},
	    {"1048576", "8", "1", 32},
	    {"262144", "8", "1", 32},
	    {"65536", "32", "1", 32},
	    {"131072", "8", "5", 32},
	    {"32768", "0", "1", 32},
	    {"32768", "33", "1", 32},
	    {"32768", "-1", "1", 32},
	    {"32768", "8", "0", 32},
	    {"32768", "8", "17", 32},
	    {"32768", "8", "4294967297", 32},
	    {"32768", "8", "3", 7},
	    {"32768", "8", "3", 65},
	    {"32768", "8", "3", 0},
	    {"1e5", "8", "3", 32},
	    {"\"32768\"", "8", "3", 32},
	    {"null", "8", "3", 32},
	};
	struct repo_cred cred = password("x");
	struct key_info info;
	struct buf b = {0};
	struct t t;

	begin(&t, file_cred(secret_a));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		with_costs(&b, rows[i].n, rows[i].r, rows[i].p, rows[i].salt);
		REFUSED(key_read_info(buf_span(&b), &info, &t.e), ERR_CORRUPT);
		REFUSED(key_open(buf_span(&b), t.k->repo, &cred, t.got, &t.e), ERR_CORRUPT);
	}
	buf_fini(&b);
	end(&t);
}

/* Room to ask for more one day: 128 MiB, five times the work of today's. */
static void scrypt_costs_up_to_the_limits_are_read(void **state)
{
	struct key_info info;
	struct buf b = {0};
	struct err e;

	with_costs(&b, "131072", "8", "4", 64);
	assert_int_equal(key_read_info(buf_span(&b), &info, &e), 0);
	assert_int_equal(info.n * info.r * info.p, 1 << 22);
	with_costs(&b, "32768", "32", "4", 8);
	assert_int_equal(key_read_info(buf_span(&b), &info, &e), 0);
	buf_fini(&b);
}

static void malformed_info_is_corrupt(void **state)
{
	static const char *const rows[] = {"", "{}", "[]", "null", "{\"kdf\":{}}",
	    "{\"created\":\"\",\"holder\":\"00000000000000000000000000000000\",\"kdf\":"
	    "{\"name\":\"argon2\"},\"label\":\"\",\"role\":\"full\"}",
	    "{\"created\":\"\",\"holder\":\"00\",\"kdf\":{\"hint\":\"0011223344556677\",\"name\":"
	    "\"key-file\"},\"label\":\"\",\"role\":\"full\"}",
	    "{\"created\":\"\",\"holder\":\"00000000000000000000000000000000\",\"kdf\":"
	    "{\"hint\":\"00112233445566\",\"name\":\"key-file\"},\"label\":\"\",\"role\":"
	    "\"full\"}"};
	struct key_info info;
	struct buf b = {0};
	struct t t;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		hostile(&b, rows[i]);
		REFUSED(key_read_info(buf_span(&b), &info, &t.e), ERR_CORRUPT);
	}
	buf_fini(&b);
}

/* A label is cut to its room, but never within a letter. */
static void a_long_label_is_cut_between_letters(void **state)
{
	struct repo_cred cred = file_cred(secret_a);
	struct t t;

	begin(&t, cred);
	for (size_t n = 120; n < 140; n++) {
		char label[200] = "";
		struct key_info info;

		memset(label, 'a', n);
		strcpy(label + n, "\303\244\342\202\254");
		buf_reset(&t.object);
		if (key_seal(t.k, &cred, label, "", &t.object, &t.e) == -1)
			fail_msg("%zu: %s", n, t.e.msg);
		assert_int_equal(key_read_info(buf_span(&t.object), &info, &t.e), 0);
		assert_memory_equal(info.label, label, strlen(info.label));
		assert_true(strlen(info.label) >= 120);
	}
	end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_key_file_opens_its_bundle),
	    cmocka_unit_test(a_password_opens_its_bundle),
	    cmocka_unit_test(a_bundle_of_another_repository_does_not_open),
	    cmocka_unit_test(the_info_is_readable_without_a_credential),
	    cmocka_unit_test(secrets_are_not_in_the_object),
	    cmocka_unit_test(every_flipped_bit_is_refused),
	    cmocka_unit_test(every_shortened_bundle_is_refused),
	    cmocka_unit_test(hostile_scrypt_costs_are_refused),
	    cmocka_unit_test(scrypt_costs_up_to_the_limits_are_read),
	    cmocka_unit_test(malformed_info_is_corrupt),
	    cmocka_unit_test(a_long_label_is_cut_between_letters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
