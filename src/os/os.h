/*
 * os: the machine.  The only home of system calls that can fail on the way
 * to or from a disk, each of which tests can make fail.
 *
 * os_* calls named after a system call behave like it (result, errno), with
 * EINTR retried and close-on-exec set.  Others say what they do.
 *
 * Threads: any.
 */
#ifndef HF_OS_OS_H
#define HF_OS_OS_H

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/ctx.h"
#include "base/entry.h"
#include "base/err.h"

int os_open(const char *path, int flags, mode_t mode);
int os_openat(int dir, const char *path, int flags, mode_t mode);
/* openat2 with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS. */
int os_open_beneath(int dir, const char *path, int flags, mode_t mode);
int os_close(int fd);         /* -1 does nothing; keeps errno */
int os_close_written(int fd); /* closed in any case; -1: what was written may be lost */
int os_mkdirat(int dir, const char *path, mode_t mode);
int os_linkat(int dir, const char *from, int dir2, const char *to);
int os_renameat(int dir, const char *from, int dir2, const char *to);
/* renameat2 with RENAME_NOREPLACE: EEXIST rather than replace. */
int os_renameat_new(int dir, const char *from, int dir2, const char *to);
/* ... with RENAME_EXCHANGE: both are there before and after. */
int os_renameat_swap(int dir, const char *from, int dir2, const char *to);
int os_unlinkat(int dir, const char *path, int flags);
int os_fsync(int fd);
int os_syncfs(int fd);  /* all of the file system that fd is on */
void os_forget(int fd); /* advice: what is synced need not stay in memory */
int os_ftruncate(int fd, off_t n);
int os_fstat(int fd, struct stat *st);
int os_fstatat(int dir, const char *path, struct stat *st, int flags);
ssize_t os_read(int fd, void *buf, size_t n);
/* 1 once reading fd would not wait (data, its end or an error); 0 after so many ms; -1. */
int os_readable(int fd, int ms);
ssize_t os_pread(int fd, void *buf, size_t n, off_t off);
int os_write_all(int fd, const void *p, size_t n);             /* 0 or -1 */
int os_pwrite_all(int fd, const void *p, size_t n, off_t off); /* 0 or -1 */
/* Reads until n bytes or the end; returns how many, or -1. */
ssize_t os_pread_full(int fd, void *buf, size_t n, off_t off);

/* Is something mounted at this folder?  0 or -1. */
int os_is_mount_point(const char *path, bool *is);

/* Bytes that are left to us, and all, of the file system of a path.  0 or -1. */
int os_space(const char *path, uint64_t *left, uint64_t *all);

/* What a mode says a thing is; ENTRY_SOCKET for what is none of the others. */
enum entry_type os_entry_type(mode_t mode);

/* Start writing a file's dirty pages back; advice. */
void os_start_writeback(int fd);

/* A whole file of at most max bytes into out (appended). */
int os_read_file(const char *path, size_t max, struct buf *out, struct err *e);

/*
 * The same of a file in a folder that is somebody else's: what he may have put there instead (a
 * link, a pipe, another's file by another name) is an error, and is neither read nor waited for.
 */
int os_read_plain(
    int dir, const char *path, uid_t owner, size_t max, struct buf *out, struct err *e);

/*
 * file_replace: put these bytes at path, all or nothing and durable:
 * temporary file in the same folder, write, fsync, rename, fsync folder.
 */
int os_file_replace(const char *path, struct span data, mode_t mode, struct err *e);

/*
 * file_note: all or nothing for who reads it, but not synced: for what tells of a process, and is
 * not missed after a crash.  One writer at a time, by way of PATH.new.
 */
int os_file_note(const char *path, struct span data, struct err *e);

/* mkdir -p; existing folders are fine. */
int os_mkdirs(const char *path, mode_t mode, struct err *e);

/* Exclusive lock on an open file; *busy instead of waiting (if wait is false). */
int os_lock(int fd, bool wait, bool *busy, struct err *e);

/* The real clock (CLOCK_REALTIME; CLOCK_BOOTTIME for mono). */
struct clock *os_clock(void);
struct clock *os_clock_of(const struct ctx *ctx); /* ctx's, or else the real one */

/*
 * Call f(arg) on a thread with a stack of 512 MiB (of which only what is
 * touched takes memory), and wait: trees are walked by recursion, and may be
 * 4,096 directories deep.
 */
void os_call_deep(void (*f)(void *), void *arg);

unsigned os_cpus(void);             /* at least 1; honours affinity */
unsigned os_workers(unsigned jobs); /* so many if not 0; else a thread a processor, at most 8 */
const char *os_host(void);          /* static; "localhost" if unknown */
void os_user(char *out, size_t n);  /* name of the effective user, or its number */
/* Who logged in, whatever became of the rights since (Linux's audit login); false: not known. */
bool os_login(char *out, size_t n);
mode_t os_umask(void);      /* the process's file mode creation mask */
size_t os_nofile(void);     /* how many descriptors may be open */
void os_raise_nofile(void); /* soft limit of descriptors up to the hard one */
void os_settle_heap(void);  /* large pieces go back to the system when they are freed */
/*
 * From now on a core dump of ours holds registers and no memory: secrets that
 * pass through libraries cannot be locked one by one.
 */
void os_hide_core(void);

void os_sleep_ns(struct ctx *ctx, int64_t ns); /* ends early on cancel */

/*
 * Priorities of this thread and of those it starts from now on: nice from -20
 * to 19; of disk access, a value made by one of the two.
 */
int os_set_nice(int nice, struct err *e);
int os_set_ionice(int ioprio, struct err *e);
int os_ioprio_idle(void);
int os_ioprio_best(int level); /* 0 to 7 */

/*
 * Places (3-interface.md): root's are /var/cache/holdfast and so on, others
 * the XDG folders; HOLDFAST_CACHE_DIR and the like override.  New text.
 */
char *os_real_path(const char *path); /* from the root, without links; NULL if it isn't there */
char *os_cache_dir(void);
char *os_state_dir(void);
char *os_runtime_dir(void); /* of api.sock and log.sock */

/* Faults, for tests: make the nth call from now fail with errno `no`. */
void os_fault_arm(unsigned nth, int no);
bool os_fault_fired(void); /* since armed; disarms */

#endif
