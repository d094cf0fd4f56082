/*
 * os_library: a shared library that is opened when it is first needed, so that who does not need it
 * neither waits for it at each start nor has to have it.
 *
 *     static struct os_library lib = {"libpq.so.5", "libpq5", symbols, &pq, OS_LIBRARY_INIT};
 *
 * Threads: any; once it is open its table is only read.
 */
#ifndef HF_OS_OS_LIBRARY_H
#define HF_OS_OS_LIBRARY_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct os_symbol {
	const char *name;
	size_t at; /* of its pointer in the table */
};

struct os_library {
	const char *file, *package;      /* what is opened, and what brings it */
	const struct os_symbol *symbols; /* name NULL ends them */
	void *table;
	pthread_mutex_t lock;
	const char *(*begin)(void); /* called once all of them are there: NULL, or what is wrong */
	/* its own */
	bool tried;
	char problem[256];
};
#define OS_LIBRARY_INIT PTHREAD_MUTEX_INITIALIZER

/* ERR_UNSUPPORTED, with the package as a hint; then, and ever after. */
int os_library_open(struct os_library *l, struct err *e);

#endif
