/*
 * os_subvolume: read-only snapshots of Btrfs subvolumes, by ioctl.
 *
 * Threads: any.
 */
#ifndef HF_OS_OS_SUBVOLUME_H
#define HF_OS_OS_SUBVOLUME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* Is the folder open at fd the root of a subvolume?  ERR_UNSUPPORTED: it is not on Btrfs. */
int os_subvolume_is(int fd, bool *is, struct err *e);

int os_subvolume_is_readonly(int fd, bool *readonly, struct err *e);

/* What is below the subvolume open at `from` now, for ever, as folder `name` of `dir`. */
int os_subvolume_snapshot(int from, int dir, const char *name, struct err *e);

/* ERR_ABSENT: there is none of that name. */
int os_subvolume_delete(int dir, const char *name, struct err *e);

/*
 * Each subvolume that lies directly in the one open at fd: its path from there.  Those that only
 * root may see are left out for others.
 */
typedef int os_subvolume_row(void *arg, const char *path, struct err *e);
int os_subvolume_each(int fd, os_subvolume_row *each, void *arg, struct err *e);

#endif
