/* store_folders: see store_folders.h. */
#include "store/store_folders.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void store_folders_init(struct store_folders *f)
{
	pthread_mutex_init(&f->lock, NULL);
	f->v = NULL;
	f->n = 0;
}

void store_folders_fini(struct store_folders *f)
{
	store_folders_forget(f);
	free(f->v);
	pthread_mutex_destroy(&f->lock);
}

bool store_folders_has(struct store_folders *f, const char *folder)
{
	bool found = false;

	pthread_mutex_lock(&f->lock);
	for (size_t i = 0; i < f->n && !found; i++)
		found = strcmp(f->v[i], folder) == 0;
	pthread_mutex_unlock(&f->lock);
	return found;
}

void store_folders_add(struct store_folders *f, const char *folder)
{
	pthread_mutex_lock(&f->lock);
	f->v = mem_realloc(f->v, (f->n + 1) * sizeof *f->v);
	f->v[f->n++] = mem_strdup(folder);
	pthread_mutex_unlock(&f->lock);
}

void store_folders_forget(struct store_folders *f)
{
	pthread_mutex_lock(&f->lock);
	while (f->n > 0)
		free(f->v[--f->n]);
	pthread_mutex_unlock(&f->lock);
}
