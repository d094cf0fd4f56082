/* cli_catalog: see cli_out.h. */
#include <stdlib.h>

#include "catalog/catalog.h"
#include "cli/cli_out.h"
#include "config/world.h"

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
