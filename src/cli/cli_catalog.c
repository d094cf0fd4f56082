/* cli_catalog: see cli_out.h. */
#include <stdlib.h>

#include "catalog/catalog.h"
#include "catalog/catalog_snapshot.h"
#include "cli/cli_out.h"
#include "config/world.h"
#include "engine/op_catalog.h"

int cli_catalog_open(struct cli *c, struct catalog **out, struct err *e)
{
	char *url = NULL, *aside = NULL;
	int rc = -1;

	if (config_load(c, false, e) == -1 || world_catalog(c->world, getenv, &url, e) == -1)
		goto out;
	rc = catalog_open_anew(url, out, &aside, e);
	if (aside != NULL)
		out_message(c,
		    "the catalog was damaged: it is kept as %s, and a new one was begun; "
		    "holdfast catalog rebuild fills it",
		    aside);
out:
	free(url);
	free(aside);
	return rc;
}

int cli_catalog_share(struct cli *c, struct catalog **out, struct err *e)
{
	if (c->catalog == NULL && cli_catalog_open(c, &c->catalog, e) == -1)
		return -1;
	*out = c->catalog;
	return 0;
}

void cli_catalog_unshare(struct cli *c)
{
	catalog_close(c->catalog);
	c->catalog = NULL;
}

void cli_catalog_note(struct cli *c, struct repo *r, const char *name, const struct id *snapshot)
{
	struct op_catalog_result result = {0};
	struct catalog *cat;
	struct err e;

	if (config_load(c, false, &e) == -1 || c->world == NULL)
		return;
	if (cli_catalog_share(c, &cat, &e) == -1 ||
	    op_catalog_snapshot(r, name, snapshot, cat, c->ctx, &result, &e) == -1) {
		cli_catalog_unshare(c);
		out_message(c,
		    "the snapshot is stored, but find --all does not know its files: %s; holdfast "
		    "catalog rebuild takes them in",
		    e.msg);
	}
}

void cli_catalog_gone(struct cli *c, struct repo *r, const struct id *v, size_t n)
{
	struct catalog *cat = NULL;
	char hex[ID_HEX];
	struct err e;
	int rc;

	if (n == 0 || config_load(c, false, &e) == -1 || c->world == NULL)
		return;
	rc = cli_catalog_open(c, &cat, &e);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = catalog_snapshot_del(cat, repo_id_text(r), id_hex(hex, &v[i]), &e);
	if (rc == -1)
		out_message(c,
		    "the snapshots are forgotten, but find --all still tells of their files: %s; "
		    "holdfast catalog rebuild drops them",
		    e.msg);
	catalog_close(cat);
}
