/* catalog: what our own record holds; and filling it again from the repositories. */
#include "cli/cli_out.h"

#include <stdlib.h>

#include "base/mem.h"
#include "catalog/catalog_files.h"
#include "config/world.h"
#include "db/db.h"
#include "engine/op_catalog.h"

/* ---- status */

struct numbers {
	int64_t v[8];
};

static int take_numbers(void *arg, const struct db_value *v, size_t n, struct err *e)
{
	struct numbers *x = arg;

	for (size_t i = 0; i < n && i < 8; i++)
		x->v[i] = v[i].i;
	return 0;
}

static const struct {
	const char *name, *text, *sql;
} counted[] = {
    {"systems", "Systems", "(SELECT count(DISTINCT system) FROM run_latest)"},
    {"runs", "Runs", "(SELECT count(*) FROM run)"},
    {"events", "Events", "(SELECT count(*) FROM event)"},
    {"repositories", "Repositories", "(SELECT count(*) FROM repository)"},
    {"snapshots", "Snapshots", "(SELECT count(*) FROM snapshot)"},
    {"searchable", "with files to find", "(SELECT count(*) FROM snapshot WHERE seq > 0)"},
    {"names", "Names", "(SELECT count(*) FROM file_name)"},
    {"form", "Form", "(SELECT max(version) FROM migration)"},
};

static int status(struct cli *c, struct catalog *cat, struct err *e)
{
	const size_t n = sizeof counted / sizeof *counted;
	struct numbers x = {{0}};
	struct buf sql = {0};
	char *place = catalog_place(cat);
	json_t *o = json_object();
	int rc;

	for (size_t i = 0; i < n; i++)
		buf_printf(&sql, "%s%s", i ? ", " : "SELECT ", counted[i].sql);
	rc = db_run(catalog_db(cat), buf_cstr(&sql), NULL, 0, take_numbers, &x, e);
	out_json_str(o, "place", place);
	for (size_t i = 0; rc == 0 && i < n; i++)
		out_json_u64(o, counted[i].name, (uint64_t)x.v[i]);
	if (rc == 0 && c->out.json) {
		out_json(c, "summary", json_incref(o));
	} else if (rc == 0) {
		char a[32];

		out_list(c, "%-20s %s\n", "Catalog", out_str(c, place));
		for (size_t i = 0; i < n; i++)
			out_list(c, "%-20s %s\n", counted[i].text, text_count(a, (uint64_t)x.v[i]));
	}
	json_decref(o);
	buf_fini(&sql);
	free(place);
	return rc;
}

/* ---- rebuild */

static int take_in(struct cli *c, struct catalog *cat, const char *name,
    struct op_catalog_result *r, struct err *e)
{
	struct other *o = other_new(c);
	int rc = other_open(c, name, NULL, o, e);

	if (rc == 0)
		rc = op_catalog_repository(o->repo, name, cat, c->ctx, r, e);
	other_count(c, o);
	other_free(o);
	return rc;
}

static void tell(
    struct cli *c, const char *name, const struct op_catalog_result *r, const struct err *e)
{
	char a[TEXT_AMOUNT], b[TEXT_AMOUNT], d[TEXT_AMOUNT];
	json_t *o;

	if (!c->out.json) {
		out_text(c, "%s: %s, %s, %s taken in, %llu gone\n", out_str(c, name),
		    text_amount(a, r->snapshots, "snapshot", "snapshots"),
		    text_amount(b, r->runs, "run recalled", "runs recalled"),
		    text_amount(d, r->paths, "path", "paths"), (unsigned long long)r->gone);
		if (r->left_out)
			out_message(c, "%s: %llu paths cannot be found: their names are too long",
			    name, (unsigned long long)r->left_out);
		if (e != NULL)
			out_message(c, "%s: %s", name, e->msg);
		return;
	}
	o = json_object();
	out_json_str(o, "repository", name);
	out_json_u64(o, "snapshots", r->snapshots);
	out_json_u64(o, "searchable", r->searchable);
	out_json_u64(o, "runs", r->runs);
	out_json_u64(o, "paths", r->paths);
	out_json_u64(o, "gone", r->gone);
	out_json_u64(o, "left_out", r->left_out);
	out_json_str(o, "error", e ? e->msg : NULL);
	out_json(c, "item", o);
}

static int rebuild(struct cli *c, struct catalog *cat, struct err *e)
{
	const char *only = c->opt.repo && c->opt.repo[0] ? c->opt.repo : NULL;
	size_t failed = 0, n = 1;

	if (config_load(c, only == NULL, e) == -1)
		return -1;
	if (only == NULL)
		n = c->world->repositories.n;
	other_know_cred(c);
	for (size_t i = 0; i < n; i++) {
		const char *name = only ? only : world_repository_at(c->world, i)->item.name;
		struct op_catalog_result r = {0};
		struct err why;
		int rc = take_in(c, cat, name, &r, &why);

		if (ctx_check(c->ctx, e) == -1)
			return -1;
		tell(c, name, &r, rc == -1 ? &why : NULL);
		failed += rc == -1;
	}
	if (failed == 0)
		return 0;
	err_set(e, ERR_INCOMPLETE, "catalog: %zu of %zu repositories could not be taken in whole",
	    failed, n);
	return err_hint(e, "the same command goes on from there");
}

/* What opens may be damaged further in. */
static int renew(struct cli *c, struct catalog **cat, struct err *e)
{
	char *place = catalog_place(*cat), *aside = NULL;
	int rc = 0;

	if (catalog_is_sound(*cat))
		goto out;
	catalog_close(*cat);
	*cat = NULL;
	rc = catalog_renew(place, cat, &aside, e);
	if (aside != NULL)
		out_message(c, "the catalog was damaged: it is kept as %s", aside);
out:
	free(place);
	free(aside);
	return rc;
}

int cmd_catalog(struct cli *c, struct err *e)
{
	struct catalog *cat = NULL;
	int rc = cli_catalog_open(c, &cat, e);

	if (rc == 0 && strcmp(c->args.v[0], "status") == 0)
		rc = status(c, cat, e);
	else if (rc == 0 && (rc = renew(c, &cat, e)) == 0)
		rc = rebuild(c, cat, e);
	catalog_close(cat);
	return rc;
}
