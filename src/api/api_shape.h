/*
 * api_shape: structs as JSON: one table a struct says which member is which key, and makes both
 * the values and their JSON Schema.
 *
 * Threads: any; tables are read-only.
 */
#ifndef HF_API_API_SHAPE_H
#define HF_API_API_SHAPE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

enum shape_type {
	SHAPE_TEXT,    /* const char *; NULL: null */
	SHAPE_CHARS,   /* char [] */
	SHAPE_BOOL,    /* bool */
	SHAPE_INT,     /* int */
	SHAPE_UINT,    /* unsigned */
	SHAPE_I64,     /* int64_t */
	SHAPE_ID,      /* int64_t, 0: null */
	SHAPE_U64,     /* uint64_t */
	SHAPE_SCORE,   /* double, below 0: null */
	SHAPE_TIME,    /* int64_t, ns since 1970; 0: null.  RFC 3339, UTC */
	SHAPE_SECONDS, /* int64_t, ns; below 0: null */
	SHAPE_STATUS,  /* enum run_status; 0: null */
};

struct shape_field {
	const char *name;
	enum shape_type type;
	size_t at; /* in the struct */
	const char *help;
};

struct shape {
	const char *name;                 /* "Run" */
	const struct shape_field *fields; /* name NULL ends them */
};

json_t *shape_json(const struct shape *s, const void *value); /* new */
json_t *shape_schema(const struct shape *s);                  /* new */

extern const struct shape shape_run, shape_system, shape_event, shape_health, shape_snapshot,
    shape_file;

/* One version of a file, as /find shows it. */
struct shape_hit {
	const char *path, *type, *system, *repository, *snapshot;
	uint64_t size, snapshots;
	int64_t mtime_ns;
};

#endif
