/*
 * api_shape: what the API answers with, besides runs (catalog/shape.h).
 *
 * Threads: any; tables are read-only.
 */
#ifndef HF_API_API_SHAPE_H
#define HF_API_API_SHAPE_H

#include <stdbool.h>

#include "catalog/shape.h"

extern const struct shape shape_system, shape_event, shape_health, shape_snapshot, shape_file,
    shape_repository, shape_coming;

/* One version of a file, as /find shows it. */
struct shape_hit {
	const char *path, *type, *system, *repository, *snapshot;
	uint64_t size, snapshots;
	int64_t mtime_ns;
};

/* A run that will be due. */
struct shape_coming {
	const char *system, *kind, *type, *zone;
	int64_t due_ns, start_ns;
	bool derived;
};

#endif
