/* drill_pg: a database recovered, started apart from the machine, and asked. */
#include "engine/drill_internal.h"

int drill_recover(struct drill *d, struct err *e)
{
	return err_set(e, ERR_UNSUPPORTED, "%s is a database: not yet", d->database->name);
}

int drill_start(struct drill *d, struct err *e)
{
	return err_set(e, ERR_UNSUPPORTED, "%s is a database: not yet", d->database->name);
}

int drill_compare_pg(struct drill *d, struct err *e)
{
	return err_set(e, ERR_UNSUPPORTED, "%s is a database: not yet", d->database->name);
}

void drill_pg_stop(struct drill *d)
{
	(void)d;
}

int drill_pg_ask(struct drill *d, const struct drill_check *k, char **out, struct err *e)
{
	(void)d;
	*out = NULL;
	return err_set(e, ERR_UNSUPPORTED, "%s: not yet", k->what);
}
