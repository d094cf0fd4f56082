/*
 * store_folders: folders that are known to be there, for stores that must make them before
 * what is put into them, and would else ask for each object.
 *
 * Threads: any, between init and fini.
 */
#ifndef HF_STORE_STORE_FOLDERS_H
#define HF_STORE_STORE_FOLDERS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct store_folders {
	pthread_mutex_t lock; /* guards what follows */
	char **v;
	size_t n;
};

void store_folders_init(struct store_folders *f);
void store_folders_fini(struct store_folders *f);

bool store_folders_has(struct store_folders *f, const char *folder);
void store_folders_add(struct store_folders *f, const char *folder);
void store_folders_forget(struct store_folders *f); /* all: somebody removed one */

#endif
