/* pg_server_look: see pg_server_internal.h. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/pg_server_internal.h"
#include "os/os.h"
#include "os/os_spawn.h"

enum {
	PID_FILE_MAX = 4096,
	LINE_PORT = 3, /* of postmaster.pid, from 0: pid, data, start, */
	LINE_SOCKET = 4,
	LINE_STATE = 7, /* sockets, address, shared memory, state */
	LOG_TAIL = 16384,
	STATE_AT = 16, /* in pg_control */
	IN_PRODUCTION = 6
};

struct pid_file {
	struct buf text;
	char *line[LINE_STATE + 1];
	int pid;
};

static bool read_pid_file(const char *data, struct pid_file *f)
{
	char *path = mem_printf("%s/postmaster.pid", data), *p;
	struct err e;
	int rc;

	*f = (struct pid_file){0};
	rc = os_read_file(path, PID_FILE_MAX, &f->text, &e);
	free(path);
	if (rc == -1 || f->text.n == 0) {
		buf_fini(&f->text);
		return false;
	}
	buf_cstr(&f->text);
	p = (char *)f->text.p;
	for (size_t i = 0; i <= LINE_STATE && p != NULL; i++) {
		f->line[i] = p;
		p = strchr(p, '\n');
		if (p != NULL)
			*p++ = '\0';
	}
	f->pid = (int)strtol(f->line[0], NULL, 10);
	return true;
}

/*
 * A server that takes connections says "ready" while it still recovers, too.  Its control file's
 * state is a number after 16 bytes of all versions; in a copy of a server that ran it may say the
 * same, until its recovery has begun, and ends by taking away what asked for it.
 */
static bool recovers(const char *data)
{
	static const char *const signals[] = {"recovery.signal", "standby.signal"};
	char *path;
	int32_t state = IN_PRODUCTION;
	bool yes = false;
	int fd;

	for (size_t i = 0; i < 2; i++) {
		path = mem_printf("%s/%s", data, signals[i]);
		yes |= access(path, F_OK) == 0;
		free(path);
	}
	path = mem_printf("%s/global/pg_control", data);
	fd = os_open(path, O_RDONLY, 0);
	if (fd != -1 && os_pread_full(fd, &state, sizeof state, STATE_AT) != sizeof state)
		state = IN_PRODUCTION;
	os_close(fd);
	free(path);
	return yes || state != IN_PRODUCTION;
}

static enum pg_server_phase state_of(const char *data, const struct pid_file *f)
{
	const char *word = f->line[LINE_STATE] ? f->line[LINE_STATE] : "";

	if (strncmp(word, "ready", 5) == 0)
		return recovers(data) ? PG_SERVER_STANDBY : PG_SERVER_READY;
	if (strncmp(word, "standby", 7) == 0)
		return PG_SERVER_STANDBY;
	return strncmp(word, "stopping", 8) == 0 ? PG_SERVER_STOPPING : PG_SERVER_STARTING;
}

enum pg_server_phase pg_server_phase(struct pg_server *s)
{
	enum pg_server_phase st = PG_SERVER_STARTING;
	struct pid_file f;

	if (!s->ended)
		s->ended = os_spawn_ended(s->pid, 0, &s->status);
	if (s->ended)
		return PG_SERVER_ENDED;
	if (read_pid_file(s->data, &f)) {
		if (f.pid == s->pid || s->namespaced)
			st = state_of(s->data, &f);
		buf_fini(&f.text);
	}
	return st;
}

/* Is that process one of PostgreSQL's, and no other that has got its number? */
static bool is_postgres(int pid)
{
	char path[64];
	struct buf b = {0};
	struct err e;
	bool is;

	snprintf(path, sizeof path, "/proc/%d/comm", pid);
	is = pid > 0 && os_read_file(path, 64, &b, &e) == 0 &&
	     strncmp(buf_cstr(&b), "postg", 5) == 0;
	buf_fini(&b);
	return is;
}

bool pg_server_runs(const char *data, int *pid)
{
	struct pid_file f;

	*pid = -1;
	if (!read_pid_file(data, &f))
		return false;
	if (f.pid > 0 && kill(f.pid, 0) != -1 && is_postgres(f.pid))
		*pid = f.pid;
	buf_fini(&f.text);
	return *pid != -1;
}

enum pg_server_phase pg_server_phase_at(const char *data)
{
	enum pg_server_phase st = PG_SERVER_ENDED;
	struct pid_file f;
	int pid;

	if (pg_server_runs(data, &pid) && read_pid_file(data, &f)) {
		st = state_of(data, &f);
		buf_fini(&f.text);
	}
	return st;
}

bool pg_server_where(const char *data, char dir[PG_SERVER_SOCKET_MAX], char port[16])
{
	struct pid_file f;
	bool ok;

	if (!read_pid_file(data, &f))
		return false;
	ok = f.line[LINE_PORT] != NULL && f.line[LINE_SOCKET] != NULL &&
	     f.line[LINE_SOCKET][0] != '\0';
	if (ok) {
		snprintf(dir, PG_SERVER_SOCKET_MAX, "%s", f.line[LINE_SOCKET]);
		snprintf(port, 16, "%s", f.line[LINE_PORT]);
	}
	buf_fini(&f.text);
	return ok;
}

static const char *lines_from_end(const char *text, size_t lines)
{
	const char *p = text + strlen(text);

	if (p > text && p[-1] == '\n')
		p--;
	while (p > text && (p[-1] != '\n' || --lines > 0))
		p--;
	return p;
}

void pg_server_log_tail(const struct pg_server *s, size_t lines, struct buf *out)
{
	int fd = os_open(s->log, O_RDONLY, 0);
	struct stat st;
	char *text = mem_alloc(LOG_TAIL + 1);
	ssize_t n = -1;
	off_t from;

	if (fd != -1 && os_fstat(fd, &st) == 0) {
		from = st.st_size > LOG_TAIL ? st.st_size - LOG_TAIL : 0;
		from = from > s->log_from ? from : s->log_from;
		n = os_pread_full(fd, text, LOG_TAIL, from);
	}
	text[n > 0 ? n : 0] = '\0';
	buf_printf(out, "%s", lines_from_end(text, lines));
	os_close(fd);
	free(text);
}
