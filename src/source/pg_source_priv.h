/* pg_source_priv: what pg_source's files share. */
#ifndef HF_SOURCE_PG_SOURCE_PRIV_H
#define HF_SOURCE_PG_SOURCE_PRIV_H

#include <pthread.h>

#include "source/pg_increment.h"
#include "source/pg_source.h"

enum { PG_LABEL, PG_MAP, PG_CONTROL, PG_MEMORY };

struct pg_source {
	struct source base;
	struct pg_source_params p;
	char *data;
	char *user, *group; /* of the data directory */
	struct source_stat st;
	bool late;
	struct {
		char *p; /* NULL: there is none */
		size_t n;
	} memory[PG_MEMORY];
	pthread_mutex_t lock; /* guards what follows */
	struct pg_bad_page bad[PG_BAD_MAX];
	size_t nbad;
	uint64_t all_bad;
	uint64_t written; /* as the server said when it was last asked */
};

struct pg_dir {
	struct source_dir base;
	int fd;
	bool emptied; /* nothing in it is taken */
};

/* Which of those in memory the name is, or -1. */
int pg_source_memory(const struct source_dir *d, const char *name);
/* The folder below the data directory: "", "base/5". */
const char *pg_source_folder(const struct source_dir *d);
char *pg_source_path(const struct source_dir *d, const char *name);

/* A file of the folder that lies in the spool, all of it or what was sent of it; or NULL. */
const struct pg_manifest_file *pg_source_spooled(const struct source_dir *d, const char *name);
bool pg_source_is_part(const struct pg_manifest_file *f);

int pg_source_read_open(struct source_dir *d, const char *name, const struct source_stat *st,
    struct source_reader **out, struct err *e);
int64_t pg_source_read(struct source_reader *r, void *p, size_t n, struct err *e);
void pg_source_skip(struct source_reader *r, uint64_t n);
int pg_source_read_finish(struct source_reader *r, bool *changed, uint64_t *size, struct err *e);

#endif
