/* config: check the configuration, show it as it is in force, print its schema. */
#include "cli/cli_out.h"

#include <stdlib.h>

#include "config/migrate.h"
#include "config/world.h"
#include "os/os.h"

static int check(struct cli *c)
{
	const struct world *w = c->world;
	char a[TEXT_AMOUNT], b[TEXT_AMOUNT], d[TEXT_AMOUNT];
	json_t *o = json_object(), *files = json_array();

	for (size_t i = 0; i < w->nfiles; i++)
		json_array_append_new(files, json_string(w->files[i]));
	json_object_set_new(o, "read", files);
	out_json_u64(o, "repositories", w->repositories.n);
	out_json_u64(o, "tiers", w->tiers.n);
	out_json_u64(o, "systems", w->systems.n);
	if (c->out.json) {
		out_json(c, "summary", o);
		return 0;
	}
	json_decref(o);
	out_text(c, "%s is good: %s, %s, %s\n", out_str(c, w->files[0]),
	    text_amount(a, w->repositories.n, "repository", "repositories"),
	    text_amount(b, w->tiers.n, "tier", "tiers"),
	    text_amount(d, w->systems.n, "system", "systems"));
	return 0;
}

/* A text as YAML takes it back: JSON's quotes are YAML's too. */
static void put_text(struct buf *b, const char *s)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_/.-";
	json_t *j;
	char *quoted;

	if (s[0] != '\0' && s[0] != '-' && s[strspn(s, plain)] == '\0') {
		buf_printf(b, "%s", s);
		return;
	}
	j = json_string(s);
	quoted = j ? json_dumps(j, JSON_ENCODE_ANY | JSON_ENSURE_ASCII) : NULL;
	buf_printf(b, "%s", quoted ? quoted : "\"\"");
	free(quoted);
	json_decref(j);
}

static void put_origin(struct cli *c, struct buf *b, const struct node *n)
{
	if (n->later)
		buf_printf(b, "  # not taken yet");
	if (c->opt.origin && n->at.line)
		buf_printf(b, "  # %s:%d:%d", n->at.file, n->at.line, n->at.column);
	else if (c->opt.origin)
		buf_printf(b, "  # %s in the environment", n->at.file);
	buf_printf(b, "\n");
}

/* What is not taken yet is shown as comments: what is printed is a configuration again. */
static void put_node(struct cli *c, struct buf *b, const struct node *n, int depth, bool later)
{
	for (const struct node *x = n->first; x != NULL; x = x->next) {
		bool aside = later || x->later;

		buf_printf(b, "%s%*s", aside ? "# " : "", 2 * depth, "");
		if (x->name != NULL) {
			put_text(b, x->name);
			buf_printf(b, ":%s", x->kind == NODE_TEXT || x->n == 0 ? " " : "");
		} else {
			buf_printf(b, "-%s", x->kind == NODE_TEXT || x->n == 0 ? " " : "");
		}
		if (x->kind == NODE_TEXT) {
			put_text(b, x->text);
			put_origin(c, b, x);
			continue;
		}
		buf_printf(b, "%s%s\n",
		    x->n                  ? ""
		    : x->kind == NODE_MAP ? "{}"
					  : "[]",
		    x->later ? "  # not taken yet" : "");
		put_node(c, b, x, depth + 1, aside);
	}
}

/* With --json: each value with its key as a path, "repositories.main.url". */
static void items_json(struct cli *c, const struct node *n, const char *path, bool later)
{
	size_t i = 0;

	for (const struct node *x = n->first; x != NULL; x = x->next, i++) {
		struct buf b = {0};

		if (x->name != NULL)
			buf_printf(&b, "%s%s%s", path, path[0] ? "." : "", x->name);
		else
			buf_printf(&b, "%s[%zu]", path, i);
		if (x->kind == NODE_TEXT) {
			json_t *o = json_object();

			out_json_str(o, "key", buf_cstr(&b));
			out_json_str(o, "value", x->text);
			out_json_str(o, "file", x->at.file);
			out_json_u64(o, "line", (uint64_t)x->at.line);
			out_json_u64(o, "column", (uint64_t)x->at.column);
			if (later || x->later)
				json_object_set_new(o, "taken", json_false());
			out_json(c, "item", o);
		} else {
			items_json(c, x, buf_cstr(&b), later || x->later);
		}
		buf_fini(&b);
	}
}

static int show(struct cli *c)
{
	struct buf b = {0};

	if (c->out.json) {
		items_json(c, c->world->tree, "", false);
		return 0;
	}
	put_node(c, &b, c->world->tree, 0, false);
	out_list(c, "%s", buf_cstr(&b));
	buf_fini(&b);
	return 0;
}

static int schema(struct cli *c)
{
	json_t *s = field_schema(&world_table);
	char *text;

	json_object_set_new(
	    s, "$schema", json_string("https://json-schema.org/draft/2020-12/schema"));
	json_object_set_new(s, "title", json_string("holdfast.yaml"));
	if (c->out.json) {
		out_json(c, "summary", json_pack("{s:o}", "json_schema", s));
		return 0;
	}
	text = json_dumps(s, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
	out_list(c, "%s\n", text);
	free(text);
	json_decref(s);
	return 0;
}

static int migrate(struct cli *c, const char *path, struct err *e)
{
	struct buf in = {0}, out = {0};
	struct node *n = NULL;
	int rc = os_read_file(path, NODE_FILE_MAX, &in, e);

	if (rc == -1) {
		err_wrap(e, "config migrate %s", path);
		e->kind = ERR_USAGE;
	} else {
		rc = node_parse(buf_span(&in), path, &n, e);
	}
	if (rc == 0)
		rc = migrate_config(n, &out, e);
	if (rc == 0 && c->out.json)
		out_json(c, "summary", json_pack("{s:s}", "yaml", buf_cstr(&out)));
	else if (rc == 0)
		out_list(c, "%s", buf_cstr(&out));
	node_free(n);
	buf_fini(&in);
	buf_fini(&out);
	return rc;
}

static void tell(struct cli *c, const struct err *e)
{
	json_t *o;

	if (!c->out.json) {
		out_list(c, "%s\n", out_str(c, e->msg));
		if (e->hint[0])
			out_list(c, "  hint: %s\n", out_str(c, e->hint));
		return;
	}
	o = json_object();
	out_json_str(o, "message", e->msg);
	out_json_str(o, "hint", e->hint[0] ? e->hint : NULL);
	out_json(c, "item", o);
}

/* All that is wrong, where it is more than one thing. */
static int load_and_tell(struct cli *c, struct err *e)
{
	struct mistakes m = {0};
	int rc = world_load(c->opt.config, getenv, &m, &c->world, e);

	c->looked = rc == 0;
	for (size_t i = 0; m.n > 1 && i < m.n && i < MISTAKES_MAX; i++)
		tell(c, &m.v[i]);
	if (m.n > 1)
		rc = err_set(e, ERR_USAGE, "config: %zu mistakes", m.n);
	mistakes_fini(&m);
	return rc;
}

int cmd_config(struct cli *c, struct err *e)
{
	const char *word = c->args.v[0];

	if ((strcmp(word, "migrate") == 0) != (c->args.n == 2)) {
		err_set(e, ERR_USAGE, "config %s: %s", word,
		    c->args.n == 2 ? "it takes no FILE" : "which FILE?");
		return err_hint(e, "holdfast config migrate FILE");
	}
	if (strcmp(word, "migrate") == 0)
		return migrate(c, c->args.v[1], e);
	if (strcmp(word, "schema") == 0)
		return schema(c);
	if ((strcmp(word, "check") == 0 && load_and_tell(c, e) == -1) ||
	    config_load(c, true, e) == -1)
		return -1;
	return strcmp(word, "check") == 0 ? check(c) : show(c);
}
