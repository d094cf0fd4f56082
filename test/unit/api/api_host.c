/*
 * api_host: the API with a daemon that only remembers what it was asked, for tests over HTTP.
 *
 *     api_host CATALOG STATE_DIR SOCKET LISTEN [KEY=VALUE...]
 *
 * prints "port N" once it listens, then a line for each thing that it is asked and logs, and
 * does what stands in the lines of its standard input until that ends:
 *     event NAME TEXT     adds to the catalog
 *     publish TEXT        progress
 *     success SYSTEM AGE  a backup that began so many seconds ago, and took one
 *     failure SYSTEM
 *     file SYSTEM PATH    a snapshot with that file
 *     ready 0|1
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/api.h"
#include "api/api_shape.h"
#include "base/mem.h"
#include "catalog/catalog_files.h"

#define SECOND INT64_C(1000000000)

static atomic_bool ready = true;
static const char *log_dir;

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * SECOND + t.tv_nsec;
}

static int systems(void *arg, api_system_row *each, void *to, struct err *e)
{
	struct api_system all[] = {
	    {.name = "orders", .tier = "critical", .rpo_ns = 900 * SECOND},
	    {.name = "www", .tier = "standard", .rpo_ns = 86400 * SECOND, .next_ns = now_ns()},
	};

	for (size_t i = 0; i < 2; i++)
		if (each(to, &all[i], e) == -1)
			return -1;
	return 0;
}

static int do_run(void *arg, const struct api_run *r, int64_t *id, bool *added, struct err *e)
{
	struct run run = {.system = r->system,
	    .kind = r->kind,
	    .type = r->type,
	    .by = r->by,
	    .trigger = "manual",
	    .queue = "main",
	    .status = RUN_QUEUED,
	    .due_ns = now_ns(),
	    .queued_ns = now_ns(),
	    .score = -1};
	struct catalog *c;
	int rc;

	if (strcmp(r->system, "orders") != 0 && strcmp(r->system, "www") != 0)
		return err_set(e, ERR_ABSENT, "there is no system '%s'", r->system);
	if (catalog_open(arg, &c, e) == -1)
		return -1;
	rc = run_ask(c, &run, id, added, e);
	catalog_close(c);
	printf("run %s %s %s by %s\n", r->system, r->kind, r->type ? r->type : "-", r->by);
	return rc;
}

static int cancel(void *arg, int64_t id, const char *by, bool *stopping, struct err *e)
{
	struct catalog *c;
	int rc;

	if (catalog_open(arg, &c, e) == -1)
		return -1;
	rc = run_drop(c, id, RUN_CANCELLED, "cancelled", now_ns(), e);
	catalog_close(c);
	return rc;
}

static int health(void *arg, struct api_health *out, struct err *e)
{
	out->ready = ready;
	snprintf(out->why, sizeof out->why, "%s", out->ready ? "" : "told so");
	return 0;
}

static int schedule(void *arg, const struct api_schedule *q, json_t **out, struct err *e)
{
	struct shape_coming next = {q->systems ? q->systems : "www", "backup", "full", "local",
	    now_ns() + SECOND, now_ns() + 2 * SECOND, false};

	*out = json_array();
	json_array_append_new(*out, shape_json(&shape_coming, &next));
	return 0;
}

static int repositories(void *arg, api_repository_row *each, void *to, struct err *e)
{
	struct api_repository one = {"main", "primary", "here", "disk"};

	return each(to, &one, e);
}

static int why(void *arg, const char *system, json_t **out, struct err *e)
{
	if (strcmp(system, "www") != 0)
		return err_set(e, ERR_ABSENT, "there is no system '%s'", system);
	*out = json_pack("{s:s}", "text", "it is not due yet");
	return 0;
}

static void log_line(void *arg, enum event_level level, const char *text)
{
	printf("log %d %s\n", (int)level, text);
}

static int add_run(struct catalog *c, const char *system, int64_t ago_s, bool good, struct err *e)
{
	char path[4096];
	struct run r = {.system = system,
	    .kind = "backup",
	    .type = "full",
	    .trigger = "schedule",
	    .queue = "main",
	    .status = good ? RUN_COMPLETED : RUN_FAILED,
	    .score = -1,
	    .due_ns = now_ns() - ago_s * SECOND,
	    .files = 7,
	    .bytes = 1000,
	    .stored = 100,
	    .message = good ? NULL : "it \"failed\"\nbadly",
	    .exit_status = good ? 0 : 1};
	int64_t id;
	FILE *f;

	r.queued_ns = r.started_ns = r.due_ns;
	r.ended_ns = r.started_ns + SECOND;
	if (log_dir != NULL) {
		snprintf(path, sizeof path, "%s/%s.log", log_dir, system);
		f = fopen(path, "w");
		if (f != NULL) {
			fprintf(f, "log of %s\n", system);
			fclose(f);
		}
		r.log = path;
	}
	return run_add(c, &r, &id, e);
}

static int add_file(struct catalog *c, const char *system, const char *path, struct err *e)
{
	struct catalog_snapshot s = {.repository = "abcd",
	    .name = "main",
	    .snapshot = "0123abcd",
	    .group = "77",
	    .system = system,
	    .host = "h",
	    .outcome = "complete",
	    .start_ns = now_ns(),
	    .end_ns = now_ns(),
	    .files = 1,
	    .bytes = 5};
	char head[CATALOG_HEX];
	struct catalog_files *f;
	uint64_t left_out;

	if (catalog_snapshot_put(c, &s, e) == -1 ||
	    catalog_files_begin(c, &s, true, &f, head, e) == -1)
		return -1;
	if (catalog_files_add(f, span_str(path), ENTRY_FILE, 5, now_ns(), false, e) == -1) {
		catalog_files_abort(f);
		return -1;
	}
	return catalog_files_commit(f, &left_out, e);
}

static int command(struct api *a, struct catalog *c, char *line, struct err *e)
{
	char *save = NULL, *word = strtok_r(line, " \n", &save),
	     *one = strtok_r(NULL, " \n", &save);
	char *rest = strtok_r(NULL, "\n", &save);
	int rc = 0;

	if (word == NULL || one == NULL)
		return 0;
	if (strcmp(word, "event") == 0) {
		struct catalog_event ev = {.at_ns = now_ns(),
		    .name = one,
		    .severity = "info",
		    .system = "www",
		    .text = rest};
		int64_t id;

		rc = catalog_event_add(c, &ev, &id, e);
		api_wake(a);
	} else if (strcmp(word, "publish") == 0) {
		api_publish(a, "run.progress", json_pack("{s:s}", "text", one));
	} else if (strcmp(word, "success") == 0) {
		rc = add_run(c, one, atol(rest ? rest : "0"), true, e);
	} else if (strcmp(word, "failure") == 0) {
		rc = add_run(c, one, 0, false, e);
	} else if (strcmp(word, "file") == 0) {
		rc = add_file(c, one, rest, e);
	} else if (strcmp(word, "ready") == 0) {
		ready = atoi(one) != 0;
	}
	return rc;
}

static int talk(struct api *a, const char *url, struct err *e)
{
	char line[1024];
	struct catalog *c;
	int rc = catalog_open(url, &c, e);

	while (rc == 0 && fgets(line, sizeof line, stdin) != NULL) {
		rc = command(a, c, line, e);
		printf("done\n");
	}
	catalog_close(c);
	return rc;
}

int main(int argc, char **argv)
{
	struct api_params p = {0};
	struct api_host host = {.systems = systems,
	    .repositories = repositories,
	    .run = do_run,
	    .cancel = cancel,
	    .health = health,
	    .schedule = schedule,
	    .why = why,
	    .log = log_line};
	struct err e = {0};
	struct api *a;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 5)
		return 2;
	p.catalog = host.arg = argv[1];
	p.state_dir = argv[2];
	p.socket = argv[3];
	p.listen = argv[4][0] ? argv[4] : NULL;
	for (int i = 5; i < argc; i++) {
		char *value = strchr(argv[i], '=');

		if (value == NULL)
			return 2;
		*value++ = '\0';
		if (strcmp(argv[i], "cert") == 0)
			p.tls_cert = value;
		else if (strcmp(argv[i], "key") == 0)
			p.tls_key = value;
		else if (strcmp(argv[i], "rate") == 0)
			p.rate_limit = (unsigned)atoi(value);
		else if (strcmp(argv[i], "request_ms") == 0)
			p.request_ns = atol(value) * 1000000;
		else if (strcmp(argv[i], "log_dir") == 0)
			p.log_dir = log_dir = value;
		else
			return 2;
	}
	if (api_start(&p, &host, &a, &e) == -1) {
		printf("error %s: %s (%s)\n", err_info(e.kind)->name, e.msg, e.hint);
		return 1;
	}
	printf("port %u\n", api_port(a));
	if (talk(a, p.catalog, &e) == -1)
		printf("error %s\n", e.msg);
	api_stop(a);
	return e.kind ? 1 : 0;
}
