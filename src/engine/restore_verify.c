/*
 * restore_verify: reads a restored file back and recomputes every blob's id,
 * so that what is proven is what lies on the disk, not what was sent there.
 * The target is synced before.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/content_same.h"
#include "engine/restore_internal.h"
#include "os/os.h"

int restore_verify_fd(
    struct restore *rs, int fd, const struct entry *en, const struct tree_ref *ref, struct err *e)
{
	return content_same(rs->reader, fd, en, ref, rs->ctx, e);
}

int restore_verify_file(struct restore *rs, const char *below, const struct entry *en,
    const struct tree_ref *ref, struct err *e)
{
	int fd = target_read_path(rs->target, below, e), rc;

	if (fd == -1)
		return err_wrap(e, "read back");
	/* It is synced, so the kernel can forget it: what is read now comes from the disk. */
	os_forget(fd);
	rc = restore_verify_fd(rs, fd, en, ref, e);
	os_close(fd);
	return rc;
}

/* ---- --verify: once more through the tree. */

static int verify_tree(
    struct restore *rs, const struct id *tree, const char *path, bool inside, struct err *e)
{
	struct tree_reader *t = tree_reader_open(reader_tree_get, rs->reader, tree, e);
	size_t skip = strcmp(rs->p->path, "/") == 0 ? 1 : strlen(rs->p->path) + 1;
	struct tree_ref ref;
	struct entry en;
	int rc = -1;

	while (t != NULL && (rc = tree_reader_next(t, &en, &ref, e)) == 1) {
		char *child = mem_printf("%s/%.*s", path, (int)en.name.n, (const char *)en.name.p);
		bool in = inside;
		struct err why;

		if (!restore_wanted(rs, child, en.type == ENTRY_DIR, &in)) {
			free(child);
			continue;
		}
		if (en.type == ENTRY_DIR) {
			struct id sub = ref.ids[0];

			if (verify_tree(rs, &sub, child, in, &why) == -1)
				restore_problem(rs, child, &why);
		} else if (en.type == ENTRY_FILE && !restore_left(rs, child)) {
			if (restore_verify_file(rs, child + skip, &en, &ref, &why) == -1)
				restore_problem(rs, child, &why);
			else
				rs->verified++;
		}
		free(child);
		if (ctx_check(rs->ctx, e) == -1) {
			rc = -1;
			break;
		}
	}
	tree_reader_close(t);
	return rc;
}

int restore_verify_all(struct restore *rs, const struct tree_path *at, struct err *e)
{
	const char *prefix = strcmp(rs->p->path, "/") == 0 ? "" : rs->p->path;
	struct err why;

	restore_left_sort(rs);
	atomic_store(&rs->ctx->progress.phase, "verifying");
	if (at->entry.type == ENTRY_DIR)
		return verify_tree(rs, &at->ref.ids[0], prefix, rs->p->include == NULL, e);
	if (at->entry.type != ENTRY_FILE || restore_left(rs, rs->p->path))
		return 0;
	if (restore_verify_file(rs, strrchr(rs->p->path, '/') + 1, &at->entry, &at->ref, &why) ==
	    -1)
		restore_problem(rs, rs->p->path, &why);
	else
		rs->verified++;
	return 0;
}
