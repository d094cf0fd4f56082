/* ask: see ask.h. */
#include "cli/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "catalog/catalog.h"
#include "catalog/shape.h"
#include "cli/cli_out.h"
#include "daemon/daemon.h"
#include "net/api_client.h"
#include "net/url.h"
#include "os/os.h"

enum { HEALTH_S = 5, PAGE = 500, LOG_TAIL = 64 << 10, TOO_MANY = 429, TRIES = 30, WAIT_MAX_S = 10 };

/* ---- Whom. */

static int try(struct ask *a, char *socket, struct err *e)
{
	struct api_answer answer = {0};
	struct stat st;
	int rc = 0;

	err_clear(e);
	if (os_fstatat(AT_FDCWD, socket, &st, 0) == -1 && errno == ENOENT)
		rc = err_set(e, ERR_UNREACHABLE, "%s: no daemon listens there", socket);
	else
		rc = api_client_request(socket, "GET", "/health", NULL, HEALTH_S, &answer, e);
	api_answer_fini(&answer);
	if (rc == 0) {
		a->socket = socket;
		return 0;
	}
	if (e->kind == ERR_TIMEOUT) {
		a->silent = socket;
		return 0;
	}
	free(socket);
	return e->kind == ERR_UNREACHABLE ? 0 : -1;
}

/* Whoever says where his things are means those. */
static bool is_the_hosts(const struct cli *c)
{
	static const char *const own[] = {
	    "HOLDFAST_RUNTIME_DIR", "HOLDFAST_STATE_DIR", "HOLDFAST_CONFIG"};
	const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	char *path = xdg && xdg[0]
			 ? mem_printf("%s/holdfast/holdfast.yaml", xdg)
			 : mem_printf("%s/.config/holdfast/holdfast.yaml", home ? home : "");
	struct stat st;
	bool mine = c->opt.config != NULL || geteuid() == 0 ||
		    os_fstatat(AT_FDCWD, path, &st, 0) == 0;

	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		mine |= getenv(own[i]) != NULL && getenv(own[i])[0] != '\0';
	free(path);
	return !mine;
}

int ask_find(struct cli *c, struct ask *a, struct err *e)
{
	char *dir = os_runtime_dir();
	int rc;

	*a = (struct ask){.c = c};
	rc = try(a, mem_printf("%s/api.sock", dir), e);
	if (rc == 0 && a->socket == NULL && a->silent == NULL && is_the_hosts(c))
		rc = try(a, mem_strdup("/run/holdfast/api.sock"), e);
	free(dir);
	return rc;
}

int ask_begin(struct cli *c, struct ask *a, struct err *e)
{
	if (ask_find(c, a, e) == -1)
		return -1;
	if (a->socket != NULL)
		return 0;
	if (config_load(c, true, e) == -1)
		return -1;
	if (a->silent != NULL)
		out_text(c, "daemon: does not answer (socket %s)\n", out_str(c, a->silent));
	else
		out_text(c, "daemon: not running\n");
	return cli_catalog_open(c, &a->catalog, e);
}

int ask_is_alone(const struct ask *a, struct err *e)
{
	char *state = os_state_dir();
	int64_t pid = 0;
	bool lives = false;
	int rc = a->silent ? 0 : daemon_lives(state, &lives, &pid, e);

	free(state);
	if (rc == -1 || (a->silent == NULL && !lives))
		return rc;
	if (a->silent != NULL)
		err_set(e, ERR_TIMEOUT, "the daemon does not answer (socket %s)", a->silent);
	else
		err_set(
		    e, ERR_TIMEOUT, "the daemon runs (pid %" PRId64 "), but does not answer", pid);
	return err_hint(e, "nothing is changed without it: try again, or end it first");
}

void ask_end(struct ask *a)
{
	catalog_close(a->catalog);
	free(a->socket);
	free(a->silent);
	*a = (struct ask){.c = a->c};
}

/* ---- What. */

/* It answers that there are too many at once, and that it did nothing. */
static int ask_patiently(const struct ask *a, const char *method, const char *path,
    const json_t *body, struct api_answer *out, struct err *e)
{
	int rc = api_client_request(a->socket, method, path, body, 0, out, e);

	for (int i = 0; rc == 0 && out->status == TOO_MANY && i < TRIES; i++) {
		unsigned s = out->retry_s < WAIT_MAX_S ? out->retry_s : WAIT_MAX_S;

		os_sleep_ns(a->c->ctx, (s ? s : 1) * CALENDAR_SECOND);
		api_answer_fini(out);
		rc = ctx_check(a->c->ctx, e);
		if (rc == 0)
			rc = api_client_request(a->socket, method, path, body, 0, out, e);
	}
	return rc;
}

int ask_request(const struct ask *a, const char *method, const char *path, const json_t *body,
    json_t **out, struct err *e)
{
	struct api_answer answer = {0};
	int rc = ask_patiently(a, method, path, body, &answer, e);

	if (rc == 0)
		rc = api_answer_check(&answer, e);
	if (rc == 0 && answer.body == NULL)
		rc = err_set(e, ERR_FAILED, "%s: what it answers is no JSON", a->socket);
	*out = rc == 0 ? json_incref(answer.body) : NULL;
	api_answer_fini(&answer);
	return rc;
}

void ask_param(struct buf *path, const char *name, const char *value)
{
	bool first = memchr(path->p, '?', path->n) == NULL;

	buf_printf(path, "%c%s=", first ? '?' : '&', name);
	url_encode(path, span_str(value), false);
}

struct given {
	ask_row *each;
	void *arg;
};

static int give(void *arg, const struct run *r, struct err *e)
{
	const struct given *g = arg;
	json_t *o = shape_json(&shape_run, r);
	int rc = g->each(g->arg, o, e);

	json_decref(o);
	return rc;
}

static int one_page(const struct ask *a, const char *system, const char *cursor, unsigned n,
    json_t **out, struct err *e)
{
	struct buf path = {0};
	char limit[16];
	int rc;

	snprintf(limit, sizeof limit, "%u", n < PAGE ? n : PAGE);
	buf_printf(&path, "/api/v1/runs");
	ask_param(&path, "limit", limit);
	if (system != NULL)
		ask_param(&path, "system", system);
	if (cursor != NULL)
		ask_param(&path, "cursor", cursor);
	rc = ask_request(a, "GET", buf_cstr(&path), NULL, out, e);
	buf_fini(&path);
	return rc;
}

static int runs_by_page(
    const struct ask *a, const char *system, unsigned limit, const struct given *g, struct err *e)
{
	char *cursor = NULL;
	int rc = 0;

	do {
		json_t *page, *o;
		size_t i;

		rc = one_page(a, system, cursor, limit, &page, e);
		free(cursor);
		cursor = NULL;
		json_array_foreach(json_object_get(page, "runs"), i, o)
		{
			if (rc == 0 && limit > 0) {
				limit--;
				rc = g->each(g->arg, o, e);
			}
		}
		o = json_object_get(page, "next");
		if (rc == 0 && json_is_string(o))
			cursor = mem_strdup(json_string_value(o));
		json_decref(page);
	} while (rc == 0 && limit > 0 && cursor != NULL);
	free(cursor);
	return rc;
}

int ask_runs(const struct ask *a, const char *system, unsigned limit, ask_row *each, void *arg,
    struct err *e)
{
	struct run_filter f = {.system = system, .limit = limit};
	struct given g = {each, arg};

	return a->socket ? runs_by_page(a, system, limit, &g, e)
			 : run_list(a->catalog, &f, give, &g, e);
}

int ask_run(const struct ask *a, int64_t id, ask_row *each, void *arg, struct err *e)
{
	struct given g = {each, arg};
	json_t *answer;
	char path[64];
	int rc;

	if (a->socket == NULL)
		return run_get(a->catalog, id, give, &g, e);
	snprintf(path, sizeof path, "/api/v1/runs/%" PRId64, id);
	if (ask_request(a, "GET", path, NULL, &answer, e) == -1)
		return -1;
	rc = each(arg, json_object_get(answer, "run"), e);
	json_decref(answer);
	return rc;
}

static void read_end(const char *path, struct buf *out)
{
	int fd = path ? os_open(path, O_RDONLY | O_NOFOLLOW, 0) : -1;
	struct stat st;

	if (fd != -1 && os_fstat(fd, &st) == 0) {
		off_t from = st.st_size > LOG_TAIL ? st.st_size - LOG_TAIL : 0;
		ssize_t n = os_pread_full(fd, buf_extend(out, LOG_TAIL), LOG_TAIL, from);

		out->n = n > 0 ? (size_t)n : 0;
	}
	os_close(fd);
}

void ask_log(const struct ask *a, int64_t id, const char *path, struct buf *out)
{
	struct api_answer answer = {0};
	char where[80];
	struct err ignored;

	if (a->socket == NULL) {
		read_end(path, out);
		return;
	}
	snprintf(where, sizeof where, "/api/v1/runs/%" PRId64 "/log?bytes=%d", id, LOG_TAIL);
	if (api_client_request(a->socket, "GET", where, NULL, 0, &answer, &ignored) == 0 &&
	    api_answer_check(&answer, &ignored) == 0)
		buf_put(out, answer.text, answer.n);
	api_answer_fini(&answer);
}
