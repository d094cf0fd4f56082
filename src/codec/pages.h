/*
 * pages: pages of PostgreSQL's relations, written so that they compress better.
 *
 * The rows of a page, and the entries of an index's, begin alike: which transaction, where the row
 * stands, its flags, most often a number.  What a compressor sees there is almost a repetition and
 * none.  Each one's first 28 bytes, as words of 32 bits, are therefore replaced by their
 * differences to those of the one that the line pointer before leads to; of a table in the order of
 * its keys these are nearly all the same.  A fifth less is stored of tables, a third of indexes of
 * numbers, and the compressor takes less time (bench/NOTES.md).
 *
 * Nothing is asked of the bytes: what does not look like a page stays, and what does comes back as
 * it was, sound or not (format.md 5).  Which bytes change follows from the page's header and its
 * line pointers alone, and those do not.
 *
 * Threads: any.
 */
#ifndef HF_CODEC_PAGES_H
#define HF_CODEC_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PAGES_SIZE = 8192 };

/* In place, n pages; how many looked like one. */
size_t pages_fold(uint8_t *p, size_t n);
void pages_unfold(uint8_t *p, size_t n);

#endif
