/* What servers say of a folder is taken whole or not at all. */
#include "store/ftp_list.h"
#include "unit/unit.h"

struct seen {
	struct ftp_entry v[16];
	char names[16][64];
	size_t n;
};

static int see(void *arg, const struct ftp_entry *entry, struct err *e)
{
	struct seen *s = arg;

	assert_true(s->n < 16);
	s->v[s->n] = *entry;
	snprintf(s->names[s->n++], sizeof *s->names, "%s", entry->name);
	return 0;
}

static struct seen read_all(const char *text, enum ftp_format format)
{
	struct seen s = {0};
	struct err e;

	if (ftp_list_read(span_str(text), format, see, &s, &e) == -1)
		fail_msg("%s", e.msg);
	return s;
}

static void is_refused(const char *text, enum ftp_format format)
{
	struct seen s = {0};
	struct err e;

	if (ftp_list_read(span_str(text), format, see, &s, &e) == 0)
		fail_msg("taken: %s", text);
	assert_int_equal(e.kind, ERR_UNSUPPORTED);
	assert_true(e.hint[0]);
	for (const char *p = e.msg; *p; p++)
		assert_true(*p >= 0x20 && *p < 0x7f);
}

static void is_one(const char *line, const char *name, enum ftp_kind kind, uint64_t size)
{
	struct seen s = read_all(line, FTP_LS);

	assert_int_equal(s.n, 1);
	assert_string_equal(s.names[0], name);
	assert_int_equal(s.v[0].kind, kind);
	assert_false(s.v[0].whole);
	if (kind == FTP_FILE)
		assert_int_equal(s.v[0].size, size);
}

static void facts_are_taken(void **state)
{
	struct seen s = read_all(
	    "modify=20261121170944;perm=fl;type=cdir; .\r\n"
	    "type=pdir;modify=20261121170944; ..\r\n"
	    "Type=DIR;Modify=20261121170944; packs\r\n"
	    "type=file;size=5;modify=20261121170944.5;UNIX.mode=0644; config\r\n"
	    "type=file;size=5; no-time\n"
	    "type=file;size=x;modify=20261121170944; odd size\n"
	    "type=OS.unix=slink:/tmp;size=5; link",
	    FTP_MLSD);

	assert_int_equal(s.n, 7);
	assert_int_equal(s.v[0].kind, FTP_OTHER);
	assert_int_equal(s.v[1].kind, FTP_OTHER);
	assert_int_equal(s.v[2].kind, FTP_FOLDER);
	assert_string_equal(s.names[3], "config");
	assert_true(s.v[3].whole);
	assert_int_equal(s.v[3].size, 5);
	assert_int_equal(s.v[3].mtime_s, 1795280984);
	assert_false(s.v[4].whole); /* so it is asked for, and not 1970 */
	assert_false(s.v[5].whole);
	assert_string_equal(s.names[5], "odd size");
	assert_int_equal(s.v[6].kind, FTP_OTHER);
}

static void lists_of_unix_are_taken_whoever_owns_the_files(void **state)
{
	is_one("-rw-------    1 107      65534           5 Nov 21 14:00 ab12", "ab12", FTP_FILE, 5);
	is_one("-rw-r--r--   1 alice    Domain Users      123 Nov  1  2025 x", "x", FTP_FILE, 123);
	is_one("-rw-r--r--+  1 J. R. Smith Domain Users 123 Nov 21 9:00 x y", "x y", FTP_FILE, 123);
	is_one("drwxr-xr-x   3 ftp           60 Nov 21 17:09 packs\r", "packs", FTP_FOLDER, 0);
	is_one("lrwxrwxrwx 1 0 0 4 Nov 21 17:09 packs -> /big/packs", "packs", FTP_OTHER, 0);
	is_one("brw-rw---- 1 root disk 8, 0 Nov 21 17:09 sda", "sda", FTP_OTHER, 0);
}

static void lists_of_dos_are_taken(void **state)
{
	is_one("11-21-26  02:00PM       <DIR>          packs", "packs", FTP_FOLDER, 0);
	is_one("11-21-2026  02:00PM             123456 ab12", "ab12", FTP_FILE, 123456);
	is_one("11-21-26  14:00 5 a b", "a b", FTP_FILE, 5);
}

static void totals_and_empty_lines_are_no_entries(void **state)
{
	assert_int_equal(read_all("total 12\r\n\r\ntotal 0\n", FTP_LS).n, 0);
	assert_int_equal(read_all("", FTP_LS).n, 0);
	assert_int_equal(read_all("\r\n", FTP_MLSD).n, 0);
}

static void a_line_that_is_not_understood_is_never_passed_over(void **state)
{
	static const char *const lines[] = {"-rw------- 1 0 0 5 21. Nov 14:00 ab12",
	    "-rw------- 1 0 0 5 2026-11-21 14:00 ab12", "-rw------- 1 0 0 five Nov 21 14:00 ab12",
	    "-rw------- 1 0 0 5 Nov 21 14:00", "d [RWCEAFMS] admin 512 Nov 21 14:00 packs", "ab12",
	    "packs/ab12:", "total of one file", "-rw------- 1 0 0 5 Nov 21 14:00 a/b",
	    "11-21-26  02:00PM 5", "11-21-26  02:00PM <JUNCTION> packs", "\033[1m",
	    "+i1.2,m1,/,\tpacks"};

	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		is_refused(lines[i], FTP_LS);
	is_refused("type=file;size=5;modify=20261121170944;", FTP_MLSD);
	is_refused("size=5;modify=20261121170944; no-type", FTP_MLSD);
	is_refused("type=collection; odd", FTP_MLSD);
	is_refused("type=file;size=5; packs/ab", FTP_MLSD);
	is_refused("total 5", FTP_MLSD);
}

static void no_line_is_too_long_or_no_text(void **state)
{
	char text[10000];
	struct seen s = {0};
	struct err e;

	memset(text, 'a', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	is_refused(text, FTP_LS);
	assert_int_equal(ftp_list_read(span_of("total 5\0\n", 9), FTP_LS, see, &s, &e), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(facts_are_taken),
	    cmocka_unit_test(lists_of_unix_are_taken_whoever_owns_the_files),
	    cmocka_unit_test(lists_of_dos_are_taken),
	    cmocka_unit_test(totals_and_empty_lines_are_no_entries),
	    cmocka_unit_test(a_line_that_is_not_understood_is_never_passed_over),
	    cmocka_unit_test(no_line_is_too_long_or_no_text),
	};

	return cmocka_run_group_tests_name("ftp_list", tests, NULL, NULL);
}
