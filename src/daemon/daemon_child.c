/* daemon_child: a run as a process of its own, and its log. */
#include "catalog/drill_what.h"
#include "daemon/daemon_internal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/mem.h"
#include "daemon/job.h"
#include "daemon/run_logs.h"
#include "os/os.h"

enum { LINE_MAX_BYTES = 1 << 20, ENV_MORE = 3, READS_AT_END = 64 };

extern char **environ;

static void free_child(struct child *c)
{
	run_copy_fini(&c->run);
	free(c->line);
	free(c->summary);
	os_close(c->log);
	free(c);
}

/* ---- Its log. */

static int open_log(struct child *c, struct err *e)
{
	c->run.log = run_log_path(c->d->p->state_dir, c->run.id, e);
	if (c->run.log == NULL)
		return -1;
	c->log = os_open(c->run.log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	return c->log == -1 ? err_sys(e, "%s", c->run.log) : 0;
}

static void hear_hooks_over(struct child *c, const char *line)
{
	json_t *o = json_loads(line, 0, NULL);

	daemon_changes_read(c->d, c->run.system, json_integer_value(json_object_get(o, "mono_ms")));
	json_decref(o);
}

/* How far it is changes all the time: that is for who looks now. */
static void take_line(struct child *c, const char *line, size_t n)
{
	const struct daemon_hooks *h = &c->d->p->hooks;

	if (strstr(line, "\"type\":\"status\"") != NULL) {
		if (h->progress != NULL)
			h->progress(h->arg, &c->run, line);
		return;
	}
	if (strstr(line, "\"type\":\"summary\"") != NULL) {
		free(c->summary);
		c->summary = mem_strdup(line);
	}
	if (strstr(line, "\"event\":\"" JOB_HOOKS_OVER "\"") != NULL)
		hear_hooks_over(c, line);
	(void)!os_write_all(c->log, line, n);
	(void)!os_write_all(c->log, "\n", 1);
}

static char room[65536]; /* the loop's alone */

static void give_room(uv_handle_t *h, size_t wanted, uv_buf_t *out)
{
	*out = uv_buf_init(room, sizeof room);
}

static void take_bytes(struct child *c, const char *p, size_t n)
{
	while (n > 0) {
		const char *end = memchr(p, '\n', n);
		size_t k = end ? (size_t)(end - p) : n;

		if (c->nline + k < LINE_MAX_BYTES) {
			c->line = mem_realloc(c->line, c->nline + k + 1);
			memcpy(c->line + c->nline, p, k);
			c->nline += k;
			c->line[c->nline] = '\0';
		}
		if (end != NULL && c->line != NULL) {
			take_line(c, c->line, c->nline);
			c->nline = 0;
		}
		k += end != NULL;
		p += k;
		n -= k;
	}
}

static void take_output(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
	if (n > 0)
		take_bytes(s->data, b->base, (size_t)n);
	else if (n < 0)
		uv_read_stop(s);
}

/* Its end may be seen before its last words, which are in the pipe by then. */
static void take_rest(struct child *c)
{
	uv_os_fd_t fd;
	ssize_t n = 1;

	if (uv_fileno((uv_handle_t *)&c->out, &fd) != 0)
		return;
	for (int i = 0; n > 0 && i < READS_AT_END; i++) {
		n = os_read(fd, room, sizeof room); /* which does not wait: libuv made it so */
		if (n > 0)
			take_bytes(c, room, (size_t)n);
	}
}

/* ---- Its end. */

static void closed(uv_handle_t *h)
{
	struct child *c = h->data;

	if (--c->open_handles == 0)
		free_child(c);
}

static void forget(struct child *c)
{
	for (struct child **at = &c->d->children; *at != NULL; at = &(*at)->next)
		if (*at == c) {
			*at = c->next;
			break;
		}
	uv_close((uv_handle_t *)&c->process, closed);
	uv_close((uv_handle_t *)&c->out, closed);
}

static void on_exit_of(uv_process_t *p, int64_t status, int sig)
{
	struct child *c = p->data;
	struct daemon *d = c->d;

	d->running--;
	take_rest(c);
	daemon_run_over(d, c, status, sig);
	forget(c);
	daemon_dispatch(d);
	if (d->stopping && d->running == 0)
		uv_stop(&d->loop);
}

/* ---- Its beginning. */

static char **make_env(const struct child *c, char *more[ENV_MORE])
{
	size_t n = 0, m = 0;
	char **v;

	more[0] = mem_printf("HOLDFAST_RUN_ID=%" PRId64, c->run.id);
	more[1] = mem_printf("HOLDFAST_RUN_OWNER=%s", c->d->owner);
	more[2] = mem_printf("HOLDFAST_RUN_PARENT=%d", (int)getpid());
	for (; environ[n] != NULL; n++)
		;
	v = mem_alloc((n + ENV_MORE + 1) * sizeof *v);
	for (; m < ENV_MORE; m++)
		v[m] = more[m];
	for (size_t i = 0; i < n; i++)
		if (strncmp(environ[i], "HOLDFAST_RUN_", 13) != 0 &&
		    strncmp(environ[i], "NOTIFY_SOCKET=", 14) != 0)
			v[m++] = environ[i];
	v[m] = NULL;
	return v;
}

/* Its own command, and a level in place of a type. */
static bool is_proof(const char *kind)
{
	return strcmp(kind, "verify") == 0 || strcmp(kind, "drill") == 0;
}

/* What was asked for, as options; texts are the run's, or w's. */
static size_t type_options(const struct run *r, struct drill_what *w, const char **out)
{
	const char *const of_drill[][2] = {{"--level", w->level}, {"--point", w->point},
	    {"--destination", w->from}, {"--to", w->to}};
	size_t n = 0;

	if (r->type == NULL)
		return 0;
	if (strcmp(r->kind, "drill") != 0) {
		out[n++] = is_proof(r->kind) ? "--level" : "--type";
		out[n++] = r->type;
		return n;
	}
	drill_what_parse(r->type, w);
	for (size_t i = 0; i < sizeof of_drill / sizeof *of_drill; i++)
		if (of_drill[i][1][0] != '\0') {
			out[n++] = of_drill[i][0];
			out[n++] = of_drill[i][1];
		}
	return n;
}

static int spawn(struct child *c)
{
	const struct world_jobs *jobs = &c->d->world->jobs;
	struct drill_what what;
	const char *argv[28] = {c->d->p->self, "--json"};
	char *more[ENV_MORE], **env = make_env(c, more);
	uv_stdio_container_t io[3] = {{.flags = UV_IGNORE},
	    {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&c->out},
	    {.flags = UV_INHERIT_FD, .data.fd = c->log}};
	/* Ctrl-C is for us: we tell them, once. */
	uv_process_options_t o = {.flags = UV_PROCESS_DETACHED,
	    .file = c->d->p->self,
	    .args = (char **)(uintptr_t)argv,
	    .env = env,
	    .stdio = io,
	    .stdio_count = 3,
	    .exit_cb = on_exit_of};
	size_t n = 2;
	int rc;

	if (c->d->p->config != NULL) {
		argv[n++] = "-c";
		argv[n++] = c->d->p->config;
	}
	argv[n++] = is_proof(c->run.kind) ? c->run.kind : "run";
	argv[n++] = "--foreground";
	if (strcmp(c->run.kind, "copy") == 0 || strcmp(c->run.kind, "prune") == 0) {
		argv[n++] = "--kind";
		argv[n++] = c->run.kind;
	}
	n += type_options(&c->run, &what, argv + n);
	if (jobs->nice != NULL) {
		argv[n++] = "--nice";
		argv[n++] = jobs->nice;
	}
	if (jobs->ionice != 0) {
		argv[n++] = "--ionice";
		argv[n++] = jobs->ionice == WORLD_IDLE ? "idle" : "best-effort";
	}
	argv[n++] = c->run.system;
	rc = uv_spawn(&c->d->loop, &c->process, &o);
	for (int i = 0; i < ENV_MORE; i++)
		free(more[i]);
	free(env);
	return rc;
}

int child_start(struct daemon *d, const struct run *r, struct err *e)
{
	struct child *c = mem_zalloc(sizeof *c);
	int rc;

	c->d = d;
	c->log = -1;
	run_copy(&c->run, r);
	free((char *)(uintptr_t)c->run.log);
	c->run.log = NULL;
	if (open_log(c, e) == -1) {
		free_child(c);
		return -1;
	}
	c->process.data = c->out.data = c;
	c->started_ms = (int64_t)uv_now(&d->loop);
	uv_pipe_init(&d->loop, &c->out, 0);
	rc = spawn(c);
	c->open_handles = 2;
	c->next = d->children;
	d->children = c;
	if (rc < 0) {
		forget(c);
		return err_set(e, ERR_FAILED, "start %s: %s", d->p->self, uv_strerror(rc));
	}
	d->running++;
	uv_read_start((uv_stream_t *)&c->out, give_room, take_output);
	daemon_tell(d, "run.started", EVENT_INFO, r->system, r->id, "%s%s%s pid=%d", r->kind,
	    r->type ? " " : "", r->type ? r->type : "", c->process.pid);
	if (run_started(d->catalog, r->id, d->owner, c->process.pid, c->run.log, e) == -1)
		daemon_log(d, EVENT_ERROR, "run=%" PRId64 " %s", r->id, e->msg);
	return 0;
}

void child_stop(struct child *c)
{
	if (c->asked_ms == 0) {
		c->asked_ms = (int64_t)uv_now(&c->d->loop);
		uv_process_kill(&c->process, SIGTERM);
	}
}

void child_watch(struct daemon *d)
{
	const struct calendar_duration *most = &d->world->jobs.timeout;
	int64_t now = (int64_t)uv_now(&d->loop);

	for (struct child *c = d->children; c != NULL; c = c->next) {
		if (most->ns && !c->asked_ms && now - c->started_ms > most->ns / 1000000) {
			daemon_tell(d, "run.timeout", EVENT_ERROR, c->run.system, c->run.id,
			    "it takes longer than jobs.timeout, and is stopped");
			c->late = true;
			child_stop(c);
		}
		if (c->asked_ms && !c->killed && now - c->asked_ms > DAEMON_GRACE_MS) {
			c->killed = true;
			uv_process_kill(&c->process, SIGKILL);
		}
	}
}
