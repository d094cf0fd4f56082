/* pg_tar, pg_manifest: what a server streams, and what it says that was. */
#include "unit/unit.h"

#include "base/buf.h"
#include "base/mem.h"
#include "codec/crc32c.h"
#include "source/pg_manifest.h"
#include "source/pg_tar.h"

static struct err e;

/* A header as PostgreSQL writes it. */
static void put_head(struct buf *b, const char *name, char type, uint64_t size)
{
	char h[PG_TAR_BLOCK] = {0};
	unsigned sum = 0;

	memcpy(h, name, strlen(name));
	snprintf(h + 100, 8, "%07o", 0600);
	snprintf(h + 124, 12, "%011llo", (unsigned long long)size);
	memset(h + 148, ' ', 8);
	h[156] = type;
	memcpy(h + 257, "ustar\00000", 8);
	for (int i = 0; i < PG_TAR_BLOCK; i++)
		sum += (uint8_t)h[i];
	snprintf(h + 148, 8, "%06o", sum);
	buf_put(b, h, sizeof h);
}

static void put_file(struct buf *b, const char *name, const char *text)
{
	static const char none[PG_TAR_BLOCK];
	size_t n = strlen(text);

	put_head(b, name, '0', n);
	buf_put(b, text, n);
	buf_put(b, none, -n % PG_TAR_BLOCK);
}

static void put_end(struct buf *b)
{
	static const char none[2 * PG_TAR_BLOCK];

	buf_put(b, none, sizeof none);
}

static int on_entry(void *arg, const struct pg_tar_entry *en, struct err *err)
{
	buf_printf(arg, "%s %d %llu:", en->name, en->type, (unsigned long long)en->size);
	return 0;
}

static int on_data(void *arg, struct span s, struct err *err)
{
	buf_put(arg, s.p, s.n);
	return 0;
}

static int on_end(void *arg, struct err *err)
{
	buf_printf(arg, ";");
	return 0;
}

static const struct pg_tar_ops ops = {on_entry, on_data, on_end};

static int feed(struct span s, size_t step, struct buf *out)
{
	struct pg_tar t = {.ops = &ops, .arg = out};
	int rc = 0;

	for (size_t at = 0; rc == 0 && at < s.n; at += step)
		rc = pg_tar_feed(&t, span_of(s.p + at, s.n - at < step ? s.n - at : step), &e);
	return rc == 0 ? pg_tar_finish(&t, &e) : -1;
}

static void a_stream_says_the_same_in_pieces_of_any_size(void **state)
{
	static const size_t steps[] = {1, 7, 511, 512, 513, 100000};
	struct buf b = {0};

	put_file(&b, "PG_VERSION", "15\n");
	put_head(&b, "base/", '5', 0);
	put_file(&b, "./base/5/1259", "rows");
	put_file(&b, "empty", "");
	put_head(&b, "pg_tblspc/16400", '2', 0);
	put_end(&b);
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		struct buf out = {0};

		if (feed(buf_span(&b), steps[i], &out) == -1)
			fail_msg("%zu: %s", steps[i], e.msg);
		assert_string_equal(buf_cstr(&out),
		    "PG_VERSION 1 3:15\n;base 2 0:base/5/1259 1 4:rows;empty 1 0:;"
		    "pg_tblspc/16400 3 0:");
		buf_fini(&out);
	}
	buf_fini(&b);
}

static void names_that_lead_elsewhere_and_other_things_are_refused(void **state)
{
	static const char *const names[] = {"/etc/passwd", "../x", "a/../x", "a/..", "..", ".", "",
	    "a//b", "./../x", "a/./b", "/", "./"};
	static const char types[] = {'1', '3', '4', '6', '7', 'x', 'g', 'L'};
	struct buf b = {0}, out = {0};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		buf_reset(&b);
		put_file(&b, names[i], "x");
		if (feed(buf_span(&b), 4096, &out) == 0)
			fail_msg("taken: %s", names[i]);
		assert_int_equal(e.kind, ERR_CORRUPT);
	}
	for (size_t i = 0; i < sizeof types; i++) {
		buf_reset(&b);
		put_head(&b, "x", types[i], 0);
		assert_int_equal(feed(buf_span(&b), 4096, &out), -1);
	}
	assert_int_equal(out.n, 0);
	buf_fini(&b);
	buf_fini(&out);
}

static void a_stream_that_is_cut_or_changed_is_refused(void **state)
{
	struct buf b = {0}, out = {0};

	put_file(&b, "a", "text");
	put_end(&b);
	for (size_t n = 1; n < 1024; n++) /* at 1024 the file is whole */
		assert_int_equal(feed(span_of(b.p, n), 4096, &out), -1);
	b.p[3] = 'x';
	assert_int_equal(feed(buf_span(&b), 4096, &out), -1);
	assert_non_null(strstr(e.msg, "checksum"));
	buf_reset(&b);
	put_end(&b);
	put_file(&b, "late", "x");
	assert_int_equal(feed(buf_span(&b), 4096, &out), -1);
	buf_fini(&b);
	buf_fini(&out);
}

static int read_in(struct pg_manifest *m, struct span text, size_t piece)
{
	struct pg_manifest_reading *r = pg_manifest_read(m);
	int rc = 0;

	for (size_t i = 0; i < m->n; i++)
		m->v[i].named = false;
	for (size_t at = 0, n; rc == 0 && at < text.n; at += n) {
		n = text.n - at < piece ? text.n - at : piece;
		rc = pg_manifest_feed(r, span_of(text.p + at, n), &e);
	}
	if (rc == 0)
		rc = pg_manifest_end(r, &e);
	pg_manifest_free(r);
	return rc;
}

/* However it comes, it is the same. */
static int pg_manifest_check(struct pg_manifest *m, struct span text)
{
	int rc = read_in(m, text, text.n + 1);

	for (size_t piece = 1; piece < 8; piece++)
		assert_int_equal(read_in(m, text, piece), rc);
	return rc;
}

static int check(const char *size, const char *sum, const char *more)
{
	char *text = mem_printf("{\"Files\": [{\"Path\": \"base/1\", \"Size\": %s, "
				"\"Checksum-Algorithm\": \"CRC32C\", \"Checksum\": \"%s\"}%s]}",
	    size, sum, more);
	struct pg_manifest m = {0};
	struct pg_manifest_file *f;
	int rc;

	pg_manifest_add(&m, "pg_wal/000000010000000000000001");
	f = pg_manifest_add(&m, "base/1");
	f->size = 9;
	f->crc = crc32c(0, "123456789", 9);
	rc = pg_manifest_check(&m, span_str(text));
	pg_manifest_fini(&m);
	free(text);
	return rc;
}

static void what_came_is_what_the_manifest_names(void **state)
{
	/* CRC-32C of "123456789" is e3069283, lowest byte first. */
	assert_int_equal(check("9", "839206e3", ""), 0);
	assert_int_equal(check("9", "e3069283", ""), -1);
	assert_non_null(strstr(e.msg, "base/1: its checksum is e3069283"));
	assert_int_equal(check("8", "839206e3", ""), -1);
	assert_int_equal(check("-9", "839206e3", ""), -1);
	assert_int_equal(check("9", "839206e3", ", {\"Path\": \"base/2\", \"Size\": 1}"), -1);
	assert_non_null(strstr(e.msg, "base/2: it is in the manifest, and did not come"));
	assert_int_equal(check("9", "839206e3", ", {\"Size\": 1}"), -1);
	assert_int_equal(check("9", "839206e3", ", {\"Encoded-Path\": \"zz\"}"), -1);
	assert_int_equal(check("9", "839206e3\"}, {\"x\": \"", ""), -1);
}

static void a_file_that_no_manifest_names_is_refused(void **state)
{
	struct pg_manifest m = {0};

	pg_manifest_add(&m, "base/1");
	assert_int_equal(pg_manifest_check(&m, span_str("{\"Files\": []}")), -1);
	assert_int_equal(pg_manifest_check(&m, span_str("[]")), -1);
	assert_int_equal(pg_manifest_check(&m, span_str("")), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
	pg_manifest_fini(&m);
}

#define FILE_1 "\"Size\": 0, \"Checksum-Algorithm\": \"CRC32C\", \"Checksum\": \"00000000\""

/* It is the server's word: whatever it is, it is refused or means one thing. */
static void a_manifest_that_is_odd_is_refused(void **state)
{
	static const struct {
		const char *text;
		int rc;
	} v[] = {
	    {"{\"Files\": [{\"Path\": \"a\\u00e4b\", " FILE_1 "}]}", 0},
	    {"{\"Files\": [{\"Encoded-Path\": \"61c3a462\", " FILE_1 "}]}", 0},
	    {" { \"x\" : [ {\"Files\":[1]}, [], -1.5e3 , true, null, \"\\ud83d\\ude00\\n\" ] ,"
	     "\"Files\":\n[ {\"y\": {\"Path\": \"z\"}, " FILE_1
	     ", \"Path\" : \"a\xc3\xa4\x62\"} ] , \"z\": \"\" }\n",
		0},
	    {"{\"Files\": [{\"Path\": \"a\\u00e4b\", " FILE_1 "}], \"Files\": []}", -1},
	    {"{\"Files\": [{\"Path\": \"a\\u00e4b\", " FILE_1 "},{\"Path\": \"a\\u00e4b\", " FILE_1
	     "}]}",
		-1},
	    {"{\"Files\": [{\"Path\": \"a\\u00e4b\", \"Path\": \"c\", " FILE_1 "}]}", -1},
	    {"{\"Files\": [{\"Path\": \"a\\u00e4b\", " FILE_1 ",}]}", -1},
	    {"{\"Files\": [{\"Path\": \"a\\u00e4b\", " FILE_1 "}]} x", -1},
	    {"{\"Files\": [{\"Path\": \"a\\u00e4b\", " FILE_1 "}]", -1},
	    {"{\"Files\": [{\"Path\": \"a\\u00e4b\", " FILE_1 "}}}", -1},
	    {"{\"Files\": [{\"Path\": \"a\\u00e4b\" \"x\": 1, " FILE_1 "}]}", -1},
	    {"{\"Files\": [{\"Path\": \"a\\u00e4b\", \"x\": truth, " FILE_1 "}]}", -1},
	    {"{\"Files\": [{\"Path\": \"a\\ud800b\", " FILE_1 "}]}", -1},
	    {"{\"Files\": [{\"Path\": \"a\\u0000b\", " FILE_1 "}]}", -1},
	    {"{\"Files\": [{\"Path\": \"\\u00e4\nb\", " FILE_1 "}]}", -1},
	    {"{\"Files\": [{\"Path\": 1, " FILE_1 "}]}", -1},
	    {"{\"Files\": [[]]}", -1},
	    {"{\"Files\": [1]}", -1},
	    {"{\"Files\": {}}", -1},
	    {"\"Files\"", -1},
	    {"[[[[[[[[[[[[[[[[[[[[[[", -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		struct pg_manifest m = {0};

		pg_manifest_add(&m, "a\xc3\xa4\x62");
		assert_int_equal(pg_manifest_check(&m, span_str(v[i].text)), v[i].rc);
		assert_true(v[i].rc == 0 || e.kind == ERR_CORRUPT);
		pg_manifest_fini(&m);
	}
}

/* Neither a name nor all of it goes on for ever, and nothing of what is passed over is kept. */
static void a_manifest_without_an_end_is_refused(void **state)
{
	static char piece[64 << 10];
	const char *const begins[] = {"{\"Files\": [", "{\"Files\": [{\"Path\": \""};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct pg_manifest m = {0};
		struct pg_manifest_reading *r = pg_manifest_read(&m);
		unsigned n = 0;

		memset(piece, i ? 'a' : ' ', sizeof piece);
		assert_int_equal(pg_manifest_feed(r, span_str(begins[i]), &e), 0);
		while (pg_manifest_feed(r, span_of(piece, sizeof piece), &e) == 0)
			n++;
		assert_true(n < 20 && e.kind == ERR_CORRUPT);
		pg_manifest_free(r);
		pg_manifest_fini(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_stream_says_the_same_in_pieces_of_any_size),
	    cmocka_unit_test(names_that_lead_elsewhere_and_other_things_are_refused),
	    cmocka_unit_test(a_stream_that_is_cut_or_changed_is_refused),
	    cmocka_unit_test(what_came_is_what_the_manifest_names),
	    cmocka_unit_test(a_file_that_no_manifest_names_is_refused),
	    cmocka_unit_test(a_manifest_that_is_odd_is_refused),
	    cmocka_unit_test(a_manifest_without_an_end_is_refused),
	};

	return cmocka_run_group_tests_name("pg_stream", tests, NULL, NULL);
}
