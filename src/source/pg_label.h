/*
 * pg_label: the label of a base backup, positions in WAL and names of its files, as texts.
 *
 * Threads: any.
 */
#ifndef HF_SOURCE_PG_LABEL_H
#define HF_SOURCE_PG_LABEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

enum { PG_LSN_TEXT = 24, PG_WAL_NAME = 25 };

/* "16/B374D848", all of the text; false if it is none. */
bool pg_lsn_parse(const char *s, uint64_t *out);
const char *pg_lsn_text(char out[PG_LSN_TEXT], uint64_t lsn);

/* The file of the segment that holds this position: 24 letters. */
const char *pg_wal_name(
    char out[PG_WAL_NAME], uint32_t timeline, uint64_t lsn, uint64_t segment_size);

struct pg_label {
	uint64_t start, checkpoint; /* of WAL that a recovery needs; its checkpoint */
	uint32_t timeline;
	bool from_standby;
};

/* Of backup_label's text; ERR_CORRUPT where something of it is missing or odd. */
int pg_label_parse(struct span text, struct pg_label *out, struct err *e);

/* Of tablespace_map's text: each tablespace, and the folder that it leads to.  ERR_CORRUPT. */
typedef void pg_map_each(void *arg, uint32_t oid, const char *location);
int pg_map_parse(struct span text, pg_map_each *each, void *arg, struct err *e);

#endif
