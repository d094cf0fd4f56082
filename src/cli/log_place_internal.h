/* log_place_internal: what the files of log_place share. */
#ifndef HF_CLI_LOG_PLACE_INTERNAL_H
#define HF_CLI_LOG_PLACE_INTERNAL_H

#include <sys/stat.h>

#include "cli/log_place.h"

struct log_target {
	char *word; /* as declared, or a URL */
	struct other other;
	struct log_writer *writer;
	uint8_t stream[LOG_STREAM];
	int64_t rests_until_ns; /* it failed */
};

struct log_place {
	struct cli *c;
	char *system, *source, *data; /* data: the directory; NULL: not said */
	uint64_t wal;                 /* the database's identifier; 0: not known yet */
	struct log_target *targets;
	size_t n;
	struct buf bytes;
	struct stat was; /* the file at hand, before anything of it was read */
	bool hurry;
};

/* As other_open, but without caches, and without what this machine remembers. */
int log_target_open(struct log_place *p, struct log_target *t, struct err *e);
void log_target_close(struct log_target *t); /* it may be opened again */

#endif
