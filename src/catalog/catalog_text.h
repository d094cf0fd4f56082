/*
 * catalog_text: names, which are bytes, as text, which is UTF-8, and back, nothing lost.
 *
 * A byte that belongs to no UTF-8 becomes U+10FF00 plus it, a code point that nobody uses; so do
 * the bytes of such a code point.  Text is never longer than four times the bytes.
 *
 * Threads: any.
 */
#ifndef HF_CATALOG_TEXT_H
#define HF_CATALOG_TEXT_H

#include "base/buf.h"

void catalog_text_put(struct buf *out, struct span bytes);
void catalog_text_get(struct buf *out, struct span text);

/* How long the UTF-8 sequence is that these begin with, 1 to 4, and its code point; 0: none. */
size_t catalog_text_step(struct span s, uint32_t *code);

#endif
