/* catalog: the files of snapshots are found, each in the snapshots that have it and in no other. */
#include "unit/catalog/place.h"

#include "base/buf.h"
#include "catalog/catalog_files.h"
#include "catalog/catalog_text.h"
#include "catalog/catalog_words.h"

struct seen {
	struct buf text; /* "path size: snapshots\n" */
	size_t n;
};

static int see(void *arg, const struct catalog_hit *h, struct err *err)
{
	struct seen *s = arg;

	s->n++;
	buf_put_span(&s->text, h->path);
	buf_printf(&s->text, " %llu:", (unsigned long long)h->size);
	for (size_t i = 0; i < h->n; i++)
		buf_printf(&s->text, " %s", h->snapshots[i]->snapshot);
	buf_put_u8(&s->text, '\n');
	return 0;
}

static void finds(struct catalog *c, struct catalog_find p, const char *expected)
{
	struct seen s = {0};

	OK(catalog_find(c, &p, see, &s, &e));
	assert_string_equal(buf_cstr(&s.text), expected);
	buf_fini(&s.text);
}

static struct catalog_snapshot snapshot(const char *id)
{
	return (struct catalog_snapshot){.repository = "aa11",
	    .name = "main",
	    .snapshot = id,
	    .group = "99",
	    .system = "web",
	    .host = "h",
	    .outcome = "complete",
	    .start_ns = id[1] * 1000};
}

static struct catalog_files *begin_of(
    struct catalog *c, struct catalog_snapshot s, bool whole, const char *expected_head)
{
	struct catalog_files *f;
	char head[CATALOG_HEX];

	OK(catalog_snapshot_put(c, &s, &e));
	OK(catalog_files_begin(c, &s, whole, &f, head, &e));
	assert_string_equal(head, expected_head);
	return f;
}

static struct catalog_files *begin(struct catalog *c, const char *id, const char *head)
{
	return begin_of(c, snapshot(id), false, head);
}

static void add(struct catalog_files *f, const char *path, uint64_t size, bool before)
{
	OK(catalog_files_add(f, span_str(path), ENTRY_FILE, size, 5, before, &e));
}

static void commit(struct catalog_files *f)
{
	uint64_t left_out;

	OK(catalog_files_commit(f, &left_out, &e));
	assert_int_equal(left_out, 0);
}

/* s1: etc/passwd, etc/hosts; s2: passwd changed, hosts gone; s3: as s2, and hosts back. */
static void fill(struct catalog *c)
{
	struct catalog_files *f = begin(c, "s1", "");

	add(f, "/etc/passwd", 10, false);
	add(f, "/etc/hosts", 20, false);
	commit(f);
	f = begin(c, "s2", "s1");
	add(f, "/etc/passwd", 11, true);
	OK(catalog_files_remove(f, span_str("/etc/hosts"), &e));
	commit(f);
	f = begin(c, "s3", "s2");
	add(f, "/etc/hosts", 20, false);
	commit(f);
}

static void a_version_is_found_in_the_snapshots_that_have_it(void **state)
{
	struct catalog *c = place_open();

	fill(c);
	finds(c, (struct catalog_find){.pattern = "passwd"},
	    "/etc/passwd 10: s1\n/etc/passwd 11: s2 s3\n");
	finds(
	    c, (struct catalog_find){.pattern = "hosts"}, "/etc/hosts 20: s1\n/etc/hosts 20: s3\n");
	OK(catalog_snapshot_del(c, "aa11", "s2", &e));
	finds(c, (struct catalog_find){.pattern = "passwd"},
	    "/etc/passwd 10: s1\n/etc/passwd 11: s3\n");
	OK(catalog_snapshot_del(c, "aa11", "s1", &e));
	finds(c, (struct catalog_find){.pattern = "passwd"}, "/etc/passwd 11: s3\n");
	catalog_close(c);
}

static void a_pattern_is_a_part_or_a_glob_of_a_name_or_path(void **state)
{
	static const struct {
		const char *pattern;
		bool ignore_case;
		const char *sizes;
	} cases[] = {
	    {"report", false, "123"},
	    {"REPORT", false, ""},
	    {"REPORT", true, "123"},
	    {"ort.p", false, "1"},
	    {"report*", false, "12"},
	    {"*.pdf", false, "14"},
	    {"r?port.pdf", false, "1"},
	    {"r[a-f]port.pdf", false, "1"},
	    {"[x]", false, ""},
	    {"*\\[x]", false, "5"},
	    {"/home/*", false, "12345"},
	    {"/home/*/report*", false, "12"},
	    {"eve/rep", false, "1"},
	    {"/home/eve/", false, "15"},
	    {"home/eve", false, ""}, /* the folder itself is none of the entries here */
	    {"e/", false, "15"},
	    {"ome/bob/old", false, "3"},
	    {"ab", false, "5"}, /* fewer than three letters */
	    {"ab\"c%d_", false, "5"},
	    {"\xc3\xa4", false, "4"},
	    {"m\xc3\xa4rz", false, "4"},
	    {"*/m\xc3\xa4*", false, "4"},
	    {"nothing", false, ""},
	};
	struct catalog *c = place_open();
	struct catalog_files *f = begin(c, "s1", "");

	add(f, "/home/eve/report.pdf", 1, false);
	add(f, "/home/bob/report2.txt", 2, false);
	add(f, "/home/bob/old-report", 3, false);
	add(f, "/home/bob/m\xc3\xa4rz.pdf", 4, false);
	add(f, "/home/eve/ab\"c%d_[x]", 5, false);
	commit(f);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct catalog_find p = {
		    .pattern = cases[i].pattern, .ignore_case = cases[i].ignore_case};
		struct seen s = {0};
		char sizes[8] = {0};

		OK(catalog_find(c, &p, see, &s, &e));
		for (char k = '1'; k <= '5'; k++) {
			char what[] = {' ', k, ':', 0};

			if (strstr(buf_cstr(&s.text), what))
				sizes[strlen(sizes)] = k;
		}
		if (strcmp(sizes, cases[i].sizes) != 0 || s.n != strlen(sizes))
			fail_msg("%s: %s, %zu hits", cases[i].pattern, sizes, s.n);
		buf_fini(&s.text);
	}
	catalog_close(c);
}

static void words(const char *text, bool server, const char *expected)
{
	struct catalog_words w;
	struct buf all = {0};

	buf_put(&all, "", 0);
	if (catalog_words_of(&w, span_str(text), server))
		for (size_t i = 0; i < w.n; i++)
			buf_printf(
			    &all, "%s%.*s", i ? " " : "", (int)w.v[i].n, (const char *)w.v[i].p);
	assert_string_equal(buf_cstr(&all), expected);
	buf_fini(&all);
}

/* Few of them: each costs as much as there are names that have it. */
static void an_index_is_asked_for_words_side_by_side(void **state)
{
	words("ab", false, "");
	words("abc", false, "abc");
	words("abcdefg", false, "abc def efg");
	words("budget-99", false, "bud get -99");
	words("\xc3\xa4\xc3\xb6\xc3\xbcx", false, "\xc3\xa4\xc3\xb6\xc3\xbc \xc3\xb6\xc3\xbcx");
	words("ab", true, "");
	words("budget-99", true, "bud get -99");
	words("my_report.pdf", true, "rep ort pdf");
	words("a-b-c", true, "a-b-c");
	words("aaabbbcccdddeeefffggghhhiiijjjkkklllmmmnnn", true,
	    "aaa bbb ccc ddd eee fff ggg hhh iii jjj kkk lll");
}

static void a_name_of_any_bytes_comes_back(void **state)
{
	struct catalog *c = place_open();
	struct catalog_files *f = begin(c, "s1", "");

	add(f, "/d\xff/name\xff\xc3.x", 1, false);
	add(f, "/d/name\xf4\x8f\xbf\xbf.x", 2, false);
	commit(f);
	finds(c, (struct catalog_find){.pattern = "name\xff"}, "/d\xff/name\xff\xc3.x 1: s1\n");
	finds(c, (struct catalog_find){.pattern = "name\xf4\x8f\xbf\xbf"},
	    "/d/name\xf4\x8f\xbf\xbf.x 2: s1\n");
	catalog_close(c);
}

static void what_was_cut_off_is_undone_and_was_never_seen(void **state)
{
	static const char *const found = "/etc/passwd 10: s1\n/etc/passwd 11: s2 s3\n";
	struct catalog *c = place_open(), *d;
	struct catalog_files *f;

	fill(c);
	f = begin(c, "s4", "s3");
	for (int i = 0; i < 4100; i++) { /* more than one batch */
		char path[32];

		snprintf(path, sizeof path, "/etc/passwd%d", i);
		add(f, path, 1, false);
	}
	OK(catalog_files_remove(f, span_str("/etc/passwd"), &e));
	catalog_files_abort(f);
	finds(c, (struct catalog_find){.pattern = "passwd"}, found);
	/* Whoever comes next takes in another one. */
	d = place_open();
	f = begin(d, "s5", "s3");
	commit(f);
	finds(d, (struct catalog_find){.pattern = "passwd"},
	    "/etc/passwd 10: s1\n/etc/passwd 11: s2 s3 s5\n");
	catalog_close(d);
	catalog_close(c);
}

static void without_the_one_before_all_are_told_and_none_twice(void **state)
{
	struct catalog *c = place_open();
	struct catalog_files *f;

	fill(c);
	f = begin_of(c, snapshot("s4"), true, "s3");
	add(f, "/etc/passwd", 11, false); /* as it was */
	add(f, "/etc/group", 7, false);
	commit(f);
	finds(c, (struct catalog_find){.pattern = "/etc/*"},
	    "/etc/passwd 10: s1\n/etc/passwd 11: s2 s3 s4\n"
	    "/etc/hosts 20: s1\n/etc/hosts 20: s3\n/etc/group 7: s4\n");
	catalog_close(c);
}

static void hits_are_of_what_was_asked_and_no_more_than_that(void **state)
{
	struct catalog *c = place_open();
	struct catalog_snapshot other = snapshot("t1");
	struct catalog_files *f;
	struct seen s = {0};

	fill(c);
	other.repository = "bb22";
	other.name = "far";
	other.system = "db";
	f = begin_of(c, other, false, "");
	add(f, "/etc/hosts", 99, false);
	commit(f);
	finds(c, (struct catalog_find){.pattern = "hosts", .repository = "far"},
	    "/etc/hosts 99: t1\n");
	finds(c, (struct catalog_find){.pattern = "hosts", .system = "db"}, "/etc/hosts 99: t1\n");
	OK(catalog_find(c, &(struct catalog_find){.pattern = "s", .limit = 2}, see, &s, &e));
	assert_int_equal(s.n, 2);
	OK(catalog_find(c, &(struct catalog_find){.pattern = "hosts", .newer_ns = 6}, see, &s, &e));
	assert_int_equal(s.n, 2);
	buf_fini(&s.text);
	assert_int_equal(catalog_find(c, &(struct catalog_find){.pattern = ""}, see, &s, &e), -1);
	assert_int_equal(e.kind, ERR_USAGE);
	catalog_close(c);
}

static void a_snapshot_is_taken_in_once_and_long_paths_are_told(void **state)
{
	struct catalog *c = place_open();
	struct catalog_snapshot s = snapshot("s3");
	struct catalog_files *f;
	char head[CATALOG_HEX], *path = mem_printf("/%0*d/x", CATALOG_FOLDER_MAX, 7);
	uint64_t left_out;

	fill(c);
	assert_int_equal(catalog_files_begin(c, &s, false, &f, head, &e), -1);
	assert_int_equal(e.kind, ERR_EXISTS);
	f = begin(c, "s4", "s3");
	add(f, path, 1, false);
	OK(catalog_files_commit(f, &left_out, &e));
	assert_int_equal(left_out, 1);
	free(path);
	catalog_close(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(a_version_is_found_in_the_snapshots_that_have_it),
	    T(a_pattern_is_a_part_or_a_glob_of_a_name_or_path),
	    T(an_index_is_asked_for_words_side_by_side),
	    T(a_name_of_any_bytes_comes_back),
	    T(what_was_cut_off_is_undone_and_was_never_seen),
	    T(without_the_one_before_all_are_told_and_none_twice),
	    T(hits_are_of_what_was_asked_and_no_more_than_that),
	    T(a_snapshot_is_taken_in_once_and_long_paths_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
