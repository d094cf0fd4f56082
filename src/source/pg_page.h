/*
 * pg_page: pages of PostgreSQL's relations, its pg_control, and the checksums in them.
 *
 * Threads: any.
 */
#ifndef HF_SOURCE_PG_PAGE_H
#define HF_SOURCE_PG_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

enum { PG_PAGE = 8192 };

/* The checksum of a page that stands at `block` of its relation, whatever it says itself. */
uint16_t pg_page_checksum(const uint8_t page[PG_PAGE], uint32_t block);

/* Where the WAL of its last change ends. */
uint64_t pg_page_lsn(const uint8_t page[PG_PAGE]);

/* Is it as it was written?  One that was never used is, which is all zeroes. */
bool pg_page_good(const uint8_t page[PG_PAGE], uint32_t block);

/* The same of a pg_control: what it holds, more or less by version, ends with its checksum. */
bool pg_control_good(struct span text);

#endif
