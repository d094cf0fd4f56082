/* hold: see hold.h. */
#include "catalog/hold.h"

#include <stdlib.h>

#include "base/mem.h"

static char *name_of(const char *system)
{
	return mem_printf("held.%s", system);
}

int hold_put(struct catalog *c, const char *system, const char *why, struct err *e)
{
	char *name = name_of(system), *was = NULL;
	int rc = catalog_get(c, name, &was, e);

	if (rc == 0 && was == NULL)
		rc = catalog_put(c, name, why, e);
	free(was);
	free(name);
	return rc;
}

int hold_get(struct catalog *c, const char *system, char **why, struct err *e)
{
	char *name = name_of(system);
	int rc = catalog_get(c, name, why, e);

	free(name);
	return rc;
}

int hold_end(struct catalog *c, const char *system, struct err *e)
{
	char *name = name_of(system);
	int rc = catalog_put(c, name, NULL, e);

	free(name);
	return rc;
}
