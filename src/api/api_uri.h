/*
 * api_uri: the target of a request, "/api/v1/runs?limit=5", as decoded segments and parameters.
 *
 * Whatever could mean two things is refused rather than mended: '.', '..' and empty segments,
 * also in disguise (%2e, %2f), NUL and control characters, text that is no UTF-8, a parameter
 * that stands twice.  So nothing behind it needs to think of them.
 *
 * Threads: any.
 */
#ifndef HF_API_API_URI_H
#define HF_API_API_URI_H

#include "base/err.h"
#include "base/span.h"

enum { API_URI_MAX = 2048, API_SEGMENTS_MAX = 8, API_QUERY_MAX = 16 };

struct api_uri {
	const char *segment[API_SEGMENTS_MAX];
	size_t nsegments;
	struct {
		const char *name, *value;
	} query[API_QUERY_MAX];
	size_t nquery;
	char text[API_URI_MAX + 2]; /* what all of them point into */
};

/* 0, or the status that it is refused with (400, 414), and e. */
int api_uri_parse(struct span raw, struct api_uri *u, struct err *e);

/* A whole number from 1, of at most 18 digits; 0: it is none. */
int64_t api_uri_number(const char *text);

#endif
