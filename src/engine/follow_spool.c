/* follow_spool: see follow_spool.h. */
#include "engine/follow_spool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "os/os.h"

enum { NAME = 40, COPIED = 1 << 20, MARK_MAX = 256 };

#define BOOT "/proc/sys/kernel/random/boot_id"

struct follow_spool {
	char *dir;
	char boot[64];
	int fd; /* of the folder */
	int lock;
	int file; /* that is appended to */
	uint32_t timeline;
	uint64_t start, end; /* of that file */
	uint64_t segment, bytes;
	uint32_t synced_timeline;
	uint64_t synced; /* up to here a crash of the machine loses nothing */
	bool cut;        /* it is not known to be whole after that */
	bool unsynced;   /* files before this one may not be on the disk */
	char system[24];
};

static void name_of(char out[NAME], uint32_t timeline, uint64_t segment, bool history)
{
	if (history)
		snprintf(out, NAME, "%08" PRIX32 ".history", timeline);
	else
		snprintf(out, NAME, "%08" PRIX32 "-%016" PRIX64, timeline, segment);
}

static int failed(const struct follow_spool *s, const char *name, const char *what, struct err *e)
{
	return err_sys(e, "%s/%s: %s", s->dir, name, what);
}

/* ---- Opening. */

static void read_boot(char out[64])
{
	struct buf b = {0};
	struct err e;

	out[0] = '\0';
	if (os_read_file(BOOT, 60, &b, &e) == 0)
		snprintf(out, 64, "%.*s", (int)strcspn(buf_cstr(&b), "\n"), buf_cstr(&b));
	buf_fini(&b);
}

/* "system-id segment boot timeline position": of which database, and what was synced last. */
static int read_mark(struct follow_spool *s, struct err *e)
{
	char *path = mem_printf("%s/mark", s->dir), boot[64] = "";
	struct buf b = {0};
	int rc = os_read_file(path, MARK_MAX, &b, e);

	if (rc == 0) {
		if (sscanf(buf_cstr(&b), "%23s %" SCNu64 " %63s %" SCNu32 " %" SCNu64, s->system,
			&s->segment, boot, &s->synced_timeline, &s->synced) != 5)
			rc = err_set(e, ERR_CORRUPT, "%s: this is no mark of a spool", path);
		s->cut = strcmp(boot, s->boot) != 0;
	} else if (e->kind == ERR_ABSENT)
		rc = 0;
	buf_fini(&b);
	free(path);
	return rc;
}

static int write_mark(struct follow_spool *s, struct err *e)
{
	char *path = mem_printf("%s/mark", s->dir);
	struct buf b = {0};
	int rc;

	buf_printf(&b, "%s %" PRIu64 " %s %" PRIu32 " %" PRIu64 "\n", s->system, s->segment,
	    s->boot[0] ? s->boot : "-", s->synced_timeline, s->synced);
	rc = os_file_replace(path, buf_span(&b), 0600, e);
	buf_fini(&b);
	free(path);
	return rc;
}

static int take(struct follow_spool *s, struct err *e)
{
	bool busy;

	s->fd = os_open(s->dir, O_RDONLY | O_DIRECTORY, 0);
	if (s->fd == -1)
		return err_sys(e, "open %s", s->dir);
	s->lock = os_openat(s->fd, "lock", O_RDWR | O_CREAT, 0600);
	if (s->lock == -1)
		return failed(s, "lock", "open", e);
	if (os_lock(s->lock, false, &busy, e) == -1)
		return -1;
	if (busy) {
		err_set(e, ERR_BUSY, "%s: another receiver is at it", s->dir);
		return err_hint(e, "the daemon's? holdfast status shows it; one is enough");
	}
	return read_mark(s, e);
}

int follow_spool_open(const char *dir, const char *boot, struct follow_spool **out, struct err *e)
{
	struct follow_spool *s = mem_zalloc(sizeof *s);

	*out = NULL;
	s->dir = mem_strdup(dir);
	s->fd = s->lock = s->file = -1;
	if (boot != NULL)
		snprintf(s->boot, sizeof s->boot, "%s", boot);
	else
		read_boot(s->boot);
	if (os_mkdirs(dir, 0700, e) == -1 || take(s, e) == -1) {
		follow_spool_close(s);
		return err_wrap(e, "spool");
	}
	*out = s;
	return 0;
}

void follow_spool_close(struct follow_spool *s)
{
	if (s == NULL)
		return;
	os_close(s->file);
	os_close(s->lock);
	os_close(s->fd);
	free(s->dir);
	free(s);
}

int follow_spool_of(struct follow_spool *s, const char *system_id, uint64_t segment, struct err *e)
{
	if (s->system[0] != '\0' && (strcmp(s->system, system_id) != 0 || s->segment != segment)) {
		err_set(e, ERR_FAILED, "%s holds WAL of database system %s, but the server is %s",
		    s->dir, s->system, system_id);
		return err_hint(e, "if the database was made anew on purpose, remove that folder");
	}
	if (s->system[0] != '\0' && !s->cut)
		return 0;
	snprintf(s->system, sizeof s->system, "%s", system_id);
	s->segment = segment;
	return 0;
}

/* ---- What is there. */

static bool parse(const char *name, struct follow_spooled *out)
{
	int n = 0;

	*out = (struct follow_spooled){0};
	if (strlen(name) == 25 &&
	    sscanf(name, "%8" SCNx32 "-%16" SCNx64 "%n", &out->timeline, &out->start, &n) == 2 &&
	    n == 25)
		return true;
	out->history = true;
	return strlen(name) == 16 && strcmp(name + 8, ".history") == 0 &&
	       sscanf(name, "%8" SCNx32 "%n", &out->timeline, &n) == 1 && n == 8;
}

static int by_place(const void *a, const void *b)
{
	const struct follow_spooled *x = a, *y = b;

	if (x->timeline != y->timeline)
		return x->timeline < y->timeline ? -1 : 1;
	if (x->history != y->history)
		return x->history ? -1 : 1;
	return x->start < y->start ? -1 : x->start > y->start;
}

/* Of a file of so many bytes: those that are known to be what was received. */
static uint64_t sound(const struct follow_spool *s, const struct follow_spooled *f, uint64_t size)
{
	if (size > s->segment)
		size = s->segment;
	if (!s->cut || f->timeline < s->synced_timeline)
		return size;
	if (f->timeline > s->synced_timeline || f->start >= s->synced)
		return 0;
	return size < s->synced - f->start ? size : s->synced - f->start;
}

/* 1: it counts; 0: it does not, and is gone; -1 */
static int look_at(
    struct follow_spool *s, const char *name, struct follow_spooled *f, struct err *e)
{
	struct stat st;
	uint64_t n;

	if (os_fstatat(s->fd, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return failed(s, name, "look", e);
	if (f->history) {
		s->bytes += (uint64_t)st.st_size;
		return 1;
	}
	f->written_ns = st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec;
	n = sound(s, f, (uint64_t)st.st_size);
	f->end = f->start + n;
	if (n == 0 || f->start % s->segment != 0)
		return os_unlinkat(s->fd, name, 0) == -1 ? failed(s, name, "remove", e) : 0;
	if (n < (uint64_t)st.st_size) {
		int fd = os_openat(s->fd, name, O_WRONLY | O_NOFOLLOW, 0);
		int rc = fd == -1 ? -1 : os_ftruncate(fd, (off_t)n);

		os_close(fd);
		if (rc == -1)
			return failed(s, name, "cut", e);
	}
	s->bytes += n;
	return 1;
}

int follow_spool_list(struct follow_spool *s, struct follow_spooled **out, size_t *n, struct err *e)
{
	DIR *d = opendir(s->dir);
	struct dirent *x;
	size_t cap = 0;
	int rc = 0;

	*out = NULL;
	*n = 0;
	s->bytes = 0;
	if (d == NULL)
		return err_sys(e, "read %s", s->dir);
	while (rc != -1 && (x = readdir(d)) != NULL) {
		struct follow_spooled f;

		if (!parse(x->d_name, &f) || (rc = look_at(s, x->d_name, &f, e)) != 1)
			continue;
		if (*n == cap) {
			cap = cap ? 2 * cap : 16;
			*out = mem_realloc(*out, cap * sizeof **out);
		}
		(*out)[(*n)++] = f;
	}
	closedir(d);
	if (rc == -1)
		return -1;
	if (*n > 0)
		qsort(*out, *n, sizeof **out, by_place);
	s->cut = false;
	/* Who wrote them may have ended before they were on the disk. */
	s->unsynced = *n > 0;
	return write_mark(s, e);
}

/* ---- Writing. */

static int next_file(struct follow_spool *s, uint32_t timeline, uint64_t start, struct err *e)
{
	char name[NAME];
	struct stat st;

	s->unsynced = s->unsynced || s->file != -1;
	os_close(s->file);
	name_of(name, timeline, start, false);
	s->file = os_openat(s->fd, name, O_WRONLY | O_CREAT | O_NOFOLLOW, 0600);
	if (s->file == -1 || os_fstat(s->file, &st) == -1)
		return failed(s, name, "open", e);
	s->timeline = timeline;
	s->start = start;
	s->end = start + (uint64_t)st.st_size;
	return 0;
}

int follow_spool_append(
    struct follow_spool *s, uint32_t timeline, uint64_t at, struct span data, struct err *e)
{
	uint64_t start = at & ~(s->segment - 1);

	if ((s->file == -1 || s->timeline != timeline || s->start != start) &&
	    next_file(s, timeline, start, e) == -1)
		return -1;
	if (at != s->end || data.n > start + s->segment - at)
		return err_set(e, ERR_BUG, "spool: WAL at %" PRIX64 " after %" PRIX64, at, s->end);
	if (os_pwrite_all(s->file, data.p, data.n, (off_t)(at - start)) == -1) {
		int no = errno;

		/* What was written of it does not count, now or later. */
		if (os_ftruncate(s->file, (off_t)(at - start)) == -1)
			return err_sys(e, "%s: cut a file", s->dir);
		errno = no;
		return err_sys(e, "%s: write", s->dir);
	}
	s->end += data.n;
	s->bytes += data.n;
	return 0;
}

int follow_spool_put_history(
    struct follow_spool *s, uint32_t timeline, struct span data, struct err *e)
{
	char name[NAME], *path;
	int rc;

	name_of(name, timeline, 0, true);
	path = mem_printf("%s/%s", s->dir, name);
	rc = os_file_replace(path, data, 0600, e);
	free(path);
	if (rc == 0)
		s->bytes += data.n;
	return rc;
}

int follow_spool_sync(struct follow_spool *s, struct err *e)
{
	if (s->file == -1 && !s->unsynced)
		return 0;
	if (s->unsynced ? os_syncfs(s->fd) == -1 : os_fsync(s->file) == -1 || os_fsync(s->fd) == -1)
		return err_sys(e, "%s: sync", s->dir);
	s->unsynced = false;
	if (s->file == -1)
		return 0;
	if (s->synced_timeline == s->timeline && s->synced == s->end)
		return 0;
	s->synced_timeline = s->timeline;
	s->synced = s->end;
	return write_mark(s, e);
}

int follow_spool_drop(
    struct follow_spool *s, uint32_t timeline, uint64_t segment, bool history, struct err *e)
{
	char name[NAME];
	struct stat st;

	name_of(name, timeline, segment, history);
	if (os_fstatat(s->fd, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT ? 0 : failed(s, name, "look", e);
	if (os_unlinkat(s->fd, name, 0) == -1)
		return failed(s, name, "remove", e);
	s->bytes -= s->bytes < (uint64_t)st.st_size ? s->bytes : (uint64_t)st.st_size;
	if (!history && s->file != -1 && s->timeline == timeline && s->start == segment) {
		os_close(s->file);
		s->file = -1;
	}
	return 0;
}

int follow_spool_empty(struct follow_spool *s, struct err *e)
{
	struct follow_spooled *v;
	size_t n;
	int rc = follow_spool_list(s, &v, &n, e);

	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = follow_spool_drop(s, v[i].timeline, v[i].start, v[i].history, e);
	free(v);
	return rc;
}

/* ---- Reading. */

static int map_file(int fd, uint64_t from, size_t n, struct follow_mapped *out)
{
	out->map = mmap(NULL, from + n, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (out->map == MAP_FAILED) {
		out->map = NULL;
		return -1;
	}
	out->bytes = span_of((uint8_t *)out->map + from, n);
	/* Kept for munmap. */
	out->copy.n = from + n;
	return 0;
}

static int copy_file(int fd, uint64_t from, size_t n, struct follow_mapped *out)
{
	ssize_t got = os_pread_full(fd, buf_extend(&out->copy, n), n, (off_t)from);

	if (got != (ssize_t)n) {
		errno = got == -1 ? errno : EIO;
		return -1;
	}
	out->bytes = buf_span(&out->copy);
	return 0;
}

int follow_spool_map(const struct follow_spool *s, uint32_t timeline, uint64_t segment,
    uint64_t start, uint64_t end, struct follow_mapped *out, struct err *e)
{
	bool history = end == 0;
	char name[NAME];
	struct stat st;
	int fd, rc = -1;

	*out = (struct follow_mapped){0};
	name_of(name, timeline, segment, history);
	fd = os_openat(s->fd, name, O_RDONLY | O_NOFOLLOW, 0);
	if (fd == -1 || os_fstat(fd, &st) == -1) {
		os_close(fd);
		return failed(s, name, "open", e);
	}
	if (history)
		end = (uint64_t)st.st_size;
	if (end < start || end - segment > (uint64_t)st.st_size)
		rc = err_set(
		    e, ERR_CORRUPT, "%s/%s is shorter than what was received", s->dir, name);
	else {
		size_t n = (size_t)(end - start);

		rc = n <= COPIED ? copy_file(fd, start - segment, n, out)
				 : map_file(fd, start - segment, n, out);
		if (rc == -1)
			failed(s, name, "read", e);
	}
	os_close(fd);
	if (rc == -1)
		follow_spool_unmap(out);
	return rc;
}

void follow_spool_unmap(struct follow_mapped *m)
{
	if (m->map != NULL) {
		munmap(m->map, m->copy.n);
		m->copy.n = 0;
	}
	buf_fini(&m->copy);
	*m = (struct follow_mapped){0};
}

uint64_t follow_spool_bytes(const struct follow_spool *s)
{
	return s->bytes;
}

const char *follow_spool_dir(const struct follow_spool *s)
{
	return s->dir;
}
