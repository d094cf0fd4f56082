/*
 * url: percent-encoding as RFC 3986 has it, which is what signatures want too.
 *
 * Threads: any.
 */
#ifndef HF_NET_URL_H
#define HF_NET_URL_H

#include "base/buf.h"

/* Everything but A-Z a-z 0-9 - . _ ~ becomes %XX; '/' stays where that is asked for. */
void url_encode(struct buf *b, struct span s, bool keep_slash);

struct url_param {
	const char *name, *value; /* value NULL: "" */
};

enum { URL_PARAMS_MAX = 16 };

/* "a=1&b=", encoded, in the order of encoded names; n is at most URL_PARAMS_MAX. */
void url_query(struct buf *b, const struct url_param *p, size_t n);

#endif
