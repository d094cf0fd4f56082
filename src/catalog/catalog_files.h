/*
 * catalog_files: the files of snapshots, to be found by their names.
 *
 * A path is kept once for each version of it (type, size, time) and series, with the first and
 * the last snapshot of the series that have it: what does not change between snapshots is not
 * written again, however many there are.  So a snapshot is taken in by what differs from the one
 * that was taken in before (the head of its series).
 *
 * A search looks for three letters in a row, in an index over names and one over folders; what
 * is found is then matched whole.  With fewer letters it looks through all names.  On a server
 * without pg_trgm it always does.
 *
 * Names are bytes: what is no UTF-8 is found by the part of it that is.  Paths whose folder is
 * longer than CATALOG_FOLDER_MAX, or whose name than that, are left out, and counted.
 *
 * Threads: as the catalog.
 */
#ifndef HF_CATALOG_FILES_H
#define HF_CATALOG_FILES_H

#include "base/entry.h"
#include "catalog/catalog_snapshot.h"

enum { CATALOG_FOLDER_MAX = 2000, CATALOG_HEX = 65 };

struct catalog_files; /* one snapshot that is being taken in */

/*
 * `head` is the snapshot that what is added and removed differs from, "" where there is none.
 * With `whole` all of its files will be added, and nothing else is taken to be there: for when
 * the head can't be compared with.  ERR_BUSY: somebody else takes one of this series in.
 * ERR_EXISTS: its files are there already.
 *
 * What is written in between is not to be seen; cut off, it is undone by the next one.
 */
int catalog_files_begin(struct catalog *c, const struct catalog_snapshot *s, bool whole,
    struct catalog_files **out, char head[CATALOG_HEX], struct err *e);
/* It is there; `before`: in another version before, or perhaps. */
int catalog_files_add(struct catalog_files *f, struct span path, enum entry_type type,
    uint64_t size, int64_t mtime_ns, bool before, struct err *e);
int catalog_files_remove(struct catalog_files *f, struct span path, struct err *e);
/* Now they can be found.  Frees f in any case, as abort does. */
int catalog_files_commit(struct catalog_files *f, uint64_t *left_out, struct err *e);
void catalog_files_abort(struct catalog_files *f); /* NULL does nothing */

const char *catalog_type_name(enum entry_type type); /* "file", "dir", ... */

struct catalog_find {
	/*
	 * Without * ? [ : a part of the name, or, with a '/' in it, of the path, up to within the
	 * name.  With them: a glob on the whole name, or, with a '/', on the whole path.
	 */
	const char *pattern;
	bool ignore_case;
	const char *repository, *system; /* by name or id; NULL: all */
	int64_t newer_ns, older_ns;      /* mtime; 0: no bound */
	uint64_t limit;                  /* of hits; 0: none */
};
struct catalog_hit {
	struct span path;
	enum entry_type type;
	uint64_t size;
	int64_t mtime_ns;
	const struct catalog_snapshot *const
	    *snapshots; /* that have it, by their order in the series */
	size_t n;       /* at least 1 */
};
typedef int catalog_hit_row(void *arg, const struct catalog_hit *h, struct err *e);
/* In no order but that the versions of a path come together.  Borrowed until it returns. */
int catalog_find(struct catalog *c, const struct catalog_find *p, catalog_hit_row *each, void *arg,
    struct err *e);

#endif
