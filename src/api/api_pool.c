/* api_pool: open catalogs (api_internal.h). */
#include "api/api_internal.h"
#include "catalog/catalog.h"

struct catalog *api_pool_take(struct api *a, struct err *e)
{
	struct catalog *c = NULL;

	pthread_mutex_lock(&a->pool_lock);
	if (a->npool > 0)
		c = a->pool[--a->npool];
	pthread_mutex_unlock(&a->pool_lock);
	if (c != NULL && catalog_is_moved(c)) {
		catalog_close(c);
		c = NULL;
	}
	if (c == NULL && catalog_open(a->p.catalog, &c, e) == -1) {
		err_wrap(e, "catalog");
		return NULL;
	}
	return c;
}

void api_pool_give(struct api *a, struct catalog *c, bool good)
{
	pthread_mutex_lock(&a->pool_lock);
	if (good && a->npool < API_POOL) {
		a->pool[a->npool++] = c;
		c = NULL;
	}
	pthread_mutex_unlock(&a->pool_lock);
	catalog_close(c);
}

void api_pool_fini(struct api *a)
{
	while (a->npool > 0)
		catalog_close(a->pool[--a->npool]);
}
