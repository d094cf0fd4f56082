/*
 * daemon_follow: receivers of databases' logs, one process each, for as long as we run.
 *
 * They are no runs: they have no end.  Each is `holdfast log follow SYSTEM`; what it has to tell it
 * prints, line by line, and the daemon tells it.  One that ends is begun again, after a pause that
 * grows to a minute while it does not last.  A new configuration begins all of them anew: what was
 * received is on the disk, and the server keeps what is not confirmed.
 */
#include "daemon/daemon_internal.h"

#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/world.h"
#include "os/os.h"

enum { LINE_MAX_BYTES = 64 << 10, PAUSE_MS = 1000, PAUSE_MAX_MS = 60000, LASTED_MS = 60000 };

extern char **environ;

struct follower {
	struct daemon *d;
	struct follower *next;
	uv_process_t process;
	uv_pipe_t out;
	char *system, *line; /* that is being printed */
	size_t n;
	int64_t started_ms, next_ms, pause_ms;
	int open_handles;
	bool running, ended; /* its process is there; it is gone, and its output may not be */
	bool asked;          /* to end */
	bool said;           /* why it failed */
	bool synchronous;    /* commits wait for it */
};

/* ---- What it tells. */

static enum event_level level_of(const char *severity)
{
	return strcmp(severity, "critical") == 0  ? EVENT_ERROR
	       : strcmp(severity, "warning") == 0 ? EVENT_WARN
						  : EVENT_INFO;
}

static void take_line(struct follower *x, const char *line)
{
	const char *type = NULL, *event = NULL, *severity = NULL, *text = NULL, *message = NULL;
	json_t *o = json_loads(line, 0, NULL);

	if (o != NULL && json_unpack(o, "{s:s, s?s, s?s, s?s, s?s}", "type", &type, "event", &event,
			     "severity", &severity, "text", &text, "message", &message) == 0) {
		if (strcmp(type, "item") == 0 && event && severity && text &&
		    strncmp(event, "log.", 4) == 0)
			daemon_tell(x->d, event, level_of(severity), x->system, 0, "%s", text);
		else if (strcmp(type, "error") == 0 && message && !x->asked && !x->d->stopping) {
			x->said = true;
			daemon_tell(x->d, "log.stopped", EVENT_ERROR, x->system, 0, "%s", message);
		} else if (strcmp(type, "item") == 0 && message)
			daemon_log(x->d, EVENT_INFO, "system=%s receiver: %s", x->system, message);
	}
	json_decref(o);
}

static void take_bytes(struct follower *x, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] != '\n') {
			if (x->n < LINE_MAX_BYTES)
				x->line[x->n++] = p[i];
			continue;
		}
		x->line[x->n] = '\0';
		take_line(x, x->line);
		x->n = 0;
	}
}

/* ---- Its process. */

static void closed(uv_handle_t *h)
{
	struct follower *x = h->data;

	x->open_handles--;
}

/* Both its end and the end of what it prints have come. */
static void over(struct follower *x)
{
	int64_t now = (int64_t)uv_now(&x->d->loop);

	if (!x->ended || uv_is_active((uv_handle_t *)&x->out))
		return;
	if (now - x->started_ms > LASTED_MS || x->asked)
		x->pause_ms = PAUSE_MS;
	x->next_ms = x->asked ? now : now + x->pause_ms;
	x->pause_ms = 2 * x->pause_ms > PAUSE_MAX_MS ? PAUSE_MAX_MS : 2 * x->pause_ms;
	x->running = false;
	uv_close((uv_handle_t *)&x->process, closed);
	uv_close((uv_handle_t *)&x->out, closed);
}

static void give_room(uv_handle_t *h, size_t wanted, uv_buf_t *out)
{
	static char room[16384]; /* the loop's alone */

	*out = uv_buf_init(room, sizeof room);
}

static void take_output(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
	struct follower *x = s->data;

	if (n > 0)
		take_bytes(x, b->base, (size_t)n);
	if (n >= 0)
		return;
	uv_read_stop(s);
	over(x);
}

static void on_exit_of(uv_process_t *p, int64_t status, int sig)
{
	struct follower *x = p->data;

	x->ended = true;
	if (!x->asked && !x->said && !x->d->stopping)
		daemon_tell(x->d, "log.stopped", EVENT_WARN, x->system, 0,
		    sig ? "the receiver was ended by signal %d, and is begun again"
			: "the receiver ended with status %d, and is begun again",
		    sig ? sig : (int)status);
	over(x);
}

static int spawn(struct follower *x)
{
	struct daemon *d = x->d;
	char *parent = mem_printf("HOLDFAST_RUN_PARENT=%d", (int)getpid()), **env;
	const char *argv[8] = {d->p->self, "--json"};
	uv_stdio_container_t io[3] = {{.flags = UV_IGNORE},
	    {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&x->out},
	    {.flags = UV_IGNORE}};
	uv_process_options_t o = {.flags = UV_PROCESS_DETACHED,
	    .file = d->p->self,
	    .args = (char **)(uintptr_t)argv,
	    .stdio = io,
	    .stdio_count = 3,
	    .exit_cb = on_exit_of};
	size_t n = 0, m = 0, a = 2;
	int rc;

	if (d->p->config != NULL) {
		argv[a++] = "-c";
		argv[a++] = d->p->config;
	}
	argv[a++] = "log";
	argv[a++] = "follow";
	argv[a++] = x->system;
	for (; environ[n] != NULL; n++)
		;
	o.env = env = mem_alloc((n + 2) * sizeof *env);
	env[m++] = parent;
	for (size_t i = 0; i < n; i++)
		if (strncmp(environ[i], "HOLDFAST_RUN_", 13) != 0 &&
		    strncmp(environ[i], "NOTIFY_SOCKET=", 14) != 0)
			env[m++] = environ[i];
	env[m] = NULL;
	rc = uv_spawn(&d->loop, &x->process, &o);
	free(env);
	free(parent);
	return rc;
}

static void start(struct follower *x)
{
	int rc;

	x->running = true;
	x->ended = x->asked = x->said = false;
	x->n = 0;
	x->started_ms = (int64_t)uv_now(&x->d->loop);
	x->open_handles = 2;
	x->process.data = x->out.data = x;
	uv_pipe_init(&x->d->loop, &x->out, 0);
	rc = spawn(x);
	if (rc < 0) {
		daemon_log(x->d, EVENT_ERROR, "system=%s receiver: %s", x->system, uv_strerror(rc));
		x->ended = true;
		over(x);
		return;
	}
	uv_read_start((uv_stream_t *)&x->out, give_room, take_output);
}

static void ask_to_end(struct follower *x)
{
	if (!x->running || x->ended)
		return;
	x->asked = true;
	uv_process_kill(&x->process, SIGTERM);
}

/* ---- Which there are. */

static bool wanted(const struct daemon *d, const struct planned *p)
{
	const struct world_source *src = world_source_of(p->system, WORLD_POSTGRESQL);
	const char *node = p->system->node;

	if (src == NULL || !src->postgresql.receive.enabled || p->system->paused)
		return false;
	return node ? strcmp(node, os_host()) == 0 : d->leads;
}

static struct follower *find(struct daemon *d, const char *system)
{
	struct follower *x = d->followers;

	while (x != NULL && strcmp(x->system, system) != 0)
		x = x->next;
	return x;
}

static struct follower *add(struct daemon *d, const char *system)
{
	struct follower *x = mem_zalloc(sizeof *x);

	x->d = d;
	x->system = mem_strdup(system);
	x->line = mem_alloc(LINE_MAX_BYTES + 1);
	x->pause_ms = PAUSE_MS;
	x->next = d->followers;
	d->followers = x;
	return x;
}

static bool is_wanted(const struct daemon *d, const struct follower *x)
{
	for (size_t i = 0; i < d->nsystems; i++)
		if (strcmp(d->systems[i].system->item.name, x->system) == 0)
			return wanted(d, &d->systems[i]);
	return false;
}

static bool is_synchronous(const struct daemon *d, const struct follower *x)
{
	for (size_t i = 0; i < d->nsystems; i++) {
		const struct world_system *s = d->systems[i].system;
		const struct world_source *src = world_source_of(s, WORLD_POSTGRESQL);

		if (strcmp(s->item.name, x->system) == 0 && src != NULL)
			return src->postgresql.receive.synchronous;
	}
	return false;
}

/* Nobody receives for it any more; the server may not know. */
static void tell_let_go(struct follower *x)
{
	if (!x->synchronous || is_synchronous(x->d, x))
		return;
	x->synchronous = false;
	daemon_tell(x->d, "log.stopped", EVENT_ERROR, x->system, 0,
	    "by the new configuration no commit waits for a receiver: where "
	    "synchronous_standby_names still names it, commits hang. To let them go on: ALTER "
	    "SYSTEM "
	    "SET synchronous_standby_names = ''; SELECT pg_reload_conf();");
}

void daemon_follow_tick(struct daemon *d)
{
	int64_t now = (int64_t)uv_now(&d->loop);

	for (size_t i = 0; i < d->nsystems; i++)
		if (wanted(d, &d->systems[i]) && find(d, d->systems[i].system->item.name) == NULL)
			add(d, d->systems[i].system->item.name);
	for (struct follower *x = d->followers; x != NULL; x = x->next) {
		bool want = is_wanted(d, x);

		if (x->running && !want && !x->asked)
			ask_to_end(x);
		else if (!x->running && want && x->open_handles == 0 && now >= x->next_ms)
			start(x);
		tell_let_go(x);
		x->synchronous = x->synchronous || (want && is_synchronous(d, x));
	}
}

void daemon_follow_reload(struct daemon *d)
{
	for (struct follower *x = d->followers; x != NULL; x = x->next)
		ask_to_end(x);
}

void daemon_follow_stop(struct daemon *d)
{
	for (struct follower *x = d->followers; x != NULL; x = x->next)
		if (x->synchronous && x->running)
			daemon_tell(d, "log.stopped", EVENT_WARN, x->system, 0,
			    "the daemon ends, and its receiver: commits that wait for it wait "
			    "until both are back");
	daemon_follow_reload(d);
}

void daemon_follow_free(struct daemon *d)
{
	while (d->followers != NULL) {
		struct follower *x = d->followers;

		d->followers = x->next;
		free(x->system);
		free(x->line);
		free(x);
	}
}
