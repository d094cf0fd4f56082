/* instant_log: see instant_log.h. */
#include "engine/instant_log.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/calendar.h"
#include "base/mem.h"
#include "engine/instant.h"
#include "os/os.h"

#define MINUTE INT64_C(60000000000)

enum { TEXT_MOST = 2000, TAIL = 2000 };

struct instant_log {
	pthread_mutex_t lock; /* guards what follows */
	struct clock *wall;
	char *path;
	int fd; /* -1: it could not be begun anew */
	uint64_t size;
	char last[TEXT_MOST];
	int64_t last_ns;
};

static char *path_of(const char *target)
{
	char *work = instant_work(target), *path = mem_printf("%s/log", work);

	free(work);
	return path;
}

static void open_file(struct instant_log *l)
{
	struct stat st;

	l->fd = os_open(l->path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	l->size = l->fd != -1 && os_fstat(l->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

struct instant_log *instant_log_open(const char *target, struct clock *wall)
{
	struct instant_log *l = mem_zalloc(sizeof *l);

	pthread_mutex_init(&l->lock, NULL);
	l->wall = wall;
	l->path = path_of(target);
	open_file(l);
	if (l->fd != -1)
		return l;
	instant_log_close(l);
	return NULL;
}

void instant_log_close(struct instant_log *l)
{
	if (l == NULL)
		return;
	os_close(l->fd);
	pthread_mutex_destroy(&l->lock);
	free(l->path);
	free(l);
}

static void begin_anew(struct instant_log *l)
{
	char *old = mem_printf("%s.1", l->path);

	os_close(l->fd);
	l->fd = -1;
	if (os_renameat(AT_FDCWD, l->path, AT_FDCWD, old) == 0)
		open_file(l);
	free(old);
}

/* One line, whatever is in it. */
static void put_line(struct instant_log *l, const struct event *ev, const char *text, int64_t now)
{
	char time[CALENDAR_TEXT];
	struct buf b = {.p = NULL};

	buf_printf(&b, "%s %s: %s\n", calendar_format_local(time, now),
	    event_info(ev->id)->level == EVENT_ERROR ? "error" : "warning", text);
	for (size_t i = 0; i + 1 < b.n; i++)
		if (b.p[i] < ' ' || b.p[i] == 0x7f)
			b.p[i] = '?';
	if (l->size + b.n > INSTANT_LOG_MOST)
		begin_anew(l);
	if (l->fd != -1 && os_write_all(l->fd, b.p, b.n) == 0)
		l->size += b.n;
	buf_fini(&b);
}

void instant_log_put(struct instant_log *l, const struct event *ev)
{
	char text[TEXT_MOST];
	int64_t now;

	if (l == NULL || event_info(ev->id)->level < EVENT_WARN)
		return;
	snprintf(text, sizeof text, "%.*s%s%s", (int)(ev->path.n < 1000 ? ev->path.n : 1000),
	    ev->path.n ? (const char *)ev->path.p : "", ev->path.n && ev->text[0] ? ": " : "",
	    ev->text);
	pthread_mutex_lock(&l->lock);
	now = l->wall->wall_ns(l->wall);
	if (strcmp(text, l->last) != 0 || now - l->last_ns >= MINUTE || now < l->last_ns) {
		memcpy(l->last, text, sizeof text);
		l->last_ns = now;
		put_line(l, ev, text, now);
	}
	pthread_mutex_unlock(&l->lock);
}

void instant_log_read(const char *target, uint64_t *at, struct buf *out)
{
	char *path = path_of(target), *line;
	struct buf b = {.p = NULL};
	struct err ignored;
	size_t from;

	if (os_read_file(path, 2 * INSTANT_LOG_MOST, &b, &ignored) == 0) {
		from = *at <= b.n ? *at : 0; /* it was begun anew */
		if (*at == 0 && b.n > TAIL) {
			line = memchr(b.p + b.n - TAIL, '\n', TAIL);
			from = line != NULL ? (size_t)(line + 1 - (char *)b.p) : b.n - TAIL;
		}
		buf_put(out, b.p + from, b.n - from);
		*at = b.n;
	}
	buf_fini(&b);
	free(path);
}
