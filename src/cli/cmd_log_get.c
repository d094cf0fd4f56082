/*
 * log get: a file of the log for restore_command.  PostgreSQL asks for one after the other, each by
 * a process of its own: so the first leaves one behind that reads ahead, into a folder beside the
 * destination (log_ahead.h), and the following only rename what is there.
 *
 * It has two threads, so that one writes while the other reads, and ends when the log does, or when
 * nobody has taken anything for a minute, and leaves nothing.
 */
#include "cli/cmd_log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/log_ahead.h"
#include "cli/log_fetch.h"
#include "os/os.h"

enum {
	AHEAD_FILES = 8,
	READERS = 2,
	AHEAD_BYTES = 256 << 20,
	IDLE_S = 60,
	PATIENCE_S = 60, /* for what may pass: a store that is away */
	POLL_NS = 2000000,
};

struct get {
	struct cli *c;
	const char *name, *dest;
	char *dir, *ahead; /* of dest; in it */
	int dir_fd, ahead_fd, lock;
	struct wal_file file;
	struct log_fetch *fetch;
	struct buf bytes;
};

static int64_t now(const struct get *g)
{
	return os_clock_of(g->c->ctx)->mono_ns(os_clock_of(g->c->ctx));
}

/* ---- The folder. */

static bool open_ahead(struct get *g, bool make)
{
	if (g->ahead_fd == -1 && make)
		(void)!mkdir(g->ahead, 0700);
	if (g->ahead_fd == -1)
		g->ahead_fd = os_open(g->ahead, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (g->ahead_fd != -1 && g->lock == -1)
		g->lock = os_openat(
		    g->ahead_fd, "lock", O_RDWR | O_NOFOLLOW | (make ? O_CREAT : 0), 0600);
	return g->lock != -1;
}

/* Does nobody read ahead?  Then the lock is ours. */
static bool take_lock(struct get *g)
{
	bool busy = false;
	struct err ignored;

	return os_lock(g->lock, false, &busy, &ignored) == 0 && !busy;
}

/* Of somebody who died, or of another recovery: what is there is not believed. */
static void sweep(struct get *g, bool all)
{
	int fd = os_openat(g->ahead_fd, ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *d = fd == -1 ? NULL : fdopendir(fd);

	for (struct dirent *x; d != NULL && (x = readdir(d)) != NULL;)
		if (x->d_name[0] != '.' && (all || strcmp(x->d_name, "lock") != 0))
			os_unlinkat(g->ahead_fd, x->d_name, 0);
	if (d != NULL)
		closedir(d);
	else
		os_close(fd);
}

/* ---- Writing. */

static int write_at(int dir, const char *name, const struct buf *b, struct err *e)
{
	char *temp = mem_printf("%s.holdfast", name);
	int fd, rc;

	os_unlinkat(dir, temp, 0);
	fd = os_openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	rc = fd == -1 || os_write_all(fd, b->p, b->n) == -1 ? err_sys(e, "%s", temp) : 0;
	if (fd != -1 && os_close_written(fd) == -1 && rc == 0)
		rc = err_sys(e, "%s", temp);
	if (rc == 0 && os_renameat(dir, temp, dir, name) == -1)
		rc = err_sys(e, "%s", name);
	if (rc == -1)
		os_unlinkat(dir, temp, 0);
	free(temp);
	return rc;
}

/* ---- Reading ahead: a process of its own from here on. */

static void to_nothing(void)
{
	int fd = os_open("/dev/null", O_RDWR, 0);

	for (int i = 0; fd != -1 && i < 3; i++)
		dup2(fd, i);
	if (fd > 2)
		os_close(fd);
}

struct ahead {
	struct get *g;
	pthread_mutex_t lock; /* guards the rest */
	uint64_t at;          /* of the next to be begun */
	uint32_t size;
	char names[AHEAD_FILES][WAL_FILE_NAME]; /* there, as far as we know */
	unsigned n, most;
	char busy[READERS][WAL_FILE_NAME]; /* being fetched; "": none */
	int next;                          /* the file that says so */
	int64_t taken_ns;                  /* somebody took something */
	bool over;
};

struct reading { /* a thread's own */
	struct ahead *a;
	unsigned i;
	struct log_fetch *fetch;
	struct buf bytes;
};

static void look_who_took(struct ahead *a)
{
	struct stat st;

	for (unsigned i = 0; i < a->n;)
		if (os_fstatat(a->g->ahead_fd, a->names[i], &st, AT_SYMLINK_NOFOLLOW) == 0) {
			i++;
		} else {
			memmove(a->names[i], a->names[i + 1], (a->n - i - 1) * sizeof a->names[0]);
			a->n--;
			a->taken_ns = now(a->g);
		}
}

static unsigned at_work(const struct ahead *a)
{
	unsigned n = 0;

	for (int i = 0; i < READERS; i++)
		n += a->busy[i][0] != '\0';
	return n;
}

/* With the lock, which is given up meanwhile: false when nobody wants anything any more. */
static bool wait_for_room(struct ahead *a, unsigned room)
{
	struct get *g = a->g;
	struct stat st;

	for (look_who_took(a); a->n + at_work(a) > room; look_who_took(a)) {
		if (a->over || now(g) - a->taken_ns > IDLE_S * CALENDAR_SECOND ||
		    ctx_cancelled(g->c->ctx) || stat(g->dir, &st) == -1)
			return false;
		pthread_mutex_unlock(&a->lock);
		os_sleep_ns(g->c->ctx, POLL_NS);
		pthread_mutex_lock(&a->lock);
	}
	return !a->over;
}

/* In place: a file renamed over another is written out by some file systems. */
static bool say_next(struct ahead *a)
{
	return os_pwrite_all(a->next, a->busy, sizeof a->busy, 0) == 0;
}

static bool fetch_to(struct reading *r, const char *name)
{
	enum log_found found;
	struct wal_file file;
	struct err e;

	return wal_file_parse(name, &file, &e) == 0 &&
	       log_fetch(r->fetch, &file, &r->bytes, &found, &e) == 0 && found == LOG_WHOLE &&
	       write_at(r->a->g->ahead_fd, name, &r->bytes, &e) == 0;
}

static void *read_main(void *arg)
{
	struct reading *r = arg;
	struct ahead *a = r->a;
	char *name = a->busy[r->i];

	pthread_mutex_lock(&a->lock);
	while (wait_for_room(a, a->most - 1)) {
		char now_name[WAL_FILE_NAME];
		bool ok;

		a->at += a->size;
		wal_file_name(now_name, a->g->file.timeline, a->at, a->size);
		memcpy(name, now_name, WAL_FILE_NAME);
		ok = say_next(a);
		pthread_mutex_unlock(&a->lock);
		ok = ok && fetch_to(r, now_name);
		pthread_mutex_lock(&a->lock);
		name[0] = '\0';
		if (ok) {
			memcpy(a->names[a->n++], now_name, WAL_FILE_NAME);
		} else {
			a->over = true;
			say_next(a); /* nobody waits for it */
		}
	}
	a->over = true;
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

static void read_ahead(struct get *g)
{
	uint32_t size = log_fetch_size(g->fetch);
	struct ahead a = {.g = g, .size = size, .taken_ns = now(g), .most = AHEAD_BYTES / size};
	struct reading r[READERS] = {{.a = &a, .fetch = g->fetch}, {.a = &a, .i = 1}};
	pthread_t thread;
	bool two;

	a.most = a.most < 1 ? 1 : a.most > AHEAD_FILES ? AHEAD_FILES : a.most;
	a.next = os_openat(g->ahead_fd, "next", O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	a.over = a.next == -1 || !wal_file_start(&g->file, size, &a.at);
	pthread_mutex_init(&a.lock, NULL);
	r[1].fetch = log_fetch_another(g->fetch);
	two = a.most > 1 && pthread_create(&thread, NULL, read_main, &r[1]) == 0;
	read_main(&r[0]);
	if (two)
		pthread_join(thread, NULL);
	os_unlinkat(g->ahead_fd, "next", 0);
	/* The end of the log is not the end of who takes it. */
	pthread_mutex_lock(&a.lock);
	a.over = false;
	wait_for_room(&a, 0);
	pthread_mutex_unlock(&a.lock);
	sweep(g, true);
	os_unlinkat(g->dir_fd, LOG_AHEAD_FOLDER, AT_REMOVEDIR);
}

static void leave_one_behind(struct get *g)
{
	if (!open_ahead(g, true) || !take_lock(g))
		return;
	sweep(g, false);
	if (fork() != 0)
		return;
	setsid();
	to_nothing();
	log_fetch_forked(g->fetch);
	if (chdir("/") == 0 || true)
		read_ahead(g);
	_exit(0);
}

/* ---- Once. */

static int fetch_once(struct get *g, enum log_found *found, struct err *e)
{
	int64_t until = now(g) + PATIENCE_S * CALENDAR_SECOND;

	for (int64_t wait = CALENDAR_SECOND / 4;; wait *= 2) {
		if (log_fetch(g->fetch, &g->file, &g->bytes, found, e) == 0)
			return 0;
		if (!err_info(e->kind)->retry || now(g) + wait > until ||
		    ctx_check(g->c->ctx, e) == -1)
			return -1;
		os_sleep_ns(g->c->ctx, wait);
	}
}

static int get(struct get *g, struct err *e)
{
	enum log_found found;

	if (log_ahead_take(g->name, g->dest))
		return 0;
	if (fetch_once(g, &found, e) == -1)
		return -1;
	if (found == LOG_ABSENT) {
		g->c->proven_absent = true;
		g->c->wanted =
		    !g->c->opt.verbose; /* at the end of every log it is asked for more */
		return err_set(e, ERR_ABSENT, "%s is not there", g->name);
	}
	if (write_at(AT_FDCWD, g->dest, &g->bytes, e) == -1)
		return -1;
	if (found == LOG_WHOLE && g->file.kind == WAL_FILE_SEGMENT)
		leave_one_behind(g);
	return 0;
}

int cmd_log_get(struct cli *c, struct err *e)
{
	struct get g = {.c = c,
	    .name = c->args.v[1],
	    .dest = c->args.v[2],
	    .dir_fd = -1,
	    .ahead_fd = -1,
	    .lock = -1};
	char *dest = pick_absolute(c->args.v[2]);
	int rc = wal_file_parse(g.name, &g.file, e);

	g.dest = dest;
	g.dir = mem_strdup(dest);
	*strrchr(g.dir, '/') = '\0';
	g.ahead = mem_printf("%s/" LOG_AHEAD_FOLDER, g.dir);
	g.dir_fd = os_open(g.dir[0] ? g.dir : "/", O_RDONLY | O_DIRECTORY, 0);
	if (rc == 0 && g.dir_fd == -1)
		rc = err_sys(e, "%s", g.dir);
	if (rc == 0) {
		g.fetch = log_fetch_new(c, c->opt.system);
		rc = get(&g, e);
	}
	log_fetch_free(g.fetch);
	buf_fini(&g.bytes);
	os_close(g.lock);
	os_close(g.ahead_fd);
	os_close(g.dir_fd);
	free(g.ahead);
	free(g.dir);
	free(dest);
	return rc;
}
