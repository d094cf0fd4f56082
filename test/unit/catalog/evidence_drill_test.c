/* Records of drills are believed as far as the chain names them. */
#include "unit/unit.h"

#include "base/buf.h"
#include "base/hex.h"
#include "base/mem.h"
#include "catalog/evidence_bundle.h"
#include "catalog/evidence_drill.h"
#include "catalog/evidence_key.h"
#include "catalog/evidence_statement.h"
#include "os/os.h"

static struct ctx ctx;
static struct err e;
static char dir[64];

#define OK(x)                                                                                      \
	do {                                                                                       \
		if ((x) != 0)                                                                      \
			fail_msg("%s: %s", #x, e.msg);                                             \
	} while (0)

static int place_new(void **state)
{
	strcpy(dir, "/tmp/hf-drills-XXXXXX");
	assert_non_null(mkdtemp(dir));
	return 0;
}

static int place_del(void **state)
{
	char *cmd = mem_printf("rm -rf %s", dir);
	int rc = system(cmd);

	free(cmd);
	return rc;
}

static void add(enum evidence_action a, const char *hash)
{
	json_t *o = hash ? json_pack("{s:s}", "record_sha256", hash) : json_object();
	struct evidence_event ev = {a, EVIDENCE_COMPLETED, "op", "/srv/b", o};

	OK(evidence_append(dir, &ev, &ctx, NULL, &e));
	json_decref(o);
}

static void put(const char *id, const char *verdict, char hash[EVIDENCE_DRILL_HASH])
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:s}", "type", "drill", "id", id, "system", "shop",
	    "verdict", verdict);

	OK(evidence_drill_put(dir, o, hash, &e));
	json_decref(o);
}

static void drill(const char *id, const char *verdict)
{
	char hash[EVIDENCE_DRILL_HASH];

	put(id, verdict, hash);
	add(EVIDENCE_DRILL, hash);
}

static struct buf content(const char *path)
{
	struct buf b = {0};

	OK(os_read_file(path, 1 << 24, &b, &e));
	return b;
}

/* This text in a file by another of the same length. */
static void sed(const char *path, const char *old, const char *new)
{
	struct buf b = content(path);
	uint8_t *at = memmem(b.p, b.n, old, strlen(old));

	assert_non_null(at);
	assert_int_equal(strlen(old), strlen(new));
	memcpy(at, new, strlen(new));
	OK(os_file_replace(path, buf_span(&b), 0600, &e));
	buf_fini(&b);
}

static int note_id(void *arg, json_t *record, struct span line, struct err *err)
{
	buf_printf(arg, "%s ", statement_text(record, "id"));
	return 0;
}

static void listed(const char *ids, size_t bad)
{
	struct buf b = {0};
	size_t n = 99;

	OK(evidence_drill_list(dir, "shop", note_id, &b, &n, &e));
	assert_string_equal(buf_cstr(&b), ids);
	assert_int_equal(n, bad);
	buf_fini(&b);
}

static char *in_dir(const char *name)
{
	return mem_printf("%s/%s", dir, name);
}

static void where_nothing_is_kept_there_is_nothing(void **state)
{
	listed("", 0);
}

static void what_the_chain_names_is_believed(void **state)
{
	char hash[EVIDENCE_DRILL_HASH];

	add(EVIDENCE_BACKUP, NULL);
	drill("1", "passed");
	drill("2", "failed");
	OK(evidence_rotate(dir, NULL, &ctx, NULL, &e));
	drill("3", "passed");
	listed("3 2 1 ", 0);
	put("4", "passed", hash); /* as a crash leaves it */
	listed("3 2 1 ", 1);
}

static void what_was_changed_is_not(void **state)
{
	char *path = in_dir("drills/2.json");

	add(EVIDENCE_BACKUP, NULL);
	drill("1", "passed");
	drill("2", "failed");
	sed(path, "failed", "passed");
	listed("1 ", 1);
	free(path);
}

/* Signed anew, by whoever: by itself it is as good as ours. */
static void what_another_key_signed_is_not(void **state)
{
	uint8_t key[CRYPTO_KEY] = {7}, pub[CRYPTO_KEY], sum[32];
	char *path = in_dir("drills/2.json"), *line, hash[EVIDENCE_DRILL_HASH];
	json_t *o = json_pack("{s:s, s:s, s:s, s:s}", "type", "drill", "id", "2", "system", "shop",
	    "verdict", "passed");

	add(EVIDENCE_BACKUP, NULL);
	drill("1", "passed");
	crypto_sign_public(key, pub);
	statement_put_hex(o, "key", pub, sizeof pub);
	line = statement_sign(o, key);
	OK(os_file_replace(path, span_str(line), 0600, &e));
	listed("1 ", 1);
	/* Nor where the chain has the hash. */
	crypto_sha256(span_str(line), sum);
	add(EVIDENCE_DRILL, hex_encode(hash, sum, sizeof sum));
	listed("1 ", 1);
	json_decref(o);
	free(line);
	free(path);
}

/* A record of the chain that names it and was not signed so. */
static void what_was_written_into_the_chain_is_not(void **state)
{
	char *log = evidence_path_log(dir), hash[EVIDENCE_DRILL_HASH], other[EVIDENCE_DRILL_HASH];

	add(EVIDENCE_BACKUP, NULL);
	drill("1", "passed");
	put("2", "passed", hash);
	memset(other, 'a', sizeof other - 1);
	other[sizeof other - 1] = '\0';
	add(EVIDENCE_DRILL, other);
	listed("1 ", 1);
	sed(log, other, hash);
	listed("1 ", 1);
	free(log);
}

/* All of it anew by a key of his own: the folder's public key is another. */
static void another_chain_names_nothing(void **state)
{
	char *pub = evidence_path_public(dir), *cmd = mem_printf("rm %s/evidence.*", dir);
	struct buf was;

	add(EVIDENCE_BACKUP, NULL);
	was = content(pub);
	assert_int_equal(system(cmd), 0);
	add(EVIDENCE_BACKUP, NULL);
	drill("1", "passed");
	listed("1 ", 0);
	OK(os_file_replace(pub, buf_span(&was), 0644, &e));
	listed("", 1);
	buf_fini(&was);
	free(pub);
	free(cmd);
}

/* What is around it may be broken: that is told by verify, and is another thing. */
static void a_chain_that_is_damaged_elsewhere_still_names(void **state)
{
	char *log = evidence_path_log(dir);

	add(EVIDENCE_BACKUP, NULL);
	drill("1", "passed");
	sed(log, "\"backup\"", "\"banana\"");
	listed("1 ", 0);
	sed(log, "evidence.begin", "evidence.bogus");
	listed("", 1);
	free(log);
}

/* ---- Bundles. */

static void made(size_t records, size_t drills, size_t left_out)
{
	struct evidence_bundle_verdict v;
	struct buf b = {0};
	size_t left = 99;

	OK(evidence_bundle_make(dir, &ctx, &b, &left, &e));
	assert_int_equal(left, left_out);
	evidence_bundle_verify(buf_span(&b), NULL, 0, NULL, &v);
	assert_int_equal(v.chain.fault, EVIDENCE_WHOLE);
	assert_int_equal(v.chain.records, records);
	assert_int_equal(v.drills, drills);
	buf_fini(&b);
}

static void a_bundle_has_what_the_chain_names(void **state)
{
	char hash[EVIDENCE_DRILL_HASH], *log = evidence_path_log(dir);

	add(EVIDENCE_BACKUP, NULL);
	made(2, 0, 0);
	drill("1", "passed");
	OK(evidence_rotate(dir, NULL, &ctx, NULL, &e));
	made(4, 1, 0);
	put("2", "passed", hash); /* as a crash leaves it */
	made(4, 1, 1);
	drill("3", "passed");
	made(5, 2, 1);
	assert_int_equal(unlink(log), 0); /* as the hint of a broken chain has it */
	drill("4", "passed");
	made(2, 1, 3);
	free(log);
}

static void no_bundle_is_made_that_is_not_whole(void **state)
{
	char *path = in_dir("drills/1.json");
	struct buf b = {0};
	size_t left;

	add(EVIDENCE_BACKUP, NULL);
	drill("1", "passed");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(evidence_bundle_make(dir, &ctx, &b, &left, &e), -1);
	assert_int_equal(e.kind, ERR_DAMAGE_FOUND);
	assert_non_null(strstr(e.msg, "record 3"));
	buf_fini(&b);
	free(path);
}

#define T(f) cmocka_unit_test_setup_teardown(f, place_new, place_del)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(where_nothing_is_kept_there_is_nothing),
	    T(what_the_chain_names_is_believed),
	    T(what_was_changed_is_not),
	    T(what_another_key_signed_is_not),
	    T(what_was_written_into_the_chain_is_not),
	    T(another_chain_names_nothing),
	    T(a_chain_that_is_damaged_elsewhere_still_names),
	    T(a_bundle_has_what_the_chain_names),
	    T(no_bundle_is_made_that_is_not_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
