/*
 * shape: structs as JSON: one table a struct says which member is which key, and makes the values,
 * their JSON Schema, and the struct again of what another program of ours has made.
 *
 * Threads: any; tables are read-only.
 */
#ifndef HF_CATALOG_SHAPE_H
#define HF_CATALOG_SHAPE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum shape_type {
	SHAPE_TEXT,    /* const char *; NULL: null */
	SHAPE_BOOL,    /* bool */
	SHAPE_INT,     /* int */
	SHAPE_UINT,    /* unsigned */
	SHAPE_I64,     /* int64_t */
	SHAPE_ID,      /* int64_t, 0: null */
	SHAPE_U64,     /* uint64_t */
	SHAPE_SCORE,   /* double, below 0: null */
	SHAPE_TIME,    /* int64_t, ns since 1970; 0: null.  RFC 3339, UTC */
	SHAPE_SECONDS, /* int64_t, ns; below 0: null */
	SHAPE_TOOK,    /* two int64_t, ns: seconds from `since` to `at`; null where one is 0 */
	SHAPE_STATUS,  /* enum run_status; 0: null */
};

struct shape_field {
	const char *name;
	enum shape_type type;
	size_t at; /* in the struct */
	const char *help;
	size_t since; /* of SHAPE_TOOK */
};

struct shape {
	const char *name;                 /* "Run" */
	const struct shape_field *fields; /* name NULL ends them */
};

json_t *shape_json(const struct shape *s, const void *value); /* new */
/* Some of it: a bit for each of its fields, in their order. */
#define SHAPE_ALL UINT64_MAX
json_t *shape_json_of(const struct shape *s, const void *value, uint64_t fields); /* new */
/* "name,state": those fields; NULL: SHAPE_ALL.  0 with ERR_USAGE: one of them is none. */
uint64_t shape_fields(const struct shape *s, const char *names, struct err *e);
json_t *shape_schema(const struct shape *s); /* new */

/*
 * The members that the shape names, of an object that may be anybody's: what is missing or of
 * another type is as null.  Texts are the object's.
 */
void shape_read(const struct shape *s, const json_t *o, void *value);

extern const struct shape shape_run; /* struct run, as it is shown everywhere */

#endif
