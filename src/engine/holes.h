/*
 * holes: a file's data is stored without its holes; where does it belong?
 *
 * Threads: any.
 */
#ifndef HF_ENGINE_HOLES_H
#define HF_ENGINE_HOLES_H

#include "base/entry.h"
#include "base/err.h"

/* Bytes of data: the size without the holes. */
uint64_t holes_data_size(const struct entry *en);

/*
 * Where data [data_off, data_off + len) of a file lies: visit gets pieces
 * (file offset, offset in the piece of data, length).
 */
int holes_map(const struct entry *en, uint64_t data_off, uint64_t len,
    int (*visit)(void *, uint64_t file_off, uint64_t at, uint64_t n, struct err *), void *arg,
    struct err *e);

#endif
