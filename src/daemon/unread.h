/*
 * unread: what no change counts of, for it is ours: repositories, caches, the catalog.
 *
 * They are known by their names and, as the backup knows them (source.h), by device and inode,
 * whatever links or mounts lead there; what is not there yet is looked for again.
 *
 * Threads: filled by one, then asked by another.
 */
#ifndef HF_DAEMON_UNREAD_H
#define HF_DAEMON_UNREAD_H

#include <stdbool.h>

struct unread;

struct unread *unread_new(void);
void unread_free(struct unread *u); /* NULL does nothing */

/* A folder and all below it. */
void unread_add(struct unread *u, const char *path);
/* A repository by its URL, a catalog by its own; what is not on this machine is none of it. */
void unread_add_url(struct unread *u, const char *url);
/* The files of a database: PATH and PATH-wal, say. */
void unread_add_catalog(struct unread *u, const char *url);

bool unread_has(struct unread *u, const char *path, bool is_dir);

#endif
