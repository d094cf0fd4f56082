/* instant_settle: the end of an instant recovery: see instant.h. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "engine/instant_priv.h"
#include "os/os.h"

/* Removed in this order: `settled` tells what the state was left for. */
static const char *const own[] = {"ready", "damaged", "state", "settled", "log", "log.1", "lock"};

/* Which folder it is that becomes the target: it keeps its inode. */
static int note_settled(struct instant *in, struct err *e)
{
	char *path = mem_printf("%s/settled", in->work), text[32];
	struct stat st;
	int rc = os_fstat(in->dir, &st) == -1 ? err_sys(e, "%s", in->data) : 0;

	if (rc == 0) {
		snprintf(text, sizeof text, "%ju", (uintmax_t)st.st_ino);
		rc = os_file_replace(path, span_str(text), 0600, e);
	}
	free(path);
	return rc;
}

bool instant_is_settled(const char *target)
{
	char *work = instant_work(target), *data = instant_data(target),
	     *path = mem_printf("%s/settled", work);
	struct buf b = {.p = NULL};
	struct stat st;
	struct err ignored;
	bool is = os_fstatat(AT_FDCWD, data, &st, AT_SYMLINK_NOFOLLOW) == -1 && errno == ENOENT &&
		  os_read_file(path, 32, &b, &ignored) == 0 &&
		  os_fstatat(AT_FDCWD, target, &st, 0) == 0 &&
		  strtoumax(buf_cstr(&b), NULL, 10) == (uintmax_t)st.st_ino;

	buf_fini(&b);
	free(path);
	free(data);
	free(work);
	return is;
}

static int remove_own(const char *work, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < sizeof own / sizeof *own && rc == 0; i++) {
		char *path = mem_printf("%s/%s", work, own[i]);

		if (os_unlinkat(AT_FDCWD, path, 0) == -1 && errno != ENOENT)
			rc = err_sys(e, "remove %s", path);
		free(path);
	}
	if (rc == 0 && os_unlinkat(AT_FDCWD, work, AT_REMOVEDIR) == -1)
		rc = err_sys(e, "remove %s", work);
	return rc;
}

int instant_settled_clear(const char *target, struct err *e)
{
	char *work = instant_work(target), *lock = mem_printf("%s/lock", work);
	int fd = os_open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600), dir, rc;
	bool busy = false;

	rc = fd == -1 ? err_sys(e, "%s", lock) : os_lock(fd, false, &busy, e);
	if (rc == 0 && busy)
		rc = err_set(e, ERR_BUSY, "%s: somebody serves it", target);
	if (rc == 0 && !instant_is_settled(target))
		rc = err_set(e, ERR_BUG, "%s is not what was recovered", target);
	if (rc == 0) {
		dir = os_open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
		/* The rename before what tells of it. */
		rc = dir == -1 || os_syncfs(dir) == -1 ? err_sys(e, "sync %s", target) : 0;
		os_close(dir);
	}
	if (rc == 0)
		rc = remove_own(work, e);
	os_close(fd);
	free(lock);
	free(work);
	return rc;
}

int instant_settle_soon(struct instant *in, struct err *e)
{
	if (in->settles)
		return 0;
	if (os_syncfs(in->dir) == -1)
		return err_sys(e, "sync %s", in->data);
	if (note_settled(in, e) == -1)
		return -1;
	in->settles = true;
	return 0;
}

/* Of what the backup had all is on disk, file by file; of what was written, what was synced. */
int instant_settle(struct instant *in, struct err *e)
{
	uint64_t bytes;
	struct err why;

	assert(in->fs == NULL && instant_left(in, &bytes) == 0);
	if (instant_settle_soon(in, e) == -1)
		return -1;
	if (os_renameat(AT_FDCWD, in->data, AT_FDCWD, in->target) == -1) {
		err_sys(e, "rename %s to %s", in->data, in->target);
		return err_hint(e, "all that was recovered is in %s: empty %s, and use --finish",
		    in->data, in->target);
	}
	if (os_syncfs(in->dir) == -1)
		event_emit(in->ctx, EVENT_WARNING, span_str(in->work),
		    "not removed: what was recovered could not be synced");
	else if (remove_own(in->work, &why) == -1)
		event_emit(in->ctx, EVENT_WARNING, span_str(in->work), "could not be removed: %s",
		    why.msg);
	return 0;
}
