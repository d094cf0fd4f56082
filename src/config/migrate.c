/* migrate: schedule, retention and verification.  Destinations are in migrate_place.c. */
#include "config/migrate.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/schedule.h"
#include "config/world.h"

void migrate_put_text(struct buf *out, const char *text)
{
	size_t digits = strspn(text, "0123456789");
	json_t *j = json_string(text);
	char *quoted = j ? json_dumps(j, JSON_ENCODE_ANY | JSON_ENSURE_ASCII) : NULL;

	if (digits > 0 && text[digits] == '\0')
		buf_printf(out, "%s", text);
	else
		buf_printf(out, "%s", quoted ? quoted : "\"\"");
	free(quoted);
	json_decref(j);
}

const char *migrate_text(const struct node *map, const char *name)
{
	const struct node *n = node_get(map, name);

	return n != NULL && n->kind == NODE_TEXT && n->text[0] != '\0' ? n->text : NULL;
}

void migrate_put_others(
    struct buf *out, const char *indent, const struct node *map, const char *const *known)
{
	for (const struct node *c = map->first; c != NULL; c = c->next) {
		size_t i = 0;

		while (known[i] != NULL && strcmp(known[i], c->name) != 0)
			i++;
		if (known[i] != NULL)
			continue;
		buf_printf(out, "%s# TODO: not carried over: ", indent);
		migrate_put_text(out, c->name);
		buf_printf(out, "\n");
	}
}

/* Milliseconds, as "1h" or "90s". */
static int interval(const struct node *at, const char *text, char out[32], struct err *e)
{
	size_t n = strlen(text);
	unsigned long long ms = n < 15 ? strtoull(text, NULL, 10) : 0;

	if (strspn(text, "0123456789") != n || ms == 0 || ms % 1000 != 0)
		return node_fail(
		    at->at, e, "an interval is whole seconds, in milliseconds: not '%.64s'", text);
	if (ms % 3600000 == 0)
		snprintf(out, 32, "%lluh", ms / 3600000);
	else if (ms % 60000 == 0)
		snprintf(out, 32, "%llum", ms / 60000);
	else
		snprintf(out, 32, "%llus", ms / 1000);
	return 0;
}

/* When: a cron line, or a mapping of type, expression and zone. */
static int when(const struct node *s, char out[32], const char **text, struct err *e)
{
	const char *type = migrate_text(s, "type");
	struct schedule tried = {0};
	struct err why;

	*text = s->kind == NODE_TEXT ? s->text : migrate_text(s, "expression");
	if (*text == NULL)
		return node_fail(s->at, e, "schedule: 'expression' is missing");
	if (type != NULL && strcmp(type, "interval") == 0) {
		if (interval(s, *text, out, e) == -1)
			return -1;
		*text = out;
	} else if (type != NULL && strcmp(type, "cron") != 0) {
		return node_fail(s->at, e, "schedule: type is cron or interval, not '%.64s'", type);
	}
	if (schedule_parse(*text, &tried, &why) == -1)
		return node_fail(s->at, e, "schedule: %s", why.msg);
	return 0;
}

static int check_strategy(const struct node *from, const char *strategy, struct err *e)
{
	static const char *const names[] = {"full", "incremental", "differential", "continuous"};

	for (size_t i = 0; strategy != NULL && i < sizeof names / sizeof *names; i++)
		if (strcmp(strategy, names[i]) == 0)
			return 0;
	if (node_get(from, "strategy") == NULL)
		return 0;
	node_fail(node_get(from, "strategy")->at, e, "strategy: there is no '%.64s'",
	    strategy ? strategy : "");
	return err_hint(e, "it can be full, incremental, differential or continuous");
}

static int put_schedule(const struct node *from, struct buf *out, struct err *e)
{
	static const char *const known[] = {"type", "expression", "timezone", NULL};
	const struct node *s = node_get(from, "schedule");
	const char *strategy = migrate_text(from, "strategy"), *text, *zone;
	char room[32];

	if (check_strategy(from, strategy, e) == -1)
		return -1;
	if (strategy != NULL)
		buf_printf(out, "    strategy: %s\n", strategy);
	if (s == NULL) {
		buf_printf(out, "    # TODO: schedule: say when, or an rpo\n");
		return 0;
	}
	if (when(s, room, &text, e) == -1)
		return -1;
	if (strategy == NULL || strcmp(strategy, "continuous") == 0)
		strategy = "incremental";
	if (strcmp(strategy, "differential") == 0)
		buf_printf(out, "    # TODO: say when full ones are made, too: full: weekly\n");
	buf_printf(out, "    schedule:\n      %s: ", strategy);
	migrate_put_text(out, text);
	zone = migrate_text(s, "timezone");
	if (zone != NULL) {
		buf_printf(out, "\n      timezone: ");
		migrate_put_text(out, zone);
	}
	buf_printf(out, "\n");
	if (s->kind == NODE_MAP)
		migrate_put_others(out, "      ", s, known);
	return 0;
}

/* A number of days, or counts. */
static int put_retention(const struct node *from, struct buf *out, struct err *e)
{
	static const char *const known[] = {
	    "last", "hourly", "daily", "weekly", "monthly", "yearly", NULL};
	const struct node *r = node_get(from, "retention");

	if (r == NULL) {
		buf_printf(out, "    # TODO: retention: without one everything is kept\n");
		return 0;
	}
	if (r->kind == NODE_LIST)
		return node_fail(r->at, e, "retention: a number of days, or counts");
	buf_printf(out, "    retention:\n");
	if (r->kind == NODE_TEXT) {
		if (r->text[0] == '\0' || strlen(r->text) > 6 ||
		    strspn(r->text, "0123456789") != strlen(r->text) || atoi(r->text) == 0)
			return node_fail(
			    r->at, e, "retention: '%.64s' is not a number of days", r->text);
		buf_printf(out, "      within: %sd\n", r->text);
		return 0;
	}
	for (size_t i = 0; known[i] != NULL; i++) {
		const char *n = migrate_text(r, known[i]);

		if (n == NULL)
			continue;
		buf_printf(out, "      %s: ", known[i]);
		migrate_put_text(out, n);
		buf_printf(out, "\n");
	}
	migrate_put_others(out, "      ", r, known);
	return 0;
}

static bool is_true(const struct node *map, const char *name)
{
	const char *v = migrate_text(map, name);

	return v != NULL && strcmp(v, "true") == 0;
}

static void put_rest(const struct node *from, struct buf *out)
{
	static const char *const known[] = {"strategy", "schedule", "retention", "destination",
	    "destinations", "compression", "verification", NULL};
	const struct node *c = node_get(from, "compression"), *v = node_get(from, "verification");

	if (is_true(v, "enabled"))
		buf_printf(out,
		    "    # Objects are authenticated as they are read; there is no checksum to "
		    "choose.\n"
		    "    verify: {every: daily, level: %s}   # TODO: how often?\n",
		    is_true(v, "testRestore") ? "comprehensive" : "standard");
	if (c != NULL)
		buf_printf(out, "    # TODO: compression is no key here, but an option: "
				"holdfast backup --compression lz4\n");
	migrate_put_others(out, "", from, known);
	buf_printf(out, "# TODO: what is backed up:\n"
			"# systems:\n"
			"#   data:\n"
			"#     tier: main\n"
			"#     sources: [{files: {paths: [/data]}}]\n");
}

static int put_repositories(const struct node *from, struct buf *out, struct err *e)
{
	const struct node *all = node_get(from, "destinations"),
			  *one = node_get(from, "destination");
	const struct node *d = all ? all->first : one;

	if (d == NULL || (all != NULL && all->kind != NODE_LIST)) {
		node_fail(from->at, e, "this is nothing that can be migrated: no destinations");
		return err_hint(e, "known are {schedule, retention, destination} and {strategy, "
				   "schedule, retention, destinations, ...}");
	}
	buf_printf(out, "repositories:\n");
	for (const struct node *at = d; at != NULL; at = all ? at->next : NULL) {
		const char *type = migrate_type(at, e);
		int before = 0, rc;
		char *name;

		if (type == NULL)
			return -1;
		for (const struct node *b = d; b != at; b = b->next)
			before += strcmp(migrate_type(b, e), type) == 0;
		name = before ? mem_printf("%s-%d", type, before + 1) : mem_strdup(type);
		rc = migrate_repository(at, name, out, e);
		free(name);
		if (rc == -1)
			return -1;
	}
	return 0;
}

/* What is printed is good: nobody has to find out later. */
static int prove(struct buf *out, struct err *e)
{
	struct world *w = NULL;

	if (world_of_text(buf_span(out), "what came of it", &w, e) == -1)
		return err_wrap(e, "config migrate");
	world_free(w);
	return 0;
}

int migrate_config(const struct node *root, struct buf *out, struct err *e)
{
	static const char *const known[] = {"backup", NULL};
	const struct node *inner = node_get(root, "backup");
	const struct node *from = inner && inner->kind == NODE_MAP ? inner : root;

	buf_printf(out, "# Made by holdfast config migrate.  What says TODO needs a person.\n");
	if (put_repositories(from, out, e) == -1)
		return -1;
	buf_printf(out, "\n# Without destinations a tier goes to all of these.\ntiers:\n  main:\n");
	if (put_schedule(from, out, e) == -1 || put_retention(from, out, e) == -1)
		return -1;
	put_rest(from, out);
	if (from != root)
		migrate_put_others(out, "", root, known);
	return prove(out, e);
}
