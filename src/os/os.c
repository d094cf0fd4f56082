/*
 * os: the wrappers of system calls, and the faults that tests arm.
 *
 * Every wrapper that can fail goes through fault() once for each call that
 * it would make of the kernel, so that "the nth call" means the same thing
 * whichever path reaches it.  A fault of EINTR is retried like a real one.
 */
#include "os/os.h"

#include <errno.h>
#include <linux/openat2.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/syscall.h>

/* Calls left until the fault, 0 when none is armed. */
static _Atomic unsigned fault_left;
static _Atomic int fault_errno;
static _Atomic bool fault_hit;

void os_fault_arm(unsigned nth, int no)
{
	atomic_store(&fault_hit, false);
	atomic_store(&fault_errno, no);
	atomic_store(&fault_left, nth);
}

bool os_fault_fired(void)
{
	atomic_store(&fault_left, 0);
	return atomic_exchange(&fault_hit, false);
}

/* True, with errno set, if this call is the one to fail. */
static bool fault(void)
{
	unsigned left = atomic_load_explicit(&fault_left, memory_order_relaxed);

	do {
		if (left == 0)
			return false;
	} while (!atomic_compare_exchange_weak(&fault_left, &left, left - 1));
	if (left != 1)
		return false;
	atomic_store(&fault_hit, true);
	errno = atomic_load(&fault_errno);
	return true;
}

/* rc = call, as often as a signal interrupts it. */
#define TRY(rc, call)                                                                              \
	do                                                                                         \
		(rc) = fault() ? -1 : (call);                                                      \
	while ((rc) == -1 && errno == EINTR)

int os_open(const char *path, int flags, mode_t mode)
{
	return os_openat(AT_FDCWD, path, flags, mode);
}

int os_openat(int dir, const char *path, int flags, mode_t mode)
{
	int fd;

	TRY(fd, openat(dir, path, flags | O_CLOEXEC, mode));
	return fd;
}

int os_open_beneath(int dir, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
	    .flags = (unsigned)(flags | O_CLOEXEC),
	    .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	int fd;

	/* openat2, unlike open, refuses a mode that it would not use. */
	if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE)
		how.mode = mode & 07777;
	/* A rename elsewhere in the tree makes it say EAGAIN: it could not tell. */
	for (int i = 0; i < 64; i++) {
		TRY(fd, (int)syscall(SYS_openat2, dir, path, &how, sizeof how));
		if (fd != -1 || errno != EAGAIN)
			break;
	}
	return fd;
}

int os_close(int fd)
{
	int no = errno;

	/* Not tried again: Linux has freed the number even when it says EINTR. */
	if (fd != -1)
		close(fd);
	errno = no;
	return 0;
}

int os_mkdirat(int dir, const char *path, mode_t mode)
{
	int rc;

	TRY(rc, mkdirat(dir, path, mode));
	return rc;
}

int os_linkat(int dir, const char *from, int dir2, const char *to)
{
	int rc;

	TRY(rc, linkat(dir, from, dir2, to, 0));
	return rc;
}

int os_renameat(int dir, const char *from, int dir2, const char *to)
{
	int rc;

	TRY(rc, renameat(dir, from, dir2, to));
	return rc;
}

int os_renameat_new(int dir, const char *from, int dir2, const char *to)
{
	int rc;

	TRY(rc, renameat2(dir, from, dir2, to, RENAME_NOREPLACE));
	return rc;
}

int os_renameat_swap(int dir, const char *from, int dir2, const char *to)
{
	int rc;

	TRY(rc, renameat2(dir, from, dir2, to, RENAME_EXCHANGE));
	return rc;
}

int os_unlinkat(int dir, const char *path, int flags)
{
	int rc;

	TRY(rc, unlinkat(dir, path, flags));
	return rc;
}

int os_fsync(int fd)
{
	int rc;

	TRY(rc, fsync(fd));
	return rc;
}

int os_close_written(int fd)
{
	bool lost = fault();
	int no = errno;

	if (close(fd) == -1 && errno != EINTR)
		return -1;
	errno = no;
	return lost ? -1 : 0;
}

void os_forget(int fd)
{
	(void)!posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

int os_syncfs(int fd)
{
	int rc;

	TRY(rc, syncfs(fd));
	return rc;
}

int os_ftruncate(int fd, off_t n)
{
	int rc;

	TRY(rc, ftruncate(fd, n));
	return rc;
}

int os_fstat(int fd, struct stat *st)
{
	int rc;

	TRY(rc, fstat(fd, st));
	return rc;
}

int os_fstatat(int dir, const char *path, struct stat *st, int flags)
{
	int rc;

	TRY(rc, fstatat(dir, path, st, flags));
	return rc;
}

ssize_t os_read(int fd, void *buf, size_t n)
{
	ssize_t rc;

	TRY(rc, read(fd, buf, n));
	return rc;
}

int os_readable(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int rc;

	TRY(rc, poll(&p, 1, ms));
	return rc;
}

ssize_t os_pread(int fd, void *buf, size_t n, off_t off)
{
	ssize_t rc;

	TRY(rc, pread(fd, buf, n, off));
	return rc;
}

ssize_t os_pread_full(int fd, void *buf, size_t n, off_t off)
{
	size_t done = 0;

	while (done < n) {
		ssize_t k = os_pread(fd, (char *)buf + done, n - done, off + (off_t)done);

		if (k == -1)
			return -1;
		if (k == 0)
			break;
		done += (size_t)k;
	}
	return (ssize_t)done;
}

int os_write_all(int fd, const void *p, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t k;

		TRY(k, write(fd, (const char *)p + done, n - done));
		if (k == -1)
			return -1;
		done += (size_t)k;
	}
	return 0;
}

int os_pwrite_all(int fd, const void *p, size_t n, off_t off)
{
	size_t done = 0;

	while (done < n) {
		ssize_t k;

		TRY(k, pwrite(fd, (const char *)p + done, n - done, off + (off_t)done));
		if (k == -1)
			return -1;
		done += (size_t)k;
	}
	return 0;
}

void os_start_writeback(int fd)
{
	sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}
