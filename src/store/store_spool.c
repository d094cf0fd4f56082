/*
 * store_spool: uploads for drivers that can only put whole objects.  The
 * bytes wait in a file without a name, so that a crash leaves nothing.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "os/os.h"
#include "store/store_drivers.h"

struct spool {
	struct store_upload base;
	int fd;
	uint64_t size;
	bool failed;
};

static const char *spool_dir(void)
{
	const char *dir = getenv("TMPDIR");

	return dir && *dir ? dir : "/var/tmp";
}

int store_spool_begin(struct store *s, struct store_upload **up, struct err *e)
{
	struct spool *sp;
	int fd = os_open(spool_dir(), O_TMPFILE | O_RDWR, 0600);

	if (fd == -1)
		return err_sys(e, "temporary file in %s", spool_dir());
	sp = mem_zalloc(sizeof *sp);
	sp->base.store = s;
	sp->fd = fd;
	*up = &sp->base;
	return 0;
}

int store_spool_append(struct store_upload *up, struct span data, struct err *e)
{
	struct spool *sp = (struct spool *)up;

	if (os_write_all(sp->fd, data.p, data.n) == -1) {
		sp->failed = true;
		return err_sys(e, "write temporary file in %s", spool_dir());
	}
	sp->size += data.n;
	return 0;
}

static int spool_put(struct spool *sp, const char *key, unsigned flags, struct err *e)
{
	struct store *s = sp->base.store;
	uint8_t *p;
	ssize_t n;
	int rc;

	if (sp->failed)
		return err_set(e, ERR_FAILED, "an append failed before");
	p = mem_alloc(sp->size);
	n = os_pread_full(sp->fd, p, sp->size, 0);
	if (n == -1)
		rc = err_sys(e, "read temporary file");
	else if ((uint64_t)n != sp->size)
		rc = err_set(e, ERR_IO, "temporary file became shorter");
	else
		rc = s->ops->put(s, key, span_of(p, sp->size), flags, e);
	free(p);
	return rc;
}

int store_spool_take(struct store_upload *up, int *fd, uint64_t *size, struct err *e)
{
	struct spool *sp = (struct spool *)up;
	int rc = 0;

	*fd = sp->fd;
	*size = sp->size;
	if (sp->failed) {
		os_close(sp->fd);
		rc = err_set(e, ERR_FAILED, "an append failed before");
	}
	free(sp);
	return rc;
}

int store_spool_commit(struct store_upload *up, const char *key, unsigned flags, struct err *e)
{
	struct spool *sp = (struct spool *)up;
	int rc = key ? spool_put(sp, key, flags, e) : 0;

	os_close(sp->fd);
	free(sp);
	return rc;
}
