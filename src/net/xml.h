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
 * it.  -1 with e set stops.
 */
typedef int xml_visit(void *arg, const char *path, struct span text, struct err *e);

/* ERR_CORRUPT: not XML.  Entities of its own and more than 16 levels are refused. */
int xml_read(struct span document, xml_visit *visit, void *arg, struct err *e);

#endif
