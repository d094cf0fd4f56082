/* recover_feed: see recover_feed.h. */
#include "engine/recover_feed.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "source/wal_reader.h"
#include "os/os.h"
#include "os/os_scratch.h"

#define MS          INT64_C(1000000)
#define AHEAD_BYTES (UINT64_C(1) << 30)

enum { THREADS_MAX = 4, AHEAD_MIN = 4, POLL_MS = 10, ALIVE_MS = 5000 };

static const char script[] =
    "# Waits for a segment of the log that holdfast puts into pg_wal.  Always \"not here\".\n"
    "cd holdfast-wal || exit 255\n"
    "echo \"$1\" > want\n"
    "case $1 in *.history|*.partial|*.backup) exit 1;; esac\n"
    "n=0; was=\n"
    "while [ ! -e \"$1\" ]; do\n"
    "  [ -e end ] && exit 1\n"
    "  n=$((n + 1))\n"
    "  if [ $n -ge 2000 ]; then\n"
    "    now=$(cat alive)\n"
    "    [ \"$now\" = \"$was\" ] && exit 255\n"
    "    was=$now; n=0\n"
    "  fi\n"
    "  sleep 0.02\n"
    "done\n"
    "exit 1\n";

struct recover_feed {
	struct recover_feed_params p;
	struct ctx *ctx;
	char *dir, *wal;
	int dir_fd, wal_fd; /* by these alone: the server's user may put something else there */
	pthread_t thread[THREADS_MAX];
	unsigned nthreads;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t change;
	size_t next, done; /* files */
	size_t asked;      /* the highest that the server wants, + 1 */
	int64_t looked_ns, alive_ns;
	unsigned alive;
	size_t watched;  /* files whose records were looked at */
	uint64_t broken; /* recover_feed_broken */
	bool failed, stop;
	struct err err;

	/* Whose turn it is has these: the thread with file number `watched`. */
	struct wal_reader *watch; /* NULL: nobody looks, or the log has ended */
	bool refused;
};

/* ---- Files. */

/*
 * A folder, made if need be, and its owner's.  A link is followed only to a folder that is his
 * already.
 */
static int open_folder(struct recover_feed *f, const char *path, int *out, struct err *e)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	struct stat st;

	if (os_mkdirs(path, 0700, e) == -1)
		return -1;
	*out = os_open(path, flags | O_NOFOLLOW, 0);
	if (*out != -1)
		return !f->p.as_user || fchown(*out, f->p.uid, f->p.gid) == 0
			   ? 0
			   : err_sys(e, "%s: give it to user %u", path, (unsigned)f->p.uid);
	if ((*out = os_open(path, flags, 0)) == -1 || os_fstat(*out, &st) == -1)
		return err_sys(e, "%s", path);
	if (f->p.as_user && st.st_uid != f->p.uid)
		return err_set(e, ERR_DENIED, "%s: a link to a folder of user %u, not %u", path,
		    (unsigned)st.st_uid, (unsigned)f->p.uid);
	return 0;
}

/*
 * A file of a folder that belongs to somebody else, whole or not at all: nothing that he may have
 * put there is written through.
 */
static int put_new(struct recover_feed *f, int at, const char *name, struct span bytes,
    uint64_t size, mode_t mode, struct err *e)
{
	char *temp = mem_printf("%s.part", name);
	int fd, rc = 0;

	os_unlinkat(at, temp, 0);
	fd = os_openat(at, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd == -1 || os_write_all(fd, bytes.p, bytes.n) == -1 ||
	    (size > bytes.n && os_ftruncate(fd, (off_t)size) == -1) ||
	    (f->p.as_user && fchown(fd, f->p.uid, f->p.gid) == -1) ||
	    os_renameat(at, temp, at, name) == -1)
		rc = err_sys(e, "%s/%s", at == f->wal_fd ? f->wal : f->dir, name);
	if (rc == -1 && fd != -1)
		os_unlinkat(at, temp, 0);
	os_close(fd);
	free(temp);
	return rc;
}

static int put_note(
    struct recover_feed *f, const char *name, const char *text, mode_t mode, struct err *e)
{
	return put_new(f, f->dir_fd, name, span_str(text), 0, mode, e);
}

/* A file of pg_wal; zeros fill it up. */
static int put_wal(
    struct recover_feed *f, const char *name, struct span bytes, uint64_t size, struct err *e)
{
	return put_new(f, f->wal_fd, name, bytes, size, 0600, e);
}

/* ---- Threads. */

static void fail(struct recover_feed *f, const struct err *e)
{
	pthread_mutex_lock(&f->lock);
	if (!f->failed)
		f->err = *e;
	f->failed = true;
	pthread_cond_broadcast(&f->change);
	pthread_mutex_unlock(&f->lock);
}

/* How far the server is; and that we are there.  With the lock held. */
static void look(struct recover_feed *f)
{
	struct clock *clock = os_clock();
	int64_t now = clock->mono_ns(clock);
	char name[RECOVER_FILE_NAME], text[16];
	struct buf b = {0};
	struct err e;

	if (now - f->looked_ns < POLL_MS * MS)
		return;
	f->looked_ns = now;
	if (f->dir_fd != -1 && os_read_plain(f->dir_fd, "want", f->p.as_user ? f->p.uid : geteuid(),
				   RECOVER_FILE_NAME, &b, &e) == 0)
		for (size_t i = f->asked; i < f->next; i++) {
			const struct recover_file *x = &f->p.reach->v[i];

			recover_file_name(name, x->timeline, x->start, f->p.segment);
			if (strncmp(buf_cstr(&b), name, strlen(name)) == 0)
				f->asked = i + 1;
		}
	if (f->dir_fd != -1 && now - f->alive_ns > ALIVE_MS * MS) {
		f->alive_ns = now;
		snprintf(text, sizeof text, "%u\n", ++f->alive);
		put_note(f, "alive", text, 0644, &e);
	}
	buf_fini(&b);
}

static void wait_a_little(struct recover_feed *f)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += POLL_MS * MS;
	t.tv_sec += t.tv_nsec / (1000 * MS);
	t.tv_nsec %= 1000 * MS;
	pthread_cond_timedwait(&f->change, &f->lock, &t);
}

/* The next file to put; false at the end. */
static bool claim(struct recover_feed *f, size_t *i)
{
	uint64_t ahead = AHEAD_BYTES / f->p.segment;
	bool got = false;

	ahead = ahead < AHEAD_MIN ? AHEAD_MIN : ahead;
	pthread_mutex_lock(&f->lock);
	while (!f->failed && !f->stop && f->next < f->p.reach->n) {
		look(f);
		if (!f->p.ahead || f->next < f->asked + ahead) {
			*i = f->next++;
			got = true;
			break;
		}
		wait_a_little(f);
	}
	pthread_mutex_unlock(&f->lock);
	return got;
}

static int on_record(void *arg, const struct wal_record *r, struct err *e)
{
	struct recover_feed *f = arg;

	if (f->p.record(f->p.arg, r, e) == 0)
		return 0;
	f->refused = true;
	return -1;
}

/* Show the records of file i to who wants to see them, when those before it were. */
static int watch(struct recover_feed *f, size_t i, struct span bytes, struct err *e)
{
	uint64_t broken = 0;
	bool go;

	pthread_mutex_lock(&f->lock);
	while (f->watched != i && !f->failed && !f->stop)
		pthread_cond_wait(&f->change, &f->lock);
	go = f->watched == i && !f->failed && !f->stop;
	pthread_mutex_unlock(&f->lock);
	if (!go)
		return err_set(e, ERR_CANCELLED, "the recovery ends");
	/* What is no record ends the log, for the server too. */
	if (f->watch != NULL && wal_reader_feed(f->watch, bytes, e) == -1) {
		if (f->refused)
			return -1;
		broken = wal_reader_done(f->watch);
		wal_reader_free(f->watch);
		f->watch = NULL;
	}
	pthread_mutex_lock(&f->lock);
	f->watched = i + 1;
	f->broken = broken ? broken : f->broken;
	pthread_cond_broadcast(&f->change);
	pthread_mutex_unlock(&f->lock);
	return 0;
}

static void patch(const struct recover_feed *f, uint64_t start, struct buf *b)
{
	for (size_t i = 0; i < f->p.npatches; i++) {
		const struct recover_patch *x = &f->p.patches[i];

		if (x->lsn >= start && x->lsn - start < b->n)
			b->p[x->lsn - start] ^= x->change;
	}
}

static int put_file(
    struct recover_feed *f, struct log_reader *rd, size_t i, struct buf *b, struct err *e)
{
	const struct recover_file *x = &f->p.reach->v[i];
	char name[RECOVER_FILE_NAME];
	uint64_t have;

	recover_file_name(name, x->timeline, x->start, f->p.segment);
	if (ctx_check(f->ctx, e) == -1 ||
	    log_reader_get(rd, x->timeline, x->start, x->end, b, &have, e) == -1)
		return err_wrap(e, "segment %s of the log", name);
	if (f->p.record != NULL && watch(f, i, buf_span(b), e) == -1)
		return -1;
	patch(f, x->start, b);
	if (put_wal(f, name, buf_span(b), f->p.segment, e) == -1 ||
	    (f->p.ahead && put_note(f, name, "", 0644, e) == -1))
		return err_wrap(e, "segment %s of the log", name);
	return 0;
}

/* The last one says that there is no more, and shows that we live until it is stopped. */
static void finish(struct recover_feed *f)
{
	struct err e;

	pthread_mutex_lock(&f->lock);
	if (f->p.ahead && f->done == f->p.reach->n && put_note(f, "end", "", 0644, &e) == -1) {
		f->failed = true;
		f->err = e;
	}
	pthread_cond_broadcast(&f->change);
	pthread_mutex_unlock(&f->lock);
}

static void *feed_main(void *arg)
{
	struct recover_feed *f = arg;
	struct log_reader *rd = NULL;
	struct buf b = {0};
	struct err e;
	size_t i;

	if (log_reader_open(f->p.repo, f->p.stream, &rd, &e) == -1)
		fail(f, &e);
	while (claim(f, &i)) {
		bool last;

		if (put_file(f, rd, i, &b, &e) == -1) {
			fail(f, &e);
			break;
		}
		pthread_mutex_lock(&f->lock);
		last = ++f->done == f->p.reach->n;
		pthread_mutex_unlock(&f->lock);
		if (last)
			finish(f);
	}
	log_reader_close(rd);
	buf_fini(&b);
	return NULL;
}

/* ---- Begin and end. */

/* All that are known: a server that is promoted takes a timeline that none of them has. */
static int put_histories(struct recover_feed *f, struct err *e)
{
	struct log_reader *rd = NULL;
	struct buf b = {0};
	char name[32];
	int rc = 0;

	for (size_t i = 0; i < f->p.nat && rc == 0; i++) {
		const struct log_at *a = &f->p.at[i];

		if (a->kind != LOG_HISTORY)
			continue;
		if (rd == NULL && log_reader_open(f->p.repo, f->p.stream, &rd, e) == -1)
			return -1;
		snprintf(name, sizeof name, "%08" PRIX32 ".history", a->timeline);
		rc = log_reader_history(rd, a->timeline, &b, e);
		if (rc == 0)
			rc = put_wal(f, name, buf_span(&b), 0, e);
	}
	log_reader_close(rd);
	buf_fini(&b);
	return rc;
}

static int prepare(struct recover_feed *f, struct err *e)
{
	if (open_folder(f, f->wal, &f->wal_fd, e) == -1 || put_histories(f, e) == -1)
		return -1;
	if (!f->p.ahead)
		return 0;
	if (access(f->dir, F_OK) == 0 && os_scratch_remove(f->dir, e) == -1)
		return -1;
	if (open_folder(f, f->dir, &f->dir_fd, e) == -1)
		return -1;
	return put_note(f, "get", script, 0644, e) == -1 ? -1
							 : put_note(f, "alive", "0\n", 0644, e);
}

int recover_feed_start(
    const struct recover_feed_params *p, struct ctx *ctx, struct recover_feed **out, struct err *e)
{
	struct recover_feed *f = mem_zalloc(sizeof *f);
	struct wal_reader_params rp = {
	    .segment = (uint32_t)p->segment, .record = on_record, .arg = f};
	unsigned n = os_workers(p->jobs);

	f->p = *p;
	f->ctx = ctx;
	f->dir = mem_printf("%s/holdfast-wal", p->data);
	f->wal = p->wal ? mem_strdup(p->wal) : mem_printf("%s/pg_wal", p->data);
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->change, NULL);
	f->dir_fd = f->wal_fd = -1;
	*out = NULL;
	rp.start = p->reach->n > 0 ? p->reach->v[0].start : 0;
	if (prepare(f, e) == -1 ||
	    (p->record != NULL && (f->watch = wal_reader_new(&rp, e)) == NULL)) {
		recover_feed_free(f, true);
		return -1;
	}
	for (n = n > THREADS_MAX ? THREADS_MAX : n; f->nthreads < n; f->nthreads++)
		if (pthread_create(&f->thread[f->nthreads], NULL, feed_main, f) != 0)
			break;
	if (f->nthreads == 0) {
		recover_feed_free(f, true);
		return err_set(e, ERR_FAILED, "cannot start a thread");
	}
	*out = f;
	return 0;
}

int recover_feed_check(struct recover_feed *f, struct err *e)
{
	int rc = 0;

	pthread_mutex_lock(&f->lock);
	look(f);
	if (f->failed) {
		*e = f->err;
		rc = -1;
	}
	pthread_mutex_unlock(&f->lock);
	return rc;
}

int recover_feed_wait(struct recover_feed *f, struct err *e)
{
	int rc;

	pthread_mutex_lock(&f->lock);
	while (!f->failed && f->done < f->p.reach->n)
		wait_a_little(f);
	pthread_mutex_unlock(&f->lock);
	rc = recover_feed_check(f, e);
	if (rc == 0 && !f->p.ahead && os_syncfs(f->wal_fd) == -1)
		rc = err_sys(e, "%s", f->wal);
	return rc;
}

uint64_t recover_feed_broken(struct recover_feed *f)
{
	uint64_t at;

	pthread_mutex_lock(&f->lock);
	at = f->broken;
	pthread_mutex_unlock(&f->lock);
	return at;
}

uint64_t recover_feed_asked(struct recover_feed *f)
{
	uint64_t asked;

	pthread_mutex_lock(&f->lock);
	asked = f->asked;
	pthread_mutex_unlock(&f->lock);
	return asked;
}

/* Its files by the folder that we hold, whatever stands in its place by now. */
static void remove_dir(struct recover_feed *f)
{
	int fd = os_openat(f->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	DIR *d = fd != -1 ? fdopendir(fd) : NULL;
	struct dirent *de;

	while (d != NULL && (de = readdir(d)) != NULL)
		if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0)
			os_unlinkat(f->dir_fd, de->d_name, 0);
	if (d != NULL)
		closedir(d);
	else
		os_close(fd);
	os_unlinkat(AT_FDCWD, f->dir, AT_REMOVEDIR);
}

void recover_feed_free(struct recover_feed *f, bool clean)
{
	if (f == NULL)
		return;
	pthread_mutex_lock(&f->lock);
	f->stop = true;
	pthread_cond_broadcast(&f->change);
	pthread_mutex_unlock(&f->lock);
	for (unsigned i = 0; i < f->nthreads; i++)
		pthread_join(f->thread[i], NULL);
	if (clean && f->dir_fd != -1)
		remove_dir(f);
	os_close(f->dir_fd);
	os_close(f->wal_fd);
	wal_reader_free(f->watch);
	pthread_mutex_destroy(&f->lock);
	pthread_cond_destroy(&f->change);
	free(f->dir);
	free(f->wal);
	free(f);
}
