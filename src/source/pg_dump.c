/* pg_dump: see pg_dump.h. */
#include "source/pg_dump.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/os.h"
#include "source/dirlist.h"

struct item {
	char *file, *database, *schema;
};

struct dumps {
	struct source base;
	struct pg_dump_params p;
	char *bin;
	struct item *items;
	size_t n;
	struct source_stat st; /* of each */
	_Atomic size_t whole;
};

struct dump_reader {
	struct source_reader base;
	const struct item *item;
	struct pg_dump_run run;
	uint64_t n; /* read so far */
};

/* ---- Names. */

static void put_name(struct buf *b, const char *name)
{
	for (const char *p = name; *p != '\0'; p++) {
		unsigned char c = (unsigned char)*p;

		if (c < ' ' || c == '/' || c == '%' || c == 127 || (c == '.' && b->n == 0))
			buf_printf(b, "%%%02X", c);
		else
			buf_put(b, p, 1);
	}
}

char *pg_dump_file(const struct pg_dump_item *item)
{
	struct buf b = {0};
	char *out;

	if (item->database == NULL)
		return mem_strdup("globals.sql");
	put_name(&b, item->database);
	if (item->schema != NULL) {
		buf_put(&b, ".", 1);
		put_name(&b, item->schema);
	}
	buf_printf(&b, ".dump");
	out = mem_strdup(buf_cstr(&b));
	buf_fini(&b);
	return out;
}

/* A schema's name as a pattern that means nothing else. */
static char *pattern_of(const char *schema)
{
	struct buf b = {0};
	char *out;

	buf_put(&b, "\"", 1);
	for (const char *p = schema; *p != '\0'; p++)
		buf_put(&b, *p == '"' ? "\"\"" : p, *p == '"' ? 2 : 1);
	buf_put(&b, "\"", 1);
	out = mem_strdup(buf_cstr(&b));
	buf_fini(&b);
	return out;
}

static const struct item *item_of(const struct dumps *s, const char *file)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->items[i].file, file) == 0)
			return &s->items[i];
	return NULL;
}

/* ---- The folder. */

static void dir_free(struct source_dir *d)
{
	free(d->path);
	free(d);
}

static struct source_dir *dump_root(struct source *src, struct source_stat *st, struct err *e)
{
	struct source_dir *d = mem_zalloc(sizeof *d);

	d->source = src;
	d->refs = 1;
	d->path = mem_strdup("/");
	d->free = dir_free;
	*st = ((struct dumps *)src)->st;
	st->type = ENTRY_DIR;
	st->mode = 0700;
	return d;
}

static int dump_list(struct source_dir *d, struct source_names *out, struct err *e)
{
	const struct dumps *s = (const struct dumps *)d->source;

	buf_reset(&out->text);
	out->n = 0;
	for (size_t i = 0; i < s->n; i++)
		dirlist_add(out, s->items[i].file);
	dirlist_sort(out);
	return 0;
}

static int dump_look(struct source_dir *d, const char *name, struct source_stat *st,
    enum source_look *what, struct err *e)
{
	const struct dumps *s = (const struct dumps *)d->source;

	if (item_of(s, name) == NULL)
		return err_set(e, ERR_ABSENT, "/%s: not there", name);
	*st = s->st;
	*what = SOURCE_TAKE;
	return 0;
}

/* ---- Contents. */

static int start(const struct dumps *s, struct dump_reader *r, struct err *e)
{
	const struct item *x = r->item;
	bool globals = x->database == NULL;
	const char *asked = s->p.target->database ? s->p.target->database : "postgres";
	char *program = mem_printf("%s/%s", s->bin, globals ? "pg_dumpall" : "pg_dump");
	char *pattern = x->schema ? pattern_of(x->schema) : NULL;
	const char *argv[10] = {program, "--no-password"};
	size_t n = 2;
	int rc;

	if (globals) {
		argv[n++] = "--globals-only";
		argv[n++] = "--database";
		argv[n++] = asked;
		if (!s->p.passwords)
			argv[n++] = "--no-role-passwords";
	} else {
		argv[n++] = "--format=custom";
		argv[n++] = "--compress=0";
	}
	if (pattern != NULL) {
		argv[n++] = "--schema";
		argv[n++] = pattern;
	}
	rc = pg_dump_start(&r->run, argv, s->p.target, globals ? asked : x->database, e);
	free(pattern);
	free(program);
	return rc;
}

static int dump_open(struct source_dir *d, const char *name, const struct source_stat *st,
    struct source_reader **out, struct err *e)
{
	const struct dumps *s = (const struct dumps *)d->source;
	struct dump_reader *r = mem_zalloc(sizeof *r);

	r->base.source = d->source;
	r->base.st = *st;
	r->base.again = true;
	r->item = item_of(s, name);
	if (start(s, r, e) == -1) {
		free(r);
		return -1;
	}
	*out = &r->base;
	return 0;
}

static int64_t dump_read(struct source_reader *base, void *p, size_t n, struct err *e)
{
	struct dump_reader *r = (struct dump_reader *)base;
	int64_t got = pg_dump_read(&r->run, base->source->ctx, p, n, e);

	r->n += got > 0 ? (uint64_t)got : 0;
	return got;
}

static int dump_finish(struct source_reader *base, bool *changed, uint64_t *size, struct err *e)
{
	struct dump_reader *r = (struct dump_reader *)base;
	struct dumps *s = (struct dumps *)base->source;
	int rc = pg_dump_finish(&r->run, r->item->database ? "pg_dump" : "pg_dumpall", e);

	*changed = false;
	*size = r->n;
	free(r);
	if (rc == 0)
		s->whole++;
	return rc;
}

static void dump_close(struct source *src)
{
	struct dumps *s = (struct dumps *)src;

	for (size_t i = 0; i < s->n; i++) {
		free(s->items[i].file);
		free(s->items[i].database);
		free(s->items[i].schema);
	}
	free(s->items);
	free(s->bin);
	free(s);
}

static const struct source_ops dump_ops = {
    .kind = "dump",
    .root = dump_root,
    .list = dump_list,
    .look = dump_look,
    .enter = source_enter_none,
    .fill = source_fill_plain,
    .open = dump_open,
    .read = dump_read,
    .finish = dump_finish,
    .close = dump_close,
};

static int add(struct dumps *s, const struct pg_dump_item *item, struct err *e)
{
	char *file = pg_dump_file(item);
	struct item *x = &s->items[s->n];

	if (strlen(file) > ENTRY_NAME_MAX || item_of(s, file) != NULL) {
		err_set(e, ERR_UNSUPPORTED, "%s: %s", file,
		    item_of(s, file) ? "two dumps of that name" : "a name that is too long");
		free(file);
		return -1;
	}
	x->file = file;
	x->database = item->database ? mem_strdup(item->database) : NULL;
	x->schema = item->schema ? mem_strdup(item->schema) : NULL;
	s->n++;
	return 0;
}

int source_pg_dump_open(
    const struct pg_dump_params *p, struct ctx *ctx, struct source **out, struct err *e)
{
	struct dumps *s = mem_zalloc(sizeof *s);
	int64_t now = ctx->clock->wall_ns(ctx->clock);

	s->base = (struct source){&dump_ops, ctx};
	s->p = *p;
	s->bin = mem_strdup(p->bin);
	s->items = mem_zalloc((p->n + 1) * sizeof *s->items);
	s->st = (struct source_stat){
	    .type = ENTRY_FILE,
	    .mode = 0600,
	    .uid = geteuid(),
	    .gid = getegid(),
	    .mtime = now / 1000000000,
	    .ctime = now / 1000000000,
	    .mtime_ns = (uint32_t)(now % 1000000000),
	    .ctime_ns = (uint32_t)(now % 1000000000),
	    .nlink = 1,
	};
	for (size_t i = 0; i < p->n; i++)
		if (add(s, &p->items[i], e) == -1) {
			dump_close(&s->base);
			return -1;
		}
	*out = &s->base;
	return 0;
}

size_t source_pg_dump_whole(struct source *s)
{
	return ((struct dumps *)s)->whole;
}
