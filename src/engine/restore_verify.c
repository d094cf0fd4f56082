/*
 * restore_verify: reads a restored file back and recomputes every blob's id,
 * so that what is proven is what lies on the disk, not what was sent there.
 * The target is synced before.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/holes.h"
#include "engine/restore_internal.h"
#include "os/os.h"

struct verify {
	struct restore *rs;
	const struct entry *en;
	int fd;
	uint64_t data_off;
	struct buf data;
};

static int read_piece(void *arg, uint64_t file_off, uint64_t at, uint64_t n, struct err *e)
{
	struct verify *v = arg;
	ssize_t got = os_pread_full(v->fd, v->data.p + at, (size_t)n, (off_t)file_off);

	if (got < 0)
		return err_sys(e, "read back");
	if ((uint64_t)got != n)
		return err_set(e, ERR_FAILED, "shorter on disk than in the snapshot");
	return 0;
}

static int verify_blob(void *arg, const struct id *id, struct err *e)
{
	struct verify *v = arg;
	struct index_place at;
	int rc = reader_find_near(v->rs->reader, id, &at, e);

	if (rc == -1)
		return -1;
	if (rc == 0)
		return err_set(e, ERR_CORRUPT, "a blob of its content is in no index");
	buf_reset(&v->data);
	buf_extend(&v->data, at.blob_len);
	if (holes_map(v->en, v->data_off, at.blob_len, read_piece, v, e) == -1)
		return -1;
	if (!reader_check(v->rs->reader, PURPOSE_CONTENT, buf_span(&v->data), id))
		return err_set(e, ERR_FAILED, "differs on disk from the snapshot");
	v->data_off += at.blob_len;
	return ctx_check(v->rs->ctx, e);
}

int restore_verify_fd(
    struct restore *rs, int fd, const struct entry *en, const struct tree_ref *ref, struct err *e)
{
	struct verify v = {.rs = rs, .en = en, .fd = fd};
	struct stat st;
	int rc = -1;

	if (os_fstat(fd, &st) == -1)
		return err_sys(e, "stat");
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != en->size)
		return err_set(e, ERR_FAILED, "has another type or size on disk");
	rc = tree_content(reader_tree_get, rs->reader, ref, verify_blob, &v, e);
	if (rc == 0 && v.data_off != holes_data_size(en))
		rc = err_set(e, ERR_CORRUPT, "its blobs do not add up to its size");
	buf_fini(&v.data);
	return rc;
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
