/* wal_place: see wal_place.h. */
#include "source/wal_place.h"

#include <string.h>

enum { SPC_DEFAULT = 1663, SPC_GLOBAL = 1664, SEGMENT_MAX = 1 << 20 };

/* A number without leading zeros that ends at `end` or the text's end; *s moves behind it. */
static bool number(const char **s, char end, uint32_t *out)
{
	uint64_t v = 0;
	const char *p = *s;

	if (*p < '1' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++)
		if ((v = v * 10 + (uint64_t)(*p - '0')) > UINT32_MAX)
			return false;
	if (*p != end)
		return false;
	*s = p + (end != '\0');
	*out = (uint32_t)v;
	return true;
}

static bool folder_of(const char *folder, struct wal_rel *rel)
{
	rel->db = 0;
	rel->spc = SPC_DEFAULT;
	if (strcmp(folder, "global") == 0) {
		rel->spc = SPC_GLOBAL;
		return true;
	}
	if (strncmp(folder, "base/", 5) == 0) {
		folder += 5;
		return number(&folder, '\0', &rel->db);
	}
	if (strncmp(folder, "pg_tblspc/", 10) != 0)
		return false;
	folder += 10;
	if (!number(&folder, '/', &rel->spc) || strncmp(folder, "PG_", 3) != 0 ||
	    (folder = strchr(folder, '/')) == NULL)
		return false;
	folder++;
	return number(&folder, '\0', &rel->db);
}

bool wal_place_of(const char *folder, const char *name, struct wal_rel *rel, uint32_t *segment)
{
	*segment = 0;
	if (!folder_of(folder, rel))
		return false;
	if (number(&name, '\0', &rel->rel))
		return true;
	return number(&name, '.', &rel->rel) && number(&name, '\0', segment) &&
	       *segment <= SEGMENT_MAX;
}
