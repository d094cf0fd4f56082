/*
 * link_table: groups of hard links and where their first names are, for as long
 * as a restore lasts: any later name may belong to any group.  Nobody knows
 * how many there will be, so a group takes 25 to 30 bytes and its name's; the
 * path of a directory is kept once for all its names that come in a row.
 *
 * Threads: one owner, or the owner's lock.
 */
#ifndef HF_ENGINE_LINK_TABLE_H
#define HF_ENGINE_LINK_TABLE_H

#include "base/span.h"

struct link_table;

struct link_table *link_table_new(void);
void link_table_free(struct link_table *t);

/* The place of a group, for the functions below; LINK_TABLE_NONE. */
#define LINK_TABLE_NONE UINT32_MAX
uint32_t link_table_find(const struct link_table *t, uint64_t group);

/* One that is not there yet; its state is 0. */
uint32_t link_table_add(
    struct link_table *t, uint64_t group, const char *dir, struct span first_name);

/* A byte of the caller's; the pointer holds until the next add. */
uint8_t *link_table_state(struct link_table *t, uint32_t at);

/* "dir/name", new text. */
char *link_table_first(const struct link_table *t, uint32_t at);

#endif
