/*
 * daemon_monitor: integrity monitors, each by its interval.
 *
 * They are no runs: they are many, short, and must not wait behind a backup.  What is due of a
 * system is one process (`holdfast verify SYSTEM --monitor NAME`), one at a time for each system
 * and a few for all; what it has to tell it prints, and the daemon tells it.  None is begun for
 * a system that another host's daemon backs up.
 */
#include "daemon/daemon_internal.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "catalog/hold.h"
#include "config/world_monitor.h"
#include "os/os.h"

enum { AT_ONCE = 2, PATIENCE_MS = 15 * 60 * 1000, WORDS = 64, TEXT_MAX = 256 << 10 };

extern char **environ;

struct monitored {
	char *name;
	int64_t every_s, next_s;
};

struct watcher {
	struct daemon *d;
	struct watcher *next;
	uv_process_t process;
	uv_pipe_t out;
	char *system, *text; /* what it has printed: small */
	size_t n;
	int64_t started_ms;
	int open_handles;
	bool ended;
};

/* ---- What is declared. */

static uint64_t seed_of(const char *a, const char *b)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a (Fowler, Noll, Vo) */

	for (; *a != '\0'; a++)
		h = (h ^ (uint8_t)*a) * UINT64_C(0x100000001b3);
	for (; *b != '\0'; b++)
		h = (h ^ (uint8_t)*b) * UINT64_C(0x100000001b3);
	return h;
}

/* The first time spread over the interval: not all of a thousand systems at one moment. */
void daemon_monitor_plan(const struct world *w, struct planned *p, int64_t now_s)
{
	struct world_monitor *v = mem_alloc(world_monitors_max(w, p->system) * sizeof *v);
	size_t n = world_monitors(w, p->system, v);

	p->monitors = mem_zalloc((n + 1) * sizeof *p->monitors);
	for (size_t i = 0; i < n; i++) {
		struct monitored *m = &p->monitors[p->nmonitors];

		if (world_monitor_lacks(&v[i]) != NULL)
			continue;
		p->nmonitors++;
		m->name = mem_strdup(v[i].item.name);
		m->every_s = v[i].every.ns / CALENDAR_SECOND + v[i].every.months * INT64_C(2592000);
		m->next_s = now_s + (int64_t)(seed_of(p->system->item.name, m->name) %
					      (uint64_t)(m->every_s < 60 ? m->every_s : 60));
	}
	free(v);
}

void daemon_monitor_plan_free(struct planned *p)
{
	for (size_t i = 0; i < p->nmonitors; i++)
		free(p->monitors[i].name);
	free(p->monitors);
}

/* ---- What one tells. */

static enum event_level level_of(const char *severity)
{
	return strcmp(severity, "critical") == 0  ? EVENT_ERROR
	       : strcmp(severity, "warning") == 0 ? EVENT_WARN
						  : EVENT_INFO;
}

static void take_line(struct watcher *x, const char *line)
{
	json_t *o = json_loads(line, 0, NULL);
	const char *event, *severity, *text;

	if (o != NULL &&
	    json_unpack(
		o, "{s:s, s:s, s:s}", "event", &event, "severity", &severity, "text", &text) == 0 &&
	    strncmp(event, "monitor.", 8) == 0)
		daemon_tell(x->d, event, level_of(severity), x->system, 0, "%s", text);
	json_decref(o);
}

static void take_all(struct watcher *x)
{
	char *rest = x->text, *line;

	while (rest != NULL && (line = strsep(&rest, "\n")) != NULL)
		take_line(x, line);
}

/* ---- Its process. */

static void closed(uv_handle_t *h)
{
	struct watcher *x = h->data;

	if (--x->open_handles > 0)
		return;
	free(x->system);
	free(x->text);
	free(x);
}

/* Both its end and the end of what it prints have come. */
static void over(struct watcher *x)
{
	if (!x->ended || uv_is_active((uv_handle_t *)&x->out))
		return;
	for (struct watcher **at = &x->d->watchers; *at != NULL; at = &(*at)->next)
		if (*at == x) {
			*at = x->next;
			break;
		}
	if (!x->d->stopping)
		take_all(x);
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
	struct watcher *x = s->data;

	if (n > 0 && x->n + (size_t)n < TEXT_MAX) {
		x->text = mem_realloc(x->text, x->n + (size_t)n + 1);
		memcpy(x->text + x->n, b->base, (size_t)n);
		x->n += (size_t)n;
		x->text[x->n] = '\0';
	}
	if (n >= 0)
		return;
	uv_read_stop(s);
	over(x);
}

static void on_exit_of(uv_process_t *p, int64_t status, int sig)
{
	struct watcher *x = p->data;

	x->ended = true;
	if (sig != 0)
		daemon_log(
		    x->d, EVENT_WARN, "system=%s monitors ended by signal %d", x->system, sig);
	over(x);
}

static int spawn(struct watcher *x, const char **argv)
{
	char *parent = mem_printf("HOLDFAST_RUN_PARENT=%d", (int)getpid()), **env;
	uv_stdio_container_t io[3] = {{.flags = UV_IGNORE},
	    {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&x->out},
	    {.flags = UV_IGNORE}};
	uv_process_options_t o = {.flags = UV_PROCESS_DETACHED,
	    .file = x->d->p->self,
	    .args = (char **)(uintptr_t)argv,
	    .stdio = io,
	    .stdio_count = 3,
	    .exit_cb = on_exit_of};
	size_t n = 0, m = 0;
	int rc;

	for (; environ[n] != NULL; n++)
		;
	o.env = env = mem_alloc((n + 2) * sizeof *env);
	env[m++] = parent;
	for (size_t i = 0; i < n; i++)
		if (strncmp(environ[i], "HOLDFAST_RUN_", 13) != 0 &&
		    strncmp(environ[i], "NOTIFY_SOCKET=", 14) != 0)
			env[m++] = environ[i];
	env[m] = NULL;
	rc = uv_spawn(&x->d->loop, &x->process, &o);
	free(env);
	free(parent);
	return rc;
}

static void start(struct daemon *d, struct planned *p, int64_t now_s)
{
	struct watcher *x = mem_zalloc(sizeof *x);
	const char *argv[WORDS + 8] = {d->p->self, "--json"};
	size_t n = 2;
	int rc;

	if (d->p->config != NULL) {
		argv[n++] = "-c";
		argv[n++] = d->p->config;
	}
	argv[n++] = "verify";
	for (size_t i = 0; i < p->nmonitors && n < WORDS; i++) {
		struct monitored *m = &p->monitors[i];

		if (m->next_s > now_s)
			continue;
		m->next_s = now_s + m->every_s;
		argv[n++] = "--monitor";
		argv[n++] = m->name;
	}
	argv[n++] = p->system->item.name;
	x->d = d;
	x->system = mem_strdup(p->system->item.name);
	x->started_ms = (int64_t)uv_now(&d->loop);
	x->open_handles = 2;
	x->process.data = x->out.data = x;
	uv_pipe_init(&d->loop, &x->out, 0);
	rc = spawn(x, argv);
	x->next = d->watchers;
	d->watchers = x;
	if (rc < 0) {
		daemon_log(d, EVENT_ERROR, "system=%s monitors: %s", x->system, uv_strerror(rc));
		x->ended = true;
		over(x);
		return;
	}
	uv_read_start((uv_stream_t *)&x->out, give_room, take_output);
}

/* ---- When. */

static bool is_due(const struct daemon *d, const struct planned *p, int64_t now_s)
{
	const char *node = p->system->node;

	if (p->system->paused || (node ? strcmp(node, os_host()) != 0 : !d->leads))
		return false;
	for (const struct watcher *x = d->watchers; x != NULL; x = x->next)
		if (strcmp(x->system, p->system->item.name) == 0)
			return false;
	for (size_t i = 0; i < p->nmonitors; i++)
		if (p->monitors[i].next_s <= now_s)
			return true;
	return false;
}

void daemon_monitor_tick(struct daemon *d, int64_t now_s)
{
	int64_t now_ms = (int64_t)uv_now(&d->loop);
	size_t from = d->monitor_turn;
	unsigned running = 0;

	for (struct watcher *x = d->watchers; x != NULL; x = x->next) {
		running++;
		if (!x->ended && now_ms - x->started_ms > PATIENCE_MS)
			uv_process_kill(&x->process, SIGKILL);
	}
	for (size_t i = 0; i < d->nsystems && running < AT_ONCE; i++) {
		/* From where it left off: the first ones shall not have all turns. */
		size_t at = (from + i) % d->nsystems;
		struct planned *p = &d->systems[at];

		if (!is_due(d, p, now_s))
			continue;
		start(d, p, now_s);
		d->monitor_turn = at + 1;
		running++;
	}
}

void daemon_monitor_forget_time(struct planned *p, int64_t now_s)
{
	for (size_t i = 0; i < p->nmonitors; i++)
		if (p->monitors[i].next_s > now_s + p->monitors[i].every_s)
			p->monitors[i].next_s = now_s + p->monitors[i].every_s;
}

void daemon_monitor_stop(struct daemon *d)
{
	for (struct watcher *x = d->watchers; x != NULL; x = x->next)
		if (!x->ended)
			uv_process_kill(&x->process, SIGTERM);
}

void daemon_monitor_free(struct daemon *d)
{
	while (d->watchers != NULL) {
		struct watcher *x = d->watchers;

		d->watchers = x->next;
		free(x->system);
		free(x->text);
		free(x);
	}
}

/* ---- What they hold. */

int daemon_held(struct daemon *d, struct planned *p, struct run r, struct err *e)
{
	char *why = NULL;
	int64_t id;
	int rc = hold_get(d->catalog, p->system->item.name, &why, e);

	if (rc == 0 && why == NULL)
		p->held = false;
	if (rc == 0 && why != NULL && !p->held) {
		p->held = true;
		r.system = p->system->item.name;
		r.status = RUN_SKIPPED;
		r.message = why;
		r.queued_ns = r.ended_ns = d->ctx->clock->wall_ns(d->ctx->clock);
		rc = run_add(d->catalog, &r, &id, e);
		if (rc == 0)
			daemon_tell(d, "run.skipped", EVENT_WARN, r.system, id, "held: %s", why);
		else if (e->kind == ERR_EXISTS)
			rc = 0;
	}
	free(why);
	return rc == -1 ? -1 : p->held;
}
