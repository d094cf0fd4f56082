/* find_series: the snapshots of series, kept from one hit of a search to the next. */
#ifndef HF_CATALOG_FIND_SERIES_H
#define HF_CATALOG_FIND_SERIES_H

#include "catalog/catalog_files.h"

struct find_series {
	int64_t id;
	const struct catalog_snapshot **v; /* by their places, seq */
	size_t n;
};
struct find_all_series {
	struct find_series *v;
	size_t n;
};

/* Those of a series that are asked for; read at its first hit. */
int find_series_get(struct find_all_series *all, struct catalog *c, const struct catalog_find *p,
    int64_t id, struct find_series **out, struct err *e);
/* The first whose place is that or a later one. */
size_t find_series_place(const struct find_series *s, int64_t seq);
void find_series_free(struct find_all_series *all);

#endif
