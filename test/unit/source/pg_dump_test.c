/* pg_dump: what a program writes becomes a file, or an error with what it said. */
#include "source_unit.h"

#include <sys/stat.h>

#include "source/pg_dump.h"

static void put_program(struct fix *f, const char *name, const char *text)
{
	put(f, name, text);
	assert_int_equal(chmod(at(f, name), 0755), 0);
}

static struct source *open_source(struct fix *f, const struct pg_dump_item *items, size_t n)
{
	static const struct pg_target t = {.host = "/run", .user = "me", .password = "secret"};
	struct pg_dump_params p = {.target = &t, .bin = f->dir, .items = items, .n = n};
	struct source *s;

	OK(f, source_pg_dump_open(&p, &f->ctx, &s, &f->e));
	return s;
}

/* All of a file, or -1 with why not. */
static int read_all(struct fix *f, struct source *s, const char *name, struct buf *out)
{
	struct source_stat st;
	enum source_look what;
	struct source_dir *d = s->ops->root(s, &st, &f->e);
	struct source_reader *r;
	uint8_t block[4096];
	uint64_t size = 0;
	int64_t n;
	bool changed;
	int rc;

	OK(f, s->ops->look(d, name, &st, &what, &f->e));
	rc = s->ops->open(d, name, &st, &r, &f->e);
	source_dir_unref(d);
	if (rc == -1)
		return -1;
	buf_reset(out);
	while ((n = s->ops->read(r, block, sizeof block, &f->e)) > 0)
		buf_put(out, block, (size_t)n);
	if (n == -1) {
		source_reader_abandon(r);
		return -1;
	}
	rc = s->ops->finish(r, &changed, &size, &f->e);
	assert_int_equal(size, out->n);
	return rc;
}

static void files_are_named_after_what_they_hold(void **state)
{
	static const struct {
		struct pg_dump_item item;
		const char *file;
	} all[] = {{{NULL, NULL}, "globals.sql"}, {{"orders", NULL}, "orders.dump"},
	    {{"orders", "side"}, "orders.side.dump"}, {{"../a%", "b/c"}, "%2E.%2Fa%25.b%2Fc.dump"},
	    {{"a\nb", NULL}, "a%0Ab.dump"}};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		char *file = pg_dump_file(&all[i].item);

		assert_string_equal(file, all[i].file);
		free(file);
	}
}

static void each_is_what_its_program_writes(void **state)
{
	static const struct pg_dump_item items[] = {
	    {NULL, NULL}, {"orders", NULL}, {"host=x y", "a\"b"}};
	struct fix *f = *state;
	struct source_names names = {0};
	struct source_stat st;
	struct buf out = {0};
	struct source *s = open_source(f, items, 3);
	struct source_dir *d = s->ops->root(s, &st, &f->e);

	put_program(f, "pg_dump", "#!/bin/sh\necho \"$* $PGDATABASE $PGUSER $PGPASSWORD\"\n");
	put_program(f, "pg_dumpall", "#!/bin/sh\necho \"$*\"\n");
	setenv("PGDATABASE", "another", 1);
	OK(f, s->ops->list(d, &names, &f->e));
	assert_int_equal(names.n, 3);
	assert_string_equal(source_name(&names, 0), "globals.sql");
	assert_string_equal(source_name(&names, 1), "host=x y.a\"b.dump");
	OK(f, read_all(f, s, "globals.sql", &out));
	assert_string_equal(buf_cstr(&out),
	    "--no-password --globals-only --database postgres --no-role-passwords\n");
	OK(f, read_all(f, s, "orders.dump", &out));
	assert_string_equal(
	    buf_cstr(&out), "--no-password --format=custom --compress=0 orders me secret\n");
	OK(f, read_all(f, s, "host=x y.a\"b.dump", &out));
	assert_string_equal(buf_cstr(&out), "--no-password --format=custom --compress=0 --schema "
					    "\"a\"\"b\" host=x y me secret\n");
	assert_int_equal(source_pg_dump_whole(s), 3);
	source_names_fini(&names);
	source_dir_unref(d);
	source_close(s);
	buf_fini(&out);
}

static void one_that_fails_is_an_error_with_what_it_said(void **state)
{
	static const struct pg_dump_item item = {"orders", NULL};
	struct fix *f = *state;
	struct buf out = {0};
	struct source *s = open_source(f, &item, 1);

	FAILS(f, ERR_UNSUPPORTED, read_all(f, s, "orders.dump", &out));
	put_program(f, "pg_dump",
	    "#!/bin/sh\nhead -c 3000000 /dev/zero\n"
	    "echo 'no such table' >&2\nexit 3\n");
	FAILS(f, ERR_FAILED, read_all(f, s, "orders.dump", &out));
	assert_string_equal(f->e.msg, "pg_dump failed (3): no such table");
	assert_int_equal(out.n, 3000000);
	put_program(f, "pg_dump", "#!/bin/sh\necho half; kill -9 $$\n");
	FAILS(f, ERR_FAILED, read_all(f, s, "orders.dump", &out));
	assert_non_null(strstr(f->e.msg, "137"));
	/* Nobody waits for one that hangs when it is to end. */
	put_program(f, "pg_dump", "#!/bin/sh\necho half; exec sleep 1000\n");
	f->ctx.cancel = true;
	FAILS(f, ERR_CANCELLED, read_all(f, s, "orders.dump", &out));
	assert_int_equal(source_pg_dump_whole(s), 0);
	source_close(s);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(files_are_named_after_what_they_hold),
	    cmocka_unit_test_setup_teardown(
		each_is_what_its_program_writes, fix_setup, fix_teardown),
	    cmocka_unit_test_setup_teardown(
		one_that_fails_is_an_error_with_what_it_said, fix_setup, fix_teardown),
	};

	return cmocka_run_group_tests_name("pg_dump", tests, NULL, NULL);
}
