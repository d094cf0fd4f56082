/*
 * recover_known: is what is wanted of a database among what the base backup noted?
 *
 * What is not may have been made or renamed between that and the target, or be older than what was
 * noted: so it is a reason to warn, and never one to refuse.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "engine/recover_internal.h"
#include "engine/recover_only.h"

static const char *text_at(const json_t *list, size_t i)
{
	const char *s = json_string_value(json_array_get(list, i));

	return s ? s : "";
}

static bool lists(const json_t *list, const char *name)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (strcmp(text_at(list, i), name) == 0)
			return true;
	return false;
}

/* Another character set may have it in other bytes, and then it is not found. */
static bool is_plain(const char *s)
{
	for (; s != NULL && *s; s++)
		if ((unsigned char)*s >= 128)
			return false;
	return true;
}

/* PostgreSQL's own are not noted. */
static bool is_own(const char *schema)
{
	return strncmp(schema, "pg_", 3) == 0 || strcmp(schema, "information_schema") == 0;
}

static const json_t *database_of(const json_t *facts, const char *name, struct buf *like)
{
	const json_t *list = json_object_get(facts, "databases");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *is = recover_fact_text(json_array_get(list, i), "name");

		if (is != NULL && strcmp(is, name) == 0) {
			buf_reset(like);
			return json_array_get(list, i);
		}
		if (is != NULL && like->n < 200)
			buf_printf(like, "%s%s", like->n ? ", " : "", is);
	}
	return NULL;
}

struct seeking {
	const struct recover_names *names;
	struct buf *like;
	bool found;
};

static void look_at(struct seeking *s, const char *schema, const char *name)
{
	const struct recover_names *n = s->names;
	bool here = strcmp(schema, n->schema) == 0;

	s->found |= here && strcmp(name, n->table) == 0;
	if (strcasecmp(name, n->table) == 0 && s->like->n == 0)
		buf_printf(s->like, "%s.%s", schema, name);
}

static bool has_table(const json_t *database, const struct recover_names *n, struct buf *like)
{
	const json_t *tables = json_object_get(database, "tables");
	const json_t *others = json_object_get(database, "others");
	struct seeking s = {n, like, false};

	for (size_t i = 0; i < json_array_size(tables); i++) {
		const json_t *t = json_array_get(tables, i);
		const char *schema = recover_fact_text(t, "schema");
		const char *name = recover_fact_text(t, "name");

		if (schema != NULL && name != NULL)
			look_at(&s, schema, name);
	}
	for (size_t i = 0; i < json_array_size(others); i++) {
		const json_t *pair = json_array_get(others, i);

		look_at(&s, text_at(pair, 0), text_at(pair, 1));
	}
	return s.found;
}

static bool has_schema(const json_t *database, const char *name, struct buf *like)
{
	const json_t *list = json_object_get(database, "schemas");

	for (size_t i = 0; i < json_array_size(list); i++)
		if (like->n < 200)
			buf_printf(like, "%s%s", i ? ", " : "", text_at(list, i));
	return lists(list, name);
}

enum recover_known recover_known(
    const json_t *facts, const struct recover_names *n, struct buf *like)
{
	const json_t *others = json_object_get(facts, "other_databases"), *o;

	buf_reset(like);
	if (!json_is_array(others) || !json_is_array(json_object_get(facts, "databases")) ||
	    lists(others, n->database))
		return RECOVER_NOT_SAID;
	if ((o = database_of(facts, n->database, like)) == NULL)
		return is_plain(n->database) ? RECOVER_NO_DATABASE : RECOVER_NOT_SAID;
	if (n->schema == NULL)
		return RECOVER_THERE;
	/* One that the role may not connect to has none of them. */
	if (is_own(n->schema) || !json_is_array(json_object_get(o, "tables")) ||
	    !json_is_array(json_object_get(o, "schemas")) ||
	    !json_is_array(json_object_get(o, "others")))
		return RECOVER_NOT_SAID;
	if (n->table ? has_table(o, n, like) : has_schema(o, n->schema, like))
		return RECOVER_THERE;
	return is_plain(n->schema) && is_plain(n->table) ? RECOVER_NOT_THERE : RECOVER_NOT_SAID;
}

void recover_warn_only(const struct recovering *g)
{
	const struct recover_names *n = g->p->only;
	struct buf like = {0};
	enum recover_known is;
	char *what;

	if (n == NULL || g->p->look) /* the latter is a second attempt */
		return;
	is = recover_known(g->pl.facts, n, &like);
	if (is == RECOVER_NO_DATABASE || is == RECOVER_NOT_THERE) {
		what = is == RECOVER_NO_DATABASE ? mem_printf("database %s", n->database)
		       : n->table == NULL
			   ? mem_printf("schema %s of %s", n->schema, n->database)
			   : mem_printf("%s.%s of %s", n->schema, n->table, n->database);
		event_emit(g->ctx, EVENT_WARNING, span_of(NULL, 0),
		    "%s is not among what the base backup noted%s%.200s: only if it was made or "
		    "renamed since is it there, which is known when all is recovered",
		    what, like.n ? "; there is " : "", buf_cstr(&like));
		free(what);
	}
	buf_fini(&like);
}
