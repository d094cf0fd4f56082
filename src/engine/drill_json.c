/* drill_json: see drill_json.h. */
#include "engine/drill_json.h"

#include <string.h>

#define MAY_SHRINK 5.0 /* percent, where nothing is said */

const char *drill_text(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s ? s : "";
}

double drill_number(const json_t *o, const char *name)
{
	return json_number_value(json_object_get(o, name));
}

const json_t *drill_alike(const json_t *list, const json_t *like)
{
	const char *const keys[] = {"name", "schema"};
	const json_t *o;
	size_t i;

	json_array_foreach(list, i, o)
	{
		bool same = true;

		for (size_t k = 0; k < 2; k++)
			same = same &&
			       strcmp(drill_text(o, keys[k]), drill_text(like, keys[k])) == 0;
		if (same)
			return o;
	}
	return NULL;
}

double drill_may_shrink(const struct drill *d)
{
	return d->p->may_shrink > 0 ? d->p->may_shrink : MAY_SHRINK;
}
