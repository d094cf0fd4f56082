/*
 * tree_path: from a path in a snapshot to what is there.
 *
 * With one part the snapshot's root is the part's tree; with several, each
 * part is a directory of its name below the root.
 *
 * Threads: one owner.
 */
#ifndef HF_ENGINE_TREE_PATH_H
#define HF_ENGINE_TREE_PATH_H

#include "base/entry.h"
#include "repo/reader.h"
#include "repo/snapshot.h"
#include "repo/tree.h"

struct tree_path {
	struct entry entry; /* of "/": a nameless directory */
	struct tree_ref ref;
	struct tree_reader *reader; /* keeps entry and ref alive */
	struct id root;             /* what ref points to at "/" */
};

/*
 * ERR_ABSENT if the snapshot has no such path; path is absolute.  The reader
 * looks in the snapshot's domain from then on.
 */
int tree_path_find(struct reader *rd, const struct snapshot *s, const char *path,
    struct tree_path *out, struct err *e);
void tree_path_fini(struct tree_path *p);

#endif
