/* content_same: see content_same.h. */
#include "engine/content_same.h"

#include "base/buf.h"
#include "engine/holes.h"
#include "os/os.h"

struct comparing {
	struct reader *reader;
	struct ctx *ctx;
	const struct entry *en;
	int fd;
	uint64_t data_off;
	struct buf data;
};

static int read_piece(void *arg, uint64_t file_off, uint64_t at, uint64_t n, struct err *e)
{
	struct comparing *x = arg;
	ssize_t got = os_pread_full(x->fd, x->data.p + at, (size_t)n, (off_t)file_off);

	if (got < 0)
		return err_sys(e, "read back");
	if ((uint64_t)got != n)
		return err_set(e, ERR_FAILED, "shorter on disk than in the snapshot");
	return 0;
}

static int compare_blob(void *arg, const struct id *id, struct err *e)
{
	struct comparing *x = arg;
	struct index_place at;
	int rc = reader_find_near(x->reader, id, &at, e);

	if (rc == -1)
		return -1;
	if (rc == 0)
		return err_set(e, ERR_CORRUPT, "a blob of its content is in no index");
	buf_reset(&x->data);
	buf_extend(&x->data, at.blob_len);
	if (holes_map(x->en, x->data_off, at.blob_len, read_piece, x, e) == -1)
		return -1;
	if (!reader_check(x->reader, PURPOSE_CONTENT, buf_span(&x->data), id))
		return err_set(e, ERR_FAILED, "differs on disk from the snapshot");
	x->data_off += at.blob_len;
	return ctx_check(x->ctx, e);
}

int content_same(struct reader *rd, int fd, const struct entry *en, const struct tree_ref *ref,
    struct ctx *ctx, struct err *e)
{
	struct comparing x = {.reader = rd, .ctx = ctx, .en = en, .fd = fd};
	struct stat st;
	int rc = -1;

	if (os_fstat(fd, &st) == -1)
		return err_sys(e, "stat");
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != en->size)
		return err_set(e, ERR_FAILED, "has another type or size on disk");
	rc = tree_content(reader_tree_get, rd, ref, compare_blob, &x, e);
	if (rc == 0 && x.data_off != holes_data_size(en))
		rc = err_set(e, ERR_CORRUPT, "its blobs do not add up to its size");
	buf_fini(&x.data);
	return rc;
}
