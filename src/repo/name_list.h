/*
 * name_list: names of objects, collected while the store lists them, for who
 * deletes or replaces some and so can't do it from within the listing.
 *
 * Threads: one owner.
 */
#ifndef HF_REPO_NAME_LIST_H
#define HF_REPO_NAME_LIST_H

#include <stdbool.h>

#include "store/store.h"

struct name_list { /* zeroed is empty */
	char **v;
	size_t n;
};

void name_list_fini(struct name_list *l);

/* A store_visit; arg is the list. */
int name_list_take(void *arg, const char *key, const struct store_stat *st, struct err *e);

/*
 * Visit every object that has an id and may have parity: all kinds but parity's own.
 * Without `packs`, packs/ and meta/ are passed over.
 */
int name_list_objects(struct store *s, bool packs, store_visit *visit, void *arg, struct err *e);

/*
 * Does what begins with this lie in a folder that name_list_objects visits, or is it `config/`?
 */
bool name_list_kind(const char *path);

#endif
