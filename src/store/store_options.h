/*
 * store_options: what a store can be told with -o NAME=VALUE, or by the
 * variable of the same name: -o s3.region=eu-west-1 is
 * HOLDFAST_S3_REGION=eu-west-1.  A driver's names begin with its scheme and a
 * dot; those of store_far_options are of every store behind a wire.
 *
 * Threads: any.
 */
#ifndef HF_STORE_STORE_OPTIONS_H
#define HF_STORE_STORE_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum store_option_type {
	STORE_OPTION_TEXT,   /* const char *, NULL if not given; borrowed */
	STORE_OPTION_CHOICE, /* the same, one of `choices` */
	STORE_OPTION_TIME,   /* int64_t, nanoseconds, above 0; 0 if not given */
	STORE_OPTION_COUNT,  /* int64_t, 1 to 1,000; 0 if not given */
	STORE_OPTION_FLAG,   /* bool: true, false, 1, 0 */
};

struct store_option {
	const char *name;
	enum store_option_type type;
	size_t at;           /* of its value in the driver's struct */
	const char *choices; /* "a|b" */
	const char *what;
};

struct store_option_table { /* of a driver */
	const struct store_option *v;
	size_t n, size; /* of the struct that it fills */
};

/* Of every store behind a wire; zero where it was not said. */
struct store_far {
	int64_t connect_ns, stall_ns, deadline_ns;
	int64_t retries, connections;
	const char *ca_file;
};

extern const struct store_option store_far_options[];
extern const size_t store_far_options_n;

struct store_given { /* "name=value" each */
	const char *const *v;
	size_t n;
};

/*
 * Fill `out`, zeroed by the caller, from the environment and then from what
 * was given; given ones that are not of this table are left to
 * store_options_known.  ERR_USAGE.
 */
int store_options_read(const struct store_option *table, size_t n, const struct store_given *given,
    void *out, struct err *e);

/* ERR_USAGE for one that the table has not, or whose value is none. */
int store_options_check(
    const struct store_option_table *t, const struct store_given *given, struct err *e);

/* ERR_USAGE for a given option that is neither in the table nor of store_far_options. */
int store_options_known(
    const struct store_option *table, size_t n, const struct store_given *given, struct err *e);

#endif
