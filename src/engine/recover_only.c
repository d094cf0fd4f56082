/* recover_only: see recover_only.h. */
#include "engine/recover_only.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "db/pg.h"
#include "engine/pg_binaries.h"
#include "os/os.h"
#include "os/os_child.h"
#include "os/os_scratch.h"

struct only {
	const struct recover_params *p;
	const struct recover_only *o;
	struct ctx *ctx;
	struct recover_result *out;
	struct recover_names names;
	char *folder, *dump;
	char *bin; /* of any version, for questions */
};

/* ---- Names. */

/* One name up to a dot; *at behind it. */
static char *take_name(const char **at)
{
	const char *p = *at;
	struct buf b = {0};
	bool quoted = *p == '"';
	char *name;

	for (p += quoted; *p; p++) {
		if (quoted && *p == '"' && p[1] != '"')
			break;
		if (!quoted && *p == '.')
			break;
		p += quoted && *p == '"';
		buf_put_u8(&b, (uint8_t)*p);
	}
	if (quoted && *p == '"')
		p++;
	else if (quoted)
		b.n = 0; /* never closed */
	*at = p;
	name = b.n > 0 ? mem_strndup((const char *)b.p, b.n) : NULL;
	buf_fini(&b);
	return name;
}

int recover_names_parse(const char *what, struct recover_names *out, struct err *e)
{
	char **names[] = {&out->database, &out->schema, &out->table};
	const char *p = what;
	bool more = true;

	*out = (struct recover_names){0};
	for (size_t i = 0; i < 3 && more; i++) {
		if ((*names[i] = take_name(&p)) == NULL)
			break;
		more = *p == '.';
		p += more;
	}
	if (!more && *p == '\0' && out->database != NULL)
		return 0;
	recover_names_fini(out);
	err_set(e, ERR_USAGE, "'%s' is no database, schema or table", what);
	return err_hint(e, "DB, DB.SCHEMA or DB.SCHEMA.TABLE; a name with a dot in double quotes");
}

void recover_names_fini(struct recover_names *n)
{
	free(n->database);
	free(n->schema);
	free(n->table);
	*n = (struct recover_names){0};
}

/* 'text' as SQL has it, 'it''s'; or "name" with the other quotes. */
static char *quoted(const char *text, char quote)
{
	struct buf b = {0};
	char *out;

	buf_printf(&b, "%c", quote);
	for (; *text; text++)
		buf_printf(&b, *text == quote ? "%c%c" : "%c", *text, *text);
	buf_printf(&b, "%c", quote);
	out = mem_strdup(buf_cstr(&b));
	buf_fini(&b);
	return out;
}

/* ---- Programs. */

static void keep_line(void *arg, const char *line)
{
	struct buf *b = arg;

	if (b->n < 4096)
		buf_printf(b, "%s%s", b->n ? "\n" : "", line);
}

static int run(
    struct only *x, const char *bin, const char **argv, bool into, struct buf *said, struct err *e)
{
	const char *env[] = {into ? x->o->into->env : NULL, NULL};
	char *program = mem_printf("%s/%s", bin, argv[0]);
	const char *name = argv[0];
	struct os_child c = {.env = env, .line = keep_line, .arg = said};
	int status = 0, rc;

	argv[0] = program;
	c.argv = argv;
	rc = os_child_run(&c, x->ctx, &status, e);
	free(program);
	if (rc == 0 && status != 0)
		rc = err_set(e, ERR_FAILED, "%s: exit status %d", name, status);
	return rc;
}

static int ask(struct only *x, const char *sql, struct buf *said, struct err *e)
{
	const char *argv[] = {"psql", "-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1", "-d",
	    x->o->into->text, "-c", sql, NULL};

	return run(x, x->bin, argv, true, said, e);
}

/* ---- What is there already. */

static char *count_sql(const struct recover_names *n)
{
	char *schema = n->schema ? quoted(n->schema, '\'') : NULL;
	char *table = n->table ? quoted(n->table, '\'') : NULL;
	char *sql = mem_printf(
	    "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
	    "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') "
	    "AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'%s%s%s%s",
	    schema ? " AND n.nspname = " : "", schema ? schema : "",
	    table ? " AND c.relname = " : "", table ? table : "");

	free(schema);
	free(table);
	return sql;
}

/* A table alone comes without its schema. */
static int check_schema(struct only *x, struct err *e)
{
	char *schema, *sql;
	struct buf said = {0};
	int rc;

	if (x->names.table == NULL)
		return 0;
	schema = quoted(x->names.schema, '\'');
	sql = mem_printf("SELECT count(*) FROM pg_namespace WHERE nspname = %s", schema);
	rc = ask(x, sql, &said, e);
	if (rc == 0 && strcmp(buf_cstr(&said), "0") == 0) {
		rc = err_set(e, ERR_ABSENT, "%s has no schema %s for %s", x->o->into->shown,
		    x->names.schema, x->names.table);
		err_hint(e, "CREATE SCHEMA there first: a table comes without its schema");
	}
	buf_fini(&said);
	free(schema);
	free(sql);
	return rc;
}

static int check_into(struct only *x, struct err *e)
{
	char *sql = count_sql(&x->names);
	struct buf said = {0};
	int rc = ask(x, sql, &said, e);

	if (rc == -1) {
		err_wrap(e, "look at %s", x->o->into->shown);
		err_hint(e, "psql says why, above; --into is a URL, 'host=... dbname=...' or a "
			    "database's name, and a password comes from ~/.pgpass or PGPASSWORD");
	} else if (!x->o->replace && strcmp(buf_cstr(&said), "0") != 0) {
		rc = err_set(
		    e, ERR_EXISTS, "%s: %s is there already", x->o->into->shown, x->o->what);
		err_hint(e, "bring it into another database, or say --replace: what is there of it "
			    "is dropped first");
	}
	buf_fini(&said);
	free(sql);
	return rc == 0 ? check_schema(x, e) : -1;
}

/* ---- Over. */

static int dump(struct only *x, struct pg_server *s, struct err *e)
{
	char *schema = x->names.schema ? quoted(x->names.schema, '"') : NULL;
	char *table = x->names.table ? quoted(x->names.table, '"') : NULL;
	char *pick = mem_printf("%s%s%s%s", table ? "-t" : "-n", schema ? schema : "",
	    table ? "." : "", table ? table : "");
	char *file = mem_printf("-f%s", x->dump);
	struct pg_target t;
	pg_server_target(s, &t);
	const char *argv[] = {"pg_dump", "-Fc", "-Z0", "-w", "-h", t.host, "-p", t.port, "-U",
	    t.user, file, "-d", x->names.database, schema ? pick : NULL, NULL};
	struct buf said = {0};
	int rc = run(x, pg_server_bin(s), argv, false, &said, e);

	if (rc == -1)
		err_hint(e,
		    "what pg_dump says stands above: %s has to be there at that moment, and be "
		    "written as it is there, capitals too",
		    x->o->what);
	buf_fini(&said);
	free(schema);
	free(table);
	free(pick);
	free(file);
	return rc;
}

static int load(struct only *x, struct pg_server *s, struct err *e)
{
	const char *argv[] = {"pg_restore", "-w", "--single-transaction", "--exit-on-error", "-d",
	    x->o->into->text, x->dump, x->o->replace ? "--clean" : NULL, "--if-exists", NULL};
	struct buf said = {0};
	int rc = run(x, pg_server_bin(s), argv, true, &said, e);

	buf_fini(&said);
	if (rc == -1)
		err_hint(e,
		    "nothing was changed in %s: its answer stands above. Where others depend on "
		    "what is there, bring it into another database",
		    x->o->into->shown);
	return rc;
}

/* A step of its own in the record. */
static int step(struct only *x, const char *name,
    int (*f)(struct only *, struct pg_server *, struct err *), struct err *e)
{
	struct clock *wall = os_clock_of(x->ctx), *clock = os_clock();
	struct recover_result *out = x->out;
	struct recover_step *s = &out->steps[out->nsteps];
	int64_t from = clock->mono_ns(clock);
	int rc;

	*s = (struct recover_step){.name = name, .start_ns = wall->wall_ns(wall)};
	rc = f(x, out->server, e);
	s->seconds = (double)(clock->mono_ns(clock) - from) / 1e9;
	snprintf(out->what[out->nsteps], RECOVER_WHAT, "%s", rc == -1 ? "failed" : x->o->what);
	s->what = out->what[out->nsteps++];
	if (x->p->step != NULL)
		x->p->step(x->p->arg, s);
	return rc == -1 ? err_wrap(e, "%s", name) : 0;
}

static int recover(struct only *x, struct repo *r, struct err *e)
{
	static const char *const settings[] = {
	    "fsync=off", "autovacuum=off", "full_page_writes=off", "max_wal_size=4GB"};
	struct recover_params p = *x->p;
	char *target = mem_printf("%s/data", x->folder);
	int rc;

	p.target = target;
	p.start = p.delta = false;
	p.scratch = true;
	p.only = &x->names;
	p.action = RECOVER_PROMOTE;
	p.server.settings = settings;
	p.server.nsettings = sizeof settings / sizeof *settings;
	rc = op_recover(r, &p, x->ctx, x->out, e);
	/* One that the log makes goes beside the others, once it is known beforehand. */
	if (rc == -1 && x->out->met_space) {
		p.look = p.delta = true;
		rc = op_recover(r, &p, x->ctx, x->out, e);
	}
	free(target);
	return rc;
}

static char *make_folder(struct only *x, struct err *e)
{
	const char *dir = x->o->folder;

	if (dir == NULL || *dir == '\0')
		dir = getenv("TMPDIR");
	if (dir == NULL || *dir == '\0')
		dir = "/var/tmp";
	x->folder = os_scratch_new(dir, "hfonly", e);
	/* Who owns the data has to come through, and nobody may look around. */
	if (x->folder != NULL && chmod(x->folder, 0711) == -1)
		err_sys(e, "%s", x->folder);
	return x->folder;
}

/* The folder can be passed through; what is dumped is for nobody else. */
static int make_ours(struct only *x, struct err *e)
{
	char *path = mem_printf("%s/ours", x->folder);
	int rc = os_mkdirat(AT_FDCWD, path, 0700) == -1 ? err_sys(e, "%s", path) : 0;

	free(path);
	return rc;
}

int op_recover_only(struct repo *r, const struct recover_params *p, const struct recover_only *o,
    struct ctx *ctx, struct recover_result *out, struct err *e)
{
	struct only x = {.p = p, .o = o, .ctx = ctx, .out = out};
	struct clock *clock = os_clock();
	int64_t from = clock->mono_ns(clock);
	struct err why;
	int rc = -1;

	*out = (struct recover_result){0};
	if (recover_names_parse(o->what, &x.names, e) == -1)
		return -1;
	x.bin = pg_binaries_any(p->server.bin, e);
	if (x.bin == NULL || check_into(&x, e) == -1 || make_folder(&x, e) == NULL)
		goto out;
	x.dump = mem_printf("%s/ours/dump", x.folder);
	rc = make_ours(&x, e) == -1 ? -1 : recover(&x, r, e);
	if (rc == 0 && !p->dry_run &&
	    (step(&x, "dump", dump, e) == -1 || step(&x, "load", load, e) == -1))
		rc = -1;
	out->seconds = (double)(clock->mono_ns(clock) - from) / 1e9;
out:
	pg_server_free(out->server);
	out->server = NULL;
	if (x.folder != NULL && os_scratch_remove(x.folder, &why) == -1)
		event_emit(ctx, EVENT_WARNING, span_str(x.folder), "left behind: %s", why.msg);
	recover_names_fini(&x.names);
	free(x.folder);
	free(x.dump);
	free(x.bin);
	return rc;
}
