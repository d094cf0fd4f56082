/*
 * catalog_snapshot: what snapshots there are, in which repositories, so that nobody has to ask
 * each of them.
 *
 * A snapshot belongs to a series: those of one group (host and system, or host and paths) in one
 * repository.  Files are kept by series (catalog_files.h).
 *
 * Threads: as the catalog.
 */
#ifndef HF_CATALOG_SNAPSHOT_H
#define HF_CATALOG_SNAPSHOT_H

#include "catalog/catalog.h"

struct catalog_snapshot {
	const char *repository; /* its id, hex */
	const char *name; /* its name in the configuration, or its URL; the last that was said */
	const char *snapshot; /* hex */
	const char *group;    /* hex */
	const char *system, *host;
	const char *outcome; /* "complete", "incomplete", "failed" */
	int64_t start_ns, end_ns;
	uint64_t files, bytes, stored;
	int64_t seq; /* out: its place in its series; 0: its files are not searchable */
};

/* Note it, anew or again; its files are another matter. */
int catalog_snapshot_put(struct catalog *c, const struct catalog_snapshot *s, struct err *e);

struct catalog_snapshot_filter {
	const char *repository; /* its id, or its name; NULL: any */
	const char *system;
	int64_t since_ns; /* begun then or later */
	unsigned limit;   /* 0: all */
};
typedef int catalog_snapshot_row(void *arg, const struct catalog_snapshot *s, struct err *e);
/* The newest first. */
int catalog_snapshot_list(struct catalog *c, const struct catalog_snapshot_filter *f,
    catalog_snapshot_row *each, void *arg, struct err *e);

/*
 * Of each repository by its name: when the newest complete snapshot in it was over.  One that was
 * made anew under its name is told twice.
 */
typedef int catalog_newest_row(void *arg, const char *repository, int64_t end_ns, struct err *e);
int catalog_newest_list(struct catalog *c, catalog_newest_row *each, void *arg, struct err *e);

/* By its whole id; in each repository that holds it. */
int catalog_snapshot_find(
    struct catalog *c, const char *snapshot, catalog_snapshot_row *each, void *arg, struct err *e);

/* It is there no more. */
int catalog_snapshot_del(
    struct catalog *c, const char *repository, const char *snapshot, struct err *e);

#endif
