/* log_ahead: see log_ahead.h. */
#include "cli/log_ahead.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "os/os.h"
#include "source/wal_file.h"

enum { PATIENCE_S = 60, POLL_NS = 1000000, NEXT_MAX = 256 };

/* Names, each with a NUL behind it; an empty one is as long as they are. */
static bool is_next(int dir, const char *name)
{
	char text[NEXT_MAX];
	int fd = os_openat(dir, "next", O_RDONLY | O_NOFOLLOW, 0);
	ssize_t n = fd == -1 ? 0 : os_pread_full(fd, text, sizeof text, 0);
	bool found = false;

	os_close(fd);
	for (ssize_t at = 0; at + WAL_FILE_NAME <= n; at += WAL_FILE_NAME)
		found |= memcmp(text + at, name, WAL_FILE_NAME) == 0;
	return found;
}

static bool wait_for(int dir, int lock, const char *name, const char *dest)
{
	const struct timespec poll = {.tv_nsec = POLL_NS};
	struct clock *clock = os_clock();
	int64_t until = clock->mono_ns(clock) + PATIENCE_S * INT64_C(1000000000);
	bool busy = false, coming = true;
	struct err ignored;

	while (
	    os_lock(lock, false, &busy, &ignored) == 0 && busy && clock->mono_ns(clock) < until) {
		if (os_renameat(dir, name, AT_FDCWD, dest) == 0)
			return true;
		if (!coming)
			return false;
		coming = is_next(dir, name); /* once more after it was: it may have come since */
		if (coming)
			nanosleep(&poll, NULL);
	}
	return false;
}

bool log_ahead_take(const char *name, const char *dest)
{
	const char *slash = strrchr(dest, '/');
	char *ahead = mem_printf(
	    "%.*s" LOG_AHEAD_FOLDER, slash ? (int)(slash + 1 - dest) : 0, slash ? dest : "");
	int dir = os_open(ahead, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0), lock = -1;
	struct wal_file f;
	struct err ignored;
	bool ok = false;

	free(ahead);
	if (dir != -1)
		lock = os_openat(dir, "lock", O_RDWR | O_NOFOLLOW, 0);
	if (lock != -1 && wal_file_parse(name, &f, &ignored) == 0 && f.kind == WAL_FILE_SEGMENT)
		ok = wait_for(dir, lock, name, dest);
	os_close(lock);
	os_close(dir);
	return ok;
}
