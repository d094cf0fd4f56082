/*
 * node_parse: from libyaml's events to nodes.  The library checks that the text is UTF-8
 * without control characters; everything about its size is checked here.
 */
#include "config/node.h"

#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

#include "base/mem.h"

struct reading {
	yaml_parser_t parser;
	const char *file;
	struct node *stack[NODE_DEPTH_MAX]; /* open lists and mappings, outermost first */
	size_t depth, count;
	struct node *root;
	char *name; /* read, its value is still to come */
	struct node_at name_at;
	bool done;
};

static struct node_at place(const struct reading *r, yaml_mark_t m)
{
	return (struct node_at){r->file, (int)m.line + 1, (int)m.column + 1};
}

static struct node *top(const struct reading *r)
{
	return r->depth ? r->stack[r->depth - 1] : NULL;
}

/* What the library could not read. */
static int scan_error(const struct reading *r, struct span text, struct err *e)
{
	const yaml_parser_t *p = &r->parser;
	const char *what = p->problem ? p->problem : "it cannot be read";

	if (p->error == YAML_READER_ERROR) {
		int line = 1;

		for (size_t i = 0; i < p->problem_offset && i < text.n; i++)
			line += text.p[i] == '\n';
		node_fail((struct node_at){r->file, line, 1}, e, "%s (byte %zu of the file)", what,
		    p->problem_offset);
		return err_hint(e, "a configuration is text in UTF-8 without control characters");
	}
	node_fail(place(r, p->problem_mark), e, "%s%s%s", what, p->context ? ", " : "",
	    p->context ? p->context : "");
	if (p->problem_mark.index < text.n && text.p[p->problem_mark.index] == '\t')
		return err_hint(e, "indent by spaces: YAML allows no tabs there");
	return -1;
}

/* Room for one more value?  And where does it belong? */
static int add(struct reading *r, struct node *n, struct err *e)
{
	struct node *parent = top(r);

	if (++r->count > NODE_COUNT_MAX) {
		node_fail(n->at, e, "more than %d values", NODE_COUNT_MAX);
		goto refused;
	}
	if (parent == NULL) {
		r->root = n;
		return 0;
	}
	if (parent->n >= NODE_NAMES_MAX) {
		node_fail(n->at, e, "more than %d in one place", NODE_NAMES_MAX);
		goto refused;
	}
	n->name = r->name;
	n->name_at = n->name ? r->name_at : n->at;
	r->name = NULL;
	if (parent->last != NULL)
		parent->last->next = n;
	else
		parent->first = n;
	parent->last = n;
	parent->n++;
	return 0;
refused:
	node_free(n);
	return -1;
}

/* In a mapping every other scalar is a name. */
static bool name_is_due(const struct reading *r)
{
	return top(r) != NULL && top(r)->kind == NODE_MAP && r->name == NULL;
}

static int on_name(struct reading *r, const yaml_event_t *ev, struct err *e)
{
	const char *name = (const char *)ev->data.scalar.value;
	struct node_at at = place(r, ev->start_mark);
	const struct node *twice = node_get(top(r), name);

	if (strlen(name) != ev->data.scalar.length)
		return node_fail(at, e, "a name with a NUL byte in it");
	if (strcmp(name, "<<") == 0) {
		node_fail(at, e, "merge keys (<<) are not taken");
		return err_hint(e, "write out what is meant");
	}
	if (twice != NULL)
		return node_fail(
		    at, e, "'%s' stands here twice, first in line %d", name, twice->name_at.line);
	r->name = mem_strdup(name);
	r->name_at = at;
	return 0;
}

static int on_scalar(struct reading *r, const yaml_event_t *ev, struct err *e)
{
	struct node *n;

	if (ev->data.scalar.anchor || (ev->data.scalar.tag && !ev->data.scalar.plain_implicit &&
					  !ev->data.scalar.quoted_implicit)) {
		node_fail(place(r, ev->start_mark), e, "anchors (&) and tags (!) are not taken");
		return err_hint(e, "a text that begins with one of those stands in quotes");
	}
	if (name_is_due(r))
		return on_name(r, ev, e);
	if (strlen((const char *)ev->data.scalar.value) != ev->data.scalar.length)
		return node_fail(place(r, ev->start_mark), e, "a text with a NUL byte in it");
	n = mem_zalloc(sizeof *n);
	n->kind = NODE_TEXT;
	n->quoted = ev->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	n->text = mem_strdup((const char *)ev->data.scalar.value);
	n->at = place(r, ev->start_mark);
	return add(r, n, e);
}

static int on_open(
    struct reading *r, enum node_kind kind, bool marked, yaml_mark_t m, struct err *e)
{
	struct node *n;

	if (marked)
		return node_fail(place(r, m), e, "anchors (&) and tags (!) are not taken");
	if (name_is_due(r))
		return node_fail(place(r, m), e, "a name has to be a text");
	if (r->depth == NODE_DEPTH_MAX)
		return node_fail(place(r, m), e, "more than %d levels deep", NODE_DEPTH_MAX);
	n = mem_zalloc(sizeof *n);
	n->kind = kind;
	n->at = place(r, m);
	if (add(r, n, e) == -1)
		return -1;
	r->stack[r->depth++] = n;
	return 0;
}

static int on_event(struct reading *r, const yaml_event_t *ev, struct err *e)
{
	switch (ev->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (r->root != NULL)
			return node_fail(
			    place(r, ev->start_mark), e, "a second document (---) begins");
		return 0;
	case YAML_ALIAS_EVENT:
		node_fail(place(r, ev->start_mark), e, "aliases (*) are not taken");
		return err_hint(e, "write out what is meant; a text that begins with * in quotes");
	case YAML_SCALAR_EVENT:
		return on_scalar(r, ev, e);
	case YAML_SEQUENCE_START_EVENT:
		return on_open(r, NODE_LIST,
		    ev->data.sequence_start.anchor || ev->data.sequence_start.tag, ev->start_mark,
		    e);
	case YAML_MAPPING_START_EVENT:
		return on_open(r, NODE_MAP,
		    ev->data.mapping_start.anchor || ev->data.mapping_start.tag, ev->start_mark, e);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		r->depth--;
		return 0;
	case YAML_STREAM_END_EVENT:
		r->done = true;
		return 0;
	default:
		return 0;
	}
}

static int read_all(struct reading *r, struct span text, struct err *e)
{
	while (!r->done) {
		yaml_event_t ev;
		int rc;

		if (!yaml_parser_parse(&r->parser, &ev))
			return scan_error(r, text, e);
		rc = on_event(r, &ev, e);
		yaml_event_delete(&ev);
		if (rc == -1)
			return -1;
	}
	return 0;
}

/* Nothing, or only comments: nothing is declared. */
static bool is_empty(const struct node *n)
{
	return n == NULL || (n->kind == NODE_TEXT && !n->quoted && n->text[0] == '\0');
}

int node_parse(struct span text, const char *file, struct node **out, struct err *e)
{
	struct reading r = {.file = file};
	struct node_at top_at = {file, 1, 1};
	int rc = -1;

	*out = NULL;
	if (text.n > NODE_FILE_MAX)
		return err_set(e, ERR_USAGE, "%s: more than %d MiB", file, NODE_FILE_MAX >> 20);
	if (!yaml_parser_initialize(&r.parser))
		mem_checked(NULL);
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, text.n ? text.p : (const uint8_t *)"", text.n);
	if (read_all(&r, text, e) == -1)
		goto out;
	if (is_empty(r.root)) {
		node_free(r.root);
		r.root = mem_zalloc(sizeof *r.root);
		r.root->kind = NODE_MAP;
		r.root->at = top_at;
	}
	if (r.root->kind != NODE_MAP) {
		node_fail(r.root->at, e, "it begins with a value");
		err_hint(e, "a configuration begins with a section, like 'repositories:'");
		goto out;
	}
	*out = r.root;
	r.root = NULL;
	rc = 0;
out:
	node_free(r.root);
	free(r.name);
	yaml_parser_delete(&r.parser);
	return rc;
}
