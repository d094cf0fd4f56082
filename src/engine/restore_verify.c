/*
 * restore_verify: reads a restored file back and recomputes every blob's id,
 * so that what is proven is what lies on the disk, not what was sent there.
 * The target is synced before.
 */
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
