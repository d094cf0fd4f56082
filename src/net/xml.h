/*
 * xml: the texts of a small document, by path.
 *
 * Threads: any.
 */
#ifndef HF_NET_XML_H
#define HF_NET_XML_H

#include "base/err.h"
#include "base/span.h"

/*
 * Called at the end of each element with its path below the root, like
 * "Contents/Key" ("" for the root itself), and its own text, at most 4 KiB of
 * it: never NULL, a NUL behind it.  -1 with e set stops.
 */
typedef int xml_visit(void *arg, const char *path, struct span text, struct err *e);

/* ERR_CORRUPT: not XML.  Entities of its own and more than 16 levels are refused. */
int xml_read(struct span document, xml_visit *visit, void *arg, struct err *e);

/* As a string; false, and "", if it does not fit or has a NUL in it. */
bool xml_copy(char *out, size_t size, struct span text);

#endif
