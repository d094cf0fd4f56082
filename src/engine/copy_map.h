/*
 * copy_map: what a blob of one repository is called in another.  A hash table of fixed size in
 * a file without a name, so that it costs disk where there are millions, and little memory:
 * what was touched is given back to the kernel from time to time.
 *
 * It only saves work: where it is full it forgets, and whoever misses reads the blob again.
 *
 * Threads: any.
 */
#ifndef HF_ENGINE_COPY_MAP_H
#define HF_ENGINE_COPY_MAP_H

#include "base/id.h"

struct copy_map;

struct copy_map *copy_map_new(uint64_t blobs); /* about so many */
void copy_map_free(struct copy_map *m);        /* NULL does nothing */
void copy_map_put(struct copy_map *m, const struct id *from, const struct id *to);
bool copy_map_get(struct copy_map *m, const struct id *from, struct id *to);

#endif
